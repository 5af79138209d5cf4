//! `wardflow archive check`: whether the archive is what was written into it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    OnStep, Replaces, Steps, date_of,
    holdings::Holdings,
    is_compacted, leftovers,
    read_back::{Fault, hours, is_same},
    records::Records,
    repair::{self, IngestAgain},
    tables,
};
use crate::{
    archive::{Archive, ArchiveFile, ArchiveLock, SourceEntry, carried, files::Survey, ledger},
    error::{Error, Result},
};

/// How an archive stands.
#[derive(Debug, Default, Serialize)]
pub struct CheckReport {
    /// Flow files that are sound.
    pub files: u64,
    /// Flows in them.
    pub flows: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Sources whose entries or files were moved away, or that lack flows: ingesting them again restores them.
    pub ingest_again: Vec<IngestAgain>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The file, by its path in the archive.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Whether it is done.
    pub mended: bool,
}

impl CheckReport {
    /// Whether nothing is wrong any more.
    pub fn is_well(&self) -> bool {
        self.ingest_again.is_empty() && self.problems.iter().all(|problem| problem.mended)
    }
}

/// A check that is under way.
pub(super) struct Check<'a> {
    pub(super) archive: &'a Archive,
    pub(super) report: CheckReport,
    repair: bool,
    /// Files that are not what was written.
    damaged: BTreeSet<String>,
    /// Whether some file could not be had, so that nothing can be said of what is missing.
    is_cut_off: bool,
}

const CLEAR: &str = "nothing is lost: `wardflow archive check --repair` clears it away, and so does the next ingest";

const AWAY: &str = "`wardflow archive check --repair` moves it to _wardflow/damaged, and says what to ingest again";

/// Reads the whole archive and compares it with what its footers and its ledger say. With `repair`, what killed runs
/// left is deleted, damaged files are moved to `_wardflow/damaged/`, and sources whose flows are no longer whole are
/// taken out of the ledger together with the rest of their flows, so that ingesting them again restores exactly these.
///
/// # Errors
/// The archive cannot be listed or written.
pub async fn check(lock: &ArchiveLock, repair: bool, on_step: OnStep<'_>) -> Result<CheckReport> {
    let archive = lock.archive();
    let report = CheckReport::default();
    let mut check = Check { archive, report, repair, damaged: BTreeSet::new(), is_cut_off: false };
    let mut records = Records::read(archive).await?;
    let without_conversations = check.unreadable_notes(&records).await?;
    let mut survey = archive.survey().await?;
    for (file, what) in leftovers::find(archive, &records, &survey).await? {
        check.report.problems.push(Problem { file, what, remedy: CLEAR.to_owned(), mended: repair });
    }
    if repair {
        check.give_back(&survey).await?;
        leftovers::clear(archive).await?;
        records = Records::read(archive).await?;
        survey = archive.survey().await?;
    }
    check.flow_files(&records, &survey, on_step).await?;
    let compacted_tables = tables::check(&mut check, &records).await?;
    check.without_source(&records, &survey);
    let damaged = check.damaged.clone();
    let holdings = Holdings::new(&survey, &records.expired, |file| !damaged.contains(file));
    let is_fixed = |file: &str| holdings.is_compacted(file) || compacted_tables.contains(file);
    let lost = check.sources(&records, &holdings, &without_conversations);
    if repair && !check.is_cut_off {
        check.report.ingest_again = repair::take_out(archive, &records.entries, &lost, is_fixed).await?;
    }
    Ok(check.report)
}

