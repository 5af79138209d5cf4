//! Opens what is to be ingested: plain, gzip, Zstandard, bzip2 or xz, told apart by their first bytes.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::{
    bufread::XzDecoder,
    stream::{CONCATENATED, Stream},
};

use crate::error::Error;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = b"\xfd7zXZ\0";

/// Memory that a decoder of xz may take. Its own programs need a tenth of it at their highest level.
const XZ_MEMORY: u64 = 1 << 30;

/// Bytes read of a file at a time. Less than what is asked for of a plain log, which then passes the buffer by.
const CHUNK: usize = 64 << 10;

/// A file as it was when it was opened: another file may take its name, and what is written to it from then on belongs to
/// another source.
#[derive(Debug)]
pub(super) struct InputFile {
    file: Arc<File>,
    size: u64,
    first: Option<u64>,
}

/// A file's content, decompressed, and how much of the file was read.
pub(super) struct Input {
    pub(super) content: Box<dyn Read + Send>,
    pub(super) bytes_read: Arc<AtomicU64>,
}

/// The content of a file, decompressed.
///
/// # Errors
/// It is no regular file, or cannot be read.
pub(crate) fn read_file(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    // Standard input cannot be read twice, so that it is not offered here.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(InputFile::open(path)?.read()?.content)
}

/// That a file which somebody named cannot be read.
pub(crate) fn cannot_read(path: &Path, error: io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound if path == Path::new("-") => "it is read twice: give a file, and not standard input",
        io::ErrorKind::NotFound => "give a file that is there",
        io::ErrorKind::PermissionDenied => "give a file that you may read",
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            "it is cut off or damaged: get it whole"
        }
        _ => "give a regular file, plain or compressed",
    };
    Error::usage(format!("cannot read {}", path.display())).because(error).remedy(remedy)
}

impl InputFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // To open a named pipe would wait for its writer, and it could not be read twice.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file; give one, or - for standard input"));
        }
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size, first: None })
    }

    /// Of its content just so many first bytes.
    pub(super) fn first(self, first: Option<u64>) -> Self {
        Self { first, ..self }
    }

    /// Bytes of the file.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Its content from the beginning, the same however much is read of it at a time.
    pub(super) fn read(&self) -> io::Result<Input> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let range = Range { file: Arc::clone(&self.file), end: self.size, next: Arc::clone(&bytes_read) };
        let mut buffered = BufReader::with_capacity(CHUNK, range);
        let start = buffered.fill_buf()?;
        let content: Box<dyn Read + Send> = if start.starts_with(&GZIP) {
            Box::new(InChunks::new(MultiGzDecoder::new(buffered)))
        } else if start.starts_with(&ZSTD) {
            Box::new(InChunks::new(zstd::Decoder::with_buffer(buffered)?))
        } else if start.starts_with(BZIP2) {
            Box::new(InChunks::new(MultiBzDecoder::new(buffered)))
        } else if start.starts_with(XZ) {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(io::Error::other)?;
            Box::new(InChunks::new(XzDecoder::new_stream(buffered, stream)))
        } else {
            Box::new(buffered)
        };
        let content = match self.first {
            Some(first) => Box::new(content.take(first)),
            None => content,
        };
        Ok(Input { content, bytes_read })
    }
}

/// The bytes of a file up to `end`.
struct Range {
    file: Arc<File>,
    end: u64,
    next: Arc<AtomicU64>,
}

impl Read for Range {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.next.load(Ordering::Relaxed);
        let most = usize::try_from(self.end.saturating_sub(next)).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..most], next)?;
        self.next.store(next + read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Asks a decoder for chunks of one size: how much one gives before it finds its input broken depends on that.
struct InChunks<R>(BufReader<R>);

impl<R: Read> InChunks<R> {
    fn new(decoder: R) -> Self {
        Self(BufReader::with_capacity(CHUNK, decoder))
    }
}

impl<R: Read> Read for InChunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let chunk = self.0.fill_buf()?;
        let read = chunk.len().min(buffer.len());
        buffer[..read].copy_from_slice(&chunk[..read]);
        self.0.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::InputFile;

    fn bzip2(text: &str) -> Vec<u8> {
        let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }

    fn xz(text: &str) -> Vec<u8> {
        let mut packed = liblzma::write::XzEncoder::new(Vec::new(), 1);
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
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
            ([bzip2("fl"), bzip2("ows")].concat(), "flows"),
            ([xz("fl"), xz("ows")].concat(), "flows"),
        ] {
            let path = directory.path().join("conn.log");
            std::fs::write(&path, &bytes).unwrap();
            let file = InputFile::open(&path).unwrap();
            let mut text = String::new();
            file.read().unwrap().content.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), file.size()), (content, bytes.len() as u64));
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        for path in ["/dev/null", "/"] {
            let error = InputFile::open(std::path::Path::new(path)).unwrap_err();
            assert!(error.to_string().contains("no regular file"), "{error}");
        }
    }

    #[test]
    fn is_what_it_was_when_it_was_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("conn.log");
        std::fs::write(&path, "first").unwrap();
        let file = InputFile::open(&path).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b" and more").unwrap();
        std::fs::rename(&path, directory.path().join("conn.1.log")).unwrap();
        std::fs::write(&path, "second").unwrap();
        for _ in 0..2 {
            let mut text = String::new();
            file.read().unwrap().content.read_to_string(&mut text).unwrap();
            assert_eq!(text, "first");
        }
    }

    #[test]
    fn breaks_off_at_one_place_however_it_is_read() {
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|line| format!("{:x}\n", line.wrapping_mul(0x9e37_79b9)).into_bytes()).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&text).unwrap();
        let directory = tempfile::tempdir().unwrap();
        for mut packed in [gzip.finish().unwrap(), zstd::encode_all(&text[..], 3).unwrap()] {
            let middle = packed.len() / 2;
            packed[middle..middle + 64].fill(0x55);
            let path = directory.path().join("conn.log");
            std::fs::write(&path, &packed).unwrap();
            let lengths = [1, 1_000, 128 << 10, 1 << 20].map(|at_once| {
                let mut content = InputFile::open(&path).unwrap().read().unwrap().content;
                let mut buffer = vec![0; at_once];
                let mut length = 0;
                while let Ok(read @ 1..) = content.read(&mut buffer) {
                    length += read;
                }
                length
            });
            assert!(lengths[0] > 0 && lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
        }
    }
}
