//! `wardflow ingest`: flow logs into the archive.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use wardflow::{
    archive::{self, IngestOptions, OnProgress, SourceReport, SourceStatus, ingest_zeek},
    config::Config,
    error::{Error, Result},
};

use super::{Outcome, workspace};
use crate::{
    args::IngestZeek,
    print::{BYTES, Look, Printer, Progress, Task, count},
};

/// What became of every source.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) sources: Vec<Source>,
}

/// What became of a source.
#[derive(Debug, Serialize)]
pub(super) struct Source {
    /// Its path, or `-`.
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) status: Status,
    /// Flows of it in the archive.
    pub(super) flows: u64,
    /// Lines that could not be read; they are in the table `rejects`.
    pub(super) rejects: u64,
    /// Flows with a name from a log beside it.
    pub(super) names_joined: u64,
    /// What a person should know of it all the same.
    pub(super) notes: Vec<String>,
}

/// Whether a source is in the archive.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum Status {
    Added,
    /// It was before, and nothing was done.
    AlreadyThere,
    Refused {
        reason: String,
        remedy: Option<String>,
    },
}

/// Ingests, and says what became of each source.
///
/// # Errors
/// The archive cannot be written, or the only source was refused.
pub(super) async fn run(config: &Config, args: IngestZeek, printer: &Printer) -> Result<Outcome> {
    let lock = workspace::archive(config)?.lock()?;
    let progress = Arc::new(Progress::new(printer, Task { name: "ingest", unit: BYTES }));
    let options = IngestOptions {
        sensor: args.sensor,
        space: config.space.clone(),
        progress: Some(show_progress(Arc::clone(&progress))),
    };
    let stdin: Option<Box<dyn io::Read + Send>> = match args.inputs.iter().any(|input| input == "-") {
        true => Some(Box::new(io::stdin())),
        false => None,
    };
    let sources = ingest_zeek(&lock, &args.inputs, stdin, &options).await?.sources;
    drop((options, progress));
    let report = Report { sources: sources.into_iter().map(Source::from).collect() };
    if printer.json {
        printer.object(&report)?;
        return Ok(report.outcome());
    }
    if let [Source { name, status: Status::Refused { reason, remedy }, .. }] = report.sources.as_slice() {
        let error = Error::usage(format!("cannot ingest {name}: {reason}"));
        return Err(match remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        });
    }
    show(&report, printer)?;
    Ok(report.outcome())
}

impl Report {
    fn outcome(&self) -> Outcome {
        let is_refused = |source: &Source| matches!(source.status, Status::Refused { .. });
        if self.sources.iter().any(is_refused) { Outcome::Incomplete } else { Outcome::Done }
    }
}

impl From<SourceReport> for Source {
    fn from(source: SourceReport) -> Self {
        let SourceReport { name, flows, rejects, names_joined, notes, status, .. } = source;
        let status = match status {
            SourceStatus::Added => Status::Added,
            SourceStatus::AlreadyThere => Status::AlreadyThere,
            SourceStatus::Refused(error) => {
                Status::Refused { reason: error.to_string(), remedy: error.remedy_text().map(str::to_owned) }
            }
        };
        Self { name, status, flows, rejects, names_joined, notes }
    }
}

/// Shows the bytes of the source that is being read, and the flows of all so far.
fn show_progress(progress: Arc<Progress>) -> OnProgress {
    let so_far = Mutex::new((0, 0, 0));
    Arc::new(move |at: &archive::Progress| {
        let mut so_far = so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, before, last) = *so_far;
        let before = if at.index == index { before } else { before + last };
        *so_far = (at.index, before, at.flows);
        progress.at(at.bytes_read, at.bytes, before + at.flows);
    })
}

fn show(report: &Report, printer: &Printer) -> Result<()> {
    let row = |source: &Source| {
        let status = match &source.status {
            Status::Added => "added",
            Status::AlreadyThere => "already there",
            Status::Refused { .. } => "refused",
        };
        let counts = [source.flows, source.rejects, source.names_joined].map(count);
        [source.name.clone(), status.to_owned()].into_iter().chain(counts).collect()
    };
    let rows: Vec<Vec<String>> = report.sources.iter().map(row).collect();
    printer.grid(&["source", "status", "flows", "rejects", "named"], &rows)?;
    for source in &report.sources {
        if let Status::Refused { reason, .. } = &source.status {
            printer.line(Look::Bad, &format!("{}: {reason}", source.name))?;
        }
        for note in &source.notes {
            printer.line(Look::Plain, &format!("{}: {note}", source.name))?;
        }
    }
    let added = || report.sources.iter().filter(|source| matches!(source.status, Status::Added));
    let flows: u64 = added().map(|source| source.flows).sum();
    let rejects: u64 = added().map(|source| source.rejects).sum();
    let sources = added().count();
    printer.line(Look::Heading, &format!("{} flows added from {sources} sources", count(flows)))?;
    if rejects > 0 {
        printer.note(&format!("{} lines could not be read: wardflow sql 'SELECT * FROM rejects'", count(rejects)));
    }
    Ok(())
}
