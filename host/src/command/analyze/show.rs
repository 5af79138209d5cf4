//! What a run did, for a person.

use std::time::Duration;

use wardflow::{archive::Lacking, error::Result};

use super::{LeftOut, Outcome, PluginCoverage, Report};
use crate::{
    command::{NAMED, mapped},
    print::{Look, Printer, count, counted, rate},
};

/// Of findings that `findings` does not show.
pub(in crate::command) fn excepted_note(excepted: u64) -> String {
    format!("Exceptions hide {}, which excepted_findings has: `wardflow except list`", counted(excepted, "finding"))
}

/// Of flows that were ingested and are not there any more, and of sources of which that cannot be told.
pub(in crate::command) fn lacking_notes(lacking: &Lacking) -> Vec<String> {
    let mut notes = Vec::new();
    if let [first, ..] = lacking.sources.as_slice() {
        let (sources, flows) = (counted(lacking.sources.len() as u64, "source"), counted(lacking.flows(), "flow"));
        notes.push(format!(
            "{flows} of {sources} were ingested and are not there any more, first of {}: {CHECK}",
            first.name
        ));
    }
    if let [first, ..] = lacking.unreadable.as_slice() {
        let sources = counted(lacking.unreadable.len() as u64, "source");
        notes.push(format!(
            "what is noted of {sources} cannot be read, first {first}, so flows may be missing: {CHECK}"
        ));
    }
    notes
}

const CHECK: &str = "`wardflow archive check` says how to have them back";

impl LeftOut {
    fn note(&self) -> String {
        let (file, slices) = (&self.file, counted(self.slices, "slice"));
        let what = match &self.reason {
            Some(reason) => format!("{file} cannot be read: {reason}. It was left out of {slices}"),
            None => format!("{file} could not be read by an earlier run and is the same since. {slices} lack it"),
        };
        format!(
            "{what}, until it is put back from a copy, or `wardflow archive check --repair` moves it away and says what to \
             ingest again."
        )
    }
}

/// Shows what a run did, its verdict last.
pub(in crate::command) fn show(report: &Report, printer: &Printer) -> Result<()> {
    if report.planned > 0 {
        let row = |plugin: &PluginCoverage| {
            let numbers = [
                plugin.flows,
                plugin.findings,
                plugin.complete,
                plugin.faulted,
                plugin.not_run,
                plugin.unsuited,
                plugin.blind,
            ];
            let words = [plugin.plugin.clone(), plugin.version.clone()];
            words.into_iter().chain(numbers.map(count)).collect()
        };
        let rows: Vec<Vec<String>> = report.plugins.iter().map(row).collect();
        printer.grid(
            &["plugin", "version", "flows", "findings", "complete", "faulted", "not run", "unsuited", "blind"],
            &rows,
        )?;
    }
    if report.slices > 0 {
        let time = Duration::try_from_secs_f64(report.seconds).unwrap_or_default();
        let found: Vec<_> = report.findings.iter().map(|(severity, n)| format!("{} {severity}", count(*n))).collect();
        let found = match found.is_empty() {
            true => "no findings".to_owned(),
            false => format!("findings in this run: {}", found.join(", ")),
        };
        let slices = counted(report.slices, "slice");
        printer.line(
            Look::Plain,
            &format!(
                "{slices}, {} in {:.1} s, {}; {found}",
                counted(report.flows, "flow"),
                report.seconds,
                rate(report.flows, time)
            ),
        )?;
    }
    if report.excepted > 0 {
        printer.line(Look::Plain, &excepted_note(report.excepted))?;
    }
    for plugin in report.plugins.iter().filter(|plugin| plugin.devices_anew > 0) {
        let (devices, why) = (counted(plugin.devices_anew, "device"), plugin.anew.as_deref().unwrap_or_default());
        printer.line(
            Look::Bad,
            &format!(
                "{} knows nothing any more of {devices} ({why}). `wardflow analyze --rerun` lets it learn from all of the archive.",
                plugin.plugin
            ),
        )?;
    }
    for told in &report.damaged_states {
        printer.line(Look::Bad, &format!("{told}. The slices since then were analysed again."))?;
    }
    for note in lacking_notes(&report.lacking) {
        printer.line(Look::Bad, &note)?;
    }
    let broken = report.broken_files.iter();
    for (file, reason) in broken.take(NAMED) {
        printer.line(
            Look::Bad,
            &format!("{file} in the archive cannot be read: {reason}. Put it back before `--rerun`, or see `wardflow archive check`."),
        )?;
    }
    for left_out in report.left_out.iter().take(NAMED) {
        printer.line(Look::Bad, &left_out.note())?;
    }
    if report.left_out.len() > NAMED {
        let others = counted((report.left_out.len() - NAMED) as u64, "other file");
        printer.line(Look::Bad, &format!("{others} were left out too: --json names them"))?;
    }
    if let Some(note) = mapped::no_flows_note(&report.rows) {
        printer.line(Look::Bad, &note)?;
    }
    if let Some(note) = mapped::one_sided_note(&report.rows) {
        printer.line(Look::Plain, &note)?;
    }
    let look = if report.outcome() == Outcome::Done { Look::Good } else { Look::Bad };
    printer.line(look, &report.verdict())
}
