//! The tables beside the flows, as files.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;

use super::{
    check::{Check, Problem},
    read_back::{Fault, batches},
    records::Records,
};
use crate::{
    archive::{AsideTable, OWN_DIRECTORY, SourceEntry, files::Beside, ingest::OPEN_FLOWS, rejects},
    error::Result,
    flow,
};

/// A table.
pub(super) struct Table {
    /// The directory of its files.
    pub(super) directory: String,
    /// Their columns.
    pub(super) schema: SchemaRef,
}

/// All of them.
pub(super) fn tables() -> Vec<Table> {
    let asides = AsideTable::ALL.map(|table| Table { directory: table.directory(), schema: table.file_schema() });
    let rejects = Table { directory: rejects::directory(), schema: rejects::schema() };
    let open = Table { directory: format!("{OWN_DIRECTORY}/{OPEN_FLOWS}"), schema: flow::schema() };
    asides.into_iter().chain([rejects, open]).collect()
}

/// The entry to which each file of a table belongs.
pub(super) fn owners(entries: &[SourceEntry]) -> BTreeMap<String, &SourceEntry> {
    entries.iter().flat_map(|entry| entry.tables_and_rejects().map(move |file| (file, entry))).collect()
}

/// Reads every file, and looks for those that are missing. Returns the files of sources that lie in compacted ones.
pub(super) async fn check(check: &mut Check<'_>, records: &Records) -> Result<BTreeSet<String>> {
    let archive = check.archive;
    let mut there = BTreeSet::new();
    let mut compacted = BTreeSet::new();
    let owners = owners(&records.entries);
    for table in tables() {
        let Beside { files, replaces, .. } = archive.beside(&table.directory).await?;
        for object in files {
            let path = archive.file(&object.location).to_owned();
            let in_it: Vec<String> = match replaces.get(&path) {
                Some(replaces) => replaces.of_sources().map(|(file, _)| file.to_owned()).collect(),
                None => vec![path.clone()],
            };
            there.extend(in_it.iter().cloned());
            match batches::<Fault>(archive.store().as_ref(), &object, |_| Ok(())).await {
                Ok(()) if replaces.contains_key(&path) => compacted.extend(in_it),
                Ok(()) => {}
                Err(Fault::Damaged(reason)) => {
                    let remedy = lost(in_it.iter().filter_map(|file| owners.get(file).copied()));
                    check.set_aside(&path, reason, remedy).await?;
                    check.let_go(in_it).await?;
                }
                Err(fault) => check.unreachable(&path, fault),
            }
        }
    }
    let missing = owners.iter().filter(|(file, _)| !there.contains(*file) && !records.expired.contains_key(*file));
    for (file, owner) in missing {
        let (what, remedy) = ("it is missing".to_owned(), lost(std::iter::once(*owner)));
        let mended = check.let_go(vec![file.clone()]).await?;
        check.report.problems.push(Problem { file: file.clone(), what, remedy, mended });
    }
    Ok(compacted)
}

/// How rows of a table come back: its source is whole but for them, so that nothing else is worth taking away.
fn lost<'a>(sources: impl Iterator<Item = &'a SourceEntry>) -> String {
    let sources: Vec<_> = sources.map(|source| format!("{} (sources/{}.json)", source.name, source.digest)).collect();
    format!(
        "to have its rows back, take out of {OWN_DIRECTORY} the entries of its sources and ingest those again: {}",
        if sources.is_empty() { "they are not known".to_owned() } else { sources.join(", ") }
    )
}
