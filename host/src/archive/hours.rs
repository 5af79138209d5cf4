//! What a file holds of each hour, so that a slice's digest is a sum over footers and no scan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::FlowsDigest;

/// The key of a flow file's Parquet metadata that holds its [`Hour`]s as JSON.
pub const HOURS_KEY: &str = "wardflow.hours";

/// An hour in microseconds.
pub(super) const HOUR: i64 = 3_600_000_000;

/// The flows of a file that end in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    /// Number of flows.
    pub rows: u64,
    /// Digest of the flows.
    pub digest: FlowsDigest,
}

/// Hours in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours(BTreeMap<i64, (u64, FlowsDigest)>);

impl Hours {
    pub(super) fn add(&mut self, end_time: i64, digest: FlowsDigest) {
        self.add_rows(end_time.div_euclid(HOUR), 1, digest);
    }

    pub(super) fn add_rows(&mut self, hour: i64, rows: u64, digest: FlowsDigest) {
        let entry = self.0.entry(hour).or_default();
        entry.0 += rows;
        entry.1 += digest;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (&hour, &(rows, digest)) in &other.0 {
            self.add_rows(hour, rows, digest);
        }
    }

    pub(super) fn list(&self) -> Vec<Hour> {
        self.0.iter().map(|(&hour, &(rows, digest))| Hour { hour, rows, digest }).collect()
    }
}

/// Hours of dates that can be named.
const DATES: std::ops::Range<i64> = -104_900_000..70_389_000;

#[derive(Serialize, Deserialize)]
struct HourText {
    hour: i64,
    rows: u64,
    digest: String,
}

/// The value of [`HOURS_KEY`].
pub(super) fn to_json(hours: &[Hour]) -> Result<String, serde_json::Error> {
    let text = hours.iter().map(|hour| HourText { hour: hour.hour, rows: hour.rows, digest: hour.digest.to_string() });
    serde_json::to_string(&text.collect::<Vec<_>>())
}

/// Reads the value of [`HOURS_KEY`]; on failure the reason.
pub(super) fn from_json(json: &str) -> Result<Vec<Hour>, String> {
    let hours: Vec<HourText> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if let Some(hour) = hours.iter().map(|text| text.hour).find(|hour| !DATES.contains(hour)) {
        return Err(format!("hour {hour} lies outside the years -9999 to 9999"));
    }
    let hours =
        hours.into_iter().map(|text| Ok(Hour { hour: text.hour, rows: text.rows, digest: text.digest.parse()? }));
    hours.collect()
}

#[cfg(test)]
mod tests {
    use super::{HOUR, Hours, from_json, to_json};
    use crate::archive::digest::FlowsDigest;

    #[test]
    fn json_and_back() {
        let mut hours = Hours::default();
        for (time, flow) in [(-1, b"a"), (0, b"b"), (HOUR - 1, b"c"), (HOUR, b"d")] {
            hours.add(time, FlowsDigest::of(flow));
        }
        let list = hours.list();
        assert_eq!(list.iter().map(|hour| (hour.hour, hour.rows)).collect::<Vec<_>>(), [(-1, 1), (0, 2), (1, 1)]);
        assert_eq!(from_json(&to_json(&list).unwrap()), Ok(list));
        assert!(from_json(r#"[{"hour":1,"rows":1,"digest":"x"}]"#).unwrap_err().contains("no digest"));
        assert!(from_json(r#"[{"hour":9000000000,"rows":1,"digest":""}]"#).unwrap_err().contains("outside"));
    }
}
