//! From foreign logs into the archive, each source once.

use std::{collections::BTreeMap, fmt, io::Read, sync::Arc};

use object_store::path::Path as StorePath;

use super::{
    input::InputFile,
    known::{KnownSources, Recognised},
    ledger::SourceEntry,
    location::{Archive, OWN_DIRECTORY},
    lock::ArchiveLock,
    rejects::{self, RejectsWriter},
    source::{Failure, Outcome, Reading, Source, find, spool},
    writer::{ArchiveWriter, Written},
};
use crate::{
    error::{Context, Error, Result},
    zone::AddressSpace,
};

/// How to ingest.
#[derive(Clone, Default)]
pub struct IngestOptions {
    /// The name for the column `sensor`; without one, what the logs say.
    pub sensor: Option<String>,
    /// The hospital's own networks, by which row groups are laid out.
    pub space: AddressSpace,
    /// Called a few times a second while a source is read, and once when it is done.
    pub progress: Option<OnProgress>,
}

/// Is told how far an ingest is.
pub type OnProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

/// How far an ingest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The source that is being read.
    pub source: String,
    /// Its number, from zero.
    pub index: usize,
    /// Number of sources.
    pub sources: usize,
    /// Bytes read of it, as they lie on disk.
    pub bytes_read: u64,
    /// Its size.
    pub bytes: u64,
    /// Flows read of it.
    pub flows: u64,
}

/// What became of every source, in the order in which they were given, those of a directory in order of path.
#[derive(Debug, Default)]
pub struct IngestReport {
    /// One for each source.
    pub sources: Vec<SourceReport>,
}

/// What became of a source.
#[derive(Debug, Default)]
pub struct SourceReport {
    /// Its path, or `-`.
    pub name: String,
    /// BLAKE3 of its content, decompressed, in hex; empty if it is not in the archive.
    pub digest: String,
    /// Its lines that are no headers.
    pub lines: u64,
    /// Flows that were added.
    pub flows: u64,
    /// Lines that could not be read; they are in the table `rejects`.
    pub rejects: u64,
    /// Flows with a name from a log beside it.
    pub names_joined: u64,
    /// What a person should know of it all the same, such as a broken `ssl.log`.
    pub notes: Vec<String>,
    /// Whether it is in the archive.
    pub status: SourceStatus,
}

/// Whether a source is in the archive.
#[derive(Debug, Default)]
pub enum SourceStatus {
    /// It is now.
    #[default]
    Added,
    /// It was before, and nothing was done. The counts are those of then.
    AlreadyThere,
    /// It is not, and why.
    Refused(Error),
}

impl fmt::Debug for IngestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestOptions")
            .field("sensor", &self.sensor)
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}

/// Ingests Zeek logs: files, directories, and `-` for what `standard_input` gives. A source that cannot be read is
/// refused and the others go on. A source whose content was ingested before, compressed or not, is not read again; of one
/// that begins with the content of another, a log that has grown, only what is new is added.
///
/// Whenever the process is killed, ingesting the same sources again leaves the same flow files as if it had not been: a
/// source's files appear when it is read to its end, and those that a killed run left are replaced, or deleted where the
/// source is another by then.
///
/// # Errors
/// The archive cannot be written. Sources that were added before stay.
pub async fn ingest_zeek(
    lock: &ArchiveLock,
    inputs: &[String],
    standard_input: Option<Box<dyn Read + Send>>,
    options: &IngestOptions,
) -> Result<IngestReport> {
    let archive = lock.archive();
    let scratch = archive.scratch()?;
    let spooled = match standard_input {
        Some(input) => {
            let path = scratch.path().join("standard-input");
            Some(blocking(move || spool(input, path)).await??)
        }
        None => None,
    };
    let sources: Vec<Source> = inputs.iter().flat_map(|input| find(input, spooled.as_deref())).collect();
    let entries = archive.sources().await?;
    let mut left_over = archive.files_by_source().await?;
    archive.undo_begun(&entries, &mut left_over).await?;
    let mut known = KnownSources::default();
    entries.iter().for_each(|entry| known.add(entry));
    let mut known = Arc::new(known);
    let mut report = IngestReport::default();
    let count = sources.len();
    for (index, source) in sources.into_iter().enumerate() {
        let mut done = SourceReport { name: source.name.clone(), ..SourceReport::default() };
        let progress =
            Progress { source: source.name.clone(), index, sources: count, bytes_read: 0, bytes: 0, flows: 0 };
        match add(lock, source, progress, options, &left_over, &mut known, &mut done).await {
            Ok(status) => done.status = status,
            Err(Failure::Source(error)) => done.status = SourceStatus::Refused(error),
            Err(Failure::Archive(error)) => return Err(error),
        }
        report.sources.push(done);
    }
    Ok(report)
}

