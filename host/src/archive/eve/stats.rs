//! Events `stats` as reports of sensors: what came since the one before.

use std::collections::HashMap;

use super::{
    event::Event,
    time,
    value::{Value, as_number, as_text, optional, required},
};
use crate::archive::aside::SensorReport;

/// Sensors that are remembered at most. An input has one, or those of a site; names without end are no sensors.
const MOST_SENSORS: usize = 4_096;

/// The last counters of each sensor.
#[derive(Debug, Default)]
pub(super) struct Counters {
    by_sensor: HashMap<String, Count>,
}

/// What a sensor has counted since it was started.
#[derive(Clone, Copy, Debug)]
struct Count {
    time: i64,
    /// Seconds.
    uptime: Option<u64>,
    packets: Option<u64>,
    dropped: Option<u64>,
}

impl Counters {
    /// The report of an event, without the sensor; none for the first of a sensor, one that is not later than the last,
    /// and one that counts no packets. On failure the reason.
    pub(super) fn report(&mut self, event: &Event<'_>) -> Result<Option<SensorReport>, String> {
        let now = Count::of(event)?;
        let sensor = event.sensor().unwrap_or_default();
        let Some(last) = self.by_sensor.get_mut(sensor) else {
            if self.by_sensor.len() < MOST_SENSORS {
                self.by_sensor.insert(sensor.to_owned(), now);
            }
            return Ok(None);
        };
        if now.time <= last.time {
            return Ok(None);
        }
        Ok(now.since(std::mem::replace(last, now)))
    }
}

impl Count {
    fn of(event: &Event<'_>) -> Result<Self, String> {
        let count = |name: &str, value: &Value<'_>| optional(name, value, as_number::<u64>, "a whole number");
        let (capture, decoder) = (&event.stats.capture, &event.stats.decoder);
        let captured = count("stats.capture.kernel_packets", &capture.kernel_packets)?;
        let dropped = count("stats.capture.kernel_drops", &capture.kernel_drops)?;
        let decoded = count("stats.decoder.pkts", &decoder.pkts)?;
        Ok(Self {
            time: required("timestamp", &event.timestamp, as_text(time::micros), time::RULE)?,
            uptime: count("stats.uptime", &event.stats.uptime)?,
            // The kernel's count has what it dropped.
            packets: decoded.or_else(|| captured.map(|captured| captured.saturating_sub(dropped.unwrap_or(0)))),
            dropped,
        })
    }

    /// What was counted since an earlier count, or since the restart that came between.
    fn since(self, last: Self) -> Option<SensorReport> {
        let fell = |now: Option<u64>, last: Option<u64>| now.zip(last).is_some_and(|(now, last)| now < last);
        let is_restarted =
            fell(self.packets, last.packets) || fell(self.dropped, last.dropped) || fell(self.uptime, last.uptime);
        let grown = |now: Option<u64>, last: Option<u64>| {
            if is_restarted { now } else { now.zip(last).map(|(now, last)| now - last) }
        };
        let (packets, dropped) = (grown(self.packets, last.packets), grown(self.dropped, last.dropped));
        if packets.is_none() && dropped.is_none() {
            return None;
        }
        let started = self.started().filter(|_| is_restarted);
        Some(SensorReport {
            sensor: None,
            interval_start: started.map_or(last.time, |started| started.max(last.time)),
            interval_end: self.time,
            packets,
            dropped,
            loss_ratio: packets.zip(dropped).and_then(|(packets, dropped)| share(dropped, packets)),
        })
    }

    /// When it was started, as far as whole seconds of running tell.
    fn started(self) -> Option<i64> {
        let micros = i64::try_from(self.uptime?).ok()?.checked_mul(1_000_000)?;
        self.time.checked_sub(micros)
    }
}

fn share(part: u64, rest: u64) -> Option<f64> {
    let whole = part as f64 + rest as f64;
    (whole > 0.0).then(|| part as f64 / whole)
}

