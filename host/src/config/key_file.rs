//! The file that holds the pseudonym key.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{
    error::{Context, Error, Result},
    pseudonym::Key,
};

/// Permission bits of everyone but the owner.
const OTHERS: u32 = 0o077;

/// The pseudonym key, which is read when it is asked for: plugins see pseudonyms, and who queries what they found needs none.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    key: OnceLock<Key>,
}

impl KeyFile {
    /// The key in this file.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), key: OnceLock::new() }
    }

    /// The key.
    ///
    /// # Errors
    /// As [`read_or_create_key`].
    pub fn get(&self) -> Result<&Key> {
        match self.key.get() {
            Some(key) => Ok(key),
            None => {
                let key = read_or_create_key(&self.path)?;
                Ok(self.key.get_or_init(|| key))
            }
        }
    }
}

impl From<Key> for KeyFile {
    fn from(key: Key) -> Self {
        Self { path: PathBuf::new(), key: key.into() }
    }
}

/// Reads the pseudonym key, or makes one of random bytes that only its owner can read.
///
/// The file appears whole or not at all: of two commands that make it at once, both use the one that came first.
///
/// # Errors
/// Others can read the file, it has another length than a key, or it cannot be read or made.
pub fn read_or_create_key(path: &Path) -> Result<Key> {
    match read(path) {
        Ok(key) => Ok(key),
        Err(Missing::Absent) => {
            create(path)?;
            read(path).map_err(|missing| missing.into_error(path))
        }
        Err(missing) => Err(missing.into_error(path)),
    }
}

/// Why there is no key.
enum Missing {
    Absent,
    Refused(Error),
}

impl Missing {
    fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Absent => Error::failed(format!("the pseudonym key {} vanished", path.display())),
            Self::Refused(error) => error,
        }
    }
}

fn read(path: &Path) -> Result<Key, Missing> {
    let shown = path.display();
    let refuse = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Missing::Absent,
        io::ErrorKind::PermissionDenied => {
            let error = Error::failed(format!("cannot read the pseudonym key {shown}")).because(error);
            Missing::Refused(
                error.remedy("run it as the user who owns the key; `wardflow sql` needs it for `detect` alone"),
            )
        }
        _ => Missing::Refused(Error::failed(format!("cannot read the pseudonym key {shown}")).because(error)),
    };
    let mut file = File::open(path).map_err(refuse)?;
    let metadata = file.metadata().map_err(refuse)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        let error = Error::usage(format!("others can read the pseudonym key {shown}: its mode is {mode:04o}"));
        return Err(Missing::Refused(error.remedy(format!(
            "run `chmod 600 {shown}`; if someone may have read it, delete it, and baselines start anew"
        ))));
    }
    let mut bytes = [0; Key::LEN];
    if metadata.len() != Key::LEN as u64 {
        let error = Error::usage(format!("the pseudonym key {shown} has {} bytes, not {}", metadata.len(), Key::LEN));
        return Err(Missing::Refused(
            error.remedy("restore it from a backup, or delete it: a new one is made and baselines start anew"),
        ));
    }
    file.read_exact(&mut bytes).map_err(refuse)?;
    Ok(Key::new(bytes))
}

fn create(path: &Path) -> Result<()> {
    let making = || format!("cannot make the pseudonym key {}", path.display());
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).context(making)?;
    let mut bytes = [0; Key::LEN];
    getrandom::fill(&mut bytes).context(making)?;
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(directory)
        .context(making)?;
    file.write_all(&bytes).context(making)?;
    file.as_file().sync_all().context(making)?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error).context(making),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::{KeyFile, read_or_create_key};

    #[test]
    fn is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/pseudonym.key");
        let first = read_or_create_key(&path).unwrap();
        let again = read_or_create_key(&path).unwrap();
        assert_eq!(first.device("pump-1"), again.device("pump-1"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let other = read_or_create_key(&dir.path().join("other.key")).unwrap();
        assert_ne!(first.device("pump-1"), other.device("pump-1"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn is_read_once_and_not_before_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pseudonym.key");
        let file = KeyFile::at(&path);
        assert!(!path.exists());
        let pseudonym = file.get().unwrap().device("pump-1");
        fs::remove_file(&path).unwrap();
        assert_eq!(file.get().unwrap().device("pump-1"), pseudonym);
        fs::write(&path, "too short").unwrap();
        assert!(KeyFile::at(&path).get().is_err());
    }

    fn check(bytes: &[u8], mode: u32, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pseudonym.key");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = read_or_create_key(&path).unwrap_err();
        let text = format!("{error}\n{}", error.remedy_text().unwrap_or_default());
        assert_eq!(text.replace(&dir.path().display().to_string(), "DIR"), expected);
        assert_eq!(fs::read(Path::new(&path)).unwrap(), bytes, "a refused key is left alone");
    }

    #[test]
    fn is_refused_where_others_can_read_it_or_it_is_no_key() {
        check(
            &[7; 32],
            0o640,
            "others can read the pseudonym key DIR/pseudonym.key: its mode is 0640\nrun `chmod 600 \
             DIR/pseudonym.key`; if someone may have read it, delete it, and baselines start anew",
        );
        check(
            &[7; 31],
            0o600,
            "the pseudonym key DIR/pseudonym.key has 31 bytes, not 32\nrestore it from a backup, or delete it: a \
             new one is made and baselines start anew",
        );
    }
}
