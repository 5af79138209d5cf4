//! Reads one source to its end.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    aside::Aside,
    asides::{AsidesWriter, StagedTable},
    content::{Content, Digested},
    encoder::Staged,
    format::{Format, Opening},
    ingest::{MaxRejects, OnProgress, Progress},
    input::InputFile,
    join::Joiner,
    ledger::LastLine,
    reader::{Place, Record, Reject},
    record::FlowRecord,
    rejects::{MOST_RAW_BYTES, RejectsWriter},
    values::LAST_TIME,
    writer::ArchiveWriter,
    zeek::{self, NameLog, Names},
};
use crate::{
    error::{Context, Error, Result},
    mapping::Mapping,
};

/// Times before this are counted from the beginning of a capture, and say nothing of when that was: 1980, before there were
/// networks of this kind.
const FIRST_DATE: i64 = 315_532_800_000_000;

/// Kinds of other records that are counted each for itself.
const MOST_KINDS: usize = 64;

/// Records from which on a share of rejects means something.
const ENOUGH: u64 = 1_000;

/// By whose doing a source was not added.
#[derive(Debug)]
pub(super) enum Failure {
    /// The source's: it is refused, and the others go on.
    Source(Error),
    /// The archive's: nothing goes on.
    Archive(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Archive(error)
    }
}

/// All that reading a source takes.
pub(super) struct Reading {
    pub(super) path: PathBuf,
    pub(super) file: InputFile,
    pub(super) head: Vec<u8>,
    pub(super) format: Format,
    /// Records at its beginning that are in the archive already.
    pub(super) skip: u64,
    /// When a capture began whose times count from there, microseconds UTC.
    pub(super) start: Option<i64>,
    pub(super) sensor: Option<String>,
    pub(super) mapping: Option<Arc<Mapping>>,
    pub(super) zone: jiff::tz::TimeZone,
    pub(super) max_rejects: Option<MaxRejects>,
    /// Conversations that the source before left waiting.
    pub(super) carried: Vec<u8>,
    pub(super) scratch: PathBuf,
    pub(super) writer: ArchiveWriter,
    /// Takes connections that are open.
    pub(super) open: ArchiveWriter,
    pub(super) rejects: RejectsWriter,
    pub(super) asides: AsidesWriter,
    pub(super) progress: Progress,
    pub(super) on_progress: Option<OnProgress>,
}

/// What reading a source gave. Nothing of it is visible yet.
pub(super) struct Outcome {
    pub(super) staged: Staged,
    pub(super) open: Staged,
    pub(super) rejects: Option<PathBuf>,
    pub(super) asides: Vec<StagedTable>,
    pub(super) content: Content,
    pub(super) last_line: LastLine,
    /// Conversations that wait for the next source.
    pub(super) carried: Vec<u8>,
    pub(super) counts: Counts,
    pub(super) notes: Vec<String>,
}

/// What became of a source's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of it, those too that were skipped since they were read before.
    pub records: u64,
    /// Flows that were written.
    pub flows: u64,
    /// Records that became part of a flow that another one began.
    pub joined: u64,
    /// Conversations that wait for the source that follows.
    pub waiting: u64,
    /// Conversations of the source before that waited for this one.
    pub resumed: u64,
    /// Records at its beginning that were added before.
    pub skipped: u64,
    /// Connections that were open.
    pub open: u64,
    /// Rows of tables beside the flows, by table.
    pub asides: BTreeMap<String, u64>,
    /// Records of other kinds, by kind.
    pub others: BTreeMap<String, u64>,
    /// Records that could not be read.
    pub rejects: u64,
    /// Flows with a name.
    pub named: u64,
}

/// The reject that came last, until it is known whether more follows.
#[derive(Debug, Default)]
struct LastReject(Option<(Place, String, Vec<u8>)>);

impl LastReject {
    fn place(&self) -> Option<Place> {
        self.0.as_ref().map(|(place, ..)| *place)
    }

    fn replace(&mut self, reject: &Reject<'_>, rejects: &mut RejectsWriter, counts: &mut Counts) -> Result<()> {
        std::mem::take(self).write(rejects, counts)?;
        let raw = &reject.raw[..reject.raw.len().min(MOST_RAW_BYTES)];
        self.0 = Some((reject.place, reject.reason.clone(), raw.to_vec()));
        Ok(())
    }

    fn write(self, rejects: &mut RejectsWriter, counts: &mut Counts) -> Result<()> {
        let Some((place, reason, raw)) = self.0 else { return Ok(()) };
        counts.rejects += 1;
        rejects.push(&Reject { place, reason, raw: &raw })
    }
}

/// What may be done with a record once it is no longer lent.
enum Done {
    Kept,
    /// Its times count from the beginning of the capture.
    Relative(i64),
}

