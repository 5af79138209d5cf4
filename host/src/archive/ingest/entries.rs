//! What an archive holds, as an ingest looks it up.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::known::KnownSources;
use crate::archive::{
    chains::Chains,
    content::{Content, HEAD},
    ledger::SourceEntry,
};

/// The ledger, in memory.
#[derive(Debug, Default)]
pub(super) struct Entries {
    by_digest: BTreeMap<String, SourceEntry>,
    /// Digests by path, and by the digest of a whole head.
    by_path: HashMap<String, BTreeSet<String>>,
    by_head: HashMap<String, BTreeSet<String>>,
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
        if let Some(head) = entry.head.as_ref().filter(|_| entry.bytes >= HEAD as u64) {
            self.by_head.entry(head.clone()).or_default().insert(digest.clone());
        }
        if !self.by_digest.contains_key(digest) {
            Arc::make_mut(&mut self.known).add(&entry);
        }
        self.by_digest.insert(digest.clone(), entry);
    }

    pub(super) fn remove(&mut self, digests: &BTreeSet<String>) {
        let is_one = |digest: &str| digests.contains(digest);
        self.by_digest.retain(|digest, _| !is_one(digest));
        let lists = self.by_path.values_mut().chain(self.by_head.values_mut());
        lists.for_each(|digests| digests.retain(|digest| !is_one(digest)));
        let mut known = KnownSources::default();
        self.by_digest.values().for_each(|entry| known.add(entry));
        self.known = Arc::new(known);
    }

    /// Whether something was added from a path.
    pub(super) fn has_path(&self, path: &str) -> bool {
        self.by_path.get(path).is_some_and(|digests| !digests.is_empty())
    }

    /// Those of the same recording as a source at its path: half of it, all of it, or damaged. The flow that ended first ended
    /// in the same microsecond; a log that follows another at its path has another.
    pub(super) fn of_recording(&self, path: &str, ends: Option<(i64, i64)>) -> impl Iterator<Item = &SourceEntry> {
        let is_of_it = move |entry: &&SourceEntry| begins_with_one(entry, ends);
        self.by_path.get(path).into_iter().flatten().filter_map(|digest| self.get(digest)).filter(is_of_it)
    }

    /// Those that begin as a content does, as far as their heads and the flow that ended first tell: a part of it, or it of
    /// them, or two that part ways further on.
    pub(super) fn beginning_alike(
        &self,
        content: &Content,
        ends: Option<(i64, i64)>,
    ) -> impl Iterator<Item = &SourceEntry> {
        let head = Some(&content.head).filter(|_| content.bytes >= HEAD as u64);
        let digests = head.and_then(|head| self.by_head.get(head)).into_iter().flatten();
        digests.filter_map(|digest| self.get(digest)).filter(move |entry| begins_with_one(entry, ends))
    }

    /// A source, and those that it goes on from, the latest first.
    pub(super) fn past(&self, digest: &str) -> impl Iterator<Item = &SourceEntry> {
        std::iter::successors(self.get(digest), |entry| self.get(entry.continues.as_deref()?))
    }

    /// What links them.
    pub(super) fn chains(&self) -> Chains<'_> {
        Chains::new(self.by_digest.values())
    }

    /// Sources, and all that comes and goes with them: what they go on from, what goes on from them, and those with which they
    /// share conversations.
    pub(super) fn together(&self, digests: &BTreeSet<String>) -> BTreeSet<String> {
        let chains = self.chains();
        let mut all = BTreeSet::new();
        let mut next: Vec<&str> = digests.iter().map(String::as_str).collect();
        while let Some(digest) = next.pop() {
            for entry in chains.together(digest).into_iter().flat_map(|entry| self.past(&entry.digest)) {
                if all.insert(entry.digest.clone()) {
                    next.push(&entry.digest);
                }
            }
        }
        all
    }
}

fn begins_with_one(entry: &SourceEntry, ends: Option<(i64, i64)>) -> bool {
    ends.is_some_and(|(first, _)| entry.ends.is_some_and(|(of_entry, _)| of_entry == first))
}
