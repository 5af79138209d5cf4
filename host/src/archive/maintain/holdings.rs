//! Where the flows of every source are: in files of their own, in compacted ones, or nowhere since they expired.

use std::collections::{BTreeMap, HashMap};

use super::Replaces;
use crate::archive::{ArchiveFile, SourceEntry, files::Survey};

/// Rows by the paths under which the ledger has them.
pub(super) struct Holdings<'a> {
    files: HashMap<&'a str, u64>,
    compacted: HashMap<&'a str, u64>,
    expired: &'a BTreeMap<String, u64>,
}

impl<'a> Holdings<'a> {
    /// By the files that there are, but for those that are not sound.
    pub(super) fn new(survey: &'a Survey, expired: &'a BTreeMap<String, u64>, is_sound: impl Fn(&str) -> bool) -> Self {
        Self::of(&survey.listing.files, &survey.replaces, expired, is_sound)
    }

    /// By these files, and by what the compacted ones among them replace.
    pub(super) fn of(
        files: &'a [ArchiveFile],
        replaces: &'a BTreeMap<String, Replaces>,
        expired: &'a BTreeMap<String, u64>,
        is_sound: impl Fn(&str) -> bool,
    ) -> Self {
        let sound: Vec<_> = files.iter().filter(|file| is_sound(&file.path)).collect();
        let compacted = sound.iter().filter_map(|file| replaces.get(&file.path));
        Self {
            compacted: compacted.flat_map(|replaces| replaces.of_sources()).collect(),
            files: sound.iter().map(|file| (file.path.as_str(), file.rows)).collect(),
            expired,
        }
    }

    /// Flows of a source that are there or have expired.
    pub(super) fn flows(&self, source: &SourceEntry) -> u64 {
        source.files.iter().filter_map(|file| self.rows(file)).sum()
    }

    /// Whether nothing of a source's flows is missing.
    pub(super) fn is_whole(&self, source: &SourceEntry) -> bool {
        source.files.iter().all(|file| self.rows(file).is_some()) && self.flows(source) == source.counts.flows
    }

    /// Whether some flows of a source are still there.
    pub(super) fn has_flows(&self, source: &SourceEntry) -> bool {
        source.files.iter().any(|file| self.files.contains_key(file.as_str()) || self.is_compacted(file))
    }

    /// Whether a file of a source lies in a compacted one.
    pub(super) fn is_compacted(&self, file: &str) -> bool {
        self.compacted.contains_key(file)
    }

    fn rows(&self, file: &str) -> Option<u64> {
        let there = self.compacted.get(file).or_else(|| self.files.get(file));
        there.or_else(|| self.expired.get(file)).copied()
    }
}
