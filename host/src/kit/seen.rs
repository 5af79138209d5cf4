//! A finding as the kit shows it: what a hospital would read, without what differs from run to run.

use std::{cmp::Ordering, collections::BTreeMap};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use jiff::Timestamp;
use serde::Serialize;

/// A finding of one slice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// Start of the slice.
    pub slice_start: Timestamp,
    /// The device's id.
    pub device_id: String,
    /// What kind it is.
    pub kind: String,
    /// `low` and so on.
    pub severity: String,
    /// In [0, 1].
    pub score: f64,
    /// In [0, 1].
    pub confidence: f64,
    /// Start of the first flow that shows it.
    pub first_seen: Timestamp,
    /// End of the last.
    pub last_seen: Timestamp,
    /// The peer, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_ip: Option<String>,
    /// The peer's port, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_port: Option<i32>,
    /// IANA number, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<i32>,
    /// Flows that show it.
    pub flow_count: i64,
    /// One line for a person.
    pub summary: String,
    /// What tells causes of one kind apart, if something does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cause_key: String,
    /// The numbers that it rests on, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub observations: BTreeMap<String, f64>,
    /// One cause has one id, in every slice.
    #[serde(skip)]
    pub finding_id: String,
}

impl Seen {
    /// What the operator gave, in order of slice, device and cause.
    pub(super) fn of(findings: &[RecordBatch], observations: &[RecordBatch]) -> Vec<Self> {
        let mut measured: BTreeMap<(String, i64), BTreeMap<String, f64>> = BTreeMap::new();
        for batch in observations {
            let row = Row(batch);
            for at in 0..batch.num_rows() {
                let of = measured.entry((row.text("finding_id", at), row.time("slice_start", at))).or_default();
                of.insert(row.text("name", at), row.float("measured", at));
            }
        }
        let mut seen = Vec::new();
        for batch in findings {
            let row = Row(batch);
            for at in 0..batch.num_rows() {
                let id = row.text("finding_id", at);
                let slice_start = row.time("slice_start", at);
                let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or_default();
                let optional = |text: String| Some(text).filter(|text| !text.is_empty());
                seen.push(Self {
                    slice_start: stamp(slice_start),
                    device_id: row.text("device_id", at),
                    kind: row.text("kind", at),
                    severity: row.text("severity", at),
                    score: row.float("score", at),
                    confidence: row.float("confidence", at),
                    first_seen: stamp(row.time("first_seen", at)),
                    last_seen: stamp(row.time("last_seen", at)),
                    peer_ip: optional(row.text("peer_ip", at)),
                    peer_port: row.number("peer_port", at),
                    protocol: row.number("protocol", at),
                    flow_count: row.count("flow_count", at),
                    summary: row.text("summary", at),
                    cause_key: row.text("cause_key", at),
                    observations: measured.remove(&(id.clone(), slice_start)).unwrap_or_default(),
                    finding_id: id,
                });
            }
        }
        seen.sort_by(Self::compare);
        seen
    }

    fn compare(&self, other: &Self) -> Ordering {
        fn key(seen: &Seen) -> impl Ord {
            (
                seen.slice_start,
                &seen.device_id,
                &seen.kind,
                &seen.peer_ip,
                seen.peer_port,
                seen.protocol,
                &seen.cause_key,
            )
        }
        key(self).cmp(&key(other))
    }

    /// In one line, for a person.
    pub fn line(&self) -> String {
        let slice = self.slice_start.strftime("%Y-%m-%d %H:%M");
        let port = self.peer_port.map(|port| format!(" port {port}")).unwrap_or_default();
        let peer = self.peer_ip.as_ref().map(|ip| format!(" {ip}{port}")).unwrap_or_default();
        format!("{slice} {} {}{peer}, score {:.3}: {}", self.device_id, self.kind, self.score, self.summary)
    }
}

/// A row of a batch, by the names of its columns. A column that is not there is empty.
struct Row<'a>(&'a RecordBatch);

impl Row<'_> {
    fn text(&self, name: &str, at: usize) -> String {
        let column = self.0.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.filter(|column| column.is_valid(at)).map(|column| column.value(at).to_owned()).unwrap_or_default()
    }

    fn time(&self, name: &str, at: usize) -> i64 {
        let column = self.0.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        column.map_or(0, |column| column.value(at))
    }

    fn float(&self, name: &str, at: usize) -> f64 {
        let column = self.0.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
        column.map_or(0.0, |column| column.value(at))
    }

    fn number(&self, name: &str, at: usize) -> Option<i32> {
        let column = self.0.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int32Type>());
        column.filter(|column| column.is_valid(at)).map(|column| column.value(at))
    }

    fn count(&self, name: &str, at: usize) -> i64 {
        let column = self.0.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        column.map_or(0, |column| column.value(at))
    }
}