#[cfg(test)]
mod tests {
    use super::{Counters, MOST_SENSORS};
    use crate::archive::{aside::SensorReport, eve::json};

    fn stats(second: u32, uptime: u32, packets: u64, dropped: u64) -> String {
        format!(
            r#"{{"timestamp":"2021-06-06T16:00:{second:02}.000000+0000","stats":{{"uptime":{uptime},
                "capture":{{"kernel_packets":{},"kernel_drops":{dropped}}},"decoder":{{"pkts":{packets}}}}}}}"#,
            packets + dropped,
        )
    }

    /// Seconds of the interval after 16:00, packets, dropped packets and their share.
    type Row = (i64, i64, Option<u64>, Option<u64>, Option<f64>);

    fn check(lines: &[String], expected: &[Option<Row>]) {
        let mut counters = Counters::default();
        let seconds = |micros: i64| micros / 1_000_000 - 1_622_995_200;
        let seen: Vec<_> = lines
            .iter()
            .map(|line| {
                let report = counters.report(&json::read(line.as_bytes()).unwrap()).unwrap();
                report.map(|report: SensorReport| {
                    let (start, end) = (seconds(report.interval_start), seconds(report.interval_end));
                    (start, end, report.packets, report.dropped, report.loss_ratio)
                })
            })
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn counts_what_came_since() {
        check(
            &[stats(8, 8, 100, 0), stats(16, 16, 175, 25), stats(24, 24, 175, 25)],
            &[None, Some((8, 16, Some(75), Some(25), Some(0.25))), Some((16, 24, Some(0), Some(0), None))],
        );
    }

    #[test]
    fn a_restart_counts_from_zero() {
        let since = |start| Some((start, 30, Some(30), Some(10), Some(0.25)));
        check(&[stats(8, 90, 100, 20), stats(30, 8, 30, 10)], &[None, since(22)]);
        check(&[stats(28, 90, 100, 20), stats(30, 8, 30, 10)], &[None, since(28)]);
        check(&[stats(8, 5, 20, 5), stats(30, 4, 30, 10)], &[None, since(26)]);
        let without_uptime = |line: String| line.replace("uptime", "age");
        check(&[without_uptime(stats(8, 90, 100, 20)), without_uptime(stats(30, 8, 30, 10))], &[None, since(8)]);
    }

    #[test]
    fn some_count_less() {
        let without = |line: String, name: &str| line.replace(name, "x");
        let both = |name: &str| [stats(8, 8, 100, 0), stats(16, 16, 175, 25)].map(|line| without(line, name));
        check(&both("decoder"), &[None, Some((8, 16, Some(75), Some(25), Some(0.25)))]);
        check(&both("capture"), &[None, Some((8, 16, Some(75), None, None))]);
        check(&both("stats"), &[None, None]);
        check(&[stats(16, 16, 1, 0), stats(8, 8, 1, 0), stats(16, 16, 1, 0)], &[None, None, None]);
    }

    #[test]
    fn sensors_are_told_apart() {
        let mut counters = Counters::default();
        for sensor in 0..=MOST_SENSORS {
            let line = stats(8, 8, 1, 0).replacen('{', &format!("{{\"host\":\"s{sensor}\","), 1);
            assert_eq!(counters.report(&json::read(line.as_bytes()).unwrap()), Ok(None));
        }
        assert_eq!(counters.by_sensor.len(), MOST_SENSORS);
    }

    #[test]
    fn says_what_is_wrong() {
        let mut counters = Counters::default();
        let line = stats(8, 8, 1, 0).replace("\"pkts\":1", "\"pkts\":-1");
        let reason = counters.report(&json::read(line.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(reason, "stats.decoder.pkts is \"-1\"; it must be a whole number");
        let reason = counters.report(&json::read(b"{}").unwrap()).unwrap_err();
        assert_eq!(reason, "timestamp is not set; it must be a time in ISO 8601 with an offset");
    }
}
