//! `wardflow ingest`: flow records into the archive.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    iter,
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use wardflow::{
    archive::{self, Format, IngestReport, SourceReport, SourceStatus},
    config::Config,
    error::{Error, Result},
};

use super::{
    NAMED, Outcome, connect,
    interrupt::{interrupted, stop_on_interrupt},
};
use crate::{
    args::Ingest,
    print::{BYTES, Look, Printer, Progress, Task, count, counted, visible},
};

/// What became of every source.
#[derive(Debug, Serialize)]
struct Report {
    sources: Vec<Source>,
    /// Flows that waited for a source to follow, and were written when none did.
    settled: u64,
    /// Sources that an earlier run with --again took out and did not read.
    unfinished: Vec<String>,
    /// Sources that were not looked at, or dropped while they were read, since it was interrupted.
    left: u64,
}

/// What became of a source.
#[derive(Debug, Serialize)]
struct Source {
    /// Its path, or `-`.
    name: String,
    format: Option<&'static str>,
    #[serde(flatten)]
    status: Status,
    /// Its records. They are its flows, those that were joined to other flows or wait to be, open connections, what went into
    /// tables beside the flows, records of other kinds, and rejects.
    records: u64,
    /// Flows of it in the archive.
    flows: u64,
    joined: u64,
    waiting: u64,
    /// Conversations of the source before that waited for this one.
    resumed: u64,
    /// Records that another source had added, since it began with the same.
    skipped: u64,
    open: u64,
    /// Rows by table.
    beside: BTreeMap<String, u64>,
    /// Records by kind.
    others: BTreeMap<String, u64>,
    /// Records that could not be read; they are in the table `rejects`.
    rejects: u64,
    /// Flows with a name.
    named: u64,
    /// What a person should know of it all the same.
    notes: Vec<String>,
}

/// Whether a source is in the archive.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Status {
    Added,
    /// It was before, and nothing was done.
    AlreadyThere,
    /// It lay in a directory and is no flow records.
    PassedOver {
        reason: String,
    },
    Refused {
        reason: String,
        remedy: Option<String>,
    },
}

/// Ingests, and says what became of each source.
///
/// # Errors
/// The archive cannot be written, or the only source was refused.
pub(super) async fn run(config: &Config, args: Ingest, printer: &Printer) -> Result<Outcome> {
    let archive = connect::archive(config)?;
    let lock = archive.lock()?;
    let inputs: Vec<String> = args.inputs.iter().map(|input| named(input)).collect::<Result<_>>()?;
    let is_piped = inputs.iter().any(|input| input == "-");
    if args.mapping.is_some() && !matches!(args.source.format(), None | Some(Format::Csv)) {
        return Err(Error::usage("--mapping is for csv").remedy("leave it out, or say csv"));
    }
    let stop = stop_on_interrupt(printer, "stopping; what is being read is dropped")?;
    let progress = || Arc::new(Progress::new(printer, Task { name: "ingest", unit: BYTES }));
    if args.follow {
        if is_piped {
            let rule = "--follow looks at files again, and standard input comes once";
            return Err(Error::usage(rule).remedy("name a file or a directory, or leave --follow out"));
        }
        let options = connect::ingest_options(config, &args, stop, progress())?;
        return follow(&lock, &inputs, &options, Duration::from_secs(args.every.get()), printer).await;
    }
    let (report, broken_off) = {
        let stdin = is_piped.then(|| Box::new(io::stdin()) as Box<dyn Read + Send>);
        let options = connect::ingest_options(config, &args, stop, progress())?;
        Report::of(archive::ingest(&lock, &inputs, stdin, &options).await?)
    };
    if let Some(error) = broken_off {
        if !report.sources.is_empty() {
            report.show(printer)?;
        }
        return Err(error);
    }
    if let ([Source { name, status: Status::Refused { reason, remedy }, .. }], 0) =
        (report.sources.as_slice(), report.left)
    {
        let error = Error::usage(format!("cannot ingest {name}: {reason}"));
        return Err(match remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        });
    }
    report.show(printer)?;
    Ok(report.outcome())
}

