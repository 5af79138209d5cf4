use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ManifestError;

/// A plugin's id, `vendor/name`: each part 1 to 64 of `a-z`, `0-9` and `-`, beginning with a letter.
///
/// The alphabet leaves no room for paths, control characters or look-alike letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginId(String);

impl PluginId {
    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the slash.
    pub fn vendor(&self) -> &str {
        self.0.split_once('/').map_or("", |(vendor, _)| vendor)
    }

    /// The part behind the slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl FromStr for PluginId {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, ManifestError> {
        match text.split_once('/') {
            Some((vendor, name)) if is_label(vendor) && is_label(name) => Ok(Self(text.to_owned())),
            _ => Err(ManifestError::rule(
                "id",
                format!("{text:?}"),
                "vendor/name, each part 1 to 64 of a-z, 0-9 and '-', beginning with a letter",
            )),
        }
    }
}

impl TryFrom<String> for PluginId {
    type Error = ManifestError;

    fn try_from(text: String) -> Result<Self, ManifestError> {
        text.parse()
    }
}

impl From<PluginId> for String {
    fn from(id: PluginId) -> Self {
        id.0
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a name is a label: 1 to 64 of `a-z`, `0-9` and `-`, beginning with a letter.
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
