//! `wardflow analyze`: runs the plugins, and says what was covered.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;
use wardflow::{
    archive::{Lacking, RowCounts},
    config::Config,
    coverage::Status,
    error::{Error, Result},
};

use super::{
    NAMED, Outcome, connect,
    interrupt::{STOPPING, stop_on_interrupt},
    mapped,
};
use crate::{
    args::Analyze,
    print::{Look, Printer, Progress, Task, count, counted, rate},
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
        return Err(Error::usage(format!("--from {from} is not before --to {to}")));
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

    /// What was covered, in one line, and what was not.
    fn verdict(&self) -> String {
        if self.interrupted {
            let (slices, planned) = (self.slices, self.planned);
            if planned == 0 {
                return "Stopped before the first slice: `wardflow analyze` begins there.".to_owned();
            }
            return format!(
                "Stopped after {slices} of {}: `wardflow analyze` goes on from there.",
                counted(planned, "slice")
            );
        }
        let lacking: Vec<_> = self.plugins.iter().filter(|plugin| plugin.is_lacking()).collect();
        if !lacking.is_empty() {
            let each: Vec<_> = lacking.iter().map(|plugin| plugin.lack()).collect();
            let see = if lacking.iter().all(|plugin| plugin.is_kept_out) {
                ". See: wardflow plugin list"
            } else if lacking.iter().any(|plugin| plugin.faulted + plugin.not_run > 0) {
                ". See: SELECT * FROM coverage WHERE status IN ('faulted', 'not_run')"
            } else {
                ""
            };
            return format!("Not everything was covered: {}{see}", each.join("; "));
        }
        let left_out = self.left_out.iter().map(|left_out| (&left_out.file, left_out.reason.as_ref()));
        let broken = self.broken_files.iter().map(|(file, reason)| (file, Some(reason)));
        let unread: Vec<_> = broken.chain(left_out).collect();
        if let [(path, reason), ..] = unread.as_slice() {
            let files = counted(unread.len() as u64, "file");
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            return format!("Not everything was covered: {files} of the archive cannot be read, first {path}{reason}");
        }
        let unwatched = self.devices_without_plugin;
        let mut but = Vec::new();
        if self.blind > 0 {
            but.push(format!("{} in which sensors were down or lossy", counted(self.blind, "slice")));
        }
        if self.unsuited > 0 {
            but.push(format!("{} whose records lack what a plugin needs", counted(self.unsuited, "slice")));
        }
        let no_flows = mapped::no_flows(&self.rows);
        if no_flows > 0 {
            but.push(format!("{} that cannot be read as flows", counted(no_flows, "row")));
        }
        if self.lacking.flows() > 0 {
            but.push(format!("{} that the archive lacks", counted(self.lacking.flows(), "flow")));
        }
        if unwatched > 0 {
            but.push(format!("{} that no plugin watches", counted(unwatched, "device")));
        }
        if self.flows_without_device > 0 {
            but.push(format!("{} {NO_INTERNAL_END}", counted(self.flows_without_device, "flow")));
        }
        let is_idle = |plugin: &&PluginCoverage| {
            self.planned > 0 && plugin.devices == 0 && plugin.complete > 0 && plugin.unsuited == 0
        };
        let idle: Vec<_> = self.plugins.iter().filter(is_idle).map(|plugin| plugin.plugin.as_str()).collect();
        if !idle.is_empty() {
            but.push(format!("{}, in whose scope no device is", idle.join(", ")));
        }
        match (self.planned, but.as_slice()) {
            (1.., _) if self.flows > 0 && self.flows_without_device >= self.flows => {
                format!("Nothing was analysed: there are only {} {NO_INTERNAL_END}", counted(self.flows, "flow"))
            }
            (0, _) if self.is_empty => "There is nothing to analyse yet: `wardflow ingest` brings in flows.".to_owned(),
            (0, _) if self.outdated > 0 => {
                format!("Nothing is new since the last run, but {} {OUTDATED}.", counted(self.outdated, "slice"))
            }
            (0, _) => "Nothing is new since the last run.".to_owned(),
            (_, []) => "Everything was covered.".to_owned(),
            (_, but) => format!("Everything that could be was covered; not so {}.", but.join(", and ")),
        }
    }
}

