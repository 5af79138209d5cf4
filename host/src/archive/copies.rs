//! The ledger's second copy, `_wardflow/copies/<source>.json`: an entry that the ledger lost is put back from there. Without
//! it, nobody could tell from the rows that are left what their source had gone on from, or where it lay.
//!
//! A copy is written after its entry and deleted before it, so that one without an entry says that the entry was lost.

use std::collections::BTreeSet;

use object_store::ObjectStoreExt;

use super::{
    ledger::SourceEntry,
    location::{Archive, OWN_DIRECTORY},
};
use crate::error::Result;

impl Archive {
    /// Puts back entries that the ledger lost, where all that they name is there: what lacks something is ingested again.
    /// Copies those that an earlier version did not.
    pub(super) async fn put_back_lost(&self, entries: &mut Vec<SourceEntry>) -> Result<()> {
        let mut copied = BTreeSet::new();
        for object in self.objects(Some(&directory())).await? {
            copied.extend(object.location.filename().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        for entry in entries.iter().filter(|entry| !copied.contains(SourceEntry::short(&entry.digest))) {
            self.copy_entry(entry).await?;
        }
        let known: BTreeSet<&str> = entries.iter().map(|entry| SourceEntry::short(&entry.digest)).collect();
        let lost: Vec<&String> = copied.iter().filter(|source| !known.contains(source.as_str())).collect();
        let mut back = Vec::new();
        for file in lost.into_iter().map(|source| path(source)) {
            let Some(json) = self.get(&file).await? else { continue };
            if let Ok(entry) = parse(&file, &json)
                && self.has_all(&entry).await?
            {
                self.record_source(&entry).await?;
                back.push(entry);
            }
        }
        entries.extend(back);
        Ok(())
    }

    /// Writes the copy of an entry.
    pub(super) async fn copy_entry(&self, entry: &SourceEntry) -> Result<()> {
        self.put(&path(SourceEntry::short(&entry.digest)), entry.to_json()?).await
    }

    /// Deletes the copy of an entry that is about to go.
    pub(super) async fn forget_copy(&self, digest: &str) -> Result<()> {
        self.delete(&self.place(&path(SourceEntry::short(digest)))).await
    }

    /// Whether the flows of a source are there, and its rows beside them.
    async fn has_all(&self, entry: &SourceEntry) -> Result<bool> {
        for file in entry.tables_and_rejects() {
            let is_there = self.store().head(&self.place(&file)).await.is_ok();
            if !is_there && self.compacted_rows(&file).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(self.holds(entry).await)
    }
}

/// Reads a copy. On failure the reason.
pub(super) fn parse(file: &str, json: &[u8]) -> Result<SourceEntry, String> {
    let entry = SourceEntry::from_json(json)?;
    if path(SourceEntry::short(&entry.digest)) != file {
        return Err(format!("it says that its source is {}", entry.digest));
    }
    Ok(entry)
}

pub(super) fn directory() -> String {
    format!("{OWN_DIRECTORY}/copies")
}

/// The copy of the entry of a source, by what the names of the source's files begin with.
pub(super) fn path(source: &str) -> String {
    format!("{}/{source}.json", directory())
}
