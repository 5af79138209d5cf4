//! `wardflow status`: what there is, what was analysed, and what was not.

use jiff::Timestamp;
use serde::Serialize;
use wardflow::{
    archive::{Lacking, RowCounts},
    config::Config,
    error::Result,
};

use super::{NAMED, Outcome, analyze, connect, mapped};
use crate::print::{Look, Printer, count, counted, size};

/// How a workspace stands.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) archive: Archive,
    pub(super) inventory: Option<Inventory>,
    pub(super) plugins: Vec<Plugin>,
    /// Ids that have settings in wardflow.toml and are no plugin's.
    pub(super) settings_of_nobody: Vec<String>,
    pub(super) last_run: Option<Run>,
    /// Tables of results that are gone, each with what can be done.
    pub(super) lost_tables: Vec<String>,
    /// How often a plugin's slice has each status, such as `complete`.
    pub(super) coverage: Vec<(String, u64)>,
    pub(super) slices_open: SlicesOpen,
    /// Findings that exceptions hide.
    pub(super) excepted: u64,
    /// Devices that are in no plugin's scope.
    pub(super) devices_without_plugin: u64,
    /// Devices whose records lack what a plugin needs.
    pub(super) devices_unsuited: u64,
    /// Flows of which neither end is internal.
    pub(super) flows_without_device: u64,
}

/// What the archive holds.
#[derive(Debug, Serialize)]
pub(super) struct Archive {
    pub(super) place: String,
    /// Whether its files are another program's, read through a mapping.
    pub(super) is_mapped: bool,
    /// Whether its rows are parts, which are joined where they are analysed.
    pub(super) is_joined: bool,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) flows: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// Slices with flows.
    pub(super) slices: u64,
    /// What the rows of another program's files are, as far as they were analysed.
    pub(super) rows: Vec<RowCounts>,
    /// Files that cannot be used, and why.
    pub(super) broken: Vec<(String, String)>,
    /// Sources that were taken out to be read anew, and were not.
    pub(super) taken_out: Vec<String>,
    /// What was ingested and is not there any more.
    pub(super) lacking: Lacking,
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
    /// Why it will not run, if it will not.
    pub(super) kept_out: Option<String>,
    /// Whether it ran and never met a device of its scope.
    pub(super) is_idle: bool,
    /// End of the last slice that was analysed.
    pub(super) analysed_to: Option<Timestamp>,
    /// Slices that are new or changed.
    pub(super) pending: u64,
    /// Slices that changed and that no kept state reaches back to: `--rerun` does them.
    pub(super) stale: u64,
    /// Slices that were analysed with other bytes of the plugin, under another configuration, with another device list or before a
    /// baseline was reset.
    pub(super) outdated: u64,
}

/// Slices of which something is open for some plugin, each counted once however many plugins it is open for.
#[derive(Debug, Default, Serialize)]
pub(super) struct SlicesOpen {
    /// New or changed.
    pub(super) pending: u64,
    /// After those, and done again with them.
    pub(super) again: u64,
    /// Changed, and only `--rerun` reaches them.
    pub(super) stale: u64,
    /// Analysed with other bytes of a plugin, under another configuration, with another device list or before a baseline was
    /// reset.
    pub(super) outdated: u64,
    /// Analysed without files that cannot be read.
    pub(super) lacking: u64,
    pub(super) faulted: u64,
    pub(super) not_run: u64,
    pub(super) unsuited: u64,
    pub(super) blind: u64,
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
    let report = connect::status(config, printer).await?;
    if printer.json { printer.object(&report) } else { show(&report, printer) }?;
    Ok(Outcome::Done)
}

