//! From foreign formats into the archive, each source once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Read,
    path::Path,
    str::FromStr,
    sync::Arc,
};

use jiff::tz::TimeZone;
use object_store::path::Path as StorePath;

use super::{
    asides::AsidesWriter,
    carried::{self, Carried, Line},
    content::HEAD,
    find::{Source, find, spool},
    format::Format,
    input::InputFile,
    known::{KnownSources, Recognised},
    ledger::{LastLine, SourceEntry},
    location::{Archive, OWN_DIRECTORY},
    lock::ArchiveLock,
    reading::{Counts, Failure, Outcome, Reading},
    rejects::{self, RejectsWriter},
    writer::ArchiveWriter,
    zeek::ZeekLog,
};
use crate::{
    error::{Context, Error, Result},
    mapping::Mapping,
    zone::AddressSpace,
};

/// The directory in an archive for connections that are open.
pub(super) const OPEN_FLOWS: &str = "open_flows";

/// How to ingest.
#[derive(Clone)]
pub struct IngestOptions {
    /// What the sources are; absent to tell by their content.
    pub format: Option<Format>,
    /// The name for the column `sensor`; without one, what the sources say.
    pub sensor: Option<String>,
    /// The hospital's own networks, by which row groups are laid out.
    pub space: AddressSpace,
    /// Which column is what, for delimited text.
    pub mapping: Option<Arc<Mapping>>,
    /// For times without an offset.
    pub timezone: TimeZone,
    /// When captures began whose times count from their beginning, microseconds UTC.
    pub start: Option<i64>,
    /// Whether what was ingested before is read anew, and replaces what it gave then.
    pub again: bool,
    /// Rejects from which on a source is refused; absent for any number.
    pub max_rejects: Option<MaxRejects>,
    /// Called a few times a second while a source is read, and once when it is done.
    pub progress: Option<OnProgress>,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            format: None,
            sensor: None,
            space: AddressSpace::default(),
            mapping: None,
            timezone: TimeZone::UTC,
            start: None,
            again: false,
            max_rejects: None,
            progress: None,
        }
    }
}

/// How many records of a source may be refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejects {
    /// So many.
    Number(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(most) => write!(f, "{most}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

impl FromStr for MaxRejects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().filter(|most| (0.0..=100.0).contains(most)).map(Self::Percent),
            None => text.parse().ok().map(Self::Number),
        };
        parsed.ok_or_else(|| "it must be a number of records such as 100, or a share such as 1%".to_owned())
    }
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
    /// Flows that waited for a source to follow, and were written when none did.
    pub settled: u64,
}

/// What became of a source.
#[derive(Debug, Default)]
pub struct SourceReport {
    /// Its path, or `-`.
    pub name: String,
    /// What it is; absent if that was not told.
    pub format: Option<Format>,
    /// BLAKE3 of its content, decompressed, in hex; empty if it is not in the archive.
    pub digest: String,
    /// What became of its records.
    pub counts: Counts,
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
    /// It lay in a directory and is nothing that is ingested for itself, and why.
    PassedOver(Error),
    /// It is not, and why.
    Refused(Error),
}

impl fmt::Debug for IngestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestOptions")
            .field("format", &self.format)
            .field("sensor", &self.sensor)
            .finish_non_exhaustive()
    }
}

/// Ingests sources: files, directories, and `-` for what `standard_input` gives. A source that cannot be read is refused
/// and the others go on. A source whose content was ingested before, compressed or not, is not read again; of one that begins
/// with the content of another, a log that has grown, only what is new is added, or, where a program reads it, it replaces
/// the other.
///
/// Whenever the process is killed, ingesting the same sources again leaves the same flows as if it had not been: a source's
/// files appear when it is read to its end, and those that a killed run left are replaced, or deleted where the source is
/// another by then.
///
/// # Errors
/// The archive cannot be written. Sources that were added before stay.
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
    let report = ingest.add_all(inputs, spooled.as_deref()).await?;
    let settled = ingest.end().await?;
    Ok(IngestReport { settled, ..report })
}