impl Reading {
    /// Reads the source to its end. Blocks.
    pub(super) fn run(mut self) -> Result<Outcome, Failure> {
        const PROGRESS_EVERY: Duration = Duration::from_millis(200);
        let mut counts = Counts::default();
        let mut notes = Vec::new();
        let names = if self.format == Format::Zeek { names_beside(&self.path, &mut notes) } else { Names::default() };
        let input = self.file.read().context(|| "it cannot be read".into()).map_err(Failure::Source)?;
        let mut content = Digested::new(input.content);
        let opening = Opening {
            path: &self.path,
            head: &self.head,
            scratch: &self.scratch,
            sensor: self.sensor.clone(),
            mapping: self.mapping.clone(),
            zone: self.zone.clone(),
            names,
        };
        let mut joiner = Joiner::restore(&self.carried).context(|| "reading conversations that wait".into())?;
        counts.resumed = joiner.waiting();
        let mut first_reason = None;
        let mut last = LastReject::default();
        let mut told = Instant::now();
        let mut parts = 0;
        let mut reader = opening.open(self.format, &mut content).map_err(Failure::Source)?;
        while let Some(record) = reader.next().map_err(Failure::Source)? {
            counts.records += 1;
            let is_known = counts.records <= self.skip;
            let done = match record {
                _ if is_known => {
                    counts.skipped += 1;
                    Done::Kept
                }
                Record::Flow(flow) => match dated(flow, self.start) {
                    Ok(flow) => {
                        write(&flow, &mut self.writer, &mut counts)?;
                        Done::Kept
                    }
                    Err(time) => Done::Relative(time),
                },
                Record::Part(part) => match dated(part, self.start) {
                    Ok(part) => {
                        parts += 1;
                        joiner.push(&part);
                        Done::Kept
                    }
                    Err(time) => Done::Relative(time),
                },
                Record::Open(flow) => match dated(flow, self.start) {
                    Ok(flow) => {
                        counts.open += 1;
                        self.open.push(&flow)?;
                        Done::Kept
                    }
                    Err(time) => Done::Relative(time),
                },
                Record::Aside(mut row) => match row.date(self.start) {
                    Ok(()) => {
                        *counts.asides.entry(row.table().name().to_owned()).or_default() += 1;
                        self.asides.push(row)?;
                        Done::Kept
                    }
                    Err(time) => Done::Relative(time),
                },
                Record::Other(kind) => {
                    counts.other(kind);
                    Done::Kept
                }
                Record::Reject(reject) => {
                    first_reason.get_or_insert_with(|| reject.reason.clone());
                    last.replace(&reject, &mut self.rejects, &mut counts)?;
                    Done::Kept
                }
            };
            if let Done::Relative(time) = done {
                let reject = Reject { place: reader.place(), reason: relative(time), raw: reader.raw() };
                first_reason.get_or_insert_with(|| reject.reason.clone());
                last.replace(&reject, &mut self.rejects, &mut counts)?;
            }
            if joiner.has_flows() {
                joiner.drain(|flow| write(flow, &mut self.writer, &mut counts))?;
            }
            if let Some(most) = self.max_rejects.filter(|_| counts.rejects > 0) {
                most.check(&counts, counts.records >= ENOUGH, first_reason.as_deref()).map_err(Failure::Source)?;
            }
            if counts.records.is_multiple_of(4_096) && told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                tell(&self.on_progress, &mut self.progress, input.bytes_read.load(Ordering::Relaxed), counts.flows);
            }
        }
        let is_last_refused = last.place().is_some() && last.place() == Some(reader.place());
        let is_broken = reader.is_broken();
        drop(reader);
        // A line that is being written is one too many for nobody: it is read again when the log goes on.
        let is_open_line = is_last_refused && !is_broken && content.is_open();
        if !is_open_line {
            std::mem::take(&mut last).write(&mut self.rejects, &mut counts)?;
        }
        if let Some(most) = self.max_rejects {
            most.check(&counts, true, first_reason.as_deref()).map_err(Failure::Source)?;
        }
        last.write(&mut self.rejects, &mut counts)?;
        joiner.drain(|flow| write(flow, &mut self.writer, &mut counts))?;
        counts.joined = joiner.joined();
        counts.waiting = joiner.waiting();
        // What tells nothing but rejects is the wrong file, or read with the wrong options.
        let asides = if self.format == Format::Netflow { 0 } else { counts.asides.values().sum() };
        let told_of = counts.flows + counts.open + parts + asides;
        if let (0, 0, Some(reason)) = (self.skip, told_of, first_reason) {
            let (rejects, records) = (counts.rejects, counts.records);
            let none = if rejects == records { "none" } else { "no flow" };
            return Err(Failure::Source(
                Error::usage(format!("{none} of its {records} records can be read; the first: {reason}"))
                    .remedy(format!("give what {} is, or say what else it is", self.format)),
            ));
        }
        tell(&self.on_progress, &mut self.progress, self.file.size(), counts.flows);
        let content = content.content();
        let last_line = match (is_last_refused, is_broken, content.is_open) {
            (true, true, _) => LastLine::Broken,
            (true, false, true) => LastLine::Open,
            _ => LastLine::Whole,
        };
        Ok(Outcome {
            staged: self.writer.stage()?,
            open: self.open.stage()?,
            rejects: self.rejects.finish()?,
            asides: self.asides.finish()?,
            content,
            last_line,
            carried: joiner.save().context(|| "writing conversations that wait".into())?,
            counts,
            notes,
        })
    }
}

