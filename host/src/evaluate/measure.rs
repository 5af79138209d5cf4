//! From findings and incidents to figures.

use std::collections::{BTreeMap, BTreeSet};

use wardflow_manifest::Severity;

use super::{
    bootstrap::{Kind, interval, ratio},
    found::Found,
    matching::tells,
    report::{FalseFinding, Scenario, Share},
    truth::Incident,
    window::Window,
};

/// Findings beside incidents, in the time that is evaluated.
pub(super) struct Measured<'a> {
    pub(super) window: &'a Window,
    pub(super) incidents: Vec<&'a Incident>,
    pub(super) found: Vec<&'a Found>,
    slice_end: &'a dyn Fn(i64) -> i64,
    /// By incident, the findings that tell of it, by their places in `found`.
    pub(super) telling: Vec<Vec<usize>>,
    /// Ids of findings that tell of an incident in some slice.
    pub(super) right: BTreeSet<&'a str>,
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

    /// Of incidents that were found, those behind no false finding of one of their devices.
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
            began_while_learning: self.incidents[incident].first() < self.window.from,
        }
    }

    /// Findings that tell of no incident, the worst first.
    pub(super) fn false_findings(&self) -> Vec<FalseFinding> {
        let is_false = |found: &&Found| !self.right.contains(found.finding_id.as_str());
        let of = |cause: Cause<'_>| FalseFinding {
            finding_id: cause.found.finding_id.clone(),
            device_id: cause.found.device_id.clone(),
            plugin: cause.found.plugin.clone(),
            kind: cause.found.kind.clone(),
            severity: name_of(cause.severity_id).unwrap_or_default(),
            score: cause.score,
        };
        causes(self.found.iter().copied().filter(is_false)).into_iter().map(of).collect()
    }

    /// Whether of one of its devices a finding tells of it, and none that tells of no incident is worse.
    fn is_first(&self, incident: usize) -> bool {
        let telling = || self.telling[incident].iter().map(|place| self.found[*place]);
        let devices: BTreeSet<_> = telling().map(|found| found.device_id.as_str()).collect();
        let worst = |causes: Vec<Cause<'_>>| causes.first().map(|cause| (cause.severity_id, cause.score));
        devices.into_iter().any(|device| {
            let of_device = |found: &&Found| found.device_id == device;
            let is_false = |found: &&Found| !self.right.contains(found.finding_id.as_str());
            let wrong = causes(self.found.iter().copied().filter(of_device).filter(is_false));
            worst(causes(telling().filter(of_device))) >= worst(wrong)
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

pub(super) fn one_if(hit: bool) -> (f64, f64) {
    (f64::from(u8::from(hit)), 1.0)
}

pub(super) fn share(units: impl Iterator<Item = (f64, f64)>) -> Share {
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
            example_peers: Vec::new(),
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
        // Of the pump, the worst is false.
        assert_eq!((measured.first().hits, measured.first().of), (0, 1));
        assert_eq!((measured.precision().hits, measured.precision().of), (2, 5));
        assert_eq!(measured.median_delay(), Some(3.0 * 3_600.0));

        let groups = measured.false_groups(Severity::Informational);
        let of = |severity| groups.iter().find(|groups| groups.severity == severity).unwrap();
        assert_eq!([of("critical").groups, of("medium").groups, of("low").groups], [1, 2, 2]);
        assert_eq!((of("medium").per_device_day, of("medium").per_day_at_8000), (Some(0.1), Some(800.0)));

        let ids: Vec<_> = measured.false_findings().into_iter().map(|found| found.finding_id).collect();
        assert_eq!(ids, ["d 1", "c 1", "c 2"]);
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
