//! What a file holds of each hour, so that a slice's digest is a sum over footers and no scan, and so that what the
//! sensors delivered is known without reading every flow.

use std::{collections::BTreeMap, ops::AddAssign};

use serde::{Deserialize, Serialize};

use super::{digest::FlowsDigest, record::FlowRecord};
use crate::flow;
pub(super) use crate::time::{HOUR, MINUTE};

/// The key of a flow file's Parquet metadata that holds its [`Hour`]s as JSON.
pub const HOURS_KEY: &str = "wardflow.hours";

/// The flows of a file that end in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    /// Number of flows.
    pub rows: u64,
    /// Digest of the flows.
    pub digest: FlowsDigest,
    /// How they were seen; absent where the file's writer did not say.
    pub delivered: Option<Delivered>,
}

/// How the flows of an hour were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The minutes in which some flow ended, a bit each, the first lowest.
    pub minutes: u64,
    /// Flows of which one side was seen, though there must have been another.
    pub one_sided: u64,
    /// Flows of which both were.
    pub two_sided: u64,
    /// Flows from sampled packets.
    pub sampled: u64,
}

impl AddAssign for Delivered {
    fn add_assign(&mut self, other: Self) {
        self.minutes |= other.minutes;
        self.one_sided += other.one_sided;
        self.two_sided += other.two_sided;
        self.sampled += other.sampled;
    }
}

impl Delivered {
    fn of(flow: &FlowRecord<'_>) -> Self {
        let packets = [flow.src_packets, flow.dst_packets];
        let has_state = flow.conn_state.is_some();
        let is_one_sided = flow::is_one_sided(flow.protocol, flow.observed_sides, packets, has_state);
        Self {
            minutes: 1 << (flow.end_time.rem_euclid(HOUR) / MINUTE),
            one_sided: u64::from(is_one_sided == Some(true)),
            two_sided: u64::from(is_one_sided == Some(false)),
            sampled: u64::from(flow.sampling_interval.is_some_and(|interval| interval > 1)),
        }
    }
}

/// Hours in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours(BTreeMap<i64, Hour>);

impl Hours {
    pub(super) fn add(&mut self, flow: &FlowRecord<'_>, digest: FlowsDigest) {
        let hour = flow.end_time.div_euclid(HOUR);
        self.add_hour(Hour { hour, rows: 1, digest, delivered: Some(Delivered::of(flow)) });
    }

    pub(super) fn add_hour(&mut self, new: Hour) {
        let empty = Hour { rows: 0, digest: FlowsDigest::default(), delivered: Some(Delivered::default()), ..new };
        let entry = self.0.entry(new.hour).or_insert(empty);
        entry.rows += new.rows;
        entry.digest += new.digest;
        match (&mut entry.delivered, new.delivered) {
            (Some(delivered), Some(more)) => *delivered += more,
            (delivered, _) => *delivered = None,
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.values().for_each(|hour| self.add_hour(*hour));
    }

    pub(super) fn list(&self) -> Vec<Hour> {
        self.0.values().copied().collect()
    }
}

/// Hours of dates that can be named.
const DATES: std::ops::Range<i64> = -104_900_000..70_389_000;

#[derive(Serialize, Deserialize)]
struct HourText {
    hour: i64,
    rows: u64,
    digest: String,
    /// Absent in files of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered: Option<DeliveredText>,
}

#[derive(Serialize, Deserialize)]
struct DeliveredText {
    /// Hexadecimal: a reader of JSON may know no integers of 60 bits.
    minutes: String,
    one_sided: u64,
    /// Absent in files of an earlier version, which counted others as one-sided.
    #[serde(default)]
    two_sided: Option<u64>,
    sampled: u64,
}

impl From<Hour> for HourText {
    fn from(Hour { hour, rows, digest, delivered }: Hour) -> Self {
        let delivered = delivered.map(|Delivered { minutes, one_sided, two_sided, sampled }| DeliveredText {
            minutes: format!("{minutes:015x}"),
            one_sided,
            two_sided: Some(two_sided),
            sampled,
        });
        Self { hour, rows, digest: digest.to_string(), delivered }
    }
}

impl TryFrom<HourText> for Hour {
    type Error = String;

