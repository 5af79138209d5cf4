//! Takes what is damaged out of the way, and deletes nothing: `_wardflow/damaged/` has it under the path that it had.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectStoreExt;

use super::{holdings::Holdings, orphans::Orphans};
use crate::{
    archive::{ArchiveLock, IngestAgain, OWN_DIRECTORY, SourceEntry, carried, chains::Chains, ledger},
    error::{Context, Result},
};

/// What was taken out, and what is to be ingested again.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    /// In the order in which they were ingested.
    pub(super) again: BTreeSet<IngestAgain>,
    /// Digests of the sources that the ledger does not have any more.
    pub(super) sources: BTreeSet<String>,
    /// Digests of the sources that stay as they are until they are read anew.
    pub(super) told: BTreeSet<String>,
    /// What the names of files begin with that went along, though the ledger did not have their sources.
    pub(super) orphans: BTreeSet<String>,
}

/// Says what to ingest again, and takes what cannot be read anew as it lies out of the ledger, and its files out of sight:
/// sources that went on from one which the ledger lost.
///
/// A log that has grown is ingested again as what it is by now, so that all that was added of it goes together; so do
/// sources whose conversations went on from one to the next, for each wrote what another had begun. That cannot be
/// where some of it `is_fixed` in a compacted file that is sound. Then the entries stay: given just the content that
/// lacks flows, an ingest writes its files again, and no reader looks at those that the compacted file replaces.
pub(super) async fn take_out(
    lock: &ArchiveLock,
    chains: &Chains<'_>,
    lost: &[&SourceEntry],
    orphans: &Orphans,
    is_fixed: impl Fn(&str) -> bool,
) -> Result<Repaired> {
    let mut out = Repaired::default();
    for &source in lost {
        if out.sources.contains(&source.digest) || out.told.contains(&source.digest) {
            continue;
        }
        let together = chains.together(&source.digest);
        if together.iter().flat_map(|entry| entry.paths()).any(|file| is_fixed(&file)) {
            out.again.insert(IngestAgain::part(source));
            continue;
        }
        // A run that reads it anew takes the rest out once it can, so that what is sound stays until then.
        if together.iter().all(|entry| chains.missing_before(entry).next().is_none()) {
            for entry in together {
                out.told.insert(entry.digest.clone());
                out.again.insert(IngestAgain::anew(entry));
            }
            continue;
        }
        for before in together.iter().filter_map(|entry| chains.missing_beginning(entry)).map(SourceEntry::short) {
            for file in orphans.own_files(before) {
                set_aside(lock, &file).await?;
            }
            out.orphans.insert(before.to_owned());
        }
        // The last first: one whose beginning is not known is not recognised either.
        for entry in together.iter().rev() {
            for file in entry.paths().chain([carried::path(SourceEntry::short(&entry.digest))]) {
                set_aside(lock, &file).await?;
            }
            lock.archive().forget_copy(&entry.digest).await?;
            set_aside(lock, &ledger::path(&entry.digest)).await?;
            out.sources.insert(entry.digest.clone());
            out.again.insert(IngestAgain::of(entry));
        }
    }
    Ok(out)
}

/// Entries of sources that the ledger lost, though others go on from them, where these cannot be taken out either:
/// something of them `is_fixed` in a compacted file. They are made from the rows that there are.
pub(super) fn entries_anew(
    chains: &Chains<'_>,
    entries: &[SourceEntry],
    orphans: &Orphans,
    expired: &BTreeMap<String, u64>,
    is_fixed: impl Fn(&str) -> bool,
) -> Vec<SourceEntry> {
    let mut anew: BTreeMap<&str, SourceEntry> = BTreeMap::new();
    for entry in entries {
        for before in chains.missing_before(entry) {
            let together = chains.together(&entry.digest);
            if orphans.is_compacted(SourceEntry::short(before))
                || together.iter().flat_map(|entry| entry.paths()).any(|file| is_fixed(&file))
            {
                anew.entry(before).or_insert_with(|| orphans.entry(before, entry, expired));
            }
        }
    }
    anew.into_values().collect()
}

/// Entries that know less than compacted files have of their sources, as they are then: of sources that were ingested again
/// though they were compacted, and had lost their entries and what went on in them. What is compacted counts.
pub(super) fn recounted(entries: &[SourceEntry], holdings: &Holdings<'_>, orphans: &Orphans) -> Vec<SourceEntry> {
    let recounted = entries.iter().filter_map(|entry| {
        let unknown = orphans.compacted_files(SourceEntry::short(&entry.digest)).map(str::to_owned);
        let files: Vec<String> = entry.files.iter().cloned().chain(unknown).collect();
        let is_compacted = files.iter().any(|file| holdings.is_compacted(file));
        let mut anew = SourceEntry { files, ..entry.clone() };
        anew.counts.flows = holdings.flows(&anew);
        let is_settled = entry.counts.waiting == 0;
        (is_compacted && is_settled && anew.counts.flows > entry.counts.flows).then_some(anew)
    });
    recounted.collect()
}

/// Moves a file to the damaged ones; it may be gone already.
pub(super) async fn set_aside(lock: &ArchiveLock, file: &str) -> Result<()> {
    let archive = lock.archive();
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
