//! Files, read once and written whole.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

use crate::disk;

/// Reads a regular file of at most `most` bytes; of a longer one, one byte more. Anything else, a pipe say, is refused
/// without waiting for it.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Most bytes of a file of settings.
const TEXT_BYTES: u64 = 16 << 20;

/// Reads a regular file of text.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read(path, TEXT_BYTES)?;
    if bytes.len() as u64 > TEXT_BYTES {
        let rule = format!("it has more than {} MiB; this kind of file has not", TEXT_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, rule));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Writes a file so that a reader, or a machine that loses power, finds the old content or the new, never a part.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    disk::put(path, [bytes], mode, false)
}

#[cfg(test)]
mod tests {
    use super::{TEXT_BYTES, read, read_text, write};

    #[test]
    fn a_file_is_read_up_to_one_byte_more_than_allowed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write(&path, &[7; 100], 0o600).unwrap();
        assert_eq!(read(&path, 100).unwrap().len(), 100);
        assert_eq!(read(&path, 9).unwrap().len(), 10);
        assert_eq!(read(directory.path(), 9).unwrap_err().to_string(), "it is no regular file");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "a temporary file was left");
    }

    #[test]
    fn a_text_is_no_longer_than_any_of_its_kind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let text = |bytes: u64| {
            std::fs::File::create(&path).unwrap().set_len(bytes).unwrap();
            read_text(&path)
        };
        assert_eq!(text(TEXT_BYTES).unwrap().len() as u64, TEXT_BYTES);
        assert_eq!(text(TEXT_BYTES + 1).unwrap_err().to_string(), "it has more than 16 MiB; this kind of file has not");
        write(&path, &[0xff], 0o600).unwrap();
        assert!(read_text(&path).unwrap_err().to_string().contains("invalid utf-8"));
    }
}
