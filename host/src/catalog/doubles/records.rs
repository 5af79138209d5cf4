//! Flows as they are compared: numbers of a batch's rows.

use std::hash::BuildHasher;

use arrow::{
    array::{Array, AsArray, RecordBatch, StringViewArray, UInt64Array},
    datatypes::{TimestampMicrosecondType, UInt8Type, UInt16Type, UInt64Type},
};
use datafusion::common::{Result, internal_datafusion_err};
use foldhash::fast::FixedState;

use super::find::Alone;

/// The columns that are compared.
pub(super) const COLUMNS: [&str; 10] = [
    "src_ip",
    "dst_ip",
    "src_port",
    "dst_port",
    "protocol",
    "start_time",
    "end_time",
    "src_packets",
    "dst_packets",
    "sensor",
];

/// What is told beside, to complete a record with what another sensor saw.
pub(super) const BYTES: [&str; 2] = ["src_bytes", "dst_bytes"];

/// The rows of a batch that has the columns of [`COLUMNS`].
pub(super) struct Records<'a> {
    src_ip: &'a StringViewArray,
    dst_ip: &'a StringViewArray,
    src_port: &'a [u16],
    dst_port: &'a [u16],
    protocol: &'a [u8],
    start: &'a [i64],
    pub(super) end: &'a [i64],
    packets: [&'a UInt64Array; 2],
    /// Where they were read.
    bytes: [Option<&'a UInt64Array>; 2],
    sensor: &'a StringViewArray,
}

impl<'a> Records<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| internal_datafusion_err!("flows without the column {name}"))
        };
        let text = |name: &str| -> Result<&StringViewArray> { Ok(column(name)?.as_string_view()) };
        let port = |name: &str| -> Result<&[u16]> { Ok(column(name)?.as_primitive::<UInt16Type>().values()) };
        let time =
            |name: &str| -> Result<&[i64]> { Ok(column(name)?.as_primitive::<TimestampMicrosecondType>().values()) };
        Ok(Self {
            src_ip: text("src_ip")?,
            dst_ip: text("dst_ip")?,
            src_port: port("src_port")?,
            dst_port: port("dst_port")?,
            protocol: column("protocol")?.as_primitive::<UInt8Type>().values(),
            start: time("start_time")?,
            end: time("end_time")?,
            packets: [
                column("src_packets")?.as_primitive::<UInt64Type>(),
                column("dst_packets")?.as_primitive::<UInt64Type>(),
            ],
            bytes: BYTES.map(|name| batch.column_by_name(name).map(|column| column.as_primitive::<UInt64Type>())),
            sensor: text("sensor")?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.end.len()
    }

    /// Stands for both ends and the protocol of a row, whichever end is the initiator.
    pub(super) fn key(&self, row: usize) -> u64 {
        let [src, dst] = self.ends(row);
        FixedState::default().hash_one((src.min(dst), src.max(dst), self.protocol[row]))
    }

    /// Stand for the two ends of a row.
    fn ends(&self, row: usize) -> [u64; 2] {
        let state = FixedState::default();
        let src = state.hash_one((self.src_ip.value(row), self.src_port[row]));
        let dst = state.hash_one((self.dst_ip.value(row), self.dst_port[row]));
        [src, dst]
    }

    /// The end whose packets alone were seen, if there is one.
    pub(super) fn alone(&self, row: usize) -> Option<Alone> {
        let [is_src, is_dst] = self.packets.map(|side| count(side, row).is_some_and(|packets| packets > 0));
        if is_src == is_dst {
            return None;
        }
        let ([src, dst], [src_port, dst_port]) = (self.ends(row), [self.src_port[row], self.dst_port[row]]);
        Some(Alone { is_src, is_high: (src > dst) == is_src, has_higher_port: (src_port > dst_port) == is_src })
    }

    /// Stands for a row, whose key is given.
    pub(super) fn record(&self, row: usize, key: u64) -> u64 {
        let parts = (key, self.sensor(row), self.start[row], self.end[row], self.packets(row));
        FixedState::default().hash_one(parts)
    }

    /// The name of the sensor; empty where the source named none.
    pub(super) fn sensor(&self, row: usize) -> &'a str {
        if self.sensor.is_null(row) { "" } else { self.sensor.value(row) }
    }

    pub(super) fn start(&self, row: usize) -> i64 {
        self.start[row]
    }

    pub(super) fn packets(&self, row: usize) -> u64 {
        let [src, dst] = self.packets.map(|side| count(side, row).unwrap_or(0));
        src.saturating_add(dst)
    }

    /// Bytes of both sides; nothing where neither is known.
    pub(super) fn bytes(&self, row: usize) -> Option<u64> {
        self.bytes.into_iter().flatten().filter_map(|side| count(side, row)).reduce(u64::saturating_add)
    }
}

fn count(column: &UInt64Array, row: usize) -> Option<u64> {
    column.is_valid(row).then(|| column.value(row))
}
