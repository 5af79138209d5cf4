//! How files are written: the few ways in which the lake, the archive and `plugins.lock` change a disk, in one place.
//!
//! What is written is complete and on the disk before it has its name, and its name is there before the call returns. Each
//! step may fail, and tests make every one of them do so.

#[cfg(test)]
pub(crate) mod failing;

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// What is about to be done to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Write,
    Sync,
    Rename,
    Delete,
}

/// A file in the making.
#[derive(Debug)]
pub(crate) struct File {
    file: fs::File,
    path: PathBuf,
}

impl File {
    /// Makes a file, or empties the one that is there.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        may(Step::Create, path)?;
        let file = fs::File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// What was written from a place on.
    pub(crate) fn read_from(&self, place: u64) -> io::Result<Vec<u8>> {
        let bytes = usize::try_from(self.size()?.saturating_sub(place)).map_err(io::Error::other)?;
        let mut written = vec![0; bytes];
        self.file.read_exact_at(&mut written, place)?;
        Ok(written)
    }

    /// Writes over what is there.
    pub(crate) fn overwrite(&mut self, mut place: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let now = part(&self.path, bytes)?;
            self.file.write_all_at(now, place)?;
            (place, bytes) = (place + now.len() as u64, &bytes[now.len()..]);
        }
        Ok(())
    }

    /// Waits until all of it is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        may(Step::Sync, &self.path)?;
        self.file.sync_all()
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(part(&self.path, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a file whole, with the rights of `mode` that the umask leaves: a reader, or a machine that loses power, finds
/// the old content or the new, never a part. With `is_new`, a file that is there stays as it is, and that is an error.
pub(crate) fn put<'a>(
    path: &Path,
    parts: impl IntoIterator<Item = &'a [u8]>,
    mode: u32,
    is_new: bool,
) -> io::Result<()> {
    let directory = parent(path);
    may(Step::Create, path)?;
    let staged =
        tempfile::Builder::new().prefix(".staged-").permissions(Permissions::from_mode(mode)).tempfile_in(directory)?;
    let (file, staged) = staged.into_parts();
    let mut file = File { file, path: path.to_owned() };
    for part in parts {
        file.write_all(part)?;
    }
    file.sync()?;
    may(Step::Rename, path)?;
    if is_new {
        staged.persist_noclobber(path)?;
    } else {
        staged.persist(path)?;
    }
    sync(directory)
}

/// Gives a file that is on the disk another name, in place of a file that has it.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    create_directories(parent(to))?;
    may(Step::Rename, to)?;
    fs::rename(from, to)?;
    sync(parent(to))
}

/// Deletes a file; it may be gone already. A file that comes back after a power cut is one that nothing names.
pub(crate) fn delete(path: &Path) -> io::Result<()> {
    may(Step::Delete, path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a directory, and those above it.
pub(crate) fn create_directories(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    create_directories(above)?;
    may(Step::Create, directory)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync(above),
    }
}

/// Waits until a file, or the names in a directory, are on the disk.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    may(Step::Sync, path)?;
    fs::File::open(path)?.sync_all()
}

/// The directory that a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        None => Path::new("/"),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    }
}

/// Fails where a test wants this step to.
pub(crate) fn may(step: Step, path: &Path) -> io::Result<()> {
    #[cfg(test)]
    return failing::step(step, path);
    #[cfg(not(test))]
    {
        _ = (step, path);
        Ok(())
    }
}

/// As much of `bytes` as can be written at once: less where a test wants that.
fn part<'a>(path: &Path, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
    #[cfg(test)]
    return failing::part(path, bytes);
    #[cfg(not(test))]
    {
        _ = path;
        Ok(bytes)
    }
}
