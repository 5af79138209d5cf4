//! Hours that were read from files once, kept in the workspace.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use object_store::ObjectMeta;

use crate::archive::{footer, location::Archive};

/// Flows by hour since 1970-01-01T00:00Z.
type Hours = BTreeMap<i64, u64>;

/// Hours that were read once, by what they depend on. Where they cannot be kept they are read again.
pub(super) struct KnownHours {
    path: PathBuf,
    read: BTreeMap<String, Hours>,
    used: Mutex<BTreeMap<String, Hours>>,
}

impl KnownHours {
    pub(super) fn read(archive: &Archive) -> Self {
        let path = archive.cache_directory().join("hours.json");
        let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { path, read, used: Mutex::default() }
    }

    pub(super) fn key(object: &ObjectMeta, digest: &str) -> String {
        blake3::hash(format!("{}\n{digest}", footer::version(object)).as_bytes()).to_hex()[..32].to_owned()
    }

    pub(super) fn get(&self, key: &str) -> Option<Hours> {
        self.read.get(key).cloned()
    }

    pub(super) fn keep(&self, key: String, hours: Hours) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(key, hours);
    }

    /// Keeps what was used, and nothing of files that are gone.
    pub(super) fn write(&self) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if *used == self.read {
            return;
        }
        let write = || -> std::io::Result<()> {
            let directory = self.path.parent().unwrap_or(&self.path);
            fs::create_dir_all(directory)?;
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(&serde_json::to_vec(&*used)?)?;
            file.persist(&self.path)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::warn!("the hours of the archive's files cannot be kept in {}: {error}", self.path.display());
        }
    }
}
