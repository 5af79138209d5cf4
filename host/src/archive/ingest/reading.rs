//! Reads one source to its end.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    counts::Counts,
    dates::{Dates, NoDate},
    failure::Failure,
    last_reject::LastReject,
    max_rejects::MaxRejects,
    names,
    plausible::{self, bounded, plausible},
    report::{OnProgress, Progress},
};
use crate::{
    archive::{
        asides::{AsidesWriter, StagedTable},
        content::{Content, Digested},
        encoder::Staged,
        format::{Format, Opening},
        input::InputFile,
        join::Joiner,
        ledger::LastLine,
        reader::{Record, Reject},
        record::FlowRecord,
        rejects::RejectsWriter,
        writer::ArchiveWriter,
        zeek::Names,
    },
    detector::Stop,
    error::{Context, Error, Result},
    mapping::Mapping,
};

/// All that reading a source takes.
pub(super) struct Reading {
    pub(super) path: PathBuf,
    pub(super) file: InputFile,
    pub(super) head: Vec<u8>,
    pub(super) format: Format,
    /// Records at its beginning that are in the archive already.
    pub(super) skip: u64,
    pub(super) dates: Dates,
    /// One packet of so many was sampled, where a record does not say it.
    pub(super) sampling: Option<u32>,
    pub(super) sensor: Option<String>,
    pub(super) mapping: Option<Arc<Mapping>>,
    pub(super) zone: jiff::tz::TimeZone,
    pub(super) max_rejects: Option<MaxRejects>,
    /// Conversations that the source before left waiting.
    pub(super) carried: Vec<u8>,
    pub(super) scratch: PathBuf,
    pub(super) writer: ArchiveWriter,
    /// Takes connections that are open, where the format tells of such.
    pub(super) open: Option<ArchiveWriter>,
    pub(super) rejects: RejectsWriter,
    pub(super) asides: AsidesWriter,
    pub(super) progress: Progress,
    pub(super) stop: Stop,
    pub(super) on_progress: Option<OnProgress>,
}

/// What reading a source gave. Nothing of it is visible yet.
pub(super) struct Outcome {
    pub(super) staged: Staged,
    pub(super) open: Option<Staged>,
    pub(super) rejects: Option<PathBuf>,
    pub(super) asides: Vec<StagedTable>,
    pub(super) content: Content,
    pub(super) last_line: LastLine,
    /// Whether it may go on with what the source before left waiting; absent where it has no parts, so that none can tell.
    pub(super) goes_on: Option<bool>,
    /// Conversations that wait for the next source.
    pub(super) carried: Vec<u8>,
    pub(super) counts: Counts,
    /// Earliest and latest end of its flows, microseconds UTC.
    pub(super) ends: Option<(i64, i64)>,
    pub(super) notes: Vec<String>,
}

/// What may be done with a record once it is no longer lent.
enum Done {
    Kept,
    /// It has no date.
    Undated(NoDate),
}