fn show(report: &Report, printer: &Printer) -> Result<()> {
    let plain = |text: String| printer.line(Look::Plain, &text);
    let Archive { place, is_mapped, is_joined, files, bytes, flows, first, last, slices, rows, broken, .. } =
        &report.archive;
    printer.line(Look::Heading, &format!("Archive {place}"))?;
    match (first, last) {
        (Some(first), Some(last)) => plain(format!(
            "  {} from {} to {}, {}, {} of {}",
            counted(*flows, if *is_mapped { "row" } else { "flow" }),
            minute(*first),
            minute(*last),
            counted(*slices, "slice"),
            counted(*files, "file"),
            size(*bytes)
        ))?,
        _ if *is_mapped => plain("  empty: no Parquet file with flows in it lies there".to_owned())?,
        _ => plain("  empty: `wardflow ingest zeek` brings in flows".to_owned())?,
    }
    let joined = is_joined.then(|| mapped::JOINED_NOTE.to_owned());
    for note in joined.into_iter().chain(mapped::one_sided_note(rows)) {
        plain(format!("  {note}"))?;
    }
    if report.archive.lacking.put_aside > 0 {
        let files = counted(report.archive.lacking.put_aside, "damaged file");
        plain(format!(
            "  {files} put aside in _wardflow/damaged: delete them once `wardflow archive check` finds all well"
        ))?;
    }
    for (file, reason) in broken.iter().take(NAMED) {
        printer.line(Look::Bad, &format!("  {file} cannot be used: {reason}"))?;
    }
    if broken.len() > NAMED {
        let others = counted((broken.len() - NAMED) as u64, "other");
        printer.line(Look::Bad, &format!("  {others} cannot be used: --json says why"))?;
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
        let numbers = [plugin.pending, plugin.stale, plugin.outdated].map(count);
        let words = [plugin.id.clone(), plugin.version.clone(), plugin.status.clone(), to];
        words.into_iter().chain(numbers).collect()
    };
    let rows: Vec<Vec<String>> = report.plugins.iter().map(row).collect();
    printer.grid(&["plugin", "version", "status", "analysed to", "pending", "stale", "outdated"], &rows)?;
    if let Some(Run { run_id, started, ended, status, slices, flows, findings }) = &report.last_run {
        printer.line(Look::Heading, &format!("Last run {run_id}"))?;
        let ended =
            ended.map_or_else(|| "goes on or was killed".to_owned(), |ended| format!("ended {}", minute(ended)));
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
        printer.line(Look::Heading, "Coverage, a plugin and slice each")?;
        plain(format!("  {}", parts.join(", ")))?;
    }
    if report.excepted > 0 {
        printer.line(Look::Plain, &analyze::excepted_note(report.excepted))?;
    }
    if report.archive.flows == 0 && report.archive.taken_out.is_empty() {
        let remedy = if report.archive.is_mapped { "." } else { ": `wardflow ingest` brings in flows." };
        return printer.line(Look::Plain, &format!("There is nothing to analyse yet{remedy}"));
    }
    let open = report.open();
    if open.is_empty() {
        return printer.line(Look::Good, "Everything was analysed.");
    }
    printer.line(Look::Heading, "Open")?;
    for (look, text) in open {
        printer.line(look, &format!("  {text}"))?;
    }
    Ok(())
}

impl Report {
    /// What nobody looked at, or not as things stand now, and what can be done: those first that should not be so.
    fn open(&self) -> Vec<(Look, String)> {
        let slices = &self.slices_open;
        let mut open = Vec::new();
        let mut say = |look, number: u64, thing: &str, text: &str| {
            if number > 0 {
                open.push((look, format!("{} {text}", counted(number, thing))));
            }
        };
        let (bad, plain) = (Look::Bad, Look::Plain);
        say(bad, slices.pending, "slice", "pending: `wardflow analyze` does them");
        say(
            plain,
            slices.again,
            "slice",
            "after those that `wardflow analyze` does again: learning goes from slice to slice",
        );
        let changed = "changed after they were analysed: `wardflow analyze --rerun` does them again";
        say(bad, slices.stale, "slice", changed);
        let see = "SELECT plugin, slice_start, device_id, fault FROM coverage WHERE status = ";
        say(bad, slices.faulted, "slice", &format!("in which a plugin lost devices: {see}'faulted'"));
        say(bad, slices.not_run, "slice", &format!("in which a plugin did not run: {see}'not_run'"));
        let without =
            "analysed without files that cannot be read: `wardflow archive check` tells which, and what to do";
        say(bad, slices.lacking, "slice", without);
        say(plain, slices.outdated, "slice", analyze::OUTDATED);
        say(plain, slices.blind.saturating_sub(slices.lacking), "slice", "in which sensors were down or lossy");
        say(plain, slices.unsuited, "slice", "whose records lack what a plugin needs");
        let lack = format!("whose records lack what a plugin needs: {see}'unsuited' AND device_id IS NOT NULL");
        say(plain, self.devices_unsuited, "device", &lack);
        say(plain, self.devices_without_plugin, "device", "that no plugin watches");
        say(plain, self.flows_without_device, "flow", analyze::NO_INTERNAL_END);
        open.extend(mapped::no_flows_note(&self.archive.rows).map(|note| (bad, note)));
        for source in &self.archive.taken_out {
            open.push((
                bad,
                format!("what {source} had given was taken out: `wardflow archive check` says how to have it back"),
            ));
        }
        let lacking = analyze::lacking_notes(&self.archive.lacking);
        open.extend(lacking.into_iter().chain(self.lost_tables.clone()).map(|note| (bad, note)));
        let broken = self.archive.broken.len() as u64;
        if broken > 0 {
            open.push((bad, format!("{} of the archive cannot be used: see above", counted(broken, "file"))));
        }
        let can_run = |plugin: &Plugin| plugin.kept_out.is_none() && plugin.status != "disabled";
        if !self.plugins.iter().any(can_run) {
            open.insert(
                0,
                (bad, "no plugin can run, so what is new stays unlooked at: see `wardflow plugin list`".to_owned()),
            );
        }
        for plugin in &self.plugins {
            if let Some(reason) = &plugin.kept_out {
                open.insert(0, (bad, format!("{} is kept out: {reason}", plugin.id)));
            } else if plugin.status == "disabled" {
                open.push((plain, format!("{} is disabled in wardflow.toml", plugin.id)));
            } else if plugin.is_idle {
                open.push((plain, format!("{} has no device in its scope", plugin.id)));
            }
        }
        for id in &self.settings_of_nobody {
            open.push((plain, format!("{id} has settings in wardflow.toml, and no plugin of that id is there")));
        }
        open
    }
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::{Archive, Lacking, Plugin, Report, SlicesOpen};

