//! The configuration of a workspace, `wardflow.toml`.

pub(crate) mod document;
mod key_file;
mod settings;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ipnet::IpNet;
use serde_json::Value;

use crate::{
    error::{Context, Error, Result},
    files,
    limits::Limits,
    mapping::Mapping,
    zone::{AddressSpace, Infrastructure},
};

pub use key_file::{KeyFile, read_or_create_key};

/// Name of the file that makes a directory a workspace.
pub const FILE: &str = "wardflow.toml";

/// What `wardflow.toml` says, checked, with its paths made absolute.
#[derive(Clone, Debug)]
pub struct Config {
    /// The workspace's directory.
    pub root: PathBuf,
    /// Path or object-store URL of the archive, perhaps with a pattern of its files behind it.
    pub archive: String,
    /// How the archive's files become flows, if they are another program's.
    pub mapping: Option<Arc<Mapping>>,
    /// The inventory, CSV or Parquet; absent before there is one.
    pub inventory: Option<PathBuf>,
    /// The directory of plugins.
    pub plugins: PathBuf,
    /// Path or object-store URL of the lake.
    pub lake: String,
    /// The pseudonym key.
    pub key: PathBuf,
    /// The hospital's own networks.
    pub space: AddressSpace,
    /// The hospital's time zone.
    pub timezone: jiff::tz::TimeZone,
    /// Declared servers, scanners and the like.
    pub infrastructure: Vec<Infrastructure>,
    /// Length of a slice in hours; a divisor of 24.
    pub slice_hours: u32,
    /// Whether a plugin must be approved before it runs at all.
    pub approval_required: bool,
    /// Limits on plugins.
    pub limits: Limits,
    /// Settings of single plugins, by id.
    pub plugin: BTreeMap<String, PluginSettings>,
}

/// What the hospital sets for one plugin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginSettings {
    /// Whether the plugin is left out.
    pub disabled: bool,
    /// Parameters, checked against the manifest's schema when the plugin is loaded.
    pub parameters: serde_json::Map<String, Value>,
    /// Members of the plugin's peer groups.
    pub peer_groups: BTreeMap<String, GroupMembers>,
}

/// Who belongs to a peer group here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMembers {
    /// By address.
    pub cidrs: Vec<IpNet>,
    /// By DNS or SNI name, in lower case; `*.` in front matches any subdomain.
    pub names: Vec<String>,
}

impl Config {
    /// Reads the `wardflow.toml` of a workspace.
    ///
    /// # Errors
    /// There is none, it is not TOML, or a key, type or value is wrong: the error names the line and what is allowed.
    pub fn read(root: &Path) -> Result<Self> {
        let file = root.join(FILE);
        let text = files::read_text(&file).map_err(|error| unreadable(root, &file, error))?;
        Self::parse(&file, &text, root)
    }

    /// Reads such a text, which stands in `file`; relative paths in it start at `root`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(file: &Path, text: &str, root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).context(|| format!("cannot tell where {} is", root.display()))?;
        settings::read(file, text, root)
    }
}

fn unreadable(root: &Path, file: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        let (dir, file) = (root.display(), FILE);
        Error::usage(format!("no {file} in {dir}: it is not a workspace")).remedy(format!(
            "name the workspace with `wardflow -C DIR ...`, or make {dir} one with `wardflow init {dir}`"
        ))
    } else {
        Error::failed(format!("cannot read {}", file.display())).because(error)
    }
}

#[cfg(test)]
mod tests;
