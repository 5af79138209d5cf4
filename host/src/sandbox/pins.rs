//! Which bytes stand behind a plugin's version: `plugins.lock`.
//!
//! A version that ran once is pinned to its digest. Other bytes under that version are refused until a person approves
//! them, so that a plugin cannot be swapped unseen; a new version is pinned when it first runs, or, where the
//! configuration says `approval = "required"`, when a person approves it.

use std::{collections::BTreeMap, fs, io, path::Path};

use semver::Version;
use serde::{Deserialize, Serialize};
use wardflow_manifest::PluginId;

use crate::{
    error::{Context, Error, Result},
    files,
};

/// The pinned plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(BTreeMap<(String, String), Entry>);

/// How a plugin stands to the pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Its version is pinned to its bytes.
    Pinned {
        /// Whether by a person.
        approved: bool,
    },
    /// Its version is not pinned.
    New,
    /// Its version is pinned to other bytes.
    Changed {
        /// The digest of those.
        was: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    digest: String,
    approved: bool,
}

impl Pins {
    /// Reads `plugins.lock`; an absent file pins nothing.
    ///
    /// # Errors
    /// The file cannot be read, is not of its form, or pins one version twice.
    pub fn read(file: &Path) -> Result<Self> {
        let doing = || format!("the pins of plugins, {}, cannot be read", file.display());
        let text = match files::read_text(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).context(doing),
        };
        let remedy = "restore the file, or remove it and approve each plugin again";
        let lock: Lock = toml::from_str(&text).map_err(|error| {
            let line = text.get(..error.span().unwrap_or_default().start).unwrap_or_default().matches('\n').count() + 1;
            Error::usage(doing()).remedy(remedy).because(format!("line {line}: {}", error.message()))
        })?;
        let mut pins = Self::default();
        for Line { id, version, digest, approved } in lock.plugin {
            if pins.0.insert((id.clone(), version.clone()), Entry { digest, approved }).is_some() {
                let why = format!("{id} {version} is pinned twice");
                return Err(Error::usage(doing()).remedy(remedy).because(why));
            }
        }
        Ok(pins)
    }

    /// Reads `plugins.lock`, changes the pins, and writes them, while no other command does. Returns what was there before.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn change(file: &Path, change: impl FnOnce(&mut Self)) -> Result<Self> {
        let doing = || format!("the pins of plugins, {}, cannot be written", file.display());
        // The file itself is replaced, so that its directory is what can be locked.
        let directory = fs::File::open(file.parent().unwrap_or(Path::new("."))).context(doing)?;
        directory.lock().context(doing)?;
        let before = Self::read(file)?;
        let mut pins = before.clone();
        change(&mut pins);
        if pins != before {
            pins.write(file)?;
        }
        Ok(before)
    }

    /// Writes `plugins.lock`, whole or not at all.
    ///
    /// # Errors
    /// The directory cannot be written to.
    fn write(&self, file: &Path) -> Result<()> {
        let doing = || format!("the pins of plugins, {}, cannot be written", file.display());
        let line = |((id, version), Entry { digest, approved }): (&(String, String), &Entry)| Line {
            id: id.clone(),
            version: version.clone(),
            digest: digest.clone(),
            approved: *approved,
        };
        let text = toml::to_string(&Lock { plugin: self.0.iter().map(line).collect() }).context(doing)?;
        let head = "# Written by Wardflow: the bytes behind each version of a plugin that ran or was approved.\n\n";
        files::write(file, format!("{head}{text}").as_bytes(), 0o666).context(doing)
    }

    /// How a plugin stands to the pins.
    pub fn check(&self, id: &PluginId, version: &Version, digest: &str) -> Pin {
        match self.0.get(&(id.to_string(), version.to_string())) {
            None => Pin::New,
            Some(entry) if entry.digest == digest => Pin::Pinned { approved: entry.approved },
            Some(entry) => Pin::Changed { was: entry.digest.clone() },
        }
    }

    /// The newest version of each plugin, with its digest, in order of id.
    pub fn newest(&self) -> Vec<(&str, Version, &str)> {
        let mut newest: Vec<(&str, Version, &str)> = Vec::new();
        for ((id, version), entry) in &self.0 {
            let Ok(version) = version.parse::<Version>() else { continue };
            match newest.last_mut().filter(|(other, ..)| other == id) {
                Some(other) if other.1 < version => *other = (id, version, &entry.digest),
                Some(_) => {}
                None => newest.push((id, version, &entry.digest)),
            }
        }
        newest
    }

    /// The digest that a version is pinned to.
    pub fn digest(&self, id: &PluginId, version: &Version) -> Option<&str> {
        self.0.get(&(id.to_string(), version.to_string())).map(|entry| entry.digest.as_str())
    }

    /// Pins a version to its bytes if it is not pinned yet.
    pub fn pin(&mut self, id: &PluginId, version: &Version, digest: &str) {
        let entry = || Entry { digest: digest.to_owned(), approved: false };
        self.0.entry((id.to_string(), version.to_string())).or_insert_with(entry);
    }

    /// Pins a version by a person's word, whatever was pinned.
    pub fn approve(&mut self, id: &PluginId, version: &Version, digest: &str) {
        self.0.insert((id.to_string(), version.to_string()), Entry { digest: digest.to_owned(), approved: true });
    }
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    #[serde(default)]
    plugin: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    version: String,
    digest: String,
    approved: bool,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use semver::Version;
    use wardflow_manifest::PluginId;

    use super::{Pin, Pins};

    fn id() -> PluginId {
        "example/quiet".parse().unwrap()
    }

    #[test]
    fn the_first_use_pins_and_only_a_person_changes_that() {
        let version = Version::new(1, 0, 0);
        let mut pins = Pins::default();
        assert_eq!(pins.check(&id(), &version, "a"), Pin::New);
        pins.pin(&id(), &version, "a");
        pins.pin(&id(), &version, "b");
        assert_eq!(pins.check(&id(), &version, "a"), Pin::Pinned { approved: false });
        assert_eq!(pins.check(&id(), &version, "b"), Pin::Changed { was: "a".to_owned() });
        assert_eq!(pins.check(&id(), &Version::new(1, 1, 0), "b"), Pin::New);
        pins.approve(&id(), &version, "b");
        assert_eq!(pins.check(&id(), &version, "b"), Pin::Pinned { approved: true });
        assert_eq!(pins.check(&id(), &version, "a"), Pin::Changed { was: "b".to_owned() });
        pins.pin(&id(), &Version::new(1, 10, 0), "d");
        pins.pin(&id(), &Version::new(1, 9, 0), "c");
        assert_eq!(pins.newest(), [("example/quiet", Version::new(1, 10, 0), "d")]);
    }

    #[test]
    fn the_file_keeps_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("plugins.lock");
        assert_eq!(Pins::read(&file).unwrap(), Pins::default());
        let mut pins = Pins::default();
        pins.pin(&id(), &Version::new(1, 0, 0), "a");
        pins.approve(&id(), &Version::new(1, 1, 0), "b");
        pins.write(&file).unwrap();
        assert_eq!(Pins::read(&file).unwrap(), pins);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("approved = false", "approved = 1", 1)).unwrap();
        assert!(Pins::read(&file).unwrap_err().to_string().contains("cannot be read"));
        fs::write(&file, text.replacen("1.1.0", "1.0.0", 1)).unwrap();
        let error = Pins::read(&file).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("pinned twice"));
    }
}