impl Check<'_> {
    /// Moves notes that cannot be read out of the way. Returns the sources whose conversations are lost so.
    async fn unreadable_notes(&mut self, records: &Records) -> Result<BTreeSet<String>> {
        let mut lost = BTreeSet::new();
        let followed = records.followed();
        for (file, reason) in &records.unreadable {
            let remedy = "what it noted is lost; `wardflow archive check` says which sources that concerns".to_owned();
            self.set_aside(file, format!("it cannot be read: {reason}"), remedy).await?;
            let source = records.entries.iter().find(|entry| *file == carried::path(SourceEntry::short(&entry.digest)));
            lost.extend(source.map(|entry| entry.digest.clone()).filter(|digest| !followed.contains(digest.as_str())));
        }
        Ok(lost)
    }

    /// Moves damaged files away that replace files which a killed run did not delete: these have their place again.
    async fn give_back(&mut self, survey: &Survey) -> Result<()> {
        for file in &survey.listing.files {
            let replaces = survey.replaces.get(&file.path);
            let is_early =
                replaces.is_some_and(|replaces| survey.left_over.iter().any(|old| replaces.rows(old).is_some()));
            if is_early && let Err(Fault::Damaged(what)) = verify(self.archive, file, replaces).await {
                self.set_aside(&file.path, what, "the files that it replaces are there".to_owned()).await?;
            }
        }
        Ok(())
    }

    async fn flow_files(&mut self, records: &Records, survey: &Survey, on_step: OnStep<'_>) -> Result<()> {
        let of_sources: BTreeSet<&String> = records.entries.iter().flat_map(|entry| &entry.files).collect();
        for broken in &survey.listing.broken {
            let (file, reason) = (broken.path.clone(), broken.reason.clone());
            if survey.unreachable.contains(&file) {
                self.is_cut_off = true;
                let remedy = "see that the disk or the object store is well, then check again".to_owned();
                self.report.problems.push(Problem { file, what: reason, remedy, mended: false });
            } else if of_sources.contains(&file) || is_compacted(&file) || source_of(&file).is_some() {
                self.set_aside(&file, reason, AWAY.to_owned()).await?;
            } else {
                let remedy = "another program wrote it: write it again, or take it out of the archive".to_owned();
                self.report.problems.push(Problem { file, what: reason, remedy, mended: false });
            }
        }
        let mut steps = Steps::new(survey.listing.files.iter().map(|file| file.object.size).sum(), on_step);
        for file in &survey.listing.files {
            match verify(self.archive, file, survey.replaces.get(&file.path)).await {
                Ok(()) => {
                    self.report.files += 1;
                    self.report.flows += file.rows;
                }
                Err(Fault::Damaged(what)) if file.foreign => {
                    let remedy = "another program wrote it: write it again, or take it out of the archive".to_owned();
                    self.report.problems.push(Problem { file: file.path.clone(), what, remedy, mended: false });
                }
                Err(Fault::Damaged(what)) => self.set_aside(&file.path, what, AWAY.to_owned()).await?,
                Err(fault) => self.unreachable(&file.path, fault),
            }
            steps.add(file.object.size, file.rows);
        }
        Ok(())
    }

    /// Files as ingests write them that no source has. They may be all that there is of one, so they stay.
    fn without_source(&mut self, records: &Records, survey: &Survey) {
        let of_sources: BTreeSet<&String> = records.entries.iter().flat_map(|entry| &entry.files).collect();
        let begun = |file: &str| self.report.problems.iter().any(|problem| problem.file.ends_with(file));
        let is_lost = |file: &&ArchiveFile| {
            let source = source_of(&file.path).filter(|_| !file.foreign && !of_sources.contains(&file.path));
            source.is_some_and(|source| !begun(&format!("begun/{source}")))
        };
        let found: Vec<_> = survey.listing.files.iter().filter(is_lost).map(|file| file.path.clone()).collect();
        self.report.problems.extend(found.into_iter().map(|file| Problem {
            file,
            what: "no source of the ledger has it, so that its flows may be added once more".to_owned(),
            remedy:
                "ingest the source that it came from, which writes it again, or take it out of the archive".to_owned(),
            mended: false,
        }));
    }

    /// Sources whose flows, or waiting conversations, are no longer whole.
    fn sources<'r>(
        &mut self,
        records: &'r Records,
        holdings: &Holdings<'_>,
        without_conversations: &BTreeSet<String>,
    ) -> Vec<&'r SourceEntry> {
        let replaced = records.replaced();
        let known: BTreeSet<&str> = records.entries.iter().map(|entry| entry.digest.as_str()).collect();
        let is_lost = |entry: &&SourceEntry| {
            // What went on from a source that is not there any more cannot be told apart from what it would add again.
            let is_alone = entry.follows.as_deref().is_some_and(|before| !known.contains(before));
            let is_whole = holdings.is_whole(entry) && !without_conversations.contains(&entry.digest) && !is_alone;
            !is_whole && !replaced.contains(entry.digest.as_str())
        };
        let lost: Vec<_> = records.entries.iter().filter(is_lost).collect();
        let remedy = match (self.is_cut_off, self.repair) {
            (true, _) => "some files cannot be read just now, and they may be there: check again when they can",
            (false, true) => "ingest it again, as said below",
            (false, false) => "run `wardflow archive check --repair`, then ingest it again",
        };
        for entry in &lost {
            let (there, flows) = (holdings.flows(entry), entry.flows);
            let what = if there == flows {
                format!("flows of {}, or of the source before it, that waited for more are lost", entry.name)
            } else {
                format!("{there} of the {flows} flows of {} are there", entry.name)
            };
            let (file, remedy) = (ledger::path(&entry.digest), remedy.to_owned());
            self.report.problems.push(Problem { file, what, remedy, mended: false });
        }
        lost
    }

    /// Tells of a damaged file, and moves it away if it is to be repaired.
    pub(super) async fn set_aside(&mut self, file: &str, what: String, remedy: String) -> Result<()> {
        if self.repair {
            repair::set_aside(self.archive, file).await?;
        }
        self.damaged.insert(file.to_owned());
        self.report.problems.push(Problem { file: file.to_owned(), what, remedy, mended: self.repair });
        Ok(())
    }

    /// Counts files of tables as expired if it is to be repaired, so that they are missed once. Returns whether it is.
    pub(super) async fn let_go(&mut self, files: Vec<String>) -> Result<bool> {
        if self.repair {
            self.archive.record_expired(&files.into_iter().map(|file| (file, 0)).collect()).await?;
        }
        Ok(self.repair)
    }

    /// Tells of a file that could not be had.
    pub(super) fn unreachable(&mut self, file: &str, fault: Fault) {
        self.is_cut_off = true;
        let remedy = "see that the disk or the object store is well, then check again".to_owned();
        let what = Error::from(fault).reason();
        self.report.problems.push(Problem { file: file.to_owned(), what, remedy, mended: false });
    }
}

/// Reads a file to its end. Every changed byte of a page gives other hours than its footer has, or none at all.
async fn verify(archive: &Archive, file: &ArchiveFile, replaces: Option<&Replaces>) -> Result<(), Fault> {
    let store = archive.store().as_ref();
    if file.foreign {
        return super::read_back::batches(store, &file.object, |_| Ok(())).await;
    }
    if replaces.is_some_and(|replaces| replaces.total() != file.rows) {
        return Err(Fault::Damaged(format!("its {} rows are not those of the files that it replaces", file.rows)));
    }
    if is_same(&hours(store, &file.object).await?, &file.hours) {
        Ok(())
    } else {
        Err(Fault::Damaged("its flows are not those of which its footer has the digests".to_owned()))
    }
}

/// The source of a flow file, by its name, if an ingest gave it that: `date=…/<16 hexadecimal
/// digits>[w]-<number>.parquet`.
fn source_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(date_of(path)?)?.trim_start_matches('/');
    let (source, number) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
    let source = source.strip_suffix('w').unwrap_or(source);
    let is_digest = source.len() == 16 && source.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_digest && number.parse::<u32>().is_ok()).then_some(source)
}
