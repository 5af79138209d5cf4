//! Evaluation: what was found, beside what really happened.
//!
//! The truth is a table of incidents ([`read_truth`]) or the labels of a log ([`read_labelled`]). An *incident* is found if a
//! finding names a device that it befell, rests on flows in its time, and names no peer that was not in it. Findings that
//! tell of no incident are false; of those, groups count, since one cause on many devices is looked at once. The time in which
//! plugins learn is left out.
//!
//! It knows the lake's views and the device list, and neither detectors nor the archive's files.

mod bootstrap;
mod contribution;
mod device_hours;
mod false_groups;
mod found;
mod labels;
mod matching;
mod measure;
mod report;
mod truth;
mod window;

use std::{collections::BTreeMap, path::Path};

use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use wardflow_manifest::Severity;

pub use self::{
    bootstrap::Interval,
    labels::{Labelled, read_labelled},
    report::{Contribution, DeviceHours, FalseFinding, FalseGroups, Labels, Report, Scenario, Share},
    truth::{Incident, Part, read_truth},
};
use self::{found::Found, measure::Measured, window::Window};
use crate::{
    error::{Error, Result},
    time::HOUR,
    workspace::Workspace,
};

/// What is asked of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Hours from the beginning in which plugins learn; absent for as many as they ask for.
    pub learning_hours: Option<u32>,
    /// Severity from which findings count.
    pub least: Severity,
}

/// Compares a workspace's findings with the truth in a file: a table, or a labelled log.
///
/// # Errors
/// The truth cannot be read, or is of another archive; nothing was analysed, or by another version of a plugin; or learning
/// leaves nothing to evaluate.
pub async fn evaluate(workspace: &Workspace, context: &SessionContext, truth: &Path, asked: Asked) -> Result<Report> {
    let is_table = truth::is_table(truth)?;
    let looked = found::coverage(context).await?;
    let senders = found::senders(context, &looked).await?;
    let window = Window::new(workspace, &looked, &senders, asked.learning_hours)?;
    let (incidents, labels) = match is_table {
        true => (read_truth(truth)?, None),
        false => {
            let Labelled { incidents, labels, missing, foreign } = read_labelled(context, truth).await?;
            (incidents, Some(Labels { connections: labels, missing, foreign }))
        }
    };
    check_devices(workspace, &incidents, truth)?;
    let (inside, outside): (Vec<_>, Vec<_>) =
        incidents.iter().partition(|incident| window.overlaps(incident.first(), incident.last()));
    if inside.is_empty() && !incidents.is_empty() {
        return Err(none_inside(&incidents, &window, truth));
    }
    let all = found::findings(context).await?;
    let addresses = |id: &str, at: i64| addresses(workspace, id, at);
    // What tells of an incident that is left out is neither right nor wrong.
    let is_left_out = |found: &Found| {
        let tells = |incident: &&Incident| matching::tells(found, incident, &addresses);
        !inside.iter().any(&tells) && outside.iter().any(tells)
    };
    let counts = |found: &&Found| {
        window.overlaps(found.first, found.last) && found.severity_id >= asked.least as i32 && !is_left_out(found)
    };
    let ends: BTreeMap<_, _> = looked.iter().map(|slice| (slice.slice_start, slice.slice_end)).collect();
    let slice_end = |start: i64| ends.get(&start).copied().unwrap_or(start);
    let counted = all.iter().filter(counts).collect();
    let measured = Measured::new(&window, inside.clone(), counted, &slice_end, &addresses);
    let by_device = measured.by_device();
    let (hours_precision, hours_recall) = Measured::hours(&by_device);
    let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
    Ok(Report {
        from: stamp(window.from),
        to: stamp(window.to),
        learning_hours: (window.from - window.start) as f64 / HOUR as f64,
        least_severity: asked.least.name(),
        device_days: window.device_days.iter().map(|(_, days)| days).sum(),
        slices: window.slices.0,
        incomplete_slices: window.slices.1,
        labels,
        outside: outside.into_iter().map(|incident| incident.name.clone()).collect(),
        incidents: measured.recall(),
        first: measured.first(),
        precision: measured.precision(),
        hours_precision,
        hours_recall,
        median_delay: measured.median_delay(),
        false_groups: measured.false_groups(asked.least),
        by_scenario: measured.by_scenario(),
        by_detector: measured.by_detector(),
        false_findings: measured.false_findings(),
        by_device,
    })
}

/// Addresses of a device at a time: those of the device list, else its id.
fn addresses(workspace: &Workspace, id: &str, at: i64) -> Vec<String> {
    let inventory = &workspace.world.inventory;
    match inventory.has(id) {
        true => inventory.addresses(id, at).iter().map(ToString::to_string).collect(),
        false => vec![id.to_owned()],
    }
}

/// A truth of devices that are none of these would count as all missed.
fn check_devices(workspace: &Workspace, incidents: &[Incident], truth: &Path) -> Result<()> {
    let inventory = &workspace.world.inventory;
    let is_known = |id: &str| inventory.has(id) || id.parse::<std::net::IpAddr>().is_ok();
    let unknown = incidents.iter().find_map(|incident| incident.devices().into_iter().find(|id| !is_known(id)));
    match unknown {
        None => Ok(()),
        Some(id) => Err(Error::usage(format!(
            "the truth in {} is of a device {id:?}, which is none of this workspace",
            truth.display()
        ))
        .remedy("device_id is an id of the device list (SELECT device_id FROM devices), or an address of a device that is in none")),
    }
}

fn none_inside(incidents: &[Incident], window: &Window, truth: &Path) -> Error {
    let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
    let first = incidents.iter().map(Incident::first).min().unwrap_or_default();
    let last = incidents.iter().map(Incident::last).max().unwrap_or_default();
    let message = format!(
        "no incident of {} is in the time that is evaluated: they are from {} to {}, and that is from {} to {}",
        truth.display(),
        stamp(first),
        stamp(last),
        stamp(window.from),
        stamp(window.to)
    );
    Error::usage(message).remedy("give the truth of this archive, or a shorter --learning")
}
