//! The lock that keeps two runs from analysing into one lake at once.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

use crate::{
    disk::{self, Step},
    error::{Context, Error, Result},
};

/// Held while it lives, and gone with its process, however that ends.
///
/// A lake in an object store has no lock: [`Lock`] then holds nothing. Two runs at once are safe there as well, since
/// commits have ids of their own, of two commits of a slice the later counts, and state files are named by digest; they
/// only do the work twice.
#[derive(Debug)]
#[must_use = "the lock is held while this lives"]
pub struct Lock {
    file: Option<File>,
}

const FILE: &str = ".lock";

impl Lock {
    /// A lock that holds nothing.
    pub(super) const fn none() -> Self {
        Self { file: None }
    }

    /// Whether nobody else can hold the lake.
    pub const fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }

    /// Locks a directory, creating it if need be; `holder` is what another process is told.
    pub(super) fn take(directory: &Path, holder: &str) -> Result<Self> {
        let path = directory.join(FILE);
        let doing = || format!("cannot lock the lake with {}", path.display());
        disk::create_directories(directory).context(doing)?;
        disk::may(Step::Create, &path).context(doing)?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).context(doing)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                let read = file.read_to_string(&mut other);
                let other = if read.is_ok() && !other.trim().is_empty() { other.trim() } else { "another process" };
                return Err(Error::failed(format!("the lake {} is held by {other}", directory.display()))
                    .remedy("wait until it has ended, or end it: its lock ends with it and nothing is lost"));
            }
            Err(TryLockError::Error(error)) => return Err(error).context(doing),
        }
        disk::may(Step::Write, &path).context(doing)?;
        file.set_len(0).and_then(|()| file.rewind()).context(doing)?;
        let now = jiff::Timestamp::now();
        writeln!(file, "{holder}, process {}, since {now:.0}", std::process::id()).context(doing)?;
        Ok(Self { file: Some(file) })
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;

    #[test]
    fn one_holds_it_and_the_other_is_told_who() {
        let directory = tempfile::tempdir().unwrap();
        let lake = directory.path().join("lake");
        let first = Lock::take(&lake, "a long run with a long name").unwrap();
        let error = Lock::take(&lake, "late").unwrap_err();
        assert!(error.to_string().contains("held by a long run with a long name, process "), "{error}");
        drop(first);
        let second = Lock::take(&lake, "late").unwrap();
        let error = Lock::take(&lake, "later").unwrap_err().to_string();
        assert!(error.contains("held by late, process ") && !error.contains("long"), "{error}");
        drop(second);
    }
}
