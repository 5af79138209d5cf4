//! Which sources belong together: logs that have grown, and those whose conversations went on from one to the next.

use std::collections::{HashMap, HashSet};

use super::ledger::SourceEntry;

/// The sources of a ledger, by what links them.
#[derive(Debug)]
pub(super) struct Chains<'a> {
    by_digest: HashMap<&'a str, &'a SourceEntry>,
    /// By the source that they follow.
    followers: HashMap<&'a str, Vec<&'a SourceEntry>>,
    /// By the source that they go on from.
    grown: HashMap<&'a str, Vec<&'a SourceEntry>>,
}

impl<'a> Chains<'a> {
    /// Those of a ledger, in one walk through it.
    pub(super) fn new(entries: impl IntoIterator<Item = &'a SourceEntry>) -> Self {
        let mut chains = Self { by_digest: HashMap::new(), followers: HashMap::new(), grown: HashMap::new() };
        for entry in entries {
            chains.by_digest.insert(&entry.digest, entry);
            if let Some(before) = &entry.follows {
                chains.followers.entry(before).or_default().push(entry);
            }
            if let Some(before) = &entry.continues {
                chains.grown.entry(before).or_default().push(entry);
            }
        }
        chains
    }

    /// A source first, and all whose conversations went on from one to the next through it, before and behind. Empty if
    /// the ledger does not have it.
    pub(super) fn joined(&self, digest: &str) -> Vec<&'a SourceEntry> {
        self.walk(digest, |_| &[])
    }

    /// Those, and what was added of each of them when it had grown: what goes if the source goes.
    pub(super) fn together(&self, digest: &str) -> Vec<&'a SourceEntry> {
        self.walk(digest, |digest| self.grown.get(digest).map_or(&[][..], Vec::as_slice))
    }

    /// The source that one follows, if the ledger has it.
    pub(super) fn followed(&self, entry: &SourceEntry) -> Option<&'a SourceEntry> {
        self.by_digest.get(entry.follows.as_deref()?).copied()
    }

    /// The sources that one goes on from or follows, and the ledger does not have.
    pub(super) fn missing_before(&self, entry: &'a SourceEntry) -> impl Iterator<Item = &'a str> {
        let before = [&entry.continues, &entry.follows].into_iter().flatten();
        before.map(String::as_str).filter(|before| !self.by_digest.contains_key(before))
    }

    /// The source that one goes on from as a log that has grown, if the ledger does not have it.
    pub(super) fn missing_beginning(&self, entry: &'a SourceEntry) -> Option<&'a str> {
        entry.continues.as_deref().filter(|before| !self.by_digest.contains_key(before))
    }

    /// The source whose conversations one went on with, if the ledger does not have it.
    pub(super) fn missing_followed(&self, entry: &'a SourceEntry) -> Option<&'a str> {
        entry.follows.as_deref().filter(|before| !self.by_digest.contains_key(before))
    }

    fn walk<'s>(&'s self, digest: &str, more: impl Fn(&str) -> &'s [&'a SourceEntry]) -> Vec<&'a SourceEntry> {
        let mut walked: Vec<&SourceEntry> = self.by_digest.get(digest).copied().into_iter().collect();
        let mut seen: HashSet<&str> = walked.iter().map(|entry| entry.digest.as_str()).collect();
        let mut next = 0;
        while let Some(&entry) = walked.get(next) {
            let before = entry.follows.as_deref().and_then(|before| self.by_digest.get(before));
            let behind = self.followers.get(entry.digest.as_str()).into_iter().flatten();
            let linked = before.into_iter().chain(behind).chain(more(&entry.digest));
            walked.extend(linked.copied().filter(|entry| seen.insert(&entry.digest)));
            next += 1;
        }
        walked
    }
}

#[cfg(test)]
mod tests {
    use super::{Chains, SourceEntry};

    /// `a` grew to `b`, `b` to `c`; `d` follows `a`, `e` follows `d`; `f` follows one that is gone, `g` is alone.
    fn entries() -> Vec<SourceEntry> {
        let entry = |digest: &str, continues: &str, follows: &str| SourceEntry {
            digest: digest.to_owned(),
            continues: Some(continues.to_owned()).filter(|before| !before.is_empty()),
            follows: Some(follows.to_owned()).filter(|before| !before.is_empty()),
            ..SourceEntry::default()
        };
        vec![
            entry("e", "", "d"),
            entry("c", "b", ""),
            entry("b", "a", ""),
            entry("a", "", ""),
            entry("d", "", "a"),
            entry("f", "", "x"),
            entry("g", "", ""),
        ]
    }

    fn names(entries: Vec<&SourceEntry>) -> String {
        entries.iter().map(|entry| entry.digest.as_str()).collect()
    }

    #[test]
    fn finds_what_belongs_together() {
        let entries = entries();
        let chains = Chains::new(&entries);
        for (digest, joined, together) in [
            ("a", "ade", "adbec"),
            ("b", "b", "bc"),
            ("c", "c", "c"),
            ("d", "dae", "daebc"),
            ("e", "eda", "edabc"),
            ("f", "f", "f"),
            ("g", "g", "g"),
            ("x", "", ""),
        ] {
            assert_eq!(names(chains.joined(digest)), joined, "{digest}");
            assert_eq!(names(chains.together(digest)), together, "{digest}");
        }
        let missing: Vec<_> = entries.iter().flat_map(|entry| chains.missing_before(entry)).collect();
        assert_eq!(missing, ["x"]);
    }
}
