//! What was read from files once, kept in the workspace.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use object_store::ObjectMeta;
use serde::{Serialize, de::DeserializeOwned};

use crate::archive::{footer, location::Archive};

/// What changes with a file and its mapping.
pub(super) fn key(object: &ObjectMeta, digest: &str) -> String {
    blake3::hash(format!("{}\n{digest}", footer::version(object)).as_bytes()).to_hex()[..32].to_owned()
}

/// What was read of files once, by what it depends on. Where it cannot be kept it is read again.
pub(super) struct Known<T> {
    path: PathBuf,
    read: BTreeMap<String, T>,
    used: Mutex<BTreeMap<String, T>>,
}

impl<T: Clone + PartialEq + Serialize + DeserializeOwned> Known<T> {
    pub(super) fn read(archive: &Archive, name: &str) -> Self {
        let path = archive.cache_directory().join(name);
        let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { path, read, used: Mutex::default() }
    }

    pub(super) fn get(&self, key: &str) -> Option<T> {
        self.read.get(key).cloned()
    }

    pub(super) fn keep(&self, key: String, value: T) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
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
            tracing::warn!("what was read of the archive's files cannot be kept in {}: {error}", self.path.display());
        }
    }
}
