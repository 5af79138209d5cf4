//! `wardflow ingest`: flow logs into the archive.

use std::sync::Arc;

use serde::Serialize;
use wardflow::{
    config::Config,
    error::{Error, Result},
};

use super::{Outcome, connect};
use crate::{
    args::IngestZeek,
    print::{BYTES, Look, Printer, Progress, Task, count, counted},
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
    let report = {
        let progress = Arc::new(Progress::new(printer, Task { name: "ingest", unit: BYTES }));
        connect::ingest_zeek(config, &args, progress).await?
    };
    if let [Source { name, status: Status::Refused { reason, remedy }, .. }] = report.sources.as_slice() {
        let error = Error::usage(format!("cannot ingest {name}: {reason}"));
        return Err(match remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        });
    }
    if printer.json { printer.object(&report) } else { show(&report, printer) }?;
    Ok(report.outcome())
}

impl Report {
    fn outcome(&self) -> Outcome {
        let is_refused = |source: &Source| matches!(source.status, Status::Refused { .. });
        if self.sources.iter().any(is_refused) { Outcome::Incomplete } else { Outcome::Done }
    }
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
    let sources = counted(added().count() as u64, "source");
    printer.line(Look::Heading, &format!("{} added from {sources}", counted(flows, "flow")))?;
    let refused = report.sources.iter().filter(|source| matches!(source.status, Status::Refused { .. })).count() as u64;
    if refused > 0 {
        let is = if refused == 1 { "is" } else { "are" };
        printer.line(Look::Bad, &format!("{} {is} not in the archive: see above", counted(refused, "source")))?;
    }
    if rejects > 0 {
        printer.note(&format!("{} could not be read: wardflow sql 'SELECT * FROM rejects'", counted(rejects, "line")));
    }
    Ok(())
}
