//! What a run covered, in one line.

use super::{PluginCoverage, Report};
use crate::{command::mapped, print::counted};

/// Of slices whose results the present configuration would perhaps not give.
pub(in crate::command) const OUTDATED: &str = "analysed with other bytes of a plugin, another configuration or another device \
                                               list, or before a baseline was reset: `wardflow analyze --rerun` does them again";

/// Of flows without a device. A few are ordinary: a device that asks for its first address has none.
pub(in crate::command) const NO_INTERNAL_END: &str =
    "with no internal end (`internal` in wardflow.toml says which addresses are yours)";

impl Report {
    /// What was covered, in one line, and what was not.
    pub(super) fn verdict(&self) -> String {
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

impl PluginCoverage {
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

#[cfg(test)]
mod tests {
    use crate::command::analyze::{LeftOut, Outcome, PluginCoverage, Report};

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
