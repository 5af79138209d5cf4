//! From foreign formats into the archive, each source once.

mod again;
mod commit;
mod counts;
mod dates;
mod entries;
mod failure;
mod find;
mod known;
mod last_reject;
mod look;
mod max_rejects;
mod names;
mod options;
mod plausible;
mod reading;
mod relations;
mod report;
mod source;
mod taken_out;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

use object_store::path::Path as StorePath;

pub use self::{
    counts::Counts,
    max_rejects::MaxRejects,
    options::IngestOptions,
    report::{IngestReport, OnProgress, Progress, SourceReport, SourceStatus},
};
use self::{
    entries::Entries,
    find::{Source, find, spool},
};
pub(super) use self::{failure::Failure, taken_out::TakenOut};
use super::{
    carried::{self, Carried},
    ledger::SourceEntry,
    location::Archive,
    lock::ArchiveLock,
};
use crate::error::{Context, Result};

/// The directory in an archive for connections that are open.
pub(super) const OPEN_FLOWS: &str = "open_flows";

/// Ingests sources: files, directories, and `-` for what `standard_input` gives. A source that cannot be read is refused
/// and the others go on. A source whose content was ingested before, compressed or not, is not read again; of one that begins
/// with the content of another, a log that has grown, only what is new is added, or, where a program reads it, it replaces
/// the other.
///
/// Whenever the process is killed, ingesting the same sources again leaves the same flows as if it had not been: a source's
/// files appear when it is read to its end, and those that a killed run left are replaced, or deleted where the source is
/// another by then. Where the archive cannot be written any more, the report says why and what was added until then.
///
/// # Errors
/// The archive cannot be read.
pub async fn ingest(
    lock: &ArchiveLock,
    inputs: &[String],
    standard_input: Option<Box<dyn Read + Send>>,
    options: &IngestOptions,
) -> Result<IngestReport> {
    let scratch = lock.archive().scratch()?;
    let spooled = match standard_input {
        Some(input) => {
            let path = scratch.path().join("standard-input");
            Some(blocking(move || spool(input, path)).await??)
        }
        None => None,
    };
    let mut ingest = Ingest::begin(lock, options).await?;
    let mut report = ingest.add_all(inputs, spooled.as_deref()).await;
    if report.broken_off.is_none() && report.left == 0 {
        match ingest.end().await {
            Ok(settled) => report.settled = settled,
            Err(error) => report.broken_off = Some(error),
        }
    }
    Ok(report)
}

/// An ingest that goes on: sources may be added again and again.
#[derive(Debug)]
pub struct Ingest<'a> {
    lock: &'a ArchiveLock,
    options: &'a IngestOptions,
    /// What the archive holds.
    entries: Entries,
    left_over: BTreeMap<String, Vec<StorePath>>,
    /// What sources left waiting, by line one.
    carried: Vec<Carried>,
    /// The sources that are given: where they are said to lie, and where they do.
    given: BTreeMap<String, PathBuf>,
    /// Sources that were taken out to be read anew and were not yet.
    taken_out: Vec<TakenOut>,
    /// Digests of the sources that were added in this run.
    read: BTreeSet<String>,
    /// Paths of the sources that had their turn.
    seen: BTreeSet<String>,
    settled: u64,
}

impl<'a> Ingest<'a> {
    /// Clears away what a killed run left.
    ///
    /// # Errors
    /// The archive cannot be read or written.
    pub async fn begin(lock: &'a ArchiveLock, options: &'a IngestOptions) -> Result<Self> {
        let archive = lock.archive();
        let mut entries = archive.sources().await?;
        let mut left_over = archive.files_by_source().await?;
        archive.undo_begun(&entries, &mut left_over).await?;
        archive.put_back_lost(&mut entries).await?;
        let replaced: BTreeSet<_> = entries.iter().flat_map(|entry| entry.replaces.clone()).collect();
        for old in entries.extract_if(.., |entry| replaced.contains(&entry.digest)) {
            archive.forget(&old).await?;
        }
        for entry in entries.iter_mut().filter(|entry| !entry.replaces.is_empty()) {
            entry.replaces.clear();
            archive.record_source(entry).await?;
        }
        finish_taking_out(archive, &mut entries, &mut left_over).await?;
        let carried = archive.carried(&entries).await?;
        let entries = Entries::new(entries);
        archive.forget_those_there().await?;
        let taken_out = archive.taken_out().await?;
        Ok(Self {
            lock,
            options,
            entries,
            left_over,
            carried,
            given: BTreeMap::new(),
            taken_out,
            read: BTreeSet::new(),
            seen: BTreeSet::new(),
            settled: 0,
        })
    }

    /// Adds what the inputs stand for. `spooled` is the file that holds standard input, for `-`.
    pub async fn add_all(&mut self, inputs: &[String], spooled: Option<&Path>) -> IngestReport {
        let sources: Vec<Source> = inputs.iter().flat_map(|input| find(input, self.options.format, spooled)).collect();
        let place = |source: &Source| Some((source.place()?, source.path.as_ref().ok()?.clone()));
        self.seen.clear();
        self.given = sources.iter().filter_map(place).collect();
        let mut report = IngestReport::default();
        let count = sources.len();
        for (index, source) in sources.into_iter().enumerate() {
            if self.options.stop.is_stopped() {
                report.left = (count - index) as u64;
                break;
            }
            let mut done = SourceReport { name: source.name.clone(), ..SourceReport::default() };
            let progress =
                Progress { source: source.name.clone(), index, sources: count, bytes_read: 0, bytes: 0, flows: 0 };
            let place = source.place();
            let added = self.add(source, progress, &mut done).await;
            self.seen.extend(place);
            match added {
                Ok(status) => done.status = status,
                // Programs that read a source are interrupted along with this one.
                Err(_) if self.options.stop.is_stopped() => {
                    report.left = (count - index) as u64;
                    break;
                }
                Err(Failure::Source(error)) => done.status = SourceStatus::Refused(error),
                Err(Failure::Archive(error)) => {
                    report.broken_off = Some(error);
                    break;
                }
            }
            report.sources.push(done);
        }
        report.unfinished = self.taken_out.iter().map(|out| out.source.name.clone()).collect();
        report
    }

    /// Writes what waits, since no source follows, and returns how many flows were written so.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub async fn end(mut self) -> Result<u64> {
        for carried in std::mem::take(&mut self.carried) {
            self.settled += carried::settle(self.lock, carried, &self.options.space).await?;
        }
        Ok(self.settled)
    }
}

/// Takes out what a killed run had not yet of the sources that it took out together: what of them stays would be read with
/// what others left waiting, and theirs is gone.
async fn finish_taking_out(
    archive: &Archive,
    entries: &mut Vec<SourceEntry>,
    left_over: &mut BTreeMap<String, Vec<StorePath>>,
) -> Result<()> {
    let mut goes = archive.half_taken_out().await?;
    while let Some(digest) = goes.pop() {
        let Some(place) = entries.iter().position(|entry| entry.digest == digest) else { continue };
        if archive.refuse_compacted(&entries[place]).await.is_err() {
            continue;
        }
        let entry = entries.remove(place);
        archive.forget(&entry).await?;
        for name in [SourceEntry::short(&digest).to_owned(), carried::name(&digest)] {
            left_over.remove(&name);
        }
        goes.extend(entry.continues);
    }
    Ok(())
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context(|| "reading a source".into())
}

#[cfg(test)]
mod tests;