/// Of slices whose results the present configuration would perhaps not give.
pub(super) const OUTDATED: &str = "analysed with other bytes of a plugin, another configuration or another device list: \
                                   `wardflow analyze --rerun` does them again";

/// Of flows without a device. A few are ordinary: a device that asks for its first address has none.
pub(super) const NO_INTERNAL_END: &str =
    "with no internal end (`internal` in wardflow.toml says which addresses are yours)";

/// Of findings that `findings` does not show.
pub(super) fn excepted_note(excepted: u64) -> String {
    format!("Exceptions hide {}, which excepted_findings has: `wardflow except list`", counted(excepted, "finding"))
}

/// Of flows that were ingested and are not there any more, and of sources of which that cannot be told.
pub(super) fn lacking_notes(lacking: &Lacking) -> Vec<String> {
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

    fn lack(&self) -> String {
        let mut parts = Vec::new();
        if self.is_kept_out {
            parts.push("was kept out".to_owned());
        }
        if self.faulted > 0 {
            parts.push(format!("lost {} in {}", counted(self.devices_lost, "device"), counted(self.faulted, "slice")));
        }
        if self.stale > 0 {
            let slices = counted(self.stale, "slice");
            parts.push(format!(
                "has {slices} that flows came late to, or went from, which `wardflow analyze --rerun` does again"
            ));
        }
        if self.not_run > 0 {
            parts.push(format!("did not run in {}", counted(self.not_run, "slice")));
        }
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{} {}{reason}", self.plugin, parts.join(" and "))
    }
}

/// Shows what a run did, its verdict last.
pub(super) fn show(report: &Report, printer: &Printer) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::{LeftOut, Outcome, PluginCoverage, Report};

    fn check(report: Report, outcome: Outcome, verdict: &str) {
        assert_eq!((report.outcome(), report.verdict().as_str()), (outcome, verdict));
    }

    fn report(plugin: PluginCoverage) -> Report {
        let plugin = PluginCoverage { plugin: "acme/pump".into(), complete: 3, devices: 1, ..plugin };
        Report { slices: 4, planned: 4, plugins: vec![plugin], ..Report::default() }
    }

    #[test]
    fn says_what_was_not_covered() {
        check(Report::default(), Outcome::Done, "Nothing is new since the last run.");
        check(report(PluginCoverage::default()), Outcome::Done, "Everything was covered.");
        check(
            Report { unsuited: 1, ..report(PluginCoverage { unsuited: 1, ..PluginCoverage::default() }) },
            Outcome::Done,
            "Everything that could be was covered; not so 1 slice whose records lack what a plugin needs.",
        );
        let blind = || PluginCoverage { blind: 4, ..PluginCoverage::default() };
        check(
            Report { blind: 4, plugins: vec![blind(), blind(), blind()], ..report(blind()) },
            Outcome::Done,
            "Everything that could be was covered; not so 4 slices in which sensors were down or lossy.",
        );
        check(
            report(PluginCoverage {
                faulted: 1,
                devices_lost: 2,
                reason: Some("observe: trap".into()),
                ..PluginCoverage::default()
            }),
            Outcome::Incomplete,
            "Not everything was covered: acme/pump lost 2 devices in 1 slice (observe: trap). See: SELECT * FROM \
             coverage WHERE status IN ('faulted', 'not_run')",
        );
        let left_out =
            |reason: Option<&str>| LeftOut { file: "a.parquet".into(), reason: reason.map(Into::into), slices: 1 };
        let cannot = "Not everything was covered: 1 file of the archive cannot be read, first a.parquet";
        let plugin = report(PluginCoverage::default());
        check(
            Report { left_out: vec![left_out(Some("no page"))], ..plugin },
            Outcome::Incomplete,
            &format!("{cannot}: no page"),
        );
        check(Report { left_out: vec![left_out(None)], ..Report::default() }, Outcome::Incomplete, cannot);
        check(
            Report { interrupted: true, slices: 2, planned: 9, ..Report::default() },
            Outcome::Interrupted,
            "Stopped after 2 of 9 slices: `wardflow analyze` goes on from there.",
        );
    }
}