/// Ingests what is new again and again. What was refused is tried again when it has changed, and said once.
async fn follow(
    lock: &archive::ArchiveLock,
    inputs: &[String],
    options: &archive::IngestOptions,
    every: Duration,
    printer: &Printer,
) -> Result<Outcome> {
    let mut ingest = archive::Ingest::begin(lock, options).await?;
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let (mut report, broken_off) = Report::of(ingest.add_all(inputs, None).await);
        report.sources.retain(|source| match &source.status {
            Status::Added => true,
            Status::AlreadyThere => false,
            Status::PassedOver { reason } | Status::Refused { reason, .. } => {
                told.insert(source.name.clone(), reason.clone()).as_ref() != Some(reason)
            }
        });
        let left = report.left;
        if !report.sources.is_empty() || left > 0 {
            report.show(printer)?;
        }
        if let Some(error) = broken_off {
            return Err(error);
        }
        if left > 0 {
            return Ok(Outcome::Interrupted);
        }
        let is_asked = tokio::select! {
            () = tokio::time::sleep(every) => options.stop.is_stopped(),
            () = interrupted() => true,
        };
        if is_asked {
            let settled = ingest.end().await?;
            if settled > 0 {
                printer.note(&format!("{} that waited for more are written as they are", counted(settled, "flow")));
            }
            return Ok(Outcome::Interrupted);
        }
    }
}

/// A path as it is recorded.
fn named(path: &Path) -> Result<String> {
    let name = path.to_str().map(ToOwned::to_owned);
    name.ok_or_else(|| {
        Error::usage(format!("the path {} is not UTF-8, as the archive's records are", path.display()))
            .remedy("name the directory that holds it, or rename it")
    })
}

impl Report {
    /// What is to be shown, and why the rest was not looked at.
    fn of(report: IngestReport) -> (Self, Option<Error>) {
        let IngestReport { sources, settled, unfinished, left, broken_off } = report;
        (Self { sources: sources.into_iter().map(Source::of).collect(), settled, unfinished, left }, broken_off)
    }

    fn outcome(&self) -> Outcome {
        let is_refused = |source: &Source| matches!(source.status, Status::Refused { .. });
        let is_incomplete = self.sources.iter().any(is_refused) || !self.unfinished.is_empty();
        match (self.left, is_incomplete) {
            (1.., _) => Outcome::Interrupted,
            (0, true) => Outcome::Incomplete,
            (0, false) => Outcome::Done,
        }
    }

    fn show(&self, printer: &Printer) -> Result<()> {
        if printer.json { printer.object(self) } else { show(self, printer) }
    }
}

impl Source {
    fn of(source: SourceReport) -> Self {
        let counts = source.counts;
        Self {
            name: source.name,
            format: source.format.map(archive::Format::name),
            status: match source.status {
                SourceStatus::Added => Status::Added,
                SourceStatus::AlreadyThere => Status::AlreadyThere,
                SourceStatus::PassedOver(error) => Status::PassedOver { reason: error.reason() },
                SourceStatus::Refused(error) => {
                    Status::Refused { remedy: error.remedy_text().map(ToOwned::to_owned), reason: error.reason() }
                }
            },
            records: counts.records,
            flows: counts.flows,
            joined: counts.joined,
            waiting: counts.waiting,
            resumed: counts.resumed,
            skipped: counts.skipped,
            open: counts.open,
            beside: counts.asides,
            others: counts.others,
            rejects: counts.rejects,
            named: counts.named,
            notes: source.notes,
        }
    }

    /// Records that are neither flows nor rejects, in words.
    fn besides(&self) -> String {
        let numbers = [
            (self.skipped, "added before"),
            (self.joined, "joined to other flows"),
            (self.waiting, "waiting"),
            (self.open, "still open"),
        ];
        let numbers = numbers.into_iter().map(|(number, what)| (number, what.to_owned()));
        let tables = self.beside.iter().map(|(table, rows)| (*rows, format!("in {table}")));
        let others = self.others.iter().map(|(kind, records)| (*records, kind.clone()));
        let words = numbers.chain(tables).chain(others).filter(|(number, _)| *number > 0);
        let mut words: Vec<_> = words.map(|(number, what)| format!("{} {what}", count(number))).collect();
        if self.resumed > 0 {
            words.push(format!("{} taken on from the file before", count(self.resumed)));
        }
        if self.named > 0 {
            words.push(format!("{} of the flows named", count(self.named)));
        }
        words.join(", ")
    }
}

