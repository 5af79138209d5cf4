//! Takes what is damaged out of the way, and deletes nothing: `_wardflow/damaged/` has it under the path that it had.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectStoreExt;
use serde::Serialize;

use crate::{
    archive::{Archive, OWN_DIRECTORY, SourceEntry, carried, ledger},
    error::{Context, Result},
};

/// A source that is to be ingested again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct IngestAgain {
    /// Its path when it was ingested.
    pub name: String,
    /// Its format, if it is known.
    pub format: Option<String>,
    /// The sensor's name that it was given.
    pub sensor: Option<String>,
    /// Not all of what it may be by now, but so many of its first bytes, decompressed.
    pub bytes: Option<u64>,
}

impl IngestAgain {
    fn of(source: &SourceEntry, bytes: Option<u64>) -> Self {
        let SourceEntry { name, format, sensor, .. } = source.clone();
        Self { name, format, sensor, bytes }
    }
}

/// Takes sources out of the ledger, and their files out of sight, and says what to ingest again.
///
/// A log that has grown is ingested again as what it is by now, so that all that was added of it goes together; so do
/// sources whose conversations went on from one to the next, for each wrote what another had begun. That cannot be where some of it `is_fixed` in a compacted file that is sound. Then the entries stay: given just the
/// content that lacks flows, an ingest writes its files again, and no reader looks at those that the compacted file
/// replaces.
pub(super) async fn take_out(
    archive: &Archive,
    entries: &[SourceEntry],
    lost: &[&SourceEntry],
    is_fixed: impl Fn(&str) -> bool,
) -> Result<Vec<IngestAgain>> {
    let mut joined: BTreeMap<&str, Vec<&SourceEntry>> = BTreeMap::new();
    for entry in entries {
        if let Some(before) = &entry.continues {
            joined.entry(before).or_default().push(entry);
        }
        if let Some(before) = entry.follows.as_deref() {
            joined.entry(before).or_default().push(entry);
            let before = entries.iter().find(|other| other.digest == before);
            joined.entry(&entry.digest).or_default().extend(before);
        }
    }
    let mut out = BTreeSet::new();
    let mut again = BTreeSet::new();
    for &source in lost {
        if out.contains(source.digest.as_str()) {
            continue;
        }
        let together = together(source, &joined);
        if together.iter().flat_map(|entry| entry.paths()).any(|file| is_fixed(&file)) {
            again.insert(IngestAgain::of(source, Some(source.bytes)));
            continue;
        }
        // The last first: one whose beginning is not known is not recognised either.
        for entry in together.iter().rev() {
            for file in entry.paths().chain([carried::path(SourceEntry::short(&entry.digest))]) {
                set_aside(archive, &file).await?;
            }
            set_aside(archive, &ledger::path(&entry.digest)).await?;
            out.insert(entry.digest.as_str());
            again.insert(IngestAgain::of(entry, None));
        }
    }
    Ok(again.into_iter().collect())
}

/// A source, and all that goes together with it.
fn together<'a>(source: &'a SourceEntry, joined: &BTreeMap<&str, Vec<&'a SourceEntry>>) -> Vec<&'a SourceEntry> {
    let mut together = vec![source];
    let mut seen = BTreeSet::from([source.digest.as_str()]);
    let mut next = 0;
    while let Some(entry) = together.get(next) {
        let more = joined.get(entry.digest.as_str()).into_iter().flatten();
        together.extend(more.copied().filter(|more| seen.insert(more.digest.as_str())).collect::<Vec<_>>());
        next += 1;
    }
    together
}

/// Moves a file to the damaged ones; it may be gone already.
pub(super) async fn set_aside(archive: &Archive, file: &str) -> Result<()> {
    let store = archive.store();
    let inside = file.strip_prefix(OWN_DIRECTORY).unwrap_or(file).trim_start_matches('/');
    let mut place = archive.place(&format!("{OWN_DIRECTORY}/damaged/{inside}"));
    let mut number = 0;
    loop {
        match store.head(&place).await {
            Ok(_) => number += 1,
            Err(object_store::Error::NotFound { .. }) => break,
            Err(error) => return Err(error).context(|| format!("looking for {place}")),
        }
        place = archive.place(&format!("{OWN_DIRECTORY}/damaged/{inside}.{number}"));
    }
    match store.rename(&archive.place(file), &place).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error).context(|| format!("moving {file} of the archive to {place}")),
    }
}
