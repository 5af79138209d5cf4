//! Columns of flows, and the flow of each row.

use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringViewArray},
    datatypes::{TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};

use crate::{
    archive::{record::FlowRecord, values},
    flow::{self, FlowColumn},
    mapping::kind,
};

/// Columns of flows, as far as there are expressions for them.
#[derive(Debug, Default)]
pub(in crate::archive) struct Flows {
    start_time: Option<PrimitiveArray<TimestampMicrosecondType>>,
    end_time: Option<PrimitiveArray<TimestampMicrosecondType>>,
    src_ip: Option<StringViewArray>,
    dst_ip: Option<StringViewArray>,
    src_port: Option<PrimitiveArray<UInt16Type>>,
    dst_port: Option<PrimitiveArray<UInt16Type>>,
    protocol: Option<PrimitiveArray<UInt8Type>>,
    service: Option<StringViewArray>,
    src_bytes: Option<PrimitiveArray<UInt64Type>>,
    dst_bytes: Option<PrimitiveArray<UInt64Type>>,
    src_packets: Option<PrimitiveArray<UInt64Type>>,
    dst_packets: Option<PrimitiveArray<UInt64Type>>,
    conn_state: Option<StringViewArray>,
    tcp_flags: Option<PrimitiveArray<UInt16Type>>,
    src_mac: Option<StringViewArray>,
    dst_mac: Option<StringViewArray>,
    vlan: Option<PrimitiveArray<UInt16Type>>,
    flow_uid: Option<StringViewArray>,
    community_id: Option<StringViewArray>,
    dst_name: Option<StringViewArray>,
    sensor: Option<StringViewArray>,
    sampling_interval: Option<PrimitiveArray<UInt32Type>>,
    observed_sides: Option<PrimitiveArray<UInt8Type>>,
}

macro_rules! by_name {
    ($flows:ident, $name:ident, $values:ident: $($as:ident($($column:ident)*))*) => {
        match $name {
            $($(stringify!($column) => $flows.$column = $values.$as().cloned(),)*)*
            _ => {}
        }
    };
}

impl Flows {
    /// Keeps a column, which has the canonical type.
    pub(in crate::archive) fn set(&mut self, name: &str, values: &ArrayRef) {
        by_name!(self, name, values:
            as_primitive_opt(start_time end_time src_port dst_port protocol src_bytes dst_bytes src_packets dst_packets
                tcp_flags vlan sampling_interval observed_sides)
            as_string_view_opt(src_ip dst_ip service conn_state src_mac dst_mac flow_uid community_id dst_name sensor));
    }

    /// The flow of a record; on failure why it is none.
    pub(in crate::archive) fn row<'a>(&'a self, row: usize, sensor: Option<&'a str>) -> Result<FlowRecord<'a>, String> {
        let start_time = required(number(&self.start_time, row), "start_time")?;
        let end_time = required(number(&self.end_time, row), "end_time")?;
        if end_time < start_time || start_time < FIRST_TIME || end_time >= values::LAST_TIME {
            let rule = "it must not be before the start, and both lie in the years 1 to 9999";
            return Err(format!("`end_time` is {} microseconds after `start_time`; {rule}", end_time - start_time));
        }
        let ends = [(&self.src_ip, "src_ip"), (&self.dst_ip, "dst_ip")];
        let [src_ip, dst_ip] = ends.map(|(column, name)| required(parsed(column, row, name, values::ip)?, name));
        let ports = [(&self.src_port, "src_port"), (&self.dst_port, "dst_port")];
        let [src_port, dst_port] = ports.map(|(column, name)| required(number(column, row), name));
        let protocol = required(number(&self.protocol, row), "protocol")?;
        Ok(FlowRecord {
            service: text(&self.service, row),
            src_bytes: number(&self.src_bytes, row),
            dst_bytes: number(&self.dst_bytes, row),
            src_packets: number(&self.src_packets, row),
            dst_packets: number(&self.dst_packets, row),
            conn_state: text(&self.conn_state, row),
            tcp_flags: number(&self.tcp_flags, row),
            src_mac: parsed(&self.src_mac, row, "src_mac", values::mac)?,
            dst_mac: parsed(&self.dst_mac, row, "dst_mac", values::mac)?,
            vlan: number(&self.vlan, row),
            flow_uid: text(&self.flow_uid, row),
            community_id: text(&self.community_id, row),
            dst_name: text(&self.dst_name, row),
            sensor: sensor.or_else(|| text(&self.sensor, row)),
            sampling_interval: number(&self.sampling_interval, row),
            observed_sides: number(&self.observed_sides, row),
            ..FlowRecord::new((start_time, end_time), (src_ip?, src_port?), (dst_ip?, dst_port?), protocol)
        })
    }
}

/// Start of the year 1 in microseconds: the times that SQL and Parquet readers agree on begin there.
const FIRST_TIME: i64 = -62_135_596_800_000_000;

#[inline]
fn number<T: ArrowPrimitiveType>(column: &Option<PrimitiveArray<T>>, row: usize) -> Option<T::Native> {
    column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

#[inline]
fn text(column: &Option<StringViewArray>, row: usize) -> Option<&str> {
    column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// An address.
#[inline]
fn parsed<T>(
    column: &Option<StringViewArray>,
    row: usize,
    name: &str,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(text) = text(column, row) else { return Ok(None) };
    parse(text.as_bytes()).map(Some).ok_or_else(|| wrong(named(name), text))
}

#[inline]
fn required<T>(value: Option<T>, name: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("`{name}` is not set; it must be {}", kind(named(name))))
}

fn named(name: &str) -> &'static FlowColumn {
    flow::COLUMNS.iter().find(|column| column.name == name).unwrap_or(&flow::COLUMNS[0])
}

#[cold]
pub(super) fn wrong(column: &FlowColumn, given: &str) -> String {
    let shown: String = given.chars().take(80).collect();
    format!("`{}` is {shown:?}; it must be {}", column.name, kind(column))
}
