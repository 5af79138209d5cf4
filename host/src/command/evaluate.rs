//! `wardflow evaluate`: what was found, beside what really happened.

use wardflow::{
    config::Config,
    error::Result,
    evaluate::{
        Asked, Contribution, DeviceHours, FalseFinding, FalseGroups, Interval, Report, Scenario, Share, evaluate,
    },
};

use super::{Outcome, connect, interrupt::abandon_when_interrupted};
use crate::{
    args::{By, Evaluate},
    print::{Look, Printer, count, counted},
};

/// Compares findings with the truth, and shows how they do.
///
/// # Errors
/// The truth cannot be read or is of another archive, or nothing was analysed.
pub(super) async fn run(config: &Config, args: Evaluate, printer: &Printer) -> Result<Outcome> {
    let (workspace, context) = connect::workspace_and_context(config, None, printer).await?;
    let asked = Asked { learning_hours: args.learning, least: args.severity };
    let truth = args.truth.clone();
    let work = async move { evaluate(&workspace, &context, &truth, asked).await };
    let Some(report) = abandon_when_interrupted(work).await? else { return Ok(Outcome::Interrupted) };
    let report = report?;
    if printer.json {
        printer.object(&report)?;
        return Ok(Outcome::Done);
    }
    show(&report, printer)?;
    match args.by {
        By::Scenario => scenarios(&report.by_scenario, printer)?,
        By::Detector => detectors(&report.by_detector, printer)?,
        By::Device => devices(&report.by_device, printer)?,
        By::Finding => findings(&report.false_findings, printer)?,
    }
    Ok(Outcome::Done)
}

fn show(report: &Report, printer: &Printer) -> Result<()> {
    printer.line(
        Look::Plain,
        &format!(
            "From {} to {}, without {:.0} h of learning before: {:.1} device-days. Findings of severity {} and above.",
            report.from, report.to, report.learning_hours, report.device_days, report.least_severity
        ),
    )?;
    if report.incomplete_slices > 0 {
        let (incomplete, slices) = (count(report.incomplete_slices), count(report.slices));
        let line = format!("Of {slices} slices of plugins {incomplete} were not analysed completely: see coverage.");
        printer.line(Look::Bad, &line)?;
    }
    if let Some(labels) = report.labels.filter(|labels| labels.missing > 0) {
        let (missing, all) = (count(labels.missing), count(labels.connections));
        printer.line(Look::Bad, &format!("Of {all} labelled connections {missing} are not in the archive."))?;
    }
    if let Some(labels) = report.labels.filter(|labels| labels.foreign > 0) {
        let foreign = counted(labels.foreign, "connection");
        let line = format!(
            "{foreign} labelled as harmful have no internal end, and are left out: `internal` in wardflow.toml says which addresses are yours."
        );
        printer.line(Look::Bad, &line)?;
    }
    if !report.outside.is_empty() {
        let outside = counted(report.outside.len() as u64, "incident");
        let names = report.outside.join(", ");
        printer.line(Look::Plain, &format!("Left out: {outside} outside of that time: {names}."))?;
    }
    let delay = report.median_delay.map_or_else(|| "-".to_owned(), |delay| format!("{:.1} h", delay / 3_600.0));
    printer.grid(
        &["what", "value", "95 %", "of"],
        &[
            share("incidents found", &report.incidents),
            share("of these, no false one is worse", &report.first),
            share("findings that tell of one", &report.precision),
            share("device-hours: precision", &report.hours_precision),
            share("device-hours: recall", &report.hours_recall),
            vec!["median time to the end of the slice".to_owned(), delay, String::new(), String::new()],
        ],
    )?;
    printer.line(Look::Heading, "Groups of findings that tell of no incident")?;
    let row = |groups: &FalseGroups| {
        vec![
            format!("{} and above", groups.severity),
            count(groups.groups),
            groups.per_device_day.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.5}")),
            groups.interval.map(|Interval { low, high }| format!("{low:.5} to {high:.5}")).unwrap_or_default(),
            groups.per_day_at_8000.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")),
        ]
    };
    let counted = report.false_groups.iter().filter(|groups| groups.groups > 0 || groups.severity == "medium");
    printer.grid(
        &["severity", "groups", "a device and day", "95 %", "a day, 8,000 devices"],
        &counted.map(row).collect::<Vec<_>>(),
    )
}

fn share(what: &str, share: &Share) -> Vec<String> {
    vec![
        what.to_owned(),
        share.share.map_or_else(|| "-".to_owned(), |share| format!("{share:.3}")),
        share.interval.map(|Interval { low, high }| format!("{low:.3} to {high:.3}")).unwrap_or_default(),
        format!("{} of {}", count(share.hits), count(share.of)),
    ]
}

fn scenarios(scenarios: &[Scenario], printer: &Printer) -> Result<()> {
    printer.line(Look::Heading, "Incidents")?;
    let row = |scenario: &Scenario| {
        vec![
            scenario.incident.clone(),
            few(&scenario.devices),
            match scenario.found_by.as_slice() {
                [] if scenario.began_while_learning => "missed: it began while plugins learned".to_owned(),
                [] => "missed".to_owned(),
                kinds => few(kinds),
            },
            scenario.severity.unwrap_or_default().to_owned(),
            scenario.score.map(|score| format!("{score:.2}")).unwrap_or_default(),
            if scenario.is_first { "yes" } else { "" }.to_owned(),
            scenario.delay.map(|delay| format!("{:.1} h", delay / 3_600.0)).unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = scenarios.iter().map(row).collect();
    printer.grid(&["incident", "devices", "found by", "severity", "score", "first", "after"], &rows)
}

/// The first of some texts, and how many more there are.
fn few(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [only] => only.clone(),
        [first, second] => format!("{first}, {second}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

fn detectors(detectors: &[Contribution], printer: &Printer) -> Result<()> {
    printer.line(Look::Heading, "Plugins")?;
    let row = |of: &Contribution| {
        let numbers = [of.incidents, of.alone, of.right, of.wrong, of.wrong_groups_of_medium];
        std::iter::once(of.plugin.clone()).chain(numbers.map(count)).collect()
    };
    let rows: Vec<_> = detectors.iter().map(row).collect();
    printer
        .grid(&["plugin", "incidents", "only it", "findings right", "wrong", "wrong groups, medium and above"], &rows)
}

fn findings(findings: &[FalseFinding], printer: &Printer) -> Result<()> {
    printer.line(Look::Heading, "Findings that tell of no incident")?;
    let row = |of: &FalseFinding| {
        let texts = [&of.finding_id, &of.device_id, &of.plugin, &of.kind].map(String::clone);
        texts.into_iter().chain([of.severity.to_owned(), format!("{:.2}", of.score)]).collect()
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    printer.grid(&["finding", "device", "plugin", "kind", "severity", "score"], &rows)
}

fn devices(devices: &[DeviceHours], printer: &Printer) -> Result<()> {
    printer.line(Look::Heading, "Hours of devices")?;
    let row = |of: &DeviceHours| vec![of.device_id.clone(), count(of.found), count(of.missed), count(of.wrong)];
    let rows: Vec<_> = devices.iter().map(row).collect();
    printer.grid(&["device", "found", "missed", "wrong"], &rows)
}
