//! Which bytes stand behind a plugin's version: `plugins.lock`.
//!
//! A version that ran once is pinned to its digest. Other bytes under that version are refused until a person approves
//! them, so that a plugin cannot be swapped unseen; a new version is pinned when it first runs, or, where the
//! configuration says `approval = "required"`, when a person approves it.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::{files, plugin::Plugin};
use crate::{
    detector::Detector,
    error::{Context, Error, Result},
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
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).context(doing),
        };
        let remedy = "restore the file, or remove it and approve each plugin again";
        let lock: Lock = toml::from_str(&text).map_err(|error| Error::usage(doing()).remedy(remedy).because(error))?;
        let mut pins = Self::default();
        for Line { id, version, digest, approved } in lock.plugin {
            if pins.0.insert((id.clone(), version.clone()), Entry { digest, approved }).is_some() {
                let why = format!("{id} {version} is pinned twice");
                return Err(Error::usage(doing()).remedy(remedy).because(why));
            }
        }
        Ok(pins)
    }

    /// Writes `plugins.lock`, whole or not at all.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn write(&self, file: &Path) -> Result<()> {
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
    pub fn check(&self, plugin: &Plugin) -> Pin {
        match self.0.get(&key(plugin)) {
            None => Pin::New,
            Some(entry) if entry.digest == plugin.digest() => Pin::Pinned { approved: entry.approved },
            Some(entry) => Pin::Changed { was: entry.digest.clone() },
        }
    }

    /// Lets a plugin run, and pins it if it is new. The caller writes the pins.
    ///
    /// # Errors
    /// Its version is pinned to other bytes, or approval is required and nobody approved it.
    pub fn admit(&mut self, plugin: &Plugin, approval_required: bool) -> Result<()> {
        let (id, version) = (plugin.id(), plugin.version());
        let digest = plugin.digest();
        let refused = match self.check(plugin) {
            Pin::Changed { was } => format!("plugin {id} {version} is pinned to {was}; these bytes are {digest}"),
            Pin::New | Pin::Pinned { approved: false } if approval_required => {
                format!("plugin {id} {version} is not approved; the configuration says approval = \"required\"")
            }
            Pin::New => {
                self.pin(plugin, false);
                return Ok(());
            }
            Pin::Pinned { .. } => return Ok(()),
        };
        Err(Error::failed(refused)
            .remedy(format!("ask the publisher whether {digest} is theirs; then `wardflow plugin approve {id}`")))
    }

    /// Pins a plugin by a person's word, whatever was pinned. The caller writes the pins.
    pub fn approve(&mut self, plugin: &Plugin) {
        self.pin(plugin, true);
    }

    fn pin(&mut self, plugin: &Plugin, approved: bool) {
        self.0.insert(key(plugin), Entry { digest: plugin.digest().to_owned(), approved });
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

fn key(plugin: &Plugin) -> (String, String) {
    (plugin.id().to_string(), plugin.version())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Pin, Pins};
    use crate::{
        detector::Detector,
        sandbox::{Plugin, testing::Guest},
    };

    fn plugin(version: &'static str, score: &str) -> Plugin {
        Guest::default().manifest("1.0.0", version).with("score", score).load()
    }

    fn check(pins: &mut Pins, plugin: &Plugin, approval_required: bool, expected: &str) {
        match pins.admit(plugin, approval_required) {
            Ok(()) => assert_eq!(expected, "", "{plugin:?} was admitted"),
            Err(error) => {
                assert!(!expected.is_empty() && error.to_string().contains(expected), "{error}");
                assert!(error.remedy_text().is_some_and(|remedy| remedy.contains("plugin approve example/quiet")));
            }
        }
    }

    #[test]
    fn the_first_use_pins_and_other_bytes_are_refused() {
        let (first, other, next) = (plugin("1.0.0", "0"), plugin("1.0.0", "1"), plugin("1.1.0", "1"));
        let mut pins = Pins::default();
        check(&mut pins, &first, false, "");
        assert_eq!(pins.check(&first), Pin::Pinned { approved: false });
        check(&mut pins, &first, false, "");
        assert_eq!(pins.check(&other), Pin::Changed { was: first.digest().to_owned() });
        check(&mut pins, &other, false, "plugin example/quiet 1.0.0 is pinned to ");
        check(&mut pins, &next, false, "");
        pins.approve(&other);
        check(&mut pins, &other, false, "");
        check(&mut pins, &first, false, "is pinned to ");
    }

    #[test]
    fn where_approval_is_required_nothing_runs_without() {
        let plugin = plugin("1.0.0", "0");
        let mut pins = Pins::default();
        check(&mut pins, &plugin, true, "is not approved");
        assert_eq!(pins.check(&plugin), Pin::New, "a refused plugin was pinned");
        check(&mut pins, &plugin, false, "");
        check(&mut pins, &plugin, true, "is not approved");
        pins.approve(&plugin);
        check(&mut pins, &plugin, true, "");
    }

    #[test]
    fn the_file_keeps_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("plugins.lock");
        assert_eq!(Pins::read(&file).unwrap(), Pins::default());
        let mut pins = Pins::default();
        pins.admit(&plugin("1.0.0", "0"), false).unwrap();
        pins.approve(&plugin("1.1.0", "0"));
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