    fn plugin(id: &str) -> Plugin {
        Plugin {
            id: id.to_owned(),
            version: "1.0.0".to_owned(),
            status: "pinned".to_owned(),
            kept_out: None,
            is_idle: false,
            analysed_to: None,
            pending: 0,
            stale: 0,
            outdated: 0,
        }
    }

    fn check(plugin: Plugin, slices_open: SlicesOpen, flows_without_device: u64, expected: &[&str]) {
        let archive = Archive {
            place: "archive".to_owned(),
            is_mapped: false,
            is_joined: false,
            files: 1,
            bytes: 1,
            flows: 9,
            first: None,
            last: None,
            slices: 4,
            rows: Vec::new(),
            broken: Vec::new(),
            taken_out: Vec::new(),
            lacking: Lacking::default(),
        };
        let report = Report {
            archive,
            inventory: None,
            plugins: vec![plugin],
            settings_of_nobody: vec!["acme/gone".to_owned()],
            last_run: None,
            lost_tables: Vec::new(),
            coverage: Vec::new(),
            slices_open,
            excepted: 0,
            devices_without_plugin: 0,
            devices_unsuited: 0,
            flows_without_device,
        };
        let mut open = report.open();
        let (_, last) = open.pop().unwrap();
        assert_eq!(last, "acme/gone has settings in wardflow.toml, and no plugin of that id is there");
        assert_eq!(open.len(), expected.len(), "{:?}", open.iter().map(|(_, text)| text).collect::<Vec<_>>());
        for ((_, text), expected) in open.iter().zip(expected) {
            assert!(text.starts_with(expected), "{text:?} does not begin with {expected:?}");
        }
    }

    #[test]
    fn says_all_that_is_open() {
        let none = SlicesOpen::default;
        check(plugin("acme/pump"), none(), 0, &[]);
        check(
            plugin("acme/pump"),
            SlicesOpen { pending: 2, stale: 1, ..none() },
            0,
            &["2 slices pending", "1 slice changed after"],
        );
        check(plugin("acme/pump"), SlicesOpen { outdated: 4, ..none() }, 0, &["4 slices analysed with other"]);
        check(
            plugin("acme/pump"),
            SlicesOpen { faulted: 1, ..none() },
            2,
            &["1 slice in which a plugin lost", "2 flows"],
        );
        check(
            Plugin { kept_out: Some("not approved".into()), pending: 4, ..plugin("acme/pump") },
            SlicesOpen { not_run: 4, blind: 1, ..none() },
            0,
            &[
                "acme/pump is kept out: not approved",
                "no plugin can run",
                "4 slices in which a plugin did not run",
                "1 slice in which sensors",
            ],
        );
        check(
            Plugin { status: "disabled".into(), ..plugin("acme/pump") },
            none(),
            0,
            &["no plugin can run", "acme/pump is disabled"],
        );
        check(Plugin { is_idle: true, ..plugin("acme/pump") }, none(), 0, &["acme/pump has no device"]);
    }
}
