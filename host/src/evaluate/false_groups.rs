//! Groups of findings that tell of no incident: what somebody looks at in vain.

use std::collections::BTreeMap;

use wardflow_manifest::Severity;

use super::{
    bootstrap::{Kind, interval, ratio},
    found::Found,
    measure::Measured,
    report::FalseGroups,
};
use crate::time::DAY;

/// Devices of the hospital that false findings are counted for.
const LARGE_HOSPITAL: f64 = 8_000.0;

impl<'a> Measured<'a> {
    /// Groups of findings that tell of no incident, of each severity and above that counts.
    pub(super) fn false_groups(&self, least: Severity) -> Vec<FalseGroups> {
        let severities = Severity::ALL.into_iter().rev().filter(|severity| *severity >= least);
        let groups = self.wrong_groups(|_| true);
        severities.map(|severity| self.false_groups_of(severity, &groups)).collect()
    }

    fn false_groups_of(&self, severity: Severity, groups: &BTreeMap<&str, (i32, i64)>) -> FalseGroups {
        let of_severity = groups.values().filter(|(id, _)| *id >= severity as i32);
        let mut by_day: BTreeMap<i64, (f64, f64)> =
            self.window.device_days.iter().map(|(day, devices)| (*day, (0.0, *devices))).collect();
        let mut count = 0;
        for (_, first) in of_severity {
            count += 1;
            let day = first.max(&self.window.from).div_euclid(DAY);
            by_day.entry(day).or_default().0 += 1.0;
        }
        let days: Vec<_> = by_day.into_values().collect();
        let per_device_day = ratio(days.iter().copied());
        FalseGroups {
            severity: severity.name(),
            groups: count,
            per_device_day,
            interval: interval(&days, Kind::Rate),
            per_day_at_8000: per_device_day.map(|rate| rate * LARGE_HOSPITAL),
        }
    }

    /// Groups of the findings that tell of no incident, whatever else is in them, of those for which `of` holds: severity
    /// and first slice.
    pub(super) fn wrong_groups(&self, of: impl Fn(&Found) -> bool) -> BTreeMap<&'a str, (i32, i64)> {
        let is_wrong = |found: &Found| !self.right.contains(found.finding_id.as_str());
        let mut groups = BTreeMap::<&str, (i32, i64)>::new();
        for found in self.found.iter().filter(|found| of(found) && is_wrong(found)) {
            let group = groups.entry(&found.group_id).or_insert((found.severity_id, found.slice_start));
            *group = (group.0.max(found.severity_id), group.1.min(found.slice_start));
        }
        groups
    }
}
