//! Opens what is to be ingested: plain, gzip or Zstandard, told apart by their first bytes.

use std::{
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
    let mut buffered = BufReader::with_capacity(256 << 10, counted);
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

/// BLAKE3 of a file, in hex, and its size.
pub(super) fn digest(path: &Path) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((hasher.finalize().to_hex().to_string(), hasher.count())),
            read => hasher.update(&chunk[..read]),
        };
    }
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

    use super::{digest, open};

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
            let (_, size) = digest(&path).unwrap();
            let mut input = open(&path, size).unwrap();
            let mut text = String::new();
            input.content.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), size), (content, bytes.len() as u64));
        }
    }
}