    fn try_from(HourText { hour, rows, digest, delivered }: HourText) -> Result<Self, String> {
        if !DATES.contains(&hour) {
            return Err(format!("hour {hour} lies outside the years -9999 to 9999"));
        }
        let told = delivered.and_then(|told| Some((told.minutes, told.one_sided, told.two_sided?, told.sampled)));
        let delivered = told.map(|(minutes, one_sided, two_sided, sampled)| match u64::from_str_radix(&minutes, 16) {
            Ok(minutes) if minutes >> 60 == 0 => Ok(Delivered { minutes, one_sided, two_sided, sampled }),
            _ => Err(format!("the minutes {minutes:?} are not 60 bits in hexadecimal")),
        });
        Ok(Self { hour, rows, digest: digest.parse()?, delivered: delivered.transpose()? })
    }
}

/// The value of [`HOURS_KEY`].
pub(super) fn to_json(hours: &[Hour]) -> Result<String, serde_json::Error> {
    serde_json::to_string(&hours.iter().map(|hour| HourText::from(*hour)).collect::<Vec<_>>())
}

/// Reads the value of [`HOURS_KEY`]; on failure the reason.
pub(super) fn from_json(json: &str) -> Result<Vec<Hour>, String> {
    let hours: Vec<HourText> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    hours.into_iter().map(Hour::try_from).collect()
}

#[cfg(test)]
mod tests {
    use super::{Delivered, HOUR, Hour, Hours, MINUTE, from_json, to_json};
    use crate::archive::{FlowRecord, digest::FlowsDigest};

    fn flow(end_time: i64) -> FlowRecord<'static> {
        let end = ("10.0.0.1".parse().unwrap(), 1);
        FlowRecord { observed_sides: Some(1), ..FlowRecord::new((end_time, end_time), end, end, 6) }
    }

    #[test]
    fn json_and_back() {
        let mut hours = Hours::default();
        for (time, text) in [(-1, b"a"), (0, b"b"), (HOUR - 1, b"c"), (HOUR + MINUTE, b"d")] {
            hours.add(&flow(time), FlowsDigest::of(text));
        }
        let list = hours.list();
        assert_eq!(list.iter().map(|hour| (hour.hour, hour.rows)).collect::<Vec<_>>(), [(-1, 1), (0, 2), (1, 1)]);
        let minutes: Vec<_> = list.iter().map(|hour| hour.delivered.unwrap().minutes).collect();
        assert_eq!(minutes, [1 << 59, 1 | 1 << 59, 2]);
        assert_eq!(from_json(&to_json(&list).unwrap()), Ok(list));
        assert!(from_json(r#"[{"hour":1,"rows":1,"digest":"x"}]"#).unwrap_err().contains("no digest"));
        assert!(from_json(r#"[{"hour":9000000000,"rows":1,"digest":""}]"#).unwrap_err().contains("outside"));
    }

    #[test]
    fn what_one_writer_did_not_say_is_not_known_of_all() {
        let told = |delivered| Hour { hour: 1, rows: 2, digest: FlowsDigest::of(b"a"), delivered };
        let delivered = Delivered { minutes: 5, one_sided: 1, two_sided: 3, sampled: 2 };
        let mut hours = Hours::default();
        hours.add_hour(told(Some(delivered)));
        hours.add_hour(told(Some(Delivered { minutes: 6, ..delivered })));
        assert_eq!(hours.list()[0].delivered, Some(Delivered { minutes: 7, one_sided: 2, two_sided: 6, sampled: 4 }));
        hours.add_hour(told(None));
        hours.add_hour(told(Some(delivered)));
        assert_eq!((hours.list()[0].rows, hours.list()[0].delivered), (8, None));
        let silent = Hour { delivered: None, ..hours.list()[0] };
        assert_eq!(from_json(&to_json(&[silent]).unwrap()), Ok(vec![silent]));
        // An earlier version took every unanswered flow that says `1` for one-sided, and did not count the others.
        let earlier = r#"[{"hour":1,"rows":8,"digest":"x","delivered":{"minutes":"7","one_sided":2,"sampled":4}}]"#;
        let earlier = earlier.replace("\"x\"", &format!("\"{}\"", silent.digest));
        assert_eq!(from_json(&earlier), Ok(vec![silent]));
    }
}
