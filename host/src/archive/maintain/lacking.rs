//! What the archive knows to be missing, without reading the flows that it holds: the ledger says how many each source had.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{expired, holdings::Holdings, records::notes};
use crate::{
    archive::{Archive, Listing, OWN_DIRECTORY, SourceEntry, ledger},
    error::Result,
};

/// What an archive lacks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Lacking {
    /// Sources whose flows are not all there.
    pub sources: Vec<LackingSource>,
    /// Entries of sources that cannot be read, by their paths in the archive: how many flows those had is not known.
    pub unreadable: Vec<String>,
    /// Damaged flow files that were put aside, whether or not their flows are there again.
    pub put_aside: u64,
}

/// A source whose flows are not all there.
#[derive(Clone, Debug, Serialize)]
pub struct LackingSource {
    /// Its name when it was ingested.
    pub name: String,
    /// Flows that it had.
    pub had: u64,
    /// Those that are there, or have expired.
    pub there: u64,
}

impl Lacking {
    /// Flows that sources had and that are not there.
    pub fn flows(&self) -> u64 {
        self.sources.iter().map(|source| source.had.saturating_sub(source.there)).sum()
    }
}

impl Archive {
    /// What the archive lacks of what was ingested, by a listing of it. Files that cannot be used are told there.
    ///
    /// # Errors
    /// The archive cannot be read.
    pub async fn lacking(&self, listing: &Listing) -> Result<Lacking> {
        if self.is_read_only() {
            return Ok(Lacking::default());
        }
        let mut unreadable = Vec::new();
        let entry = |file: &str, json: &[u8]| ledger::parse(file, json).map_err(|error| error.reason());
        let entries = notes(self, &ledger::directory(), &mut unreadable, entry).await?;
        // One that says what has expired and cannot be read leaves its sources to be looked at again below, and to that error.
        let files = |_: &str, json: &[u8]| expired::parse(json).map_err(|error| error.to_string());
        let expired = notes(self, &expired::directory(), &mut Vec::new(), files).await?;
        let expired: BTreeMap<String, u64> = expired.into_iter().flatten().collect();
        let holdings = Holdings::of(&listing.files, &listing.replaces, &expired, |_| true);
        let replaced: BTreeSet<&String> = entries.iter().flat_map(|entry| &entry.replaces).collect();
        let broken: BTreeSet<&String> = listing.broken.iter().map(|file| &file.path).collect();
        let is_told = |entry: &SourceEntry| entry.files.iter().any(|file| broken.contains(file));
        let mut sources = Vec::new();
        for entry in &entries {
            let is_whole = holdings.is_whole(entry) || replaced.contains(&entry.digest) || is_told(entry);
            if !is_whole && self.still_lacks(entry).await? {
                let (had, there) = (entry.counts.flows, holdings.flows(entry));
                sources.push(LackingSource { name: entry.name.clone(), had, there });
            }
        }
        sources.sort_by(|one, other| one.name.cmp(&other.name));
        let unreadable = unreadable.into_iter().map(|(file, _)| file).collect();
        Ok(Lacking { sources, unreadable, put_aside: self.put_aside().await? })
    }

    /// Whether a source lacks flows by now: since the listing was made, another command may have written.
    async fn still_lacks(&self, entry: &SourceEntry) -> Result<bool> {
        let is_same = self.source(&entry.digest).await?.as_ref() == Some(entry);
        Ok(is_same && !self.holds(entry).await)
    }

    async fn put_aside(&self) -> Result<u64> {
        let directory = format!("{OWN_DIRECTORY}/damaged");
        let files = self.objects(Some(&directory)).await?;
        let inside = files.iter().filter_map(|file| self.file(&file.location).strip_prefix(directory.as_str()));
        Ok(inside.filter(|path| path.starts_with("/date=")).count() as u64)
    }
}
