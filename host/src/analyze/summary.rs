//! What a run did, plugin by plugin.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use wardflow_manifest::Severity;

use super::step::PluginOutcome;
use crate::coverage::Status;

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The run's id.
    pub run_id: String,
    /// Slices that were committed.
    pub slices: u64,
    /// Slices that were to be done.
    pub planned: u64,
    /// Flows read.
    pub flows: u64,
    /// Time taken.
    pub time: Duration,
    /// What became of each plugin.
    pub plugins: Vec<PluginSummary>,
    /// Slices by what became of them for some plugin, each counted once however many plugins it is so for.
    pub by_status: BTreeMap<Status, u64>,
    /// Most devices of a slice that are in no plugin's scope.
    pub unwatched: u64,
    /// Flows of which no device is an end.
    pub unresolved: u64,
    /// Whether it was told to stop.
    pub interrupted: bool,
    /// Kept states of plugins that were damaged.
    pub damaged: Vec<String>,
    /// Slices that plugins which are kept out never looked at, by their id.
    pub missed: BTreeMap<String, u64>,
    /// Files that could not be read, by their paths in the archive, and what was analysed without them.
    pub left_out: BTreeMap<String, FileLeftOut>,
}

/// A file that was left out of what was analysed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileLeftOut {
    /// Why it could not be read; absent where an earlier run tried, and it is the same since.
    pub reason: Option<String>,
    /// Slices without it, by their start.
    pub slices: BTreeSet<i64>,
}

/// What a plugin covered.
#[derive(Clone, Debug, Default)]
pub struct PluginSummary {
    /// Its id.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Flows given to its sessions.
    pub flows: u64,
    /// Findings by their id, with the highest severity of any slice.
    pub findings: BTreeMap<String, Severity>,
    /// Most devices in scope in a slice.
    pub devices: u64,
    /// Slices by what became of them.
    pub slices: BTreeMap<Status, u64>,
    /// Devices that were lost.
    pub lost: BTreeSet<String>,
    /// Devices whose learning began anew, and the first reason.
    pub anew: (u64, Option<String>),
    /// The first fault, or what the records lack.
    pub reason: Option<String>,
    /// Slices that changed and that no kept state reaches back to.
    pub stale: u64,
}

impl Summary {
    /// Findings by severity.
    pub fn severities(&self) -> BTreeMap<Severity, u64> {
        let mut severities = BTreeMap::new();
        for severity in self.plugins.iter().flat_map(|plugin| plugin.findings.values()) {
            *severities.entry(*severity).or_default() += 1;
        }
        severities
    }
}

impl PluginSummary {
    /// Whether something that should have been looked at was not.
    pub fn is_lacking(&self) -> bool {
        self.slices.keys().any(|status| status.is_failure())
    }

    pub(super) fn add(&mut self, outcome: &PluginOutcome) {
        self.flows += outcome.flows;
        for (id, severity) in &outcome.findings {
            let highest = self.findings.entry(id.clone()).or_insert(*severity);
            *highest = (*severity).max(*highest);
        }
        self.devices = self.devices.max(outcome.devices);
        *self.slices.entry(outcome.status).or_default() += 1;
        let lost = outcome.single.iter().filter(|single| single.status == Status::Faulted);
        self.lost.extend(lost.filter_map(|single| single.device_id.clone()));
        let (devices, why) = outcome.anew();
        self.anew.0 += devices;
        if self.anew.1.is_none() {
            self.anew.1 = why.map(str::to_owned);
        }
        if self.reason.is_none() && outcome.status != Status::Complete {
            self.reason.clone_from(&outcome.fault);
        }
    }
}
