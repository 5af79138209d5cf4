//! `wardflow status`: what there is, what was analysed, and what was not.

use jiff::Timestamp;
use serde::Serialize;
use wardflow::{config::Config, error::Result};

use super::{Outcome, connect};
use crate::print::{Look, Printer, count, counted, size};

/// How a workspace stands.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) archive: Archive,
    pub(super) inventory: Option<Inventory>,
    pub(super) plugins: Vec<Plugin>,
    pub(super) last_run: Option<Run>,
    /// Slices of all plugins by status, such as `complete`.
    pub(super) coverage: Vec<(String, u64)>,
    /// Devices that are in no plugin's scope.
    pub(super) devices_without_plugin: u64,
}

/// What the archive holds.
#[derive(Debug, Serialize)]
pub(super) struct Archive {
    pub(super) place: String,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) flows: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// Slices with flows.
    pub(super) slices: u64,
    /// Files that cannot be used, and why.
    pub(super) broken: Vec<(String, String)>,
}

/// The device list.
#[derive(Debug, Serialize)]
pub(super) struct Inventory {
    pub(super) place: String,
    pub(super) devices: u64,
}

/// How far a plugin is.
#[derive(Debug, Serialize)]
pub(super) struct Plugin {
    pub(super) id: String,
    pub(super) version: String,
    /// As `wardflow plugin list` has it.
    pub(super) status: String,
    /// End of the last slice that was analysed.
    pub(super) analysed_to: Option<Timestamp>,
    /// Slices that are new or changed.
    pub(super) pending: u64,
    /// Slices that changed and that no kept state reaches back to: `--rerun` does them.
    pub(super) stale: u64,
    /// Slices that were analysed with other bytes of the plugin, under another configuration or with another device list.
    pub(super) outdated: u64,
}

/// The last run.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) run_id: String,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) status: String,
    pub(super) slices: u64,
    pub(super) flows: u64,
    pub(super) findings: u64,
}

/// Shows how a workspace stands.
///
/// # Errors
/// The archive or the lake cannot be read.
pub(super) async fn run(config: &Config, printer: &Printer) -> Result<Outcome> {
    let report = connect::status(config).await?;
    if printer.json { printer.object(&report) } else { show(&report, printer) }?;
    Ok(Outcome::Done)
}

fn show(report: &Report, printer: &Printer) -> Result<()> {
    let plain = |text: String| printer.line(Look::Plain, &text);
    let Archive { place, files, bytes, flows, first, last, slices, broken } = &report.archive;
    printer.line(Look::Heading, &format!("Archive {place}"))?;
    match (first, last) {
        (Some(first), Some(last)) => plain(format!(
            "  {} from {} to {}, {}, {} of {}",
            counted(*flows, "flow"),
            minute(*first),
            minute(*last),
            counted(*slices, "slice"),
            counted(*files, "file"),
            size(*bytes)
        ))?,
        _ => plain("  empty: `wardflow ingest zeek` brings in flows".to_owned())?,
    }
    for (file, reason) in broken {
        printer.line(Look::Bad, &format!("  {file} cannot be used: {reason}"))?;
    }
    match &report.inventory {
        Some(Inventory { place, devices }) => {
            printer.line(Look::Heading, &format!("Inventory {place}"))?;
            plain(format!("  {}", counted(*devices, "device")))?;
        }
        None => plain("No inventory: every internal address is a device of class unknown".to_owned())?,
    }
    printer.line(Look::Heading, "Plugins")?;
    let row = |plugin: &Plugin| {
        let to = plugin.analysed_to.map_or_else(|| "-".to_owned(), minute);
        let numbers = [plugin.pending, plugin.stale].map(count);
        let words = [plugin.id.clone(), plugin.version.clone(), plugin.status.clone(), to];
        words.into_iter().chain(numbers).collect()
    };
    let rows: Vec<Vec<String>> = report.plugins.iter().map(row).collect();
    printer.grid(&["plugin", "version", "status", "analysed to", "pending", "stale"], &rows)?;
    if let Some(Run { run_id, started, ended, status, slices, flows, findings }) = &report.last_run {
        printer.line(Look::Heading, &format!("Last run {run_id}"))?;
        let ended = ended.map_or_else(|| "not ended".to_owned(), |ended| format!("ended {}", minute(ended)));
        plain(format!(
            "  {status}, began {}, {ended}, {}, {}, {}",
            minute(*started),
            counted(*slices, "slice"),
            counted(*flows, "flow"),
            counted(*findings, "finding")
        ))?;
    }
    if !report.coverage.is_empty() {
        let parts: Vec<_> = report.coverage.iter().map(|(status, n)| format!("{} {status}", count(*n))).collect();
        printer.line(Look::Heading, "Coverage, in slices of all plugins")?;
        plain(format!("  {}", parts.join(", ")))?;
    }
    if report.devices_without_plugin > 0 {
        plain(format!("  {} that no plugin watches", counted(report.devices_without_plugin, "device")))?;
    }
    let pending: u64 = report.plugins.iter().map(|plugin| plugin.pending).sum();
    let stale: u64 = report.plugins.iter().map(|plugin| plugin.stale).sum();
    if report.archive.flows == 0 {
        return printer.line(Look::Plain, "There is nothing to analyse yet: `wardflow ingest` brings in flows.");
    }
    let lacking = |status: &str| matches!(status, "faulted" | "not_run");
    if pending == 0 && report.coverage.iter().any(|(status, _)| lacking(status)) {
        return printer.line(
            Look::Bad,
            "Not everything was covered: SELECT * FROM coverage WHERE status IN ('faulted', 'not_run')",
        );
    }
    let outdated: u64 = report.plugins.iter().map(|plugin| plugin.outdated).sum();
    if outdated > 0 {
        printer.line(Look::Plain, &super::analyze::outdated(outdated))?;
    }
    match (pending - stale, stale) {
        (0, 0) => printer.line(Look::Good, "Everything was analysed."),
        (_, 0) => printer.line(Look::Bad, "Not everything was analysed: `wardflow analyze` does what is pending."),
        (0, _) => printer.line(Look::Bad, "Some slices went stale: `wardflow analyze --rerun` does them again."),
        _ => printer.line(
            Look::Bad,
            "Not everything was analysed: `wardflow analyze` does what is pending, `--rerun` also what went stale.",
        ),
    }
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}
