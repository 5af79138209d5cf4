//! Rows of sources that the ledger does not have, in files of their own or in compacted ones.
//!
//! They are not lost, and may be added once more when their source is ingested as what it has become since.

use std::collections::{BTreeMap, BTreeSet};

use super::{date_of, records::Records, report::Problem, tables::Tables};
use crate::archive::{Counts, SourceEntry, carried, files::Survey, ledger::LastLine, rejects};

/// By what the names of their source's files begin with.
#[derive(Debug, Default)]
pub(super) struct Orphans(BTreeMap<String, Orphan>);

#[derive(Debug, Default)]
struct Orphan {
    flows: Vec<Held>,
    tables: Vec<Held>,
}

/// Rows, and where they are.
#[derive(Debug)]
struct Held {
    /// The path of their file when they were ingested.
    path: String,
    rows: u64,
    /// The file in which they are.
    file: String,
}

impl Held {
    fn of((path, rows): (&str, u64), file: &str) -> Self {
        Self { path: path.to_owned(), rows, file: file.to_owned() }
    }

    fn is_compacted(&self) -> bool {
        self.path != self.file
    }
}

impl Orphans {
    /// By the files that there are, but for those that are not sound. What a killed ingest left is none.
    pub(super) fn find(
        records: &Records,
        survey: &Survey,
        tables: &Tables,
        is_sound: impl Fn(&str) -> bool,
        is_begun: impl Fn(&str) -> bool,
    ) -> Self {
        let mut orphans: BTreeMap<String, Orphan> = BTreeMap::new();
        let of_sources: BTreeSet<&str> =
            records.entries.iter().flat_map(|entry| &entry.files).map(String::as_str).collect();
        for file in survey.listing.files.iter().filter(|file| !file.foreign && is_sound(&file.path)) {
            let own = [(file.path.as_str(), file.rows)];
            let rows: Vec<_> = match survey.replaces.get(&file.path) {
                Some(replaces) => replaces.of_sources().collect(),
                None => own.into(),
            };
            for (path, rows) in rows.into_iter().filter(|(path, _)| !of_sources.contains(path)) {
                if let Some(source) = source_of(path) {
                    orphans.entry(source.to_owned()).or_default().flows.push(Held::of((path, rows), &file.path));
                }
            }
        }
        let known: BTreeSet<&str> = records.entries.iter().map(|entry| SourceEntry::short(&entry.digest)).collect();
        for (path, (rows, file)) in &tables.there {
            if let Some(source) = source_of_table(path).filter(|source| !known.contains(source)) {
                orphans.entry(source.to_owned()).or_default().tables.push(Held::of((path, *rows), file));
            }
        }
        orphans.retain(|source, _| !is_begun(source));
        Self(orphans)
    }

    /// The files that are a source's alone.
    pub(super) fn own_files(&self, source: &str) -> Vec<String> {
        let held = self.0.get(source).into_iter().flat_map(|orphan| orphan.flows.iter().chain(&orphan.tables));
        let own = held.filter(|held| !held.is_compacted()).map(|held| held.file.clone());
        own.chain([carried::path(source)]).collect()
    }

    /// Paths of a source's flow files that are in compacted ones by now.
    pub(super) fn compacted_files(&self, source: &str) -> impl Iterator<Item = &str> {
        let flows = self.0.get(source).into_iter().flat_map(|orphan| &orphan.flows);
        flows.filter(|held| held.is_compacted()).map(|held| held.path.as_str())
    }

    /// Whether something of a source is in a compacted file.
    pub(super) fn is_compacted(&self, source: &str) -> bool {
        let orphan = self.0.get(source);
        orphan.is_some_and(|orphan| orphan.flows.iter().chain(&orphan.tables).any(Held::is_compacted))
    }

    /// The entry of a source that `after` goes on from, as far as its rows tell it.
    pub(super) fn entry(&self, digest: &str, after: &SourceEntry, expired: &BTreeMap<String, u64>) -> SourceEntry {
        let source = SourceEntry::short(digest);
        let none = Orphan::default();
        let orphan = self.0.get(source).unwrap_or(&none);
        let expired = expired.iter().filter(|(file, _)| source_of(file) == Some(source));
        let mut flows: BTreeMap<String, u64> = expired.map(|(file, rows)| (file.clone(), *rows)).collect();
        flows.extend(orphan.flows.iter().map(|held| (held.path.clone(), held.rows)));
        let has_grown = after.continues.as_deref() == Some(digest);
        let rejects_path = rejects::path(source);
        let (rejects, tables): (Vec<_>, Vec<_>) = orphan.tables.iter().partition(|held| held.path == rejects_path);
        SourceEntry {
            digest: digest.to_owned(),
            name: if has_grown { after.name.clone() } else { "unknown".to_owned() },
            format: after.format.clone(),
            asked: after.asked.clone(),
            counts: Counts {
                records: if has_grown { after.counts.skipped } else { 0 },
                flows: flows.values().sum(),
                rejects: rejects.iter().map(|held| held.rows).sum(),
                ..Counts::default()
            },
            last_line: LastLine::Whole,
            files: flows.into_keys().collect(),
            tables: tables.iter().map(|held| held.path.clone()).collect(),
            ingested_at: after.ingested_at,
            ..SourceEntry::default()
        }
    }

    /// What to tell of them, file by file. Those of the sources in `away` were moved there.
    pub(super) fn problems(&self, away: &BTreeSet<String>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (source, orphan) in &self.0 {
            let held = if orphan.flows.is_empty() { &orphan.tables } else { &orphan.flows };
            let mut files: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
            for held in held {
                let (rows, is_compacted) = files.entry(&held.file).or_default();
                *rows += held.rows;
                *is_compacted = held.is_compacted();
            }
            for (file, (rows, is_compacted)) in files {
                let mended = away.contains(source) && !is_compacted;
                problems.push(problem(file, source, (rows, is_compacted), mended));
            }
        }
        problems
    }
}

fn problem(file: &str, source: &str, (rows, is_compacted): (u64, bool), mended: bool) -> Problem {
    let what = if is_compacted {
        format!(
            "no source of the ledger has {rows} of its rows, which came from {source}-*, so that they may be added \
             once more"
        )
    } else {
        "no source of the ledger has it, so that its rows may be added once more".to_owned()
    };
    let remedy = match (mended, is_compacted) {
        (true, _) => "it is in _wardflow/damaged now, and what is to be ingested again writes it again",
        (false, true) => "ingest the source that they came from, as it was then: its rows are not added twice",
        (false, false) => {
            "ingest what lies where its source lay, all of it in one run with --again, or take this file out of the archive"
        }
    };
    Problem { file: file.to_owned(), what, remedy: remedy.to_owned(), mended }
}

/// The source of a flow file, by its name, if an ingest gave it that: `date=…/<16 hexadecimal
/// digits>[w]-<number>.parquet`.
pub(super) fn source_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(date_of(path)?)?.trim_start_matches('/');
    let (source, number) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
    let source = source.strip_suffix('w').unwrap_or(source);
    (is_source(source) && number.parse::<u32>().is_ok()).then_some(source)
}

/// The source of a file of a table, `_wardflow/<table>/<16 hexadecimal digits>[-<number>].parquet`.
fn source_of_table(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?.strip_suffix(".parquet")?;
    let source = name.split('-').next()?;
    is_source(source).then_some(source)
}

fn is_source(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