/// Which sources were passed over, and why.
fn passed_over(sources: &[Source]) -> Vec<String> {
    let reason = |source: &Source| match &source.status {
        Status::PassedOver { reason } => Some(format!("  {}: {reason}", visible(&source.name))),
        _ => None,
    };
    let all: Vec<String> = sources.iter().filter_map(reason).collect();
    if all.is_empty() {
        return all;
    }
    let head = format!("{} passed over:", counted(all.len() as u64, "file"));
    let rest = all.len().saturating_sub(NAMED);
    let rest = (rest > 0).then(|| format!("  and {}, which --json names", counted(rest as u64, "other")));
    iter::once(head).chain(all.into_iter().take(NAMED)).chain(rest).collect()
}

fn show(report: &Report, printer: &Printer) -> Result<()> {
    let is_passed_over = |source: &&Source| matches!(source.status, Status::PassedOver { .. });
    let row = |source: &Source| {
        let status = match &source.status {
            Status::Added => "added",
            Status::AlreadyThere => "already there",
            Status::PassedOver { .. } => "passed over",
            Status::Refused { .. } => "refused",
        };
        let counts = [source.records, source.flows, source.rejects].map(count);
        [source.name.clone(), source.format.unwrap_or_default().to_owned(), status.to_owned()]
            .into_iter()
            .chain(counts)
            .chain([source.besides()])
            .collect()
    };
    let rows: Vec<Vec<String>> = report.sources.iter().filter(|source| !is_passed_over(source)).map(row).collect();
    printer.grid(&["source", "format", "status", "records", "flows", "rejects", "the rest"], &rows)?;
    for source in &report.sources {
        if let Status::Refused { reason, .. } = &source.status {
            printer.line(Look::Bad, &format!("{}: {reason}", visible(&source.name)))?;
        }
        for note in &source.notes {
            printer.line(Look::Plain, &format!("{}: {note}", visible(&source.name)))?;
        }
    }
    for line in passed_over(&report.sources) {
        printer.line(Look::Plain, &line)?;
    }
    let added = || report.sources.iter().filter(|source| matches!(source.status, Status::Added));
    let flows: u64 = added().map(|source| source.flows).sum::<u64>() + report.settled;
    let rejects: u64 = added().map(|source| source.rejects).sum();
    let sources = counted(added().count() as u64, "source");
    let waited = match report.settled {
        0 => String::new(),
        waited => format!(", {} of which had waited for more to come", count(waited)),
    };
    printer.line(Look::Heading, &format!("{} added from {sources}{waited}", counted(flows, "flow")))?;
    let refused = report.sources.iter().filter(|source| matches!(source.status, Status::Refused { .. })).count() as u64;
    if refused > 0 {
        let is = if refused == 1 { "is" } else { "are" };
        printer.line(Look::Bad, &format!("{} {is} not in the archive: see above", counted(refused, "source")))?;
    }
    for name in &report.unfinished {
        let text =
            "what it had given was taken out by a run with --again that ended before it was read; ingest it again";
        printer.line(Look::Bad, &format!("{}: {text}", visible(name)))?;
    }
    if rejects > 0 {
        printer
            .note(&format!("{} could not be read: wardflow sql 'SELECT * FROM rejects'", counted(rejects, "record")));
    }
    if report.left > 0 {
        let (left, is) = (counted(report.left, "source"), if report.left == 1 { "is" } else { "are" });
        let text = format!(
            "Stopped: {left} {is} left; what was being read was dropped, and the same command goes on from there."
        );
        printer.line(Look::Bad, &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use wardflow::{
        archive::{SourceReport, SourceStatus},
        error::Error,
    };

    use super::{Source, passed_over};

    #[test]
    fn what_is_passed_over_is_named_with_the_reason() {
        let of = |names: &[&str]| {
            let source = |name: &&str| {
                let status = SourceStatus::PassedOver(Error::usage(format!("it is Zeek's {name}")));
                Source::of(SourceReport { name: format!("d/{name}"), status, ..SourceReport::default() })
            };
            let added = Source::of(SourceReport { name: "d/conn.log".into(), ..SourceReport::default() });
            passed_over(&names.iter().map(source).chain([added]).collect::<Vec<_>>())
        };
        assert!(of(&[]).is_empty());
        assert_eq!(of(&["a.log"]), ["1 file passed over:", "  d/a.log: it is Zeek's a.log"]);
        let many = of(&["a.log", "b.log", "c.log", "d.log"]);
        assert_eq!((many.len(), many[0].as_str()), (5, "4 files passed over:"));
        assert_eq!(many[4], "  and 1 other, which --json names");
    }
}
