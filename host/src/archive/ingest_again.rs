//! What is to be ingested again, and the command that does it.

use serde::{Deserialize, Serialize};

use super::{
    asked::{Asked, quoted},
    ledger::{self, SourceEntry},
};

/// A source that is to be ingested again.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct IngestAgain {
    /// When it was ingested, microseconds UTC. Sources go on from one to the next in this order.
    pub ingested_at: i64,
    /// Its path when it was ingested, from the root of the file system.
    pub name: String,
    /// Its format, if it is known.
    pub format: Option<String>,
    /// How it is to be read.
    #[serde(flatten)]
    pub asked: Asked,
    /// Not all of what it may be by now, but so many of its first bytes, decompressed.
    pub bytes: Option<u64>,
    /// Whether the archive has it, so that it must be asked for anew.
    pub again: bool,
    /// A file that is to be taken out of the archive before.
    pub without: Option<String>,
}

impl IngestAgain {
    /// All that it is by now.
    pub(super) fn of(source: &SourceEntry) -> Self {
        let SourceEntry { ingested_at, name, path, format, asked, .. } = source.clone();
        Self { ingested_at, name: path.unwrap_or(name), format, asked, ..Self::default() }
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

    /// Whether one command does it for both.
    pub fn goes_with(&self, other: &Self) -> bool {
        let kind = |one: &Self| (one.format.clone(), one.asked.clone(), one.again);
        let is_whole = |one: &Self| one.bytes.is_none() && one.without.is_none();
        is_whole(self) && is_whole(other) && kind(self) == kind(other)
    }

    /// The command that does it, for others too that go with it.
    pub fn command(&self, others: &[&Self]) -> String {
        let format = self.format.as_deref().unwrap_or("auto");
        let first = self.bytes.map(|bytes| format!(" --first {bytes}")).unwrap_or_default();
        let again = if self.again { " --again" } else { "" };
        let names: String = std::iter::once(&self).chain(others).map(|one| format!(" {}", quoted(&one.name))).collect();
        format!("wardflow ingest {format}{names}{}{first}{again}", self.asked.options())
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, IngestAgain};

    #[test]
    fn says_what_to_type() {
        let source = IngestAgain {
            name: "conn.log".to_owned(),
            format: Some("zeek".to_owned()),
            asked: Asked { sensor: Some("north".to_owned()), ..Asked::default() },
            ..IngestAgain::default()
        };
        assert_eq!(source.command(&[]), "wardflow ingest zeek conn.log --sensor north");
        let other = IngestAgain { name: "2.log".to_owned(), ..source.clone() };
        assert!(source.goes_with(&other));
        assert_eq!(source.command(&[&other]), "wardflow ingest zeek conn.log 2.log --sensor north");
        let part = IngestAgain { bytes: Some(12_345), ..source.clone() };
        assert!(!source.goes_with(&part));
        assert_eq!(part.command(&[]), "wardflow ingest zeek conn.log --sensor north --first 12345");
        let source = IngestAgain { name: "Station 3/bob's.log".to_owned(), again: true, ..IngestAgain::default() };
        assert_eq!(source.command(&[]), r"wardflow ingest auto 'Station 3/bob'\''s.log' --again");
    }
}
