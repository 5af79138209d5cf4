//! Rows of coverage.

use std::collections::{BTreeMap, BTreeSet};

use super::Stage;
use crate::{
    coverage::{Row, Status},
    detect::ShardCoverage,
};

/// A plugin that lies in the plugin directory and must not run.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct KeptOut {
    pub id: String,
    pub version: String,
    pub digest: String,
    pub reason: String,
}

/// Coverage of the slices that plugins which are kept out would have looked at, and that have none yet.
pub(super) fn missed(run_id: &str, kept_out: &[KeptOut], stages: &[Stage], coverage: &[Row]) -> Vec<Row> {
    let known: BTreeSet<_> = coverage.iter().map(|row| (row.plugin.as_deref(), row.slice_start)).collect();
    let row = |plugin: &KeptOut, stage: &Stage| Row {
        plugin_version: plugin.version.clone(),
        plugin_digest: plugin.digest.clone(),
        status: Status::NotRun,
        fault: Some(plugin.reason.clone()),
        ..blank_row(run_id, Some(plugin.id.clone()), stage)
    };
    let kept_out: BTreeMap<_, _> = kept_out.iter().map(|plugin| (&plugin.id, plugin)).collect();
    let pairs = kept_out.values().flat_map(|plugin| stages.iter().map(move |stage| (*plugin, stage)));
    let is_new = |(plugin, stage): &(&KeptOut, &Stage)| !known.contains(&(Some(plugin.id.as_str()), stage.slice.start));
    pairs.filter(is_new).map(|(plugin, stage)| row(plugin, stage)).collect()
}

/// The rows of what no plugin looked at: devices with their flows, and flows of no device. The reasons are the same words
/// each time, so that they can be grouped by; how many there were is in the columns.
pub(super) fn unwatched(base: &Row, (devices, flows): (u64, u64), unresolved: u64) -> impl Iterator<Item = Row> {
    let row = |devices, flows, reason: &str| Row {
        devices,
        flows,
        status: Status::NotRun,
        fault: Some(reason.to_owned()),
        ..base.clone()
    };
    let outside = (devices > 0).then(|| row(devices, flows, "devices in no plugin's scope"));
    let unresolved = (unresolved > 0).then(|| row(0, unresolved, "flows without an internal end"));
    outside.into_iter().chain(unresolved)
}

/// A row of a stage that says nothing yet.
pub(super) fn blank_row(run_id: &str, plugin: Option<String>, stage: &Stage) -> Row {
    Row {
        run_id: run_id.to_owned(),
        commit: String::new(),
        plugin,
        plugin_version: String::new(),
        plugin_digest: String::new(),
        config_digest: String::new(),
        world_digest: String::new(),
        slice_start: stage.slice.start,
        slice_end: stage.slice.end,
        device_id: None,
        devices: 0,
        flows: 0,
        status: Status::Blind,
        fault: None,
        input_digest: stage.input_digest.clone(),
        state_before: String::new(),
        state_digest: String::new(),
    }
}

/// The coverage of one device, beside that of its slice.
pub(super) fn device_row(slice: &Row, single: &ShardCoverage) -> Row {
    Row {
        device_id: single.device_id.clone(),
        devices: single.devices,
        flows: single.flows,
        status: single.status,
        fault: single.fault.clone(),
        ..slice.clone()
    }
}
