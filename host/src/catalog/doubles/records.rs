//! Flows as they are compared: numbers of a batch's rows.

use std::hash::BuildHasher;

use arrow::{
    array::{Array, AsArray, RecordBatch, StringViewArray},
    datatypes::{TimestampMicrosecondType, UInt8Type, UInt16Type, UInt64Type},
};
use datafusion::common::{Result, internal_datafusion_err};
use foldhash::fast::FixedState;

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

/// The rows of a batch that has the columns of [`COLUMNS`].
pub(super) struct Records<'a> {
    src_ip: &'a StringViewArray,
    dst_ip: &'a StringViewArray,
    src_port: &'a [u16],
    dst_port: &'a [u16],
    protocol: &'a [u8],
    start: &'a [i64],
    pub(super) end: &'a [i64],
    packets: [&'a arrow::array::PrimitiveArray<UInt64Type>; 2],
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
            sensor: text("sensor")?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.end.len()
    }

    /// Stands for both ends and the protocol of a row, whichever end is the initiator.
    pub(super) fn key(&self, row: usize) -> u64 {
        let state = FixedState::default();
        let src = state.hash_one((self.src_ip.value(row), self.src_port[row]));
        let dst = state.hash_one((self.dst_ip.value(row), self.dst_port[row]));
        state.hash_one((src.min(dst), src.max(dst), self.protocol[row]))
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
        let of = |side: &arrow::array::PrimitiveArray<UInt64Type>| if side.is_null(row) { 0 } else { side.value(row) };
        of(self.packets[0]).saturating_add(of(self.packets[1]))
    }
}
