//! What a user said of a source that its content does not say, kept so that it can be read again in the same way.

use serde::{Deserialize, Serialize};

use super::format::Format;

/// How a source was asked to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The sensor's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// The mapping: one that comes along, or a file by its path from the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// The time zone of times without an offset, by its IANA name, where the format has such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// One packet of so many was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<u32>,
    /// When a capture began whose times count from there, microseconds UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
}

impl Asked {
    /// As options of `wardflow ingest`, each with a space before it.
    pub(super) fn options(&self) -> String {
        let start = self.start.and_then(|start| jiff::Timestamp::from_microsecond(start).ok());
        let options = [
            ("sensor", self.sensor.clone()),
            ("mapping", self.mapping.clone()),
            ("timezone", self.timezone.clone()),
            ("sampling", self.sampling.map(|sampling| sampling.to_string())),
            ("start", start.map(|start| start.to_string())),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some(format!(" --{name} {}", quoted(&value?))));
        given.collect()
    }
}

impl Format {
    /// Whether it has times without an offset.
    pub(super) const fn has_local_times(self) -> bool {
        matches!(self, Self::Argus | Self::Csv)
    }
}

/// A word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,=+@%".contains(&byte);
    let is_plain = !word.is_empty() && word.bytes().all(is_plain);
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn says_what_to_type() {
        assert_eq!(Asked::default().options(), "");
        let asked = Asked {
            sensor: Some("bob's".into()),
            mapping: Some("/etc/m.toml".into()),
            timezone: Some("Europe/Berlin".into()),
            sampling: Some(100),
            start: Some(1_714_521_600_000_000),
        };
        let expected = " --sensor 'bob'\\''s' --mapping /etc/m.toml --timezone Europe/Berlin --sampling 100 \
                        --start 2024-05-01T00:00:00Z";
        assert_eq!(asked.options(), expected);
    }
}
