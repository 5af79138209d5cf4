//! What tells the contents of logs apart, had while they are read.

use std::io::{self, Read};

/// Most bytes of a content's head. Logs tell when they were opened, or at least their first record, long before.
pub(super) const HEAD: usize = 64 << 10;

/// What tells contents apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// BLAKE3 of it, decompressed, in hex: a log is the same log when it was compressed since.
    pub(super) digest: String,
    /// Its bytes.
    pub(super) bytes: u64,
    /// BLAKE3 of its head in hex: its first bytes, as many as the greatest power of two that it has, up to 64 KiB. There
    /// are so few lengths that all of them can be tried on a content that goes on.
    pub(super) head: String,
    /// Whether its last line has no end.
    pub(super) is_open: bool,
}

pub(super) fn head_length(bytes: u64) -> usize {
    let most = usize::try_from(bytes).unwrap_or(HEAD).min(HEAD);
    most.checked_ilog2().map_or(0, |power| 1 << power)
}

/// Passes a content on, and tells in the end what it was.
pub(super) struct Digested<R> {
    input: R,
    hasher: blake3::Hasher,
    head: Vec<u8>,
    last: u8,
}

impl<R: Read> Digested<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, hasher: blake3::Hasher::new(), head: Vec::new(), last: b'\n' }
    }

    /// Whether the last line that was read has no end.
    pub(super) const fn is_open(&self) -> bool {
        self.last != b'\n'
    }

    /// What was read.
    pub(super) fn content(&self) -> Content {
        let bytes = self.hasher.count();
        let head = blake3::hash(&self.head[..head_length(bytes)]).to_hex().to_string();
        let digest = self.hasher.finalize().to_hex().to_string();
        Content { digest, bytes, head, is_open: self.is_open() }
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // BLAKE3 is a tree: pieces that begin and end at such places are whole branches of it, which are fastest.
        const PIECE: usize = 128 << 10;
        let most = buffer.len().min(PIECE - self.hasher.count() as usize % PIECE);
        let read = self.input.read(&mut buffer[..most])?;
        self.hasher.update(&buffer[..read]);
        self.head.extend_from_slice(&buffer[..read.min(HEAD - self.head.len())]);
        self.last = buffer[..read].last().copied().unwrap_or(self.last);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{Content, Digested, HEAD, head_length};

    #[test]
    fn a_digest_is_of_the_content_however_it_is_read() {
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        for length in [0, 1, 3, 1_024, HEAD - 1, HEAD, HEAD + 1, bytes.len()] {
            let bytes = &bytes[..length];
            let mut digested = Digested::new(bytes);
            let mut buffer = vec![0; 300_001];
            while digested.read(&mut buffer).unwrap() > 0 {}
            let [digest, head] =
                [bytes, &bytes[..head_length(length as u64)]].map(|bytes| blake3::hash(bytes).to_hex().to_string());
            let is_open = bytes.last().is_some_and(|last| *last != b'\n');
            assert_eq!(digested.content(), Content { digest, bytes: length as u64, head, is_open });
        }
        assert_eq!([0, 1, 3, 1_023, 65_535, 65_536, u64::MAX].map(head_length), [0, 1, 2, 512, 32_768, 65_536, 65_536]);
    }
}
