//! What an archive holds, as an ingest looks it up.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{known::KnownSources, look::Identity};
use crate::archive::{content::HEAD, ledger::SourceEntry};

/// The ledger, in memory.
#[derive(Debug, Default)]
pub(super) struct Entries {
    by_digest: BTreeMap<String, SourceEntry>,
    /// Digests by path, and by when the flow that ended first did.
    by_path: HashMap<String, BTreeSet<String>>,
    by_first_end: HashMap<i64, BTreeSet<String>>,
    /// Digests of those that follow a source or go on from it.
    behind: HashMap<String, BTreeSet<String>>,
    known: Arc<KnownSources>,
}

impl Entries {
    pub(super) fn new(entries: Vec<SourceEntry>) -> Self {
        let mut all = Self::default();
        entries.into_iter().for_each(|entry| all.add(entry));
        all
    }

    pub(super) fn get(&self, digest: &str) -> Option<&SourceEntry> {
        self.by_digest.get(digest)
    }

    pub(super) fn contains(&self, digest: &str) -> bool {
        self.by_digest.contains_key(digest)
    }

    pub(super) fn len(&self) -> usize {
        self.by_digest.len()
    }

    /// By what contents are recognised.
    pub(super) fn known(&self) -> Arc<KnownSources> {
        Arc::clone(&self.known)
    }

    /// Adds a source, or what is told of it now.
    pub(super) fn add(&mut self, entry: SourceEntry) {
        let digest = &entry.digest;
        if let Some(path) = &entry.path {
            self.by_path.entry(path.clone()).or_default().insert(digest.clone());
        }
        if let Some(first) = first_end(&entry) {
            self.by_first_end.entry(first).or_default().insert(digest.clone());
        }
        for before in before(&entry) {
            self.behind.entry(before.clone()).or_default().insert(digest.clone());
        }
        if !self.by_digest.contains_key(digest) {
            Arc::make_mut(&mut self.known).add(&entry);
        }
        self.by_digest.insert(digest.clone(), entry);
    }

    pub(super) fn remove(&mut self, digest: &str) {
        let Some(entry) = self.by_digest.remove(digest) else { return };
        let at_path = entry.path.as_ref().and_then(|path| self.by_path.get_mut(path));
        let with_first_end = first_end(&entry).and_then(|first| self.by_first_end.get_mut(&first));
        for digests in at_path.into_iter().chain(with_first_end) {
            digests.remove(digest);
        }
        for before in before(&entry) {
            if let Some(behind) = self.behind.get_mut(before) {
                behind.remove(digest);
            }
        }
        Arc::make_mut(&mut self.known).remove(&entry);
    }

    /// Whether a source has records with which others may go on: a header without records is the beginning of many.
    pub(super) fn has_records(&self, digest: &str) -> bool {
        self.get(digest).is_some_and(|entry| entry.records_that_stay() > 0)
    }

    /// Whether something was added from a path.
    pub(super) fn has_path(&self, path: &str) -> bool {
        self.by_path.get(path).is_some_and(|digests| !digests.is_empty())
    }

    /// Those of the same recording as a source at its path: half of it, all of it, or damaged. The flow that ended first ended
    /// in the same microsecond; a log that follows another at its path has another.
    pub(super) fn of_recording(&self, path: &str, ends: Option<(i64, i64)>) -> impl Iterator<Item = &SourceEntry> {
        let first = ends.map(|(first, _)| first);
        let is_of_it = move |entry: &&SourceEntry| first.is_some() && first_end(entry) == first;
        self.by_path.get(path).into_iter().flatten().filter_map(|digest| self.get(digest)).filter(is_of_it)
    }

    /// Those that begin as a source does, as far as their heads and the flow that ended first tell: a part of it, or it of
    /// them, or two that part ways further on.
    pub(super) fn beginning_alike(&self, it: &Identity) -> impl Iterator<Item = &SourceEntry> {
        let first = it.first_end();
        let is_long = it.content.bytes >= HEAD as u64;
        let alike = it.alike.iter().filter_map(|digest| self.get(digest));
        alike.filter(move |entry| is_long && entry.bytes >= HEAD as u64 && first_end(entry) == first)
    }

    /// Longer ones of which a source may be the beginning: the flow that ended first is the same, or neither has flows and
    /// their heads are the same. Those of more than twice its size are not told by their heads.
    pub(super) fn longer(&self, it: &Identity) -> Vec<&SourceEntry> {
        let first = it.first_end();
        let with_first_end = first.and_then(|first| self.by_first_end.get(&first)).into_iter().flatten();
        let digests: BTreeSet<&String> = with_first_end.chain(&it.alike).collect();
        let entries = digests.into_iter().filter_map(|digest| self.get(digest));
        let is_of_format = |entry: &SourceEntry| entry.format.as_deref() == Some(it.format.name());
        // Two sensors may have seen the same flow first.
        let begins_otherwise = |entry: &SourceEntry| {
            it.content.bytes >= HEAD as u64 && entry.head.as_ref().is_some_and(|head| *head != it.content.head)
        };
        let may_be = |entry: &&SourceEntry| {
            entry.bytes > it.content.bytes
                && first_end(entry) == first
                && is_of_format(entry)
                && !begins_otherwise(entry)
        };
        entries.filter(may_be).collect()
    }

    /// A source, and those that it goes on from, the latest first.
    pub(super) fn past(&self, digest: &str) -> impl Iterator<Item = &SourceEntry> {
        std::iter::successors(self.get(digest), |entry| self.get(entry.continues.as_deref()?))
    }

    /// Whether conversations went on from a source to another or the other way.
    pub(super) fn shares_conversations(&self, entry: &SourceEntry) -> bool {
        let behind = self.behind.get(&entry.digest).into_iter().flatten().filter_map(|digest| self.get(digest));
        entry.follows.as_ref().is_some_and(|before| self.contains(before))
            || behind.into_iter().any(|behind| behind.follows.as_ref() == Some(&entry.digest))
    }

    /// Sources, and all that comes and goes with them: what they go on from, what goes on from them, and those with which they
    /// share conversations.
    pub(super) fn together(&self, digests: &BTreeSet<String>) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut next: Vec<&String> = digests.iter().collect();
        while let Some(digest) = next.pop() {
            if let Some(entry) = self.get(digest)
                && all.insert(digest.clone())
            {
                next.extend(before(entry).chain(self.behind.get(digest).into_iter().flatten()));
            }
        }
        all
    }
}

/// The sources that one follows or goes on from.
fn before(entry: &SourceEntry) -> impl Iterator<Item = &String> {
    entry.follows.iter().chain(&entry.continues)
}

fn first_end(entry: &SourceEntry) -> Option<i64> {
    entry.ends.map(|(first, _)| first)
}