fn write(flow: &FlowRecord<'_>, writer: &mut ArchiveWriter, counts: &mut Counts) -> Result<()> {
    counts.flows += 1;
    counts.named += u64::from(flow.dst_name.is_some());
    writer.push(flow)
}

fn tell(on_progress: &Option<OnProgress>, progress: &mut Progress, bytes_read: u64, flows: u64) {
    if let Some(on_progress) = on_progress {
        (progress.bytes_read, progress.flows) = (bytes_read, flows);
        on_progress(progress);
    }
}

impl Counts {
    fn other(&mut self, kind: &str) {
        match self.others.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                let kind = if self.others.len() < MOST_KINDS { kind } else { "others" };
                *self.others.entry(kind.chars().take(64).collect()).or_default() += 1;
            }
        }
    }
}

/// The flow at its date; the time that has none.
fn dated(mut flow: FlowRecord<'_>, start: Option<i64>) -> Result<FlowRecord<'_>, i64> {
    flow.start_time = at(flow.start_time, start)?;
    flow.end_time = at(flow.end_time, start)?;
    Ok(flow)
}

fn at(time: i64, start: Option<i64>) -> Result<i64, i64> {
    match start {
        _ if time >= FIRST_DATE => Ok(time),
        Some(start) => start.checked_add(time).filter(|time| *time < LAST_TIME).ok_or(time),
        None => Err(time),
    }
}

impl Aside {
    fn date(&mut self, start: Option<i64>) -> Result<(), i64> {
        let times = match self {
            Self::Lease(row) => {
                if let Some(valid_to) = &mut row.valid_to {
                    *valid_to = at(*valid_to, start)?;
                }
                [Some(&mut row.valid_from), None]
            }
            Self::SensorReport(row) => [Some(&mut row.interval_start), Some(&mut row.interval_end)],
            Self::IdsEvent(row) => [Some(&mut row.time), None],
            Self::HostFact(row) => [Some(&mut row.time), None],
        };
        for time in times.into_iter().flatten() {
            *time = at(*time, start)?;
        }
        Ok(())
    }
}

fn relative(time: i64) -> String {
    let shown = jiff::Timestamp::from_microsecond(time).map_or_else(|_| time.to_string(), |time| time.to_string());
    format!(
        "its time is {shown}: the capture counts from its own beginning; say with --start when that was, before 9999"
    )
}

/// Names from the logs of the same rotation. A log that cannot be read costs names and no flow: it is noted.
fn names_beside(conn_log: &Path, notes: &mut Vec<String>) -> Names {
    let mut names = Names::default();
    for log in NameLog::ALL {
        let Some(path) = zeek::beside(conn_log, log.path()) else {
            continue;
        };
        let mut read = || -> Result<()> {
            let input = InputFile::open(&path).and_then(|file| file.read()).context(|| "opening it".into())?;
            names.read(input.content, log)
        };
        if let Err(error) = read() {
            notes.push(format!("names of {} are missing: {error}", path.display()));
        }
    }
    if names.dropped() > 0 {
        notes.push(format!("{} names beside it were not joined, since there are too many", names.dropped()));
    }
    names
}

impl MaxRejects {
    /// Refuses a source that has more.
    fn check(self, counts: &Counts, is_enough: bool, reason: Option<&str>) -> Result<()> {
        let (rejects, records) = (counts.rejects, counts.records);
        let is_over = match self {
            Self::Number(most) => rejects > most,
            Self::Percent(most) => is_enough && rejects as f64 * 100.0 > records as f64 * most,
        };
        if !is_over {
            return Ok(());
        }
        let reason = reason.unwrap_or_default();
        Err(Error::usage(format!("{rejects} of its first {records} records cannot be read, and --max-rejects allows {self}; the first: {reason}"))
            .remedy("give the right file or format, or allow more"))
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_DATE, at};

    #[test]
    fn a_date_is_asked_for_and_not_invented() {
        assert_eq!(at(FIRST_DATE, None), Ok(FIRST_DATE));
        assert_eq!(at(7_000_000, None), Err(7_000_000));
        assert_eq!(at(7_000_000, Some(FIRST_DATE)), Ok(FIRST_DATE + 7_000_000));
        // A time that has a date keeps it.
        assert_eq!(at(FIRST_DATE, Some(FIRST_DATE)), Ok(FIRST_DATE));
        assert_eq!(at(-1, Some(i64::MIN)), Err(-1));
    }
}
