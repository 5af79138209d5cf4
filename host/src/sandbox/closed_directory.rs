//! A directory that is the user's and closed to everyone else, and files in it that are the user's alone.
//!
//! It is opened once, and files are opened in it and not by a path: whoever can rename directories above it cannot put
//! another in its place between the look and the use. A file that another user left there, or that a link leads to, is none.

use std::{
    fs::{self, DirBuilder, File, Metadata},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use crate::disk::{self, Step};

#[derive(Debug)]
pub(super) struct ClosedDirectory {
    path: PathBuf,
    directory: OwnedFd,
}

impl ClosedDirectory {
    /// Opens a directory, and makes it if need be.
    ///
    /// # Errors
    /// It is none, or not the user's alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match DirBuilder::new().recursive(true).mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !fs::symlink_metadata(path)?.is_dir() {
            return Err(refused("it must be a directory, not a link".to_owned()));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let metadata = directory.metadata()?;
        is_own(&metadata)?;
        if metadata.mode() & 0o077 != 0 {
            return Err(refused(format!("its mode is {:04o}; it must be 0700", metadata.mode() & 0o7777)));
        }
        Ok(Self { path: path.to_owned(), directory: directory.into() })
    }

    /// Where a file in it is, for a message.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a file of at most `most` bytes.
    ///
    /// # Errors
    /// It is not there, longer, no file, or another could have written it.
    pub(super) fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.directory, name, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        is_own(&metadata)?;
        if metadata.mode() & 0o022 != 0 || metadata.nlink() > 1 {
            return Err(refused("others could write it".to_owned()));
        }
        if metadata.len() > most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {most} bytes")));
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let staged = format!(".{name}.{}", std::process::id());
        let path = self.place(name);
        disk::may(Step::Create, &path)?;
        // One of a process that was killed.
        unlinkat(&self.directory, &staged, AtFlags::empty()).unwrap_or_default();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.directory, &staged, flags, Mode::RUSR | Mode::WUSR)?);
        let mut write = || -> io::Result<()> {
            disk::may(Step::Write, &path)?;
            file.write_all(bytes)?;
            disk::may(Step::Sync, &path)?;
            file.sync_all()?;
            disk::may(Step::Rename, &path)?;
            Ok(renameat(&self.directory, &staged, &self.directory, name)?)
        };
        let written = write();
        if written.is_err() {
            unlinkat(&self.directory, &staged, AtFlags::empty()).unwrap_or_default();
        }
        written
    }
}

fn is_own(metadata: &Metadata) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() == user {
        return Ok(());
    }
    Err(refused(format!("it belongs to user {}; it must belong to user {user}", metadata.uid())))
}

fn refused(rule: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, rule)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt, chown, symlink},
    };

    use super::ClosedDirectory;

    #[test]
    fn what_another_could_have_written_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("code");
        let directory = ClosedDirectory::open(&path).unwrap();
        directory.write("file", b"content").unwrap();
        assert_eq!(directory.read("file", 7).unwrap(), b"content");
        let refused = |name: &str, most| directory.read(name, most).unwrap_err().to_string();
        assert_eq!(refused("file", 6), "it is longer than 6 bytes");
        fs::set_permissions(path.join("file"), Permissions::from_mode(0o620)).unwrap();
        assert_eq!(refused("file", 7), "others could write it");
        directory.write("file", b"content").unwrap();
        fs::hard_link(path.join("file"), root.path().join("other name")).unwrap();
        assert_eq!(refused("file", 7), "others could write it");
        directory.write("file", b"content").unwrap();
        symlink("file", path.join("link")).unwrap();
        directory.read("link", 7).unwrap_err();
        assert_eq!(refused("..", 7), "it is no regular file");
        // Only root can give a file away.
        if chown(path.join("file"), Some(65_534), None).is_ok() {
            assert!(refused("file", 7).starts_with("it belongs to user 65534"));
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "something was left");
    }

    #[test]
    fn another_directory_in_its_place_is_not_looked_into() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("code");
        let directory = ClosedDirectory::open(&path).unwrap();
        directory.write("file", b"mine").unwrap();
        fs::rename(&path, root.path().join("moved")).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "another's").unwrap();
        assert_eq!(directory.read("file", 100).unwrap(), b"mine");
    }
}
