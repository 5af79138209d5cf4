//! From findings and incidents to figures.

use std::collections::{BTreeMap, BTreeSet};

use wardflow_manifest::Severity;

use super::{
    bootstrap::{Kind, interval, ratio},
    found::Found,
    matching::tells,
    report::{Contribution, DeviceHours, FalseGroups, Scenario, Share},
    truth::Incident,
    window::Window,
};
use crate::time::{DAY, HOUR};

/// Devices of the hospital that false findings are counted for.
const LARGE_HOSPITAL: f64 = 8_000.0;

/// Findings beside incidents, in the time that is evaluated.
pub(super) struct Measured<'a> {
    window: &'a Window,
    incidents: Vec<&'a Incident>,
    found: Vec<&'a Found>,
    slice_end: &'a dyn Fn(i64) -> i64,
    /// By incident, the findings that tell of it, by their places in `found`.
    telling: Vec<Vec<usize>>,
    /// Ids of findings that tell of an incident in some slice.
    right: BTreeSet<&'a str>,
}

/// Of one cause, its slices taken together.
struct Cause<'a> {
    found: &'a Found,
    severity_id: i32,
    score: f64,
}

impl<'a> Measured<'a> {
    pub(super) fn new(
        window: &'a Window,
        incidents: Vec<&'a Incident>,
        found: Vec<&'a Found>,
        slice_end: &'a dyn Fn(i64) -> i64,
        addresses: &impl Fn(&str, i64) -> Vec<String>,
    ) -> Self {
        let telling_of = |incident: &&Incident| {
            let places = found.iter().enumerate().filter(|(_, found)| tells(found, incident, addresses));
            places.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let telling: Vec<_> = incidents.iter().map(telling_of).collect();
        let right = telling.iter().flatten().map(|place| found[*place].finding_id.as_str()).collect();
        Self { window, incidents, found, slice_end, telling, right }
    }

    /// Incidents that were found.
    pub(super) fn recall(&self) -> Share {
        share(self.telling.iter().map(|telling| one_if(!telling.is_empty())))
    }

    /// Of incidents that were found, those that are the worst of one of their devices.
    pub(super) fn first(&self) -> Share {
        let found = (0..self.incidents.len()).filter(|incident| !self.telling[*incident].is_empty());
        share(found.map(|incident| one_if(self.is_first(incident))))
    }

    /// Findings that tell of an incident. What one device has is not independent, so that devices are drawn.
    pub(super) fn precision(&self) -> Share {
        let ids: BTreeMap<_, _> =
            self.found.iter().map(|found| (found.finding_id.as_str(), found.device_id.as_str())).collect();
        let mut devices = BTreeMap::<&str, (f64, f64)>::new();
        for (id, device) in ids {
            let of = devices.entry(device).or_default();
            let (right, one) = one_if(self.right.contains(id));
            *of = (of.0 + right, of.1 + one);
        }
        share(devices.into_values())
    }

    /// Median of the delays of incidents that were found, in seconds.
    pub(super) fn median_delay(&self) -> Option<f64> {
        let mut delays: Vec<_> = (0..self.incidents.len()).filter_map(|incident| self.delay(incident)).collect();
        delays.sort_unstable_by(f64::total_cmp);
        let middle = delays.len() / 2;
        match delays.len() {
            0 => None,
            length if length % 2 == 1 => Some(delays[middle]),
            _ => Some(f64::midpoint(delays[middle - 1], delays[middle])),
        }
    }

    /// Precision and recall over hours of devices.
    pub(super) fn hours(devices: &[DeviceHours]) -> (Share, Share) {
        let unit = |hits: u64, others: u64| (hits as f64, (hits + others) as f64);
        let precision = devices.iter().map(|device| unit(device.found, device.wrong));
        let recall = devices.iter().map(|device| unit(device.found, device.missed));
        (share(precision), share(recall))
    }

    /// The hours of each device that findings name or that are of incidents. At the other end of an incident, findings may
    /// name its hours and need not.
    pub(super) fn by_device(&self) -> Vec<DeviceHours> {
        let mut named = BTreeMap::<&str, BTreeSet<i64>>::new();
        for found in &self.found {
            let hours = found.first.max(self.window.from).div_euclid(HOUR)..=found.last.div_euclid(HOUR);
            named.entry(&found.device_id).or_default().extend(hours);
        }
        let (mut wanted, mut allowed) = (named.clone(), named.clone());
        wanted.values_mut().chain(allowed.values_mut()).for_each(BTreeSet::clear);
        for part in self.incidents.iter().flat_map(|incident| &incident.parts) {
            let hours = part.hours_within(self.window.hours());
            wanted.entry(&part.device_id).or_default().extend(&hours);
            for peer in &part.peer_device_ids {
                allowed.entry(peer).or_default().extend(&hours);
            }
        }
        let none = BTreeSet::new();
        let hours = |(device, wanted): (&&str, &BTreeSet<i64>)| {
            let named = named.get(device).unwrap_or(&none);
            let allowed = allowed.get(device).unwrap_or(&none);
            DeviceHours {
                device_id: (*device).to_owned(),
                found: named.intersection(wanted).count() as u64,
                missed: wanted.difference(named).count() as u64,
                wrong: named.difference(wanted).filter(|hour| !allowed.contains(hour)).count() as u64,
            }
        };
        wanted.iter().map(hours).collect()
    }

    /// Groups that tell of no incident, of each severity and above that counts.
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

    /// Groups in which no finding tells of an incident, of findings for which `of` holds: severity and first slice.
    fn wrong_groups(&self, of: impl Fn(&Found) -> bool) -> BTreeMap<&'a str, (i32, i64)> {
        let is_right = |found: &&&Found| self.right.contains(found.finding_id.as_str());
        let right: BTreeSet<_> = self.found.iter().filter(is_right).map(|found| found.group_id.as_str()).collect();
        let mut groups = BTreeMap::<&str, (i32, i64)>::new();
        for found in self.found.iter().filter(|found| of(found) && !right.contains(found.group_id.as_str())) {
            let group = groups.entry(&found.group_id).or_insert((found.severity_id, found.slice_start));
            *group = (group.0.max(found.severity_id), group.1.min(found.slice_start));
        }
        groups
    }

