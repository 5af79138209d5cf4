//! Opens what is to be ingested: plain, gzip or Zstandard, told apart by their first bytes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A file's content, decompressed, and how much of the file was read.
pub(super) struct Input {
    pub(super) content: Box<dyn Read + Send>,
    pub(super) bytes_read: Arc<AtomicU64>,
}

/// Opens the first `size` bytes of a file: what is written to it from now on belongs to another source.
pub(super) fn open(path: &Path, size: u64) -> io::Result<Input> {
    let bytes_read = Arc::new(AtomicU64::new(0));
    let counted = Counted { input: File::open(path)?.take(size), bytes: Arc::clone(&bytes_read) };
    // Less than what is read at a time from a plain log, which then passes it by.
    let mut buffered = BufReader::with_capacity(64 << 10, counted);
    let start = buffered.fill_buf()?;
    let content: Box<dyn Read + Send> = if start.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(buffered))
    } else if start.starts_with(&ZSTD) {
        Box::new(zstd::Decoder::with_buffer(buffered)?)
    } else {
        Box::new(buffered)
    };
    Ok(Input { content, bytes_read })
}

/// What a file is, before anything in it is understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// BLAKE3 of its content, decompressed, in hex: a log is the same log when it was compressed since.
    pub(super) digest: String,
    /// Bytes of its content.
    pub(super) content: u64,
    /// Bytes of the file.
    pub(super) file: u64,
    /// The longest source among those that are known with which the content begins.
    pub(super) begins_with: Option<Beginning>,
}

/// A source with which a longer one begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) digest: String,
    /// Whether its last line goes on in the longer one.
    pub(super) is_cut: bool,
}

/// Reads a file to tell what it is. `known` has digests of contents by their length. A content that breaks off counts as
/// far as it can be read.
pub(super) fn identify(path: &Path, known: &BTreeMap<u64, Vec<String>>) -> io::Result<Identity> {
    let file = std::fs::metadata(path)?.len();
    let mut input = open(path, file)?;
    let mut hasher = blake3::Hasher::new();
    let mut lengths = known.iter().peekable();
    let mut begins_with: Option<Beginning> = None;
    let mut last = b'\n';
    let mut chunk = vec![0; 128 << 10];
    loop {
        let mut rest = match input.content.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => &chunk[..read],
        };
        while let Some(&next) = rest.first() {
            if let Some((_, digests)) = lengths.next_if(|(length, _)| **length == hasher.count()) {
                let digest = hasher.finalize().to_hex().to_string();
                if digests.contains(&digest) {
                    begins_with = Some(Beginning { digest, is_cut: last != b'\n' && !matches!(next, b'\n' | b'\r') });
                }
            }
            let until = lengths.peek().map_or(u64::MAX, |(length, _)| **length - hasher.count());
            let (now, later) = rest.split_at(rest.len().min(usize::try_from(until).unwrap_or(usize::MAX)));
            hasher.update(now);
            last = now.last().copied().unwrap_or(last);
            rest = later;
        }
    }
    Ok(Identity { digest: hasher.finalize().to_hex().to_string(), content: hasher.count(), file, begins_with })
}

struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use std::{collections::BTreeMap, path::Path};

    use super::{Beginning, Identity, identify, open};

    fn told(path: &Path, known: &[&[u8]]) -> Identity {
        let mut by_length = BTreeMap::<u64, Vec<String>>::new();
        for content in known {
            by_length.entry(content.len() as u64).or_default().push(blake3::hash(content).to_hex().to_string());
        }
        identify(path, &by_length).unwrap()
    }

    #[test]
    fn a_content_that_goes_on_is_known() {
        fn check(content: &[u8], known: &[&[u8]], expected: Option<(&[u8], bool)>) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("conn.log");
            std::fs::write(&path, content).unwrap();
            let plain = told(&path, known);
            let beginning = |(begins, is_cut): (&[u8], bool)| Beginning {
                digest: blake3::hash(begins).to_hex().to_string(),
                is_cut,
            };
            assert_eq!(plain.begins_with, expected.map(beginning));
            assert_eq!((plain.content, plain.file), (content.len() as u64, content.len() as u64));
            std::fs::write(&path, zstd::encode_all(content, 1).unwrap()).unwrap();
            let packed = told(&path, known);
            assert_eq!((packed.digest, packed.begins_with), (plain.digest, plain.begins_with));
        }
        check(b"a\nb\nc\n", &[], None);
        check(b"a\nb\nc\n", &[b"a\n", b"a\nb\n", b"x\ny\n"], Some((b"a\nb\n", false)));
        check(b"a\nb\nc\n", &[b"a\nb\nc\n"], None);
        check(b"a\nbig\n", &[b"a\nb"], Some((b"a\nb", true)));
        check(b"a\nb\nc\n", &[b"a\nb"], Some((b"a\nb", false)));
        check(&[b'x'; 3 << 20], &[&[b'x'; 2 << 20]], Some((&[b'x'; 2 << 20], true)));
        check(b"", &[b"a"], None);
    }

    #[test]
    fn tells_compression_by_content() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"flows").unwrap();
        let mut twice = gzip.finish().unwrap();
        twice.extend(twice.clone());
        let directory = tempfile::tempdir().unwrap();
        for (bytes, content) in [
            (b"flows".to_vec(), "flows"),
            (Vec::new(), ""),
            (twice, "flowsflows"),
            (zstd::encode_all(&b"flows"[..], 1).unwrap(), "flows"),
        ] {
            let path = directory.path().join("conn.log");
            std::fs::write(&path, &bytes).unwrap();
            let told = told(&path, &[]);
            let mut input = open(&path, told.file).unwrap();
            let mut text = String::new();
            input.content.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), told.file), (content, bytes.len() as u64));
            assert_eq!(told.digest, blake3::hash(content.as_bytes()).to_hex().to_string());
        }
    }
}
