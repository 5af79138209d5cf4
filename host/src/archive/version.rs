//! The version of what an archive keeps of its own, `_wardflow/layout`. An archive of another version is left alone: what
//! cannot be read in it is not damaged.

use std::{fs, io, path::PathBuf};

use super::location::Archive;
use crate::{
    disk,
    error::{Context, Error, Result},
};

/// The version that is read and written. An archive that names none has it.
const LAYOUT: &str = "1";

/// Characters of another version that are shown.
const SHOWN: usize = 20;

impl Archive {
    /// Checks that the archive has a version that is read here.
    ///
    /// # Errors
    /// It has another one.
    pub(super) fn check_layout(&self) -> Result<()> {
        let file = self.layout_file();
        let found = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.context(|| format!("reading {}", file.display()))?,
        };
        let found = String::from_utf8_lossy(&found);
        if found.trim() == LAYOUT {
            return Ok(());
        }
        let shown: String = found.trim().chars().take(SHOWN).collect();
        let place = self.describe();
        let rule = format!("the archive {place} has layout {shown:?}; this wardflow reads and writes layout {LAYOUT}");
        Err(Error::failed(rule).remedy("use the version of wardflow that wrote it, or a later one"))
    }

    /// Notes the version in an archive that is written.
    pub(super) fn note_layout(&self) -> Result<()> {
        let file = self.layout_file();
        if file.exists() {
            return Ok(());
        }
        disk::put(&file, [format!("{LAYOUT}\n").as_bytes()], 0o666, false)
            .context(|| format!("writing {}", file.display()))
    }

    fn layout_file(&self) -> PathBuf {
        self.local_directory().join("layout")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::archive::round_trip::empty_archive;

    #[tokio::test]
    async fn an_archive_of_another_version_is_left_alone() {
        let (directory, archive) = empty_archive();
        drop(archive.lock().unwrap());
        let file = directory.path().join("archive/_wardflow/layout");
        assert_eq!(fs::read_to_string(&file).unwrap(), "1\n", "archives that are there have this version");
        archive.list().await.unwrap();
        fs::write(&file, "2\n").unwrap();
        for error in [archive.lock().unwrap_err(), archive.list().await.unwrap_err()] {
            let said = error.to_string();
            assert!(said.ends_with("has layout \"2\"; this wardflow reads and writes layout 1"), "{said}");
            assert!(error.remedy_text().unwrap().contains("or a later one"));
        }
    }
}