    /// Each incident.
    pub(super) fn by_scenario(&self) -> Vec<Scenario> {
        (0..self.incidents.len()).map(|incident| self.scenario(incident)).collect()
    }

    fn scenario(&self, incident: usize) -> Scenario {
        let causes = causes(self.telling[incident].iter().map(|place| self.found[*place]));
        let mut kinds = Vec::new();
        for cause in &causes {
            let kind = format!("{} {}", cause.found.plugin, cause.found.kind);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        Scenario {
            incident: self.incidents[incident].name.clone(),
            devices: self.incidents[incident].devices().into_iter().map(str::to_owned).collect(),
            found_by: kinds,
            severity: causes.first().and_then(|cause| name_of(cause.severity_id)),
            score: causes.iter().map(|cause| cause.score).max_by(f64::total_cmp),
            is_first: self.is_first(incident),
            delay: self.delay(incident),
        }
    }

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

    /// Whether no finding of one of its devices is worse than one that tells of it.
    fn is_first(&self, incident: usize) -> bool {
        let telling = || self.telling[incident].iter().map(|place| self.found[*place]);
        let devices: BTreeSet<_> = telling().map(|found| found.device_id.as_str()).collect();
        devices.into_iter().any(|device| {
            let of_device = causes(self.found.iter().filter(|found| found.device_id == device).copied());
            let of_it = causes(telling().filter(|found| found.device_id == device));
            let worst = |causes: &[Cause<'_>]| causes.first().map(|cause| (cause.severity_id, cause.score));
            worst(&of_device) == worst(&of_it)
        })
    }

    fn delay(&self, incident: usize) -> Option<f64> {
        let slices = self.telling[incident].iter().map(|place| self.found[*place].slice_start);
        let end = (self.slice_end)(slices.min()?);
        Some((end - self.incidents[incident].first()) as f64 / 1e6)
    }
}

/// Findings by cause, the worst first.
fn causes<'a>(found: impl Iterator<Item = &'a Found>) -> Vec<Cause<'a>> {
    let mut causes = BTreeMap::<&str, Cause<'a>>::new();
    for found in found {
        let cause = causes.entry(&found.finding_id).or_insert(Cause { found, severity_id: 0, score: 0.0 });
        cause.severity_id = cause.severity_id.max(found.severity_id);
        cause.score = cause.score.max(found.score);
    }
    let mut causes: Vec<_> = causes.into_values().collect();
    causes.sort_by(|a, b| b.severity_id.cmp(&a.severity_id).then(b.score.total_cmp(&a.score)));
    causes
}