async fn add(
    lock: &ArchiveLock,
    source: Source,
    mut progress: Progress,
    options: &IngestOptions,
    left_over: &BTreeMap<String, Vec<StorePath>>,
    known: &mut Arc<KnownSources>,
    report: &mut SourceReport,
) -> Result<SourceStatus, Failure> {
    let archive = lock.archive();
    let path = source.path.map_err(Failure::Source)?;
    let opened = path.clone();
    let knowledge = Arc::clone(known);
    let look = move || -> std::io::Result<_> {
        let file = InputFile::open(&opened)?;
        let recognised = knowledge.recognise(file.read()?.content);
        Ok((file, recognised))
    };
    let looked = blocking(look).await?.context(|| "it cannot be read".into());
    let (file, Recognised { same, begins_with }) = looked.map_err(Failure::Source)?;
    if let Some(digest) = &same
        && let Some(entry) = archive.source(digest).await?
    {
        if archive.holds(&entry).await {
            report.notes.extend(lost(archive, entry.continues.as_deref()).await?);
            report.take_counts(&entry);
            return Ok(SourceStatus::AlreadyThere);
        }
        report.notes.push("it was there, but files of it are gone or damaged: it was read again".to_owned());
    }

    let mut skip = 0;
    if let Some(digest) = &begins_with
        && let Some(entry) = archive.source(digest).await?
    {
        skip = entry.lines_that_stay();
        report.notes.push(format!("its first {skip} lines were added before, from {}", entry.name));
        report.notes.extend(lost(archive, Some(digest)).await?);
    }
    let ingested_at = jiff::Timestamp::now().as_microsecond();
    let scratch = archive.scratch()?;
    progress.bytes = file.size();
    let reading = Reading {
        path,
        file,
        skip,
        sensor: options.sensor.clone(),
        writer: ArchiveWriter::new(lock, options.space.clone())?,
        rejects: RejectsWriter::new(&scratch.path().join("rejects"), &source.name, ingested_at),
        progress,
        on_progress: options.progress.clone(),
    };
    let outcome = blocking(|| reading.run()).await??;
    let Outcome { staged, rejects, content, last_line, counts } = outcome;
    if same.as_ref() != Some(&content.digest) && archive.source(&content.digest).await?.is_some() {
        let error = Error::failed("it was written over while it was read, with what is in the archive already");
        return Err(Failure::Source(error.remedy("ingest it again when it is not being written")));
    }
    let short = SourceEntry::short(&content.digest);
    report.notes.extend(counts.notes);
    (report.lines, report.flows) = (counts.lines, counts.flows);
    (report.rejects, report.names_joined) = (counts.rejects, counts.names_joined);
    archive.begin(short, &source.name).await?;
    let written = staged.publish(short).await?;
    if let Some(rejects) = rejects {
        archive.publish(&rejects, &rejects::path(short)).await?;
    }
    clear(archive, left_over.get(short), &written).await?;
    report.digest.clone_from(&content.digest);
    let entry = SourceEntry {
        digest: content.digest,
        name: source.name,
        bytes: content.bytes,
        head: Some(content.head),
        lines: report.lines,
        last_line,
        continues: begins_with,
        flows: report.flows,
        rejects: report.rejects,
        names_joined: report.names_joined,
        sensor: options.sensor.clone(),
        files: written.files,
        ingested_at,
    };
    archive.record_source(&entry).await?;
    archive.complete(SourceEntry::short(&entry.digest)).await?;
    Arc::make_mut(known).add(&entry);
    Ok(SourceStatus::Added)
}

/// What to tell of a source, or of one that it goes on from, of which the archive holds no longer what was added.
async fn lost(archive: &Archive, source: Option<&str>) -> Result<Option<String>> {
    let mut next = source.map(str::to_owned);
    while let Some(digest) = next {
        let Some(entry) = archive.source(&digest).await? else { break };
        if !archive.holds(&entry).await {
            let (name, short) = (&entry.name, SourceEntry::short(&digest));
            return Ok(Some(format!(
                "of the flows that were added from {name}, files are gone or damaged; to have them back, take \
                 {OWN_DIRECTORY}/sources/{digest}.json and date=*/{short}-*.parquet out of the archive, and ingest a log \
                 that has them"
            )));
        }
        next = entry.continues;
    }
    Ok(None)
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context(|| "reading a source".into())
}

/// Deletes what a killed run, perhaps with other options, left of a source and this one did not write over.
async fn clear(archive: &Archive, left_over: Option<&Vec<StorePath>>, written: &Written) -> Result<()> {
    for place in left_over.into_iter().flatten() {
        if !written.files.iter().any(|file| file == archive.file(place)) {
            archive.delete(place).await?;
        }
    }
    Ok(())
}

impl SourceReport {
    fn take_counts(&mut self, entry: &SourceEntry) {
        self.digest.clone_from(&entry.digest);
        (self.lines, self.flows) = (entry.lines, entry.flows);
        (self.rejects, self.names_joined) = (entry.rejects, entry.names_joined);
    }
}
