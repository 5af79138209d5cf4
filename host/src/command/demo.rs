//! `wardflow demo`: a synthetic hospital, analysed.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wardflow::{
    config::{Config, FILE},
    error::{Error, Result},
    synthetic,
};
use wardflow_datasets::{Hospital, Incident, Options, Variant};

use super::{
    Outcome, analyze, connect, init,
    interrupt::{STOPPING, stop_on_interrupt},
    sql,
};
use crate::{
    args::{Analyze, Demo},
    print::{Look, Printer, Progress, Task, count},
};

/// What was done.
#[derive(Debug, Serialize)]
struct Report {
    workspace: PathBuf,
    flows: u64,
    analysis: analyze::Report,
}

/// What to ask for where nothing must go wrong.
const NO_INCIDENT: &str = "none";

/// Whose findings, and how bad.
const BY_DEVICE: &str = "\
SELECT device_id, device_class,
       count(*) FILTER (WHERE severity = 'critical') AS critical,
       count(*) FILTER (WHERE severity = 'high') AS high,
       count(*) FILTER (WHERE severity = 'medium') AS medium,
       count(*) FILTER (WHERE severity IN ('low', 'informational')) AS low
FROM findings
GROUP BY device_id, device_class
ORDER BY max(severity_id) DESC, count(*) DESC, device_id
LIMIT 20";

/// Queries worth trying: what they answer, and how it is asked.
const QUERIES: [(&str, &str); 3] = [
    (
        "What was found, worst first?",
        "SELECT severity, device_id, title, peer_ip, peer_port, first_seen, flow_count
FROM findings
ORDER BY severity_id DESC, score DESC, finding_id
LIMIT 10",
    ),
    (
        "Which devices send most to the outside?",
        "SELECT src_ip, dst_name, dst_ip, dst_port, count(*) AS flows, sum(src_bytes) AS bytes
FROM flows
WHERE ip_scope(src_ip) = 'internal' AND ip_scope(dst_ip) = 'external'
GROUP BY src_ip, dst_name, dst_ip, dst_port
ORDER BY bytes DESC, src_ip, dst_ip
LIMIT 10",
    ),
    (
        "What was covered, and what was not?",
        "SELECT coalesce(plugin, fault) AS plugin, status, count(*) AS slices, sum(flows) AS flows, max(devices) AS devices
FROM coverage
WHERE device_id IS NULL
GROUP BY 1, 2
ORDER BY 1, 2",
    ),
];

/// Makes a workspace, fills it with a synthetic hospital, analyses it, and shows what was found.
///
/// # Errors
/// There is a workspace already, an option is out of range, or something cannot be written.
pub(super) async fn run(dir: &Path, args: Demo, printer: &Printer) -> Result<Outcome> {
    let hospital = hospital(&args)?;
    if init::is_workspace(dir) {
        let shown = dir.display();
        return Err(init::there_already(dir).remedy(format!(
            "name another directory, or remove this one to begin anew; `wardflow -C {shown} analyze` goes on with it"
        )));
    }
    init::prepare(dir)?;
    let text = synthetic::config(&hospital);
    let config = Config::parse(&dir.join(FILE), &text, dir)?;
    let stop = stop_on_interrupt(printer, STOPPING)?;
    printer.note(&format!(
        "writing a synthetic hospital of about {} flows to {}",
        count(hospital.expected_flows()),
        dir.display()
    ));
    let flows = {
        let progress = Progress::new(printer, Task { name: "write", unit: "flows" });
        let told = |written: u64| progress.at(written, written.max(hospital.expected_flows()), written);
        synthetic::write(&config, &hospital, &stop, &told).await?
    };
    if stop.is_stopped() {
        printer.line(Look::Bad, "Stopped before the flows were written: the same command begins anew.")?;
        return Ok(Outcome::Interrupted);
    }
    // Until now it was no workspace, so that the command can be given again whatever ended it.
    init::settle(dir, &text)?;
    let analysis = {
        let progress = Progress::new(printer, Task { name: "analyze", unit: "slices" });
        connect::analyze(&config, &Analyze::default(), &stop, printer, &progress).await?
    };
    let outcome = analysis.outcome();
    let report = Report { workspace: dir.to_owned(), flows, analysis };
    if printer.json {
        printer.object(&report)?;
        return Ok(outcome);
    }
    let (context, _) = connect::context(&config, None, printer).await?;
    printer.line(Look::Heading, "Findings by device and severity, the worst twenty devices")?;
    printer.batches(&sql::query(&context, BY_DEVICE).await?)?;
    for (question, query) in QUERIES {
        printer.line(Look::Plain, "")?;
        printer.line(Look::Heading, question)?;
        format!("{query};").lines().try_for_each(|line| printer.line(Look::Plain, line))?;
        printer.batches(&sql::query(&context, query).await?)?;
    }
    printer.line(Look::Plain, "")?;
    printer.line(Look::Heading, "The run")?;
    analyze::show(&report.analysis, printer)?;
    printer.note("");
    printer.note(&format!("Ask on: wardflow -C {} sql", dir.display()));
    Ok(outcome)
}

/// The hospital that was asked for.
///
/// # Errors
/// An option is out of range, or no incident or variant has such a name.
fn hospital(args: &Demo) -> Result<Hospital> {
    let usage = |error: wardflow_datasets::Error| Error::usage(error.to_string());
    let defaults = Options::default();
    let named = args.incident.iter().filter(|name| *name != NO_INCIDENT);
    let incidents = named.map(|name| name.parse::<Incident>()).collect::<Result<Vec<_>, _>>();
    Hospital::new(Options {
        devices: args.devices.unwrap_or(defaults.devices),
        days: args.days.unwrap_or(defaults.days),
        seed: args.seed,
        flows: args.flows,
        incidents: match incidents.map_err(usage)? {
            named if named.is_empty() && args.incident.is_empty() => defaults.incidents,
            named => named,
        },
        variant: args.variant.parse::<Variant>().map_err(usage)?,
        ..defaults
    })
    .map_err(usage)
}