fn name_of(severity_id: i32) -> Option<&'static str> {
    Severity::ALL.into_iter().find(|severity| *severity as i32 == severity_id).map(Severity::name)
}

fn one_if(hit: bool) -> (f64, f64) {
    (f64::from(u8::from(hit)), 1.0)
}

fn share(units: impl Iterator<Item = (f64, f64)>) -> Share {
    let units: Vec<_> = units.collect();
    let sum = |of: fn(&(f64, f64)) -> f64| units.iter().map(of).sum::<f64>() as u64;
    Share {
        hits: sum(|unit| unit.0),
        of: sum(|unit| unit.1),
        share: ratio(units.iter().copied()),
        interval: interval(&units, Kind::Share),
    }
}

#[cfg(test)]
mod tests {
    use wardflow_manifest::Severity;

    use super::Measured;
    use crate::{
        evaluate::{
            found::Found,
            truth::{Incident, Part},
            window::Window,
        },
        time::{DAY, HOUR},
    };

    /// A finding of a device and group from hour to hour.
    fn found(id: &str, device: &str, hours: (i64, i64), severity_id: i32) -> Found {
        Found {
            finding_id: id.into(),
            group_id: format!("group of {}", id.split(' ').next().unwrap()),
            plugin: format!("vendor/{}", id.split(' ').next().unwrap()),
            kind: "loud".into(),
            device_id: device.into(),
            peer_ip: None,
            severity_id,
            score: 0.5,
            slice_start: hours.0 / 6 * 6 * HOUR,
            first: hours.0 * HOUR,
            last: hours.1 * HOUR + 1,
        }
    }

    fn incident(name: &str, device: &str, hours: (i64, i64)) -> Incident {
        let part = Part {
            device_id: device.into(),
            first: hours.0 * HOUR,
            last: hours.1 * HOUR + 5,
            hours: (hours.0..=hours.1).collect(),
            ..Part::default()
        };
        Incident { name: name.into(), parts: vec![part] }
    }

    #[test]
    fn figures_are_those_of_a_small_example() {
        let window = Window { start: 0, from: 0, to: 2 * DAY, device_days: vec![(0, 10.0), (1, 10.0)], slices: (8, 0) };
        let incidents = [incident("one", "pump", (3, 5)), incident("two", "desk", (20, 21))];
        let all = [
            found("a 1", "pump", (4, 6), 4),
            found("b 1", "pump", (5, 5), 3),
            found("c 1", "monitor", (30, 30), 3),
            found("c 2", "lamp", (8, 9), 2),
            found("d 1", "pump", (40, 40), 5),
        ];
        let slice_end = |start: i64| start + 6 * HOUR;
        let measured =
            Measured::new(&window, incidents.iter().collect(), all.iter().collect(), &slice_end, &|_, _| Vec::new());
        let recall = measured.recall();
        assert_eq!((recall.hits, recall.of), (1, 2));
        // Of the pump, the worst is something else.
        assert_eq!((measured.first().hits, measured.first().of), (0, 1));
        assert_eq!((measured.precision().hits, measured.precision().of), (2, 5));
        assert_eq!(measured.median_delay(), Some(3.0 * 3_600.0));

        let groups = measured.false_groups(Severity::Informational);
        let of = |severity| groups.iter().find(|groups| groups.severity == severity).unwrap();
        assert_eq!([of("critical").groups, of("medium").groups, of("low").groups], [1, 2, 2]);
        assert_eq!((of("medium").per_device_day, of("medium").per_day_at_8000), (Some(0.1), Some(800.0)));

        let devices = measured.by_device();
        let pump = devices.iter().find(|device| device.device_id == "pump").unwrap();
        assert_eq!((pump.found, pump.missed, pump.wrong), (2, 1, 2));
        let (precision, recall) = Measured::hours(&devices);
        assert_eq!((precision.hits, precision.of), (2, 7));
        assert_eq!((recall.hits, recall.of), (2, 5));

        let by = measured.by_detector();
        let of = |plugin| by.iter().find(|by| by.plugin == plugin).unwrap();
        assert_eq!((of("vendor/a").incidents, of("vendor/a").alone), (1, 0));
        assert_eq!((of("vendor/c").right, of("vendor/c").wrong, of("vendor/c").wrong_groups_of_medium), (0, 2, 1));
        let scenario = &measured.by_scenario()[0];
        assert_eq!((scenario.found_by.len(), scenario.severity, scenario.is_first), (2, Some("high"), false));
    }
}
