//! `wardflow archive check`: whether the archive is what was written into it.

use std::collections::BTreeSet;

use super::{
    OnStep, Replaces, Steps, foreign,
    holdings::Holdings,
    is_compacted, leftovers,
    orphans::{Orphans, source_of},
    read_back::{Fault, Texts, hours, is_same},
    records::{Records, replace},
    repair::{self, Repaired},
    report::{CheckReport, Problem},
    tables::Tables,
};
use crate::{
    archive::{Archive, ArchiveFile, ArchiveLock, IngestAgain, SourceEntry, chains::Chains, files::Survey},
    error::{Error, Result},
};

/// A check that is under way.
pub(super) struct Check<'a> {
    pub(super) archive: &'a Archive,
    /// The right to put right what is wrong; without it nothing is written.
    pub(super) lock: Option<&'a ArchiveLock>,
    pub(super) report: CheckReport,
    /// Files that are not what was written.
    damaged: BTreeSet<String>,
    /// Whether some file could not be had, so that nothing can be said of what is missing.
    pub(super) is_cut_off: bool,
}

const CLEAR: &str = "nothing is lost: `wardflow archive check --repair` clears it away, and so does the next ingest";

const CLEARED: &str = "nothing is lost: it was cleared away";

pub(super) const TO_MOVE: &str =
    "`wardflow archive check --repair` moves it to _wardflow/damaged, and says what to ingest again";

const MOVED: &str = "it is in _wardflow/damaged now";

/// Reads the whole archive and compares it with what its footers and its ledger say. Nothing is written.
///
/// # Errors
/// The archive cannot be listed, or is being written.
pub async fn check(archive: &Archive, on_step: OnStep<'_>) -> Result<CheckReport> {
    let _no_writer = archive.read_lock()?;
    run(archive, None, on_step).await
}

/// Does that, and puts right what it can: what killed runs left is deleted, damaged files are moved to
/// `_wardflow/damaged/`, and sources whose flows are no longer whole are taken out of the ledger together with the rest
/// of their flows, so that ingesting them again restores exactly these.
///
/// # Errors
/// The archive cannot be listed or written.
pub async fn repair(lock: &ArchiveLock, on_step: OnStep<'_>) -> Result<CheckReport> {
    run(lock.archive(), Some(lock), on_step).await
}

async fn run(archive: &Archive, lock: Option<&ArchiveLock>, on_step: OnStep<'_>) -> Result<CheckReport> {
    let report = CheckReport::default();
    let mut check = Check { archive, lock, report, damaged: BTreeSet::new(), is_cut_off: false };
    let mut records = Records::read(archive).await?;
    let without_conversations = check.unreadable_notes(&records).await?;
    let lost_entries = check.lost_entries(&records).await?;
    records.entries.extend(lost_entries);
    let mut survey = archive.survey().await?;
    let left = leftovers::find(archive, &records, &survey).await?;
    for (file, what) in left {
        let remedy = if lock.is_some() { CLEARED } else { CLEAR }.to_owned();
        check.report.problems.push(Problem { file, what, remedy, mended: lock.is_some() });
    }
    if let Some(lock) = lock {
        check.give_back(&survey).await?;
        leftovers::clear(lock.archive()).await?;
        records = Records::read(archive).await?;
        survey = archive.survey().await?;
    }
    check.tell_of_taken_out(&records);
    check.tell_of_waiting(&records);
    check.flow_files(&records, &survey, on_step).await?;
    let (tables, lost_files) = Tables::read(&mut check, &records).await?;
    let damaged = check.damaged.clone();
    let is_sound = |file: &str| !damaged.contains(file);
    let holdings = Holdings::new(&survey, &records.expired, is_sound);
    let is_fixed = |file: &str| holdings.is_compacted(file) || tables.is_compacted(file);
    let damaged_entries = check.damaged_entries(&records, &holdings).await?;
    replace(&mut records.entries, damaged_entries);
    let mut orphans = check.orphans(&records, &survey, &tables, is_sound);
    let anew = check.entries_anew(&records, &orphans, is_fixed).await?;
    if !anew.is_empty() {
        records.entries.extend(anew);
        orphans = check.orphans(&records, &survey, &tables, is_sound);
    }
    let recounted = check.recount(&records, &holdings, &orphans).await?;
    if !recounted.is_empty() {
        replace(&mut records.entries, recounted);
        orphans = check.orphans(&records, &survey, &tables, is_sound);
    }
    let chains = Chains::new(&records.entries);
    check.tell_of_followed(&records.entries, &chains);
    check.tell_of_overtaken(&records.entries, &chains);
    let lost = sources_that_lack(&records, &chains, &holdings, &without_conversations);
    let taken = match lock.filter(|_| !check.is_cut_off) {
        Some(lock) => repair::take_out(lock, &chains, &lost, &orphans, is_fixed).await?,
        None => Repaired::default(),
    };
    check.report.problems.extend(orphans.problems(&taken.orphans));
    check.tell_of_sources(&lost, &chains, &holdings, &taken);
    // What is noted says what the run that was killed was asked for.
    let is_noted = |again: &IngestAgain| records.taken_out.iter().any(|out| out.source.name == again.name);
    check.report.ingest_again.extend(taken.again.into_iter().filter(|again| !is_noted(again)));
    check.tell_of_tables(lost_files, &records, &chains, &taken.sources, is_fixed).await?;
    check.report.ingest_again.sort();
    let mut told = BTreeSet::new();
    check.report.ingest_again.retain(|again| told.insert(IngestAgain { ingested_at: 0, ..again.clone() }));
    Ok(check.report)
}

