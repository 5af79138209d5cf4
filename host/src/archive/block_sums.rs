//! Checksums of a flow file's blocks, in its footer: what a disk changed since it was written is found where it is read.
//!
//! A page that was changed mostly still decodes, to other flows. Parquet has checksums of pages, which the library that
//! writes them leaves out. These are of blocks of the file, whatever lies in them: pages, dictionaries and bloom filters.
//! The page index and the footer come after them: their sums are those of [`tail_sums`](super::tail_sums).

use std::{
    io::{self, Write},
    ops::Range,
};

use bytes::Bytes;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The key in the footer.
const KEY: &str = "wardflow.blocks";

/// Bytes of a block: a page of one column is about as long.
const BLOCK: u64 = 32 << 10;

/// Hexadecimal digits of a sum, XXH3 of 64 bits.
const DIGITS: usize = 16;

/// The sums of a file's blocks, from its first byte on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockSums {
    /// Bytes that have sums. The last block may be a shorter one.
    bytes: u64,
    sums: Vec<u64>,
}

impl BlockSums {
    /// Those in a footer; none if another program or an earlier version wrote it.
    ///
    /// # Errors
    /// They cannot be read; the reason.
    pub fn of(metadata: &ParquetMetaData) -> Result<Option<Self>, String> {
        let keys = metadata.file_metadata().key_value_metadata();
        let Some(pair) = keys.and_then(|keys| keys.iter().find(|pair| pair.key == KEY)) else { return Ok(None) };
        let sums = Self::from_text(pair.value.as_deref().unwrap_or_default());
        sums.map(Some).ok_or_else(|| format!("its metadata {KEY} cannot be read"))
    }

    /// As a pair for the footer: the bytes that have sums, a colon, and the sums.
    pub(super) fn to_footer(&self) -> KeyValue {
        let sums: String = self.sums.iter().map(|sum| format!("{sum:016x}")).collect();
        KeyValue::new(KEY.to_owned(), format!("{}:{sums}", self.bytes))
    }

    fn from_text(text: &str) -> Option<Self> {
        let (bytes, digits) = text.split_once(':')?;
        let bytes = bytes.parse().ok()?;
        let sums = digits.as_bytes().chunks(DIGITS).map(|sum| u64::from_str_radix(str::from_utf8(sum).ok()?, 16).ok());
        let sums: Vec<u64> = sums.collect::<Option<_>>()?;
        (digits.len() % DIGITS == 0 && sums.len() as u64 == u64::div_ceil(bytes, BLOCK)).then_some(Self { bytes, sums })
    }

    /// Where the blocks end in the file, and its page index begins.
    pub fn end(&self) -> u64 {
        self.bytes
    }

    /// The whole blocks in which a range of the file lies; absent where a part of it has no sums.
    pub fn blocks(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let end = range.end.checked_next_multiple_of(BLOCK)?.min(self.bytes);
        (range.end <= self.bytes).then(|| range.start / BLOCK * BLOCK..end)
    }

    /// Compares blocks that were read, of which the first begins at `start`.
    ///
    /// # Errors
    /// One is another than was written; the reason.
    pub fn verify(&self, start: u64, blocks: &Bytes) -> Result<(), String> {
        for (block, sum) in blocks.chunks(BLOCK as usize).zip(start / BLOCK..) {
            if self.sums.get(sum as usize) != Some(&xxh3_64(block)) {
                return Err(format!("the block at byte {} is not what was written", sum * BLOCK));
            }
        }
        Ok(())
    }
}

/// A file in the making, and the sums of what was written into it.
pub(super) struct Summed<W> {
    file: W,
    sums: Vec<u64>,
    block: Xxh3,
    in_block: u64,
}

impl<W> Summed<W> {
    pub(super) fn new(file: W) -> Self {
        Self { file, sums: Vec::new(), block: Xxh3::new(), in_block: 0 }
    }

    /// The sums up to here.
    pub(super) fn sums(&self) -> BlockSums {
        let bytes = self.sums.len() as u64 * BLOCK + self.in_block;
        let last = (self.in_block > 0).then(|| self.block.digest());
        BlockSums { bytes, sums: self.sums.iter().copied().chain(last).collect() }
    }

    pub(super) fn file_mut(&mut self) -> &mut W {
        &mut self.file
    }

    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK - self.in_block).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.update(now);
            self.in_block += now.len() as u64;
            if self.in_block == BLOCK {
                self.sums.push(self.block.digest());
                (self.block, self.in_block) = (Xxh3::new(), 0);
            }
            bytes = later;
        }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.add(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;

    use super::{BLOCK, BlockSums, Summed};

    fn written(bytes: &[u8], pieces: usize) -> BlockSums {
        let mut file = Summed::new(Vec::new());
        bytes.chunks(pieces).for_each(|piece| file.write_all(piece).unwrap());
        assert_eq!(file.file_mut(), bytes);
        file.sums()
    }

    #[test]
    fn a_changed_byte_is_found_in_its_block() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 77).map(|at| (at * 31 % 251) as u8).collect();
        let sums = written(&bytes, 1_000);
        assert_eq!(sums, written(&bytes, bytes.len()));
        sums.verify(0, &Bytes::from(bytes.clone())).unwrap();
        for at in [0, BLOCK - 1, BLOCK, 3 * BLOCK + 76] {
            let mut changed = bytes.clone();
            changed[at as usize] ^= 1;
            let blocks = sums.blocks(&(at..at + 1)).unwrap();
            let read = Bytes::from(changed).slice(blocks.start as usize..blocks.end as usize);
            let told = format!("the block at byte {} is not what was written", at / BLOCK * BLOCK);
            assert_eq!(sums.verify(blocks.start, &read), Err(told));
        }
    }

    #[test]
    fn ranges_are_widened_to_blocks_where_all_of_them_have_sums() {
        let sums = written(&vec![7; 2 * BLOCK as usize + 10], 4_096);
        for (range, expected) in [
            (0..1, Some(0..BLOCK)),
            (BLOCK - 1..BLOCK + 1, Some(0..2 * BLOCK)),
            (2 * BLOCK..2 * BLOCK + 10, Some(2 * BLOCK..2 * BLOCK + 10)),
            (2 * BLOCK..2 * BLOCK + 11, None),
            (0..u64::MAX, None),
        ] {
            assert_eq!(sums.blocks(&range), expected, "{range:?}");
        }
    }

    #[test]
    fn a_footer_holds_them_whole_or_not_at_all() {
        let sums = written(&vec![7; 2 * BLOCK as usize + 10], 4_096);
        let text = sums.to_footer().value.unwrap();
        assert_eq!(BlockSums::from_text(&text), Some(sums));
        assert_eq!(BlockSums::from_text("0:"), Some(written(&[], 1)));
        for damaged in ["", ":", "65536:", &text[..text.len() - 1], &text.replace(':', "0:"), &text.replace(':', ":é")]
        {
            assert_eq!(BlockSums::from_text(damaged), None, "{damaged}");
        }
    }
}
