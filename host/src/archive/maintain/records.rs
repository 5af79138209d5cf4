//! What the archive has noted of itself, those notes too that cannot be read.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use postcard::from_bytes;

use super::expired;
use crate::{
    archive::{Archive, OWN_DIRECTORY, SourceEntry, carried::Carried, copies, ingest::TakenOut, join::Joiner, ledger},
    error::Result,
};

/// Notes that are read at once.
const AT_ONCE: usize = 16;

/// The archive's notes.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) entries: Vec<SourceEntry>,
    /// The copies of entries.
    copies: Vec<SourceEntry>,
    /// What the names of files begin with of sources that a killed run may have left half done.
    begun: BTreeSet<String>,
    /// Conversations that wait.
    pub(super) carried: Vec<Carried>,
    /// Sources that were taken out to be read anew, and were not.
    pub(super) taken_out: Vec<TakenOut>,
    /// Files that have expired, with their rows.
    pub(super) expired: BTreeMap<String, u64>,
    /// Notes that cannot be read, and why.
    pub(super) unreadable: Vec<(String, String)>,
}

impl Records {
    pub(super) async fn read(archive: &Archive) -> Result<Self> {
        let mut unreadable = Vec::new();
        let [sources, carried] = ["sources", "carried"].map(|name| format!("{OWN_DIRECTORY}/{name}"));
        let begun = archive.objects(Some(&format!("{OWN_DIRECTORY}/begun"))).await?;
        let begun = begun.iter().filter_map(|note| note.location.filename().map(str::to_owned)).collect();
        let entry = |file: &str, json: &[u8]| ledger::parse(file, json).map_err(|error| error.reason());
        let entries: Vec<SourceEntry> = notes(archive, &sources, &mut unreadable, entry).await?;
        let copies = notes(archive, &copies::directory(), &mut unreadable, copies::parse).await?;
        let carried = notes(archive, &carried, &mut unreadable, |_, bytes| conversations(bytes)).await?;
        let taken_out = archive.taken_out().await?;
        let files = |_: &str, json: &[u8]| expired::parse(json).map_err(|error| error.to_string());
        let expired = notes(archive, &expired::directory(), &mut unreadable, files).await?;
        let expired = expired.into_iter().flatten().collect();
        Ok(Self { entries, copies, begun, carried, taken_out, expired, unreadable })
    }

    /// Entries that the ledger lost, and what a killed run did not write over since.
    pub(super) fn lost(&self) -> Vec<SourceEntry> {
        let known: BTreeSet<&str> = self.entries.iter().map(|entry| entry.digest.as_str()).collect();
        let is_lost = |copy: &&SourceEntry| {
            !known.contains(copy.digest.as_str()) && !self.begun.contains(SourceEntry::short(&copy.digest))
        };
        self.copies.iter().filter(is_lost).cloned().collect()
    }

    /// Entries that have no copy, or another one, which comes along.
    pub(super) fn uncopied(&self) -> impl Iterator<Item = (&SourceEntry, Option<&SourceEntry>)> {
        let copies: BTreeMap<&str, &SourceEntry> =
            self.copies.iter().map(|copy| (copy.digest.as_str(), copy)).collect();
        let copied = self.entries.iter().map(move |entry| (entry, copies.get(entry.digest.as_str()).copied()));
        copied.filter(|(entry, copy)| *copy != Some(*entry))
    }

    /// Digests of sources whose flows another one's have replaced.
    pub(super) fn replaced(&self) -> BTreeSet<&str> {
        self.entries.iter().flat_map(|entry| &entry.replaces).map(String::as_str).collect()
    }

    /// Digests of sources whose waiting conversations another one went on with.
    pub(super) fn followed(&self) -> BTreeSet<&str> {
        self.entries.iter().filter_map(|entry| entry.follows.as_deref()).collect()
    }
}

/// Puts other entries in the place of those of the same sources.
pub(super) fn replace(entries: &mut Vec<SourceEntry>, anew: Vec<SourceEntry>) {
    entries.retain(|entry| anew.iter().all(|other| other.digest != entry.digest));
    entries.extend(anew);
}

fn conversations(bytes: &[u8]) -> Result<Carried, String> {
    let carried: Carried = from_bytes(bytes).map_err(|error| error.to_string())?;
    Joiner::restore(&carried.conversations).map_err(|error| error.to_string())?;
    Ok(carried)
}

pub(super) async fn notes<T>(
    archive: &Archive,
    directory: &str,
    unreadable: &mut Vec<(String, String)>,
    parse: impl Fn(&str, &[u8]) -> Result<T, String>,
) -> Result<Vec<T>> {
    let objects = archive.objects(Some(directory)).await?;
    let read = stream::iter(objects).map(|object| async move {
        let file = archive.file(&object.location).to_owned();
        let bytes = archive.get(&file).await?;
        Ok::<_, crate::error::Error>((file, bytes))
    });
    let read: Vec<_> = read.buffered(AT_ONCE).try_collect().await?;
    let mut notes = Vec::new();
    for (file, bytes) in read {
        match bytes.map(|bytes| parse(&file, &bytes)) {
            Some(Ok(note)) => notes.push(note),
            Some(Err(reason)) => unreadable.push((file, reason)),
            None => {}
        }
    }
    Ok(notes)
}
