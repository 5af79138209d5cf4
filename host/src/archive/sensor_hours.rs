//! What each sensor delivered in each hour, from footers alone: whether one was down, and whether several saw the same
//! traffic, is known without reading flows.

use serde::{Deserialize, Serialize};

use super::hours::{HOUR, MINUTE};

/// The key of a flow file's Parquet metadata that holds its [`SensorHour`]s as JSON.
pub const SENSORS_KEY: &str = "wardflow.sensors";

/// The flows of one sensor that end in one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorHour {
    /// Its name; absent where the source names none.
    pub sensor: Option<String>,
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    /// Number of flows.
    pub rows: u64,
    /// The minutes in which some flow ended, a bit each, the first lowest.
    #[serde(with = "hexadecimal")]
    pub minutes: u64,
}

/// Hours of sensors in the making: few, and mostly the one that came last.
#[derive(Clone, Debug, Default)]
pub(super) struct SensorHours(Vec<SensorHour>);

impl SensorHours {
    pub(super) fn add(&mut self, sensor: Option<&str>, end_time: i64) {
        let hour = end_time.div_euclid(HOUR);
        let entry = self.entry(sensor, hour);
        entry.rows += 1;
        entry.minutes |= 1 << (end_time.rem_euclid(HOUR) / MINUTE);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for more in &other.0 {
            let entry = self.entry(more.sensor.as_deref(), more.hour);
            entry.rows += more.rows;
            entry.minutes |= more.minutes;
        }
    }

    /// In order of hour and sensor.
    pub(super) fn list(mut self) -> Vec<SensorHour> {
        self.0.sort_by(|a, b| (a.hour, &a.sensor).cmp(&(b.hour, &b.sensor)));
        self.0
    }

    fn entry(&mut self, sensor: Option<&str>, hour: i64) -> &mut SensorHour {
        let is = |entry: &SensorHour| entry.hour == hour && entry.sensor.as_deref() == sensor;
        let place = self.0.iter().rposition(is).unwrap_or_else(|| {
            self.0.push(SensorHour { sensor: sensor.map(str::to_owned), hour, rows: 0, minutes: 0 });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

/// The value of [`SENSORS_KEY`].
pub(super) fn to_json(sensors: &[SensorHour]) -> Result<String, serde_json::Error> {
    serde_json::to_string(sensors)
}

/// Reads the value of [`SENSORS_KEY`]; on failure the reason.
pub(super) fn from_json(json: &str) -> Result<Vec<SensorHour>, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// A reader of JSON may know no integers of 60 bits.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(minutes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{minutes:015x}"))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let minutes = u64::from_str_radix(&text, 16).ok().filter(|minutes| minutes >> 60 == 0);
        minutes.ok_or_else(|| D::Error::custom(format!("the minutes {text:?} are not 60 bits in hexadecimal")))
    }
}

#[cfg(test)]
mod tests {
    use super::{HOUR, MINUTE, SensorHour, SensorHours, from_json, to_json};

    #[test]
    fn each_sensor_and_hour_is_counted() {
        let mut hours = SensorHours::default();
        for (sensor, time) in [(Some("b"), 0), (None, MINUTE), (Some("b"), HOUR), (Some("b"), 2 * MINUTE)] {
            hours.add(sensor, time);
        }
        let mut both = hours.clone();
        both.merge(&hours);
        let hour = |sensor: Option<&str>, hour, rows, minutes| SensorHour {
            sensor: sensor.map(str::to_owned),
            hour,
            rows,
            minutes,
        };
        let list = both.list();
        assert_eq!(list, [hour(None, 0, 2, 2), hour(Some("b"), 0, 4, 5), hour(Some("b"), 1, 2, 1)]);
        assert_eq!(from_json(&to_json(&list).unwrap()), Ok(list));
        assert!(from_json(r#"[{"sensor":null,"hour":0,"rows":1,"minutes":"fffffffffffffff1"}]"#).is_err());
    }
}