impl Reading {
    /// Reads the source to its end. Blocks.
    pub(super) fn run(mut self) -> Result<Outcome, Failure> {
        const PROGRESS_EVERY: Duration = Duration::from_millis(200);
        let mut counts = Counts::default();
        let mut notes = Vec::new();
        let names = if self.format == Format::Zeek { names::beside(&self.path, &mut notes) } else { Names::default() };
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
        let mut goes_on = None;
        let mut first_reason = None;
        let mut last = LastReject::default();
        let mut told = Instant::now();
        let mut parts = 0;
        let mut ends = None;
        let mut implausible = 0;
        let mut reader = opening.open(self.format, &mut content).map_err(Failure::Source)?;
        while let Some(record) = reader.next().map_err(Failure::Source)? {
            counts.records += 1;
            let is_known = counts.records <= self.skip;
            let done = match record {
                _ if is_known => {
                    counts.skipped += 1;
                    Done::Kept
                }
                Record::Flow(flow) => match self.complete(flow, &mut implausible) {
                    Ok(flow) => {
                        ends = Some(with(ends, flow.end_time));
                        write(&flow, &mut self.writer, &mut counts)?;
                        Done::Kept
                    }
                    Err(why) => Done::Undated(why),
                },
                Record::Part(part) => match self.complete(part, &mut implausible) {
                    Ok(part) => {
                        ends = Some(with(ends, part.end_time));
                        parts += 1;
                        if goes_on.is_none() {
                            goes_on = Some(joiner.may_go_on(&part));
                            if goes_on == Some(false) {
                                joiner = Joiner::default();
                            }
                            counts.resumed = joiner.waiting();
                        }
                        joiner.push(&part);
                        Done::Kept
                    }
                    Err(why) => Done::Undated(why),
                },
                Record::Open(flow) => match self.complete(flow, &mut implausible) {
                    Ok(flow) => {
                        counts.open += 1;
                        self.open.as_mut().map_or(Ok(()), |open| open.push(&flow))?;
                        Done::Kept
                    }
                    Err(why) => Done::Undated(why),
                },
                Record::Aside(mut row) => match self.dates.date_aside(&mut row) {
                    Ok(()) => {
                        *counts.asides.entry(row.table().name().to_owned()).or_default() += 1;
                        self.asides.push(row)?;
                        Done::Kept
                    }
                    Err(why) => Done::Undated(why),
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
            if let Done::Undated(why) = done {
                let reject = Reject { place: reader.place(), reason: why.to_string(), raw: reader.raw() };
                first_reason.get_or_insert_with(|| reject.reason.clone());
                last.replace(&reject, &mut self.rejects, &mut counts)?;
            }
            if joiner.has_flows() {
                joiner.drain(|flow| write(&bounded(flow), &mut self.writer, &mut counts))?;
            }
            if let Some(most) = self.max_rejects.filter(|_| counts.rejects > 0) {
                most.check(&counts, false, first_reason.as_deref()).map_err(Failure::Source)?;
            }
            if counts.records.is_multiple_of(4_096) && self.stop.is_stopped() {
                return Err(Error::failed("an end was asked for").into());
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
        joiner.drain(|flow| write(&bounded(flow), &mut self.writer, &mut counts))?;
        if goes_on.is_none() {
            joiner = Joiner::default();
        }
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
                    .remedy(format!("do what it says; what is no {} is to be given as what it is", self.format)),
            ));
        }
        tell(&self.on_progress, &mut self.progress, self.file.size(), counts.flows);
        notes.extend(plausible::note(implausible));
        let content = content.content();
        let last_line = match (is_last_refused, is_broken, content.is_open) {
            (true, true, _) => LastLine::Broken,
            (true, false, true) => LastLine::Open,
            _ => LastLine::Whole,
        };
        Ok(Outcome {
            staged: self.writer.stage()?,
            open: self.open.map(ArchiveWriter::stage).transpose()?,
            rejects: self.rejects.finish()?,
            asides: self.asides.finish()?,
            content,
            last_line,
            goes_on,
            carried: joiner.save().context(|| "writing conversations that wait".into())?,
            counts,
            ends,
            notes,
        })
    }

    /// A flow with its date, without counts that cannot be, and with what the user says of it where it says nothing itself.
    fn complete<'a>(&self, flow: FlowRecord<'a>, implausible: &mut u64) -> Result<FlowRecord<'a>, NoDate> {
        let (flow, had_some) = plausible(self.dates.date(flow)?);
        *implausible += u64::from(had_some);
        Ok(FlowRecord { sampling_interval: flow.sampling_interval.or(self.sampling), ..flow })
    }
}

fn with(ends: Option<(i64, i64)>, end: i64) -> (i64, i64) {
    ends.map_or((end, end), |(first, last)| (first.min(end), last.max(end)))
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
