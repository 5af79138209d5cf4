//! One writer at a time.

use std::{fs, fs::File};

use rustix::fs::{FlockOperation, flock};

use super::location::{Archive, UNFINISHED};
use crate::error::{Context, Error, Result};

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
    /// Another process writes into the archive, or it cannot be written at all, as where its files are another's.
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
            fs::create_dir_all(&own)?;
            File::create(&path)
        };
        let file = open().context(|| format!("opening the archive {} for writing", self.describe()))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            Error::failed(format!("the archive {} is being written by another process", self.describe()))
                .remedy("wait until it has ended, then try again")
                .because(error)
        })?;
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
        drop(lock);
        archive.lock().unwrap();
    }
}
