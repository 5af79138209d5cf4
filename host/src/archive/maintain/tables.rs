//! The tables beside the flows, as files.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;

use super::{
    check::Check,
    read_back::{Fault, Texts, batches, compare},
    records::Records,
};
use crate::{
    archive::{
        AsideTable, IngestAgain, OWN_DIRECTORY, SourceEntry, chains::Chains, files::Beside, ingest::OPEN_FLOWS, ledger,
        rejects,
    },
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

/// What there is of them.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Rows of each file that is sound, and the file in which they are by now, by its path when it was ingested.
    pub(super) there: BTreeMap<String, (u64, String)>,
}

/// A file that is damaged or gone.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) file: String,
    pub(super) what: String,
    pub(super) is_there: bool,
    /// The paths of what is in it, when it was ingested.
    pub(super) of: Vec<String>,
}

impl Tables {
    /// Reads every file, and looks for those that are missing. Those that are not sound come apart.
    pub(super) async fn read(check: &mut Check<'_>, records: &Records) -> Result<(Self, Vec<Lost>)> {
        let archive = check.archive;
        let (mut there, mut lost) = (BTreeMap::new(), Vec::new());
        let mut found = BTreeSet::new();
        for table in tables() {
            let Beside { files, replaces, .. } = archive.beside(&table.directory).await?;
            for object in files {
                let file = archive.file(&object.location).to_owned();
                let mut rows = 0;
                let mut counted = compare(archive.store().as_ref(), &object).await;
                if counted.is_ok() {
                    let count = batches::<Fault>(archive.store().as_ref(), &object, Texts::AsViews, |batch| {
                        rows += batch.num_rows() as u64;
                        Ok(())
                    });
                    counted = count.await;
                }
                let of: BTreeMap<String, u64> = match replaces.get(&file) {
                    Some(replaces) => replaces.of_sources().map(|(path, rows)| (path.to_owned(), rows)).collect(),
                    None => BTreeMap::from([(file.clone(), rows)]),
                };
                found.extend(of.keys().cloned());
                match counted {
                    Ok(()) => there.extend(of.into_iter().map(|(path, rows)| (path, (rows, file.clone())))),
                    Err(Fault::Damaged(what)) => {
                        lost.push(Lost { file, what, is_there: true, of: of.into_keys().collect() });
                    }
                    Err(fault) => check.unreachable(&file, fault),
                }
            }
        }
        let of_sources = records.entries.iter().flat_map(SourceEntry::tables_and_rejects);
        let missing = of_sources.filter(|file| !found.contains(file) && !records.expired.contains_key(file));
        lost.extend(missing.map(|file| {
            let (what, of) = ("it is missing".to_owned(), vec![file.clone()]);
            Lost { file, what, is_there: false, of }
        }));
        Ok((Self { there }, lost))
    }

    /// Whether what was ingested as a file lies in a compacted one, which is sound.
    pub(super) fn is_compacted(&self, path: &str) -> bool {
        self.there.get(path).is_some_and(|(_, file)| file != path)
    }
}

/// How a source's rows in a table come back, and what to ingest for it: the source is whole but for them, so that
/// nothing else is worth taking away.
pub(super) fn way_back(
    source: &SourceEntry,
    chains: &Chains<'_>,
    is_fixed: impl Fn(&str) -> bool,
) -> (String, Option<IngestAgain>) {
    let (name, entry) = (&source.name, ledger::path(&source.digest));
    let together = chains.together(&source.digest);
    let others = together.len().saturating_sub(1);
    let is_compacted = together.iter().flat_map(|source| source.paths()).any(|file| is_fixed(&file));
    let (how, again) = match (others, is_compacted) {
        (0, true) => {
            let again = IngestAgain::unknown(source);
            (format!("take {entry} out of the archive, then {}", again.command(&[])), Some(again))
        }
        (_, true) => {
            let rule = "what it belongs together with was compacted, and cannot be read again";
            return (format!("its rows of {name} do not come back: {rule}"), None);
        }
        (_, false) if chains.joined(&source.digest).len() > 1 => {
            let what = format!("{name} and the {others} that its conversations went on in");
            (format!("give {what} to one `wardflow ingest --again`"), None)
        }
        // Alone, or with what was added of it when it had grown, which is read anew with it.
        (_, false) => {
            let again = IngestAgain::anew(source);
            (again.command(&[]), Some(again))
        }
    };
    (format!("to have its rows back: {how}"), again)
}