/// An ingest that goes on: sources may be added again and again.
#[derive(Debug)]
pub struct Ingest<'a> {
    lock: &'a ArchiveLock,
    options: &'a IngestOptions,
    known: Arc<KnownSources>,
    left_over: BTreeMap<String, Vec<StorePath>>,
    /// What sources left waiting, by line one.
    carried: Vec<Carried>,
    /// The names of the sources that are given.
    named: BTreeSet<String>,
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
        let replaced: Vec<_> = entries.iter().filter_map(|entry| entry.replaces.clone()).collect();
        for old in entries.extract_if(.., |entry| replaced.contains(&entry.digest)) {
            archive.forget(&old).await?;
        }
        let carried = archive.carried(&entries).await?;
        let mut known = KnownSources::default();
        entries.iter().for_each(|entry| known.add(entry));
        Ok(Self { lock, options, known: Arc::new(known), left_over, carried, named: BTreeSet::new(), settled: 0 })
    }

    /// Adds what the inputs stand for. `spooled` is the file that holds standard input, for `-`.
    ///
    /// # Errors
    /// The archive cannot be written.
    pub async fn add_all(&mut self, inputs: &[String], spooled: Option<&Path>) -> Result<IngestReport> {
        let sources: Vec<Source> = inputs.iter().flat_map(|input| find(input, self.options.format, spooled)).collect();
        self.named = sources.iter().map(|source| source.name.clone()).collect();
        let mut report = IngestReport::default();
        let count = sources.len();
        for (index, source) in sources.into_iter().enumerate() {
            let mut done = SourceReport { name: source.name.clone(), ..SourceReport::default() };
            let progress =
                Progress { source: source.name.clone(), index, sources: count, bytes_read: 0, bytes: 0, flows: 0 };
            match self.add(source, progress, &mut done).await {
                Ok(status) => done.status = status,
                Err(Failure::Source(error)) => done.status = SourceStatus::Refused(error),
                Err(Failure::Archive(error)) => return Err(error),
            }
            report.sources.push(done);
        }
        Ok(report)
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

    async fn add(
        &mut self,
        source: Source,
        mut progress: Progress,
        report: &mut SourceReport,
    ) -> Result<SourceStatus, Failure> {
        let (lock, options) = (self.lock, self.options);
        let archive = lock.archive();
        let path = match source.path {
            Err(error) if source.is_link => return Ok(SourceStatus::PassedOver(error)),
            path => path.map_err(Failure::Source)?,
        };
        let opened = path.clone();
        let knowledge = Arc::clone(&self.known);
        let look = move || -> std::io::Result<_> {
            let file = InputFile::open(&opened)?;
            let mut head = Vec::new();
            // One that breaks off early is told by what can be read of it.
            let _ = file.read()?.content.take(HEAD as u64).read_to_end(&mut head);
            let recognised = knowledge.recognise(file.read()?.content);
            Ok((file, head, recognised))
        };
        let looked = blocking(look).await?.context(|| "it cannot be read".into());
        let (file, head, Recognised { same, begins_with }) = looked.map_err(Failure::Source)?;
        if let Some(digest) = &same
            && let Some(entry) = archive.source(digest).await?
        {
            if options.again {
                self.forget_with_joined(&entry).await?;
            } else if archive.holds(&entry).await {
                report.notes.extend(options.other_than(&entry).then(|| UNCHANGED.to_owned()));
                report.notes.extend(lost(archive, entry.continues.as_deref()).await?);
                report.take_counts(&entry);
                return Ok(SourceStatus::AlreadyThere);
            }
            if !options.again && self.is_joined(&entry).await? {
                let error = Error::failed("files of it are gone or damaged, and its flows went on in other files");
                return Err(Failure::Source(
                    error.remedy("run `wardflow archive check --repair`, which says what to ingest again"),
                ));
            }
            let why = if options.again { "as you asked" } else { "since files of it are gone or damaged" };
            report.notes.push(format!("it was there, and was read again, {why}"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let format = match options.format.map_or_else(|| Format::of(&head, &name, options.mapping.is_some()), Ok) {
            Ok(format) => format,
            Err(error) if source.is_found => return Ok(SourceStatus::PassedOver(error)),
            Err(error) => return Err(Failure::Source(error)),
        };
        // Of the logs that lie about, some are read along with others.
        if format == Format::Zeek
            && source.is_found
            && let Err(error) = ZeekLog::of_content(&head, &name)
        {
            return Ok(SourceStatus::PassedOver(error));
        }
        report.format = Some(format);

        let mut skip = 0;
        let mut replaces = None;
        let mut read_on = None;
        if let Some(digest) = &begins_with
            && let Some(entry) = archive.source(digest).await?
        {
            if format.goes_on() {
                skip = entry.records_that_stay();
                report.notes.push(format!("its first {skip} records were added before, from {}", entry.name));
                report.notes.extend(lost(archive, Some(digest)).await?);
                read_on = Some(entry).filter(|entry| entry.last_line == LastLine::Open && entry.rejects > 0);
            } else {
                archive.refuse_compacted(&entry).await.map_err(Failure::Source)?;
                report.notes.push(format!("it has grown: its flows replace those that were added from {}", entry.name));
                replaces = Some(entry);
            }
        }
        let line = Line::of(format, &source.name);
        let before = self.carried.iter().find(|carried| carried.line == line).cloned();
        let ingested_at = jiff::Timestamp::now().as_microsecond();
        let scratch = archive.scratch()?;
        let make = |name: &str| -> Result<std::path::PathBuf> {
            let path = scratch.path().join(name);
            std::fs::create_dir(&path).context(|| format!("making {}", path.display()))?;
            Ok(path)
        };
        progress.bytes = file.size();
        let reading = Reading {
            path,
            file,
            head,
            format,
            skip,
            start: options.start,
            sensor: options.sensor.clone(),
            mapping: options.mapping.clone(),
            zone: options.timezone.clone(),
            max_rejects: options.max_rejects,
            carried: before.as_ref().map(|before| before.conversations.clone()).unwrap_or_default(),
            writer: ArchiveWriter::new(lock, options.space.clone())?,
            open: ArchiveWriter::new(lock, options.space.clone())?,
            rejects: RejectsWriter::new(&scratch.path().join("rejects"), &source.name, ingested_at),
            asides: AsidesWriter::new(&make("asides")?, &source.name),
            scratch: make("programs")?,
            progress,
            on_progress: options.progress.clone(),
        };
        let Outcome { staged, open, rejects, asides, content, last_line, carried, counts, notes } =
            blocking(|| reading.run()).await??;
        if same.as_ref() != Some(&content.digest) && archive.source(&content.digest).await?.is_some() {
            let error = Error::failed("it was written over while it was read, with what is in the archive already");
            return Err(Failure::Source(error.remedy("ingest it again when it is not being written")));
        }
        let short = SourceEntry::short(&content.digest).to_owned();
        report.notes.extend(notes);
        report.counts = counts.clone();
        archive.begin(&short, &source.name).await?;
        let written = staged.publish(None, &short).await?;
        let mut tables = open.publish(Some(OPEN_FLOWS), &short).await?.files;
        if let Some(rejects) = rejects {
            archive.publish(&rejects, &rejects::path(&short)).await?;
        }
        for staged in asides {
            let file = staged.table.path(&short);
            archive.publish(&staged.path, &file).await?;
            tables.push(file);
        }
        self.clear(&short, &written.files).await?;
        let carried = Carried { source: content.digest.clone(), line, conversations: carried };
        let waits = !carried.conversations.is_empty();
        if waits {
            archive.carry(&carried).await?;
        }
        report.digest.clone_from(&content.digest);
        let entry = SourceEntry {
            digest: content.digest,
            name: source.name,
            format: Some(format.name().to_owned()),
            bytes: content.bytes,
            head: Some(content.head),
            last_line,
            continues: begins_with.filter(|_| replaces.is_none()),
            replaces: replaces.as_ref().map(|old| old.digest.clone()),
            follows: before.as_ref().map(|before| before.source.clone()),
            records: counts.records,
            flows: counts.flows,
            joined: counts.joined,
            waiting: counts.waiting,
            resumed: counts.resumed,
            skipped: counts.skipped,
            open: counts.open,
            asides: counts.asides,
            others: counts.others,
            rejects: counts.rejects,
            names_joined: counts.named,
            sensor: options.sensor.clone(),
            files: written.files,
            tables,
            ingested_at,
        };
        archive.record_source(&entry).await?;
        archive.complete(&short).await?;
        if let Some(before) = read_on {
            archive.drop_last_reject(before).await?;
        }
        if let Some(old) = replaces {
            archive.forget(&old).await?;
        }
        if let Some(before) = before {
            archive.forget_carried(&before.source).await?;
            self.carried.retain(|carried| carried.source != before.source);
        }
        self.carried.extend(waits.then_some(carried));
        Arc::make_mut(&mut self.known).add(&entry);
        Ok(SourceStatus::Added)
    }

    /// The sources whose conversations went on from one to the next, through this one.
    async fn joined(&self, entry: &SourceEntry) -> Result<Vec<SourceEntry>> {
        let entries = self.lock.archive().sources().await?;
        let mut joined = vec![entry.clone()];
        let mut next = 0;
        while let Some(one) = joined.get(next).cloned() {
            let is_next = |other: &&SourceEntry| {
                let is_linked =
                    other.follows.as_ref() == Some(&one.digest) || one.follows.as_ref() == Some(&other.digest);
                is_linked && !joined.iter().any(|known| known.digest == other.digest)
            };
            let more: Vec<_> = entries.iter().filter(is_next).cloned().collect();
            joined.extend(more);
            next += 1;
        }
        Ok(joined)
    }

    async fn is_joined(&self, entry: &SourceEntry) -> Result<bool> {
        Ok(self.joined(entry).await?.len() > 1)
    }

    /// Forgets a source, and those that it is joined with, which must all be read again in this run.
    async fn forget_with_joined(&mut self, entry: &SourceEntry) -> Result<(), Failure> {
        let joined = self.joined(entry).await?;
        let missing: Vec<_> = joined.iter().filter(|one| !self.named.contains(&one.name)).collect();
        if let Some(first) = missing.first() {
            let (number, name) = (missing.len(), &first.name);
            let error = Error::usage(format!(
                "its flows went on in {number} other files that are not read again, such as {name}"
            ));
            return Err(Failure::Source(error.remedy("give all of them, or the directory that holds them")));
        }
        let archive = self.lock.archive();
        for one in &joined {
            archive.refuse_compacted(one).await.map_err(Failure::Source)?;
        }
        for one in &joined {
            archive.forget(one).await?;
            self.carried.retain(|carried| carried.source != one.digest);
        }
        Ok(())
    }

    /// Deletes what a killed run, perhaps with other options, left of a source and this one did not write over.
    async fn clear(&self, short: &str, written: &[String]) -> Result<()> {
        let archive = self.lock.archive();
        let waited = carried::name(short);
        for place in [short, &waited].into_iter().filter_map(|name| self.left_over.get(name)).flatten() {
            if !written.iter().any(|file| file == archive.file(place)) {
                archive.delete(place).await?;
            }
        }
        Ok(())
    }
}

/// What to tell of a source that is there and was to be read with other options.
const UNCHANGED: &str = "it stays as it was read then; --again reads it anew, with the options that are given now";

impl IngestOptions {
    /// Whether something is asked for that a source may not have been read with.
    fn other_than(&self, entry: &SourceEntry) -> bool {
        let format = self.format.map(Format::name);
        let is_other_format = format.is_some_and(|format| entry.format.as_deref().is_some_and(|then| then != format));
        is_other_format
            || (self.sensor.is_some() && self.sensor != entry.sensor)
            || self.start.is_some()
            || self.mapping.is_some()
    }
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

impl SourceReport {
    fn take_counts(&mut self, entry: &SourceEntry) {
        self.digest.clone_from(&entry.digest);
        self.format = entry.format.as_deref().and_then(|format| format.parse().ok());
        self.counts = Counts {
            records: entry.records,
            flows: entry.flows,
            joined: entry.joined,
            waiting: entry.waiting,
            resumed: entry.resumed,
            skipped: entry.skipped,
            open: entry.open,
            asides: entry.asides.clone(),
            others: entry.others.clone(),
            rejects: entry.rejects,
            named: entry.names_joined,
        };
    }
}
