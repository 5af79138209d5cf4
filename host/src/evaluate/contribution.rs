//! What each plugin contributes.

use std::collections::BTreeSet;

use wardflow_manifest::Severity;

use super::{measure::Measured, report::Contribution};

impl Measured<'_> {
    /// Each plugin that found something.
    pub(super) fn by_detector(&self) -> Vec<Contribution> {
        let plugins: BTreeSet<_> = self.found.iter().map(|found| found.plugin.as_str()).collect();
        let finders: Vec<BTreeSet<_>> = self
            .telling
            .iter()
            .map(|places| places.iter().map(|place| self.found[*place].plugin.as_str()).collect())
            .collect();
        let contribution = |plugin: &str| {
            let own = self.found.iter().filter(|found| found.plugin == plugin);
            let ids: BTreeSet<_> = own.map(|found| found.finding_id.as_str()).collect();
            let right = ids.iter().filter(|id| self.right.contains(*id)).count() as u64;
            let wrong_groups = self.wrong_groups(|found| found.plugin == plugin);
            Contribution {
                plugin: plugin.to_owned(),
                incidents: finders.iter().filter(|finders| finders.contains(plugin)).count() as u64,
                alone: finders.iter().filter(|finders| finders.len() == 1 && finders.contains(plugin)).count() as u64,
                right,
                wrong: ids.len() as u64 - right,
                wrong_groups_of_medium: wrong_groups.values().filter(|(id, _)| *id >= Severity::Medium as i32).count()
                    as u64,
            }
        };
        plugins.into_iter().map(contribution).collect()
    }
}
