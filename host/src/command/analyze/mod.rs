//! `wardflow analyze`: runs the plugins, and says what was covered.

mod show;
mod verdict;

use std::path::PathBuf;

use serde::Serialize;
use wardflow::{
    archive::{Lacking, RowCounts},
    config::Config,
    coverage::Status,
    error::{Error, Result},
};

pub(super) use self::{
    show::{excepted_note, lacking_notes, show},
    verdict::{NO_INTERNAL_END, OUTDATED},
};
use super::{
    Outcome, connect,
    interrupt::{STOPPING, stop_on_interrupt},
};
use crate::{
    args::Analyze,
    print::{Printer, Progress, Task},
};

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) run_id: String,
    /// Slices that were committed.
    pub(super) slices: u64,
    /// Slices that were to be done.
    pub(super) planned: u64,
    /// Flows read.
    pub(super) flows: u64,
    pub(super) seconds: f64,
    /// Findings of the run by severity, worst first.
    pub(super) findings: Vec<(String, u64)>,
    /// Findings, of all runs, that exceptions hide.
    pub(super) excepted: u64,
    /// What became of each plugin.
    pub(super) plugins: Vec<PluginCoverage>,
    /// Slices in which sensors were down or lossy, each counted once.
    pub(super) blind: u64,
    /// Slices whose records lack what some plugin needs, each counted once.
    pub(super) unsuited: u64,
    /// Devices that are in no plugin's scope.
    pub(super) devices_without_plugin: u64,
    /// Flows of which neither end is internal.
    pub(super) flows_without_device: u64,
    /// Where nothing was new: slices that some plugin analysed under another configuration, each counted once.
    pub(super) outdated: u64,
    /// Whether it was told to stop before its end.
    pub(super) interrupted: bool,
    /// Whether the archive has no flow at all.
    pub(super) is_empty: bool,
    /// Kept states of plugins that were damaged, and what was done about it. What they lead to was done again.
    pub(super) damaged_states: Vec<String>,
    /// Files of the archive that cannot be used, and why.
    pub(super) broken_files: Vec<(String, String)>,
    /// Files that turned out not to be readable, and that slices were analysed without.
    pub(super) left_out: Vec<LeftOut>,
    /// What was ingested and is not in the archive any more.
    pub(super) lacking: Lacking,
    /// What the rows of another program's files are.
    pub(super) rows: Vec<RowCounts>,
    pub(super) workspace: PathBuf,
}

/// A file that could not be read.
#[derive(Debug, Default, Serialize)]
pub(super) struct LeftOut {
    /// Its path in the archive.
    pub(super) file: String,
    /// Why; absent where an earlier run tried, and it is the same since.
    pub(super) reason: Option<String>,
    /// Slices that were analysed without it.
    pub(super) slices: u64,
}

/// What a plugin covered.
#[derive(Debug, Default, Serialize)]
pub(super) struct PluginCoverage {
    pub(super) plugin: String,
    pub(super) version: String,
    pub(super) flows: u64,
    /// Most devices in its scope in a slice.
    pub(super) devices: u64,
    pub(super) findings: u64,
    /// Slices by what became of them.
    pub(super) complete: u64,
    pub(super) faulted: u64,
    pub(super) not_run: u64,
    pub(super) unsuited: u64,
    pub(super) blind: u64,
    /// Devices that were lost in some slice.
    pub(super) devices_lost: u64,
    /// Slices that changed and that only `--rerun` reaches.
    pub(super) stale: u64,
    /// Devices whose learning began anew, and the first reason.
    pub(super) devices_anew: u64,
    pub(super) anew: Option<String>,
    /// Whether it was not let run at all.
    pub(super) is_kept_out: bool,
    /// Why, for a person: the first fault, what the records lack.
    pub(super) reason: Option<String>,
}

/// Runs the plugins over what is new.
///
/// # Errors
/// The archive, the inventory or a plugin cannot be read, or the lake cannot be written.
pub(super) async fn run(config: &Config, args: Analyze, printer: &Printer) -> Result<Outcome> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return Err(Error::usage(format!("--from {from} is not before --to {to}")).remedy("give a --to that is later"));
    }
    let stop = stop_on_interrupt(printer, STOPPING)?;
    let report = {
        let progress = Progress::new(printer, Task { name: "analyze", unit: "slices" });
        connect::analyze(config, &args, &stop, printer, &progress).await?
    };
    if printer.json {
        printer.object(&report)?;
    } else {
        show(&report, printer)?;
    }
    Ok(report.outcome())
}

impl Report {
    /// How the command ends.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            _ if self.interrupted => Outcome::Interrupted,
            _ if self.plugins.iter().any(PluginCoverage::is_lacking) => Outcome::Incomplete,
            _ if !self.broken_files.is_empty() || !self.left_out.is_empty() => Outcome::Incomplete,
            _ => Outcome::Done,
        }
    }
}

impl PluginCoverage {
    fn is_lacking(&self) -> bool {
        if self.is_kept_out || self.stale > 0 {
            return true;
        }
        let counts = [
            (Status::Complete, self.complete),
            (Status::Faulted, self.faulted),
            (Status::NotRun, self.not_run),
            (Status::Unsuited, self.unsuited),
            (Status::Blind, self.blind),
        ];
        counts.iter().any(|(status, slices)| status.is_failure() && *slices > 0)
    }
}
