//! A plugin as a slice needs it: the detector, its settings here, and its states before the slice.

use std::{collections::BTreeMap, sync::Arc};

use wardflow_manifest::Column;

use super::{Groups, Prevalence, session::Budget};
use crate::{detector::Detector, device::Facts};

/// A plugin ready to run over a slice.
#[derive(Clone, Debug)]
pub struct PluginRun {
    /// The detector.
    pub detector: Arc<dyn Detector>,
    /// Parameters as a JSON object, defaults filled in.
    pub parameters: Arc<str>,
    /// Who belongs to its peer groups.
    pub groups: Arc<Groups>,
    /// The states of its devices before the slice.
    pub states: Arc<States>,
    /// What its devices had contacted before the slice.
    pub prevalence: Arc<Prevalence>,
    /// Most findings of a session in a slice.
    pub most_findings: usize,
    /// What its faults may still cost.
    pub budget: Arc<Budget>,
}

/// States by device id.
pub type States = BTreeMap<String, Kept>;

/// What is kept of a device between slices.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// The firmware under which it was learned.
    pub firmware: String,
    /// The guest's own state.
    pub bytes: Arc<[u8]>,
    /// How far learning is, in [0, 1].
    pub learned: f64,
    /// Whether what was learned suffices to report from it.
    pub ready: bool,
    /// Start of the first slice of this state, microseconds UTC.
    pub since: i64,
    /// End of the last slice in which the device had a flow.
    pub last_flow: i64,
    /// Flows seen since.
    pub flows: u64,
    /// Why the device was set aside: it broke the guest. It stays so until the plugin's version or settings change.
    pub lost: Option<String>,
}

impl PluginRun {
    /// The plugin's id.
    pub fn id(&self) -> &str {
        self.detector.manifest().id.as_str()
    }

    /// Whether it declares a column.
    pub(super) fn sees(&self, column: Column) -> bool {
        self.detector.manifest().columns.contains(&column)
    }

    /// Whether a device of these facts is in its scope.
    pub(super) fn watches(&self, facts: &Facts) -> bool {
        let Facts { class, manufacturer, model, udi_di, firmware, .. } = facts;
        self.detector.manifest().scope.contains(class, manufacturer, model, udi_di, firmware)
    }
}
