//! How the sensors fared, hour by hour: what they delivered, and what they say that they missed.

use std::collections::BTreeMap;

use super::{aside::SensorReport, files::ArchiveFile, hours::HOUR};

/// Share of the traffic, as a sensor says, from which on what it missed matters: what Zeek takes for too much
/// (`CaptureLoss::too_much_loss`).
const TOO_MUCH_LOSS: f64 = 0.1;

/// Hours for which a sensor is looked for after it delivered flows last: one that was taken away is not missed for ever.
const MISSED_FOR: i64 = 7 * 24;

/// A sensor is one that is always heard if it delivered flows in so many of a hundred hours since it did first, and in so
/// many hours at least.
const ALWAYS_PERCENT: usize = 90;
const ALWAYS_HOURS: usize = 6;

/// How the sensors fared.
#[derive(Clone, Debug, Default)]
pub struct Health {
    hours: BTreeMap<(i64, String), SensorHealth>,
}

/// How a sensor fared in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SensorHealth {
    /// Flows of it that end in the hour.
    pub flows: u64,
    /// Minutes of the hour in which none does.
    pub silent_minutes: u32,
    /// The worst that it reported for a part of the hour; absent where it reported nothing.
    pub loss_ratio: Option<f64>,
    /// Whether it should have been heard, and was not.
    pub is_down: bool,
}

impl Health {
    /// Of flow files and what sensors reported.
    pub fn new(files: &[ArchiveFile], reports: &[SensorReport]) -> Self {
        let mut minutes: BTreeMap<(i64, String), (u64, u64)> = BTreeMap::new();
        for hour in files.iter().flat_map(|file| &file.sensors) {
            let (rows, seen) = minutes.entry((hour.hour, hour.sensor.clone().unwrap_or_default())).or_default();
            *rows += hour.rows;
            *seen |= hour.minutes;
        }
        let mut health = Self::default();
        for (key, (flows, seen)) in &minutes {
            let hour =
                SensorHealth { flows: *flows, silent_minutes: 60 - seen.count_ones(), ..SensorHealth::default() };
            health.hours.insert(key.clone(), hour);
        }
        health.add_silence();
        for report in reports {
            health.add_report(report);
        }
        health
    }

    /// Every hour and sensor, in order; the sensor is empty where the source named none.
    pub fn hours(&self) -> impl Iterator<Item = (i64, &str, &SensorHealth)> {
        self.hours.iter().map(|((hour, sensor), health)| (*hour, sensor.as_str(), health))
    }

    /// Why not all can have been seen of a time, microseconds UTC, `to` exclusive; nothing where nothing is known against it.
    pub fn trouble(&self, from: i64, to: i64) -> Option<String> {
        let hours =
            self.hours.range((from.div_euclid(HOUR), String::new())..((to - 1).div_euclid(HOUR) + 1, String::new()));
        let mut down: BTreeMap<&str, u64> = BTreeMap::new();
        let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
        for ((_, sensor), health) in hours {
            *down.entry(sensor).or_default() += u64::from(health.is_down);
            if let Some(loss) = health.loss_ratio.filter(|loss| *loss >= TOO_MUCH_LOSS) {
                let known = worst.entry(sensor).or_default();
                *known = known.max(loss);
            }
        }
        let name = |sensor: &str| if sensor.is_empty() { "the sensor".to_owned() } else { format!("sensor {sensor}") };
        let lossy = worst.iter().map(|(sensor, loss)| format!("{} missed up to {:.0} %", name(sensor), loss * 100.0));
        let down = down.iter().filter(|(_, hours)| **hours > 0);
        let silent = down.map(|(sensor, hours)| format!("{} delivered nothing for {hours} h", name(sensor)));
        let troubles: Vec<_> = silent.chain(lossy).collect();
        (!troubles.is_empty()).then(|| troubles.join(", "))
    }

