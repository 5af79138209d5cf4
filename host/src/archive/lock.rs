//! One writer at a time.

use std::{fs, fs::File};

use rustix::fs::{FlockOperation, flock};

use super::location::{Archive, UNFINISHED};
use crate::{
    disk::{self, Step},
    error::{Context, Error, Result},
};

/// The right to write into an archive, held until it is dropped.
///
/// The lock is the kernel's (`flock`), so that it goes with the process however that ends. For an archive in an object
/// store it is the workspace's: who ingests from several machines must let one run at a time.
#[derive(Debug)]
pub struct ArchiveLock {
    archive: Archive,
    _file: File,
}

impl Archive {
    /// Takes the right to write, and clears away what a killed writer left unfinished.
    ///
    /// # Errors
    /// Another process writes into the archive, it has another version, or it cannot be written at all, as where its files are another's.
    pub fn lock(&self) -> Result<ArchiveLock> {
        if self.is_read_only() {
            let rule = "its files are another program's: it is only read";
            return Err(Error::usage(format!("nothing can be ingested into the archive {}: {rule}", self.describe()))
                .remedy(
                    "`archive` in wardflow.toml has a `mapping` or a pattern: ingest into a workspace that has neither",
                ));
        }
        let own = self.local_directory();
        let path = own.join("lock");
        let open = || {
            disk::create_directories(&own)?;
            disk::may(Step::Create, &path)?;
            File::create(&path)
        };
        let file = open().context(|| format!("opening the archive {} for writing", self.describe()))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| self.held_by_another("written or checked", error))?;
        self.check_layout()?;
        self.note_layout()?;
        let unfinished = own.join(UNFINISHED);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context(|| format!("clearing {}", unfinished.display()))?;
            }
            _ => {}
        }
        Ok(ArchiveLock { archive: self.clone(), _file: file })
    }
}

/// Keeps writers out of an archive that is read, until it is dropped; others may read it too.
#[derive(Debug)]
pub struct ReadLock {
    _file: Option<File>,
}

impl Archive {
    /// Keeps writers out. Nothing is written for it: where no writer ever was, or the file system has no locks, as of a
    /// copy that is only read, there is nobody to keep out.
    ///
    /// # Errors
    /// Another process writes into the archive.
    pub fn read_lock(&self) -> Result<ReadLock> {
        let file = File::open(self.local_directory().join("lock")).ok();
        let locked = file.as_ref().map(|file| flock(file, FlockOperation::NonBlockingLockShared));
        if let Some(Err(error @ rustix::io::Errno::WOULDBLOCK)) = locked {
            return Err(self.held_by_another("written", error));
        }
        Ok(ReadLock { _file: file })
    }

    fn held_by_another(&self, how: &str, error: rustix::io::Errno) -> Error {
        Error::failed(format!("the archive {} is being {how} by another process", self.describe()))
            .remedy("wait until it has ended, then try again")
            .because(error)
    }
}

impl ArchiveLock {
    /// The archive that may be written.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }
}

#[cfg(test)]
mod tests {
    use crate::archive::Archive;

    #[test]
    fn one_writer_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let archive = Archive::open("archive", directory.path()).unwrap();
        let lock = archive.lock().unwrap();
        let error = archive.lock().unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        assert!(archive.read_lock().unwrap_err().to_string().contains("another process"));
        drop(lock);
        let readers = [archive.read_lock().unwrap(), archive.read_lock().unwrap()];
        archive.lock().unwrap_err();
        drop(readers);
        archive.lock().unwrap();
    }
}
