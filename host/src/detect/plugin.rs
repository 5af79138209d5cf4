//! A plugin as a slice needs it: the detector, its settings here, and its states before the slice.

use std::sync::Arc;

use wardflow_manifest::{Column, Scope};

use super::{Budget, Groups, Prevalence};
use crate::{detector::Detector, device::Facts, lake::StateSet};

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
    pub states: Arc<StateSet>,
    /// What its devices had contacted before the slice.
    pub prevalence: Arc<Prevalence>,
    /// Most findings of a session in a slice.
    pub most_findings: usize,
    /// What its faults may still cost.
    pub budget: Arc<Budget>,
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
        is_in(&self.detector.manifest().scope, facts)
    }
}

/// Whether a device of these facts is in a scope.
pub(super) fn is_in(scope: &Scope, facts: &Facts) -> bool {
    let Facts { class, manufacturer, model, udi_di, firmware, .. } = facts;
    scope.contains(class, manufacturer, model, udi_di, firmware)
}