impl Check<'_> {
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
                self.set_aside(&file, reason, TO_MOVE.to_owned()).await?;
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
                Err(Fault::Damaged(what)) => self.set_aside(&file.path, what, TO_MOVE.to_owned()).await?,
                Err(fault) => self.unreachable(&file.path, fault),
            }
            steps.add(file.object.size, file.rows);
        }
        Ok(())
    }

    /// Rows of sources that the ledger does not have. They may be all that there is of one, so they stay.
    fn orphans(&self, records: &Records, survey: &Survey, tables: &Tables, is_sound: impl Fn(&str) -> bool) -> Orphans {
        let is_begun = |source: &str| {
            self.report.problems.iter().any(|problem| problem.file.ends_with(&format!("begun/{source}")))
        };
        Orphans::find(records, survey, tables, is_sound, is_begun)
    }

    /// Tells of a damaged file, and moves it away if it is to be repaired.
    pub(super) async fn set_aside(&mut self, file: &str, what: String, remedy: String) -> Result<()> {
        let remedy = match self.lock {
            Some(lock) => {
                repair::set_aside(lock, file).await?;
                MOVED.to_owned()
            }
            None => remedy,
        };
        self.damaged.insert(file.to_owned());
        self.report.problems.push(Problem { file: file.to_owned(), what, remedy, mended: self.lock.is_some() });
        Ok(())
    }

    /// Tells of a file that could not be had.
    pub(super) fn unreachable(&mut self, file: &str, fault: Fault) {
        self.is_cut_off = true;
        let remedy = "see that the disk or the object store is well, then check again".to_owned();
        let what = Error::from(fault).reason();
        self.report.problems.push(Problem { file: file.to_owned(), what, remedy, mended: false });
    }
}

/// Reads a file to its end. Every changed byte is found by its checksums; of an earlier version's file, which has none, one of
/// a page gives other hours than its footer has, or none at all.
async fn verify(archive: &Archive, file: &ArchiveFile, replaces: Option<&Replaces>) -> Result<(), Fault> {
    let store = archive.store().as_ref();
    if file.foreign {
        return super::read_back::batches(store, &file.object, Texts::AsViews, foreign::check).await;
    }
    if replaces.is_some_and(|replaces| replaces.total() != file.rows) {
        return Err(Fault::Damaged(format!("its {} rows are not those of the files that it replaces", file.rows)));
    }
    super::read_back::compare(store, &file.object).await?;
    if is_same(&hours(store, &file.object).await?, &file.hours) {
        Ok(())
    } else {
        Err(Fault::Damaged("its flows are not those of which its footer has the digests".to_owned()))
    }
}

/// Sources whose flows, or waiting conversations, are no longer whole.
fn sources_that_lack<'r>(
    records: &'r Records,
    chains: &Chains<'_>,
    holdings: &Holdings<'_>,
    without_conversations: &BTreeSet<String>,
) -> Vec<&'r SourceEntry> {
    let replaced = records.replaced();
    let is_lost = |entry: &&SourceEntry| {
        // What went on from a source that is not there any more cannot be told apart from what it would add again.
        let is_cut = chains.missing_before(entry).next().is_some();
        let is_whole = holdings.is_whole(entry) && !without_conversations.contains(&entry.digest) && !is_cut;
        !is_whole && !replaced.contains(entry.digest.as_str())
    };
    records.entries.iter().filter(is_lost).collect()
}
