//! What a check says.

use serde::Serialize;

use crate::archive::{SourceEntry, ledger};

/// How an archive stands.
#[derive(Debug, Default, Serialize)]
pub struct CheckReport {
    /// Flow files that are sound.
    pub files: u64,
    /// Flows in them.
    pub flows: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Sources whose entries or files were moved away, or that lack rows: ingesting them again restores them.
    pub ingest_again: Vec<IngestAgain>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The file, by its path in the archive.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Whether it is put right, but for what is to be ingested again.
    pub mended: bool,
}

/// A source that is to be ingested again.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct IngestAgain {
    /// Its path when it was ingested.
    pub name: String,
    /// Its format, if it is known.
    pub format: Option<String>,
    /// The sensor's name that it was given.
    pub sensor: Option<String>,
    /// Not all of what it may be by now, but so many of its first bytes, decompressed.
    pub bytes: Option<u64>,
    /// Whether the archive has it, so that it must be asked for anew.
    pub again: bool,
    /// A file that is to be taken out of the archive before.
    pub without: Option<String>,
}

impl CheckReport {
    /// Whether nothing is wrong any more.
    pub fn is_well(&self) -> bool {
        self.ingest_again.is_empty() && self.is_mended()
    }

    /// Whether nothing is wrong but what ingesting again restores.
    pub fn is_mended(&self) -> bool {
        self.problems.iter().all(|problem| problem.mended)
    }
}

impl IngestAgain {
    /// All that it is by now.
    pub(super) fn of(source: &SourceEntry) -> Self {
        let SourceEntry { name, format, sensor, .. } = source.clone();
        Self { name, format, sensor, ..Self::default() }
    }

    /// Just what was ingested of it then.
    pub(super) fn part(source: &SourceEntry) -> Self {
        Self { bytes: Some(source.bytes), ..Self::of(source) }
    }

    /// It, though it is there.
    pub(super) fn anew(source: &SourceEntry) -> Self {
        Self { again: true, ..Self::of(source) }
    }

    /// Just what was ingested then, as if it were not there: a longer log would not be known for what it begins with.
    pub(super) fn unknown(source: &SourceEntry) -> Self {
        Self { without: Some(ledger::path(&source.digest)), ..Self::part(source) }
    }

    /// The command that does it.
    pub fn command(&self) -> String {
        let format = self.format.as_deref().unwrap_or("auto");
        let sensor = self.sensor.as_deref().map(|sensor| format!(" --sensor {}", quoted(sensor)));
        let again = if self.again { " --again" } else { "" };
        format!("wardflow ingest {format} {}{}{again}", quoted(&self.name), sensor.unwrap_or_default())
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,=+@%".contains(&byte);
    let is_plain = !word.is_empty() && word.bytes().all(is_plain);
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::IngestAgain;

    #[test]
    fn says_what_to_type() {
        let source = IngestAgain {
            name: "conn.log".to_owned(),
            format: Some("zeek".to_owned()),
            sensor: Some("north".to_owned()),
            ..IngestAgain::default()
        };
        assert_eq!(source.command(), "wardflow ingest zeek conn.log --sensor north");
        let source = IngestAgain { name: "Station 3/bob's.log".to_owned(), again: true, ..IngestAgain::default() };
        assert_eq!(source.command(), r"wardflow ingest auto 'Station 3/bob'\''s.log' --again");
    }
}
