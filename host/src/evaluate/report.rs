//! What an evaluation tells.

use jiff::Timestamp;
use serde::Serialize;

use super::bootstrap::Interval;

/// How findings compare with what really happened.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// End of learning: what is before is not evaluated.
    pub from: Timestamp,
    /// End of what was analysed.
    pub to: Timestamp,
    /// Hours of learning, from the beginning of what was analysed.
    pub learning_hours: f64,
    /// Severity from which findings count.
    pub least_severity: &'static str,
    /// Devices that were looked at, times the days for which they were.
    pub device_days: f64,
    /// Slices of plugins that were evaluated.
    pub slices: u64,
    /// Those of them that were not analysed completely.
    pub incomplete_slices: u64,
    /// Labelled connections, and how many of them the archive does not have, where the truth is labels.
    pub labels: Option<Labels>,
    /// Incidents that were over before the learning was, or after what was analysed.
    pub outside: Vec<String>,
    /// Incidents that were found.
    pub incidents: Share,
    /// Of these, behind no false finding of their device.
    pub first: Share,
    /// Findings that tell of an incident.
    pub precision: Share,
    /// Hours of devices that findings name, which are hours of incidents.
    pub hours_precision: Share,
    /// Hours of devices in which incidents show, which findings name.
    pub hours_recall: Share,
    /// Median of the time from the first flow of an incident to the end of the slice that found it, in seconds.
    pub median_delay: Option<f64>,
    /// Groups of findings that tell of no incident, by least severity.
    pub false_groups: Vec<FalseGroups>,
    /// Each incident.
    pub by_scenario: Vec<Scenario>,
    /// Each plugin.
    pub by_detector: Vec<Contribution>,
    /// Each finding that tells of no incident, the worst first.
    pub false_findings: Vec<FalseFinding>,
    /// Each device with a finding or an incident.
    pub by_device: Vec<DeviceHours>,
}

/// Labelled connections.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Labels {
    pub connections: u64,
    pub missing: u64,
    pub foreign: u64,
}

/// So many of so many. The interval is at 95 %, by bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Share {
    pub hits: u64,
    pub of: u64,
    pub share: Option<f64>,
    pub interval: Option<Interval>,
}

/// What a hospital would look at in vain.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FalseGroups {
    /// Groups of this severity and above.
    pub severity: &'static str,
    /// How many.
    pub groups: u64,
    /// A device and day.
    pub per_device_day: Option<f64>,
    /// The interval of that, at 95 %, by bootstrap over days.
    pub interval: Option<Interval>,
    /// A day in a hospital of 8,000 devices.
    pub per_day_at_8000: Option<f64>,
}

/// An incident, and what tells of it.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// Its name.
    pub incident: String,
    /// The devices that it befell.
    pub devices: Vec<String>,
    /// Kinds of findings that tell of it, worst first, each with its plugin.
    pub found_by: Vec<String>,
    /// The highest severity of these.
    pub severity: Option<&'static str>,
    /// The highest score of these.
    pub score: Option<f64>,
    /// Whether no false finding of one of its devices is worse than one that tells of it.
    pub is_first: bool,
    /// From its first flow to the end of the slice that found it, in seconds.
    pub delay: Option<f64>,
    /// Whether it began while plugins learned: what was found of it then does not count.
    pub began_while_learning: bool,
}

/// A finding that tells of no incident.
#[derive(Clone, Debug, Serialize)]
pub struct FalseFinding {
    /// Its id.
    pub finding_id: String,
    /// The device that it names.
    pub device_id: String,
    /// Its plugin.
    pub plugin: String,
    /// What it is.
    pub kind: String,
    /// Its severity.
    pub severity: &'static str,
    /// Its score.
    pub score: f64,
}

/// What a plugin adds.
#[derive(Clone, Debug, Serialize)]
pub struct Contribution {
    /// The plugin.
    pub plugin: String,
    /// Incidents that it found.
    pub incidents: u64,
    /// Incidents that no other plugin found.
    pub alone: u64,
    /// Findings that tell of an incident.
    pub right: u64,
    /// Findings that do not.
    pub wrong: u64,
    /// Groups of these, of medium severity or above.
    pub wrong_groups_of_medium: u64,
}

/// Hours of a device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceHours {
    /// The device.
    pub device_id: String,
    /// Of an incident, and named by a finding.
    pub found: u64,
    /// Of an incident, and named by none.
    pub missed: u64,
    /// Named by a finding, and of no incident.
    pub wrong: u64,
}