    /// Adds the hours in which a sensor was not heard, up to the last in which one was.
    fn add_silence(&mut self) {
        let Some(last) = self.hours.keys().map(|(hour, _)| *hour).max() else { return };
        let mut own: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (hour, sensor) in self.hours.keys() {
            own.entry(sensor.clone()).or_default().push(*hour);
        }
        for (sensor, heard) in own {
            for (place, &before) in heard.iter().enumerate() {
                let since = usize::try_from(before - heard[0] + 1).unwrap_or(usize::MAX);
                let times = place + 1;
                let is_down = times >= ALWAYS_HOURS && times * 100 >= since.saturating_mul(ALWAYS_PERCENT);
                let next = heard.get(times).copied().unwrap_or(last + 1);
                for hour in before + 1..next.min(before + 1 + MISSED_FOR) {
                    let silent = SensorHealth { silent_minutes: 60, is_down, ..SensorHealth::default() };
                    self.hours.insert((hour, sensor.clone()), silent);
                }
            }
        }
    }

    fn add_report(&mut self, report: &SensorReport) {
        let Some(loss) = report.loss_ratio else { return };
        let sensor = report.sensor.clone().unwrap_or_default();
        // No sensor reports once a week; an interval of years is a clock that was set meanwhile.
        if report.interval_end - report.interval_start > MISSED_FOR * HOUR {
            return;
        }
        let last = (report.interval_end - 1).max(report.interval_start).div_euclid(HOUR);
        for hour in report.interval_start.div_euclid(HOUR)..=last {
            // A report of an hour from which no flows are kept says nothing of any.
            if let Some(health) = self.hours.get_mut(&(hour, sensor.clone())) {
                health.loss_ratio = Some(health.loss_ratio.map_or(loss, |known| known.max(loss)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectMeta, path::Path};

    use super::{HOUR, Health};
    use crate::archive::{ArchiveFile, SensorHour, SensorReport};

    fn files(hours: impl Iterator<Item = (i64, &'static str)>) -> Vec<ArchiveFile> {
        let object = ObjectMeta {
            location: Path::from("x"),
            last_modified: Default::default(),
            size: 1,
            e_tag: None,
            version: None,
        };
        let sensors =
            hours.map(|(hour, sensor)| SensorHour { sensor: Some(sensor.to_owned()), hour, rows: 9, minutes: 7 });
        let sensors = sensors.collect();
        vec![ArchiveFile { object, path: "x".into(), rows: 0, hours: Vec::new(), sensors, foreign: false, fit: None }]
    }

    fn trouble(health: &Health, from: i64, to: i64) -> Option<String> {
        health.trouble(from * HOUR, to * HOUR)
    }

    #[test]
    fn a_sensor_that_is_always_heard_is_missed_for_a_week() {
        let north = (0..400).map(|hour| (hour, "north"));
        let south = (0..20).filter(|hour| *hour != 12).map(|hour| (hour, "south"));
        let seldom = (0..400).step_by(9).map(|hour| (hour, "seldom"));
        let health = Health::new(&files(north.chain(south).chain(seldom)), &[]);
        assert_eq!(trouble(&health, 0, 12), None);
        assert_eq!(trouble(&health, 12, 18).unwrap(), "sensor south delivered nothing for 1 h");
        assert_eq!(trouble(&health, 18, 24).unwrap(), "sensor south delivered nothing for 4 h");
        assert_eq!(trouble(&health, 24 + 7 * 24, 30 + 7 * 24), None);
        let silent = health.hours().find(|(hour, sensor, _)| (*hour, *sensor) == (12, "south")).unwrap().2;
        assert_eq!((silent.flows, silent.silent_minutes, silent.is_down), (0, 60, true));
        assert_eq!(health.hours().next().unwrap().2.silent_minutes, 57);
        // One alone is missed as well.
        let alone = Health::new(&files((0..20).filter(|hour| *hour != 14).map(|hour| (hour, "north"))), &[]);
        assert_eq!(trouble(&alone, 12, 18).unwrap(), "sensor north delivered nothing for 1 h");
    }

    #[test]
    fn loss_counts_where_it_is_much() {
        let report = |start: i64, loss: f64| SensorReport {
            sensor: Some("north".into()),
            interval_start: start,
            interval_end: start + HOUR / 4,
            packets: None,
            dropped: None,
            loss_ratio: Some(loss),
        };
        let reports = [report(0, 0.099), report(HOUR, 0.05), report(HOUR + HOUR / 2, 0.25), report(9 * HOUR, 0.9)];
        let health = Health::new(&files((0..3).map(|hour| (hour, "north"))), &reports);
        assert_eq!(trouble(&health, 0, 1), None);
        assert_eq!(trouble(&health, 0, 3).unwrap(), "sensor north missed up to 25 %");
        assert_eq!(health.hours().count(), 3);
    }
}
