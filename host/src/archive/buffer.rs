//! Flows that wait until they make a row group.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

use arrow::{
    array::{StringViewArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array},
    datatypes::{UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use foldhash::fast::RandomState;

use super::{
    column::Column,
    hours::Hours,
    layout::{self, InternalEnd, ROW_GROUP_ROWS},
    options::{Ids, Options},
    record::{FlowRecord, ip_number, mac_text, number_ip},
    sensor_hours::SensorHours,
};

/// Bytes that a row takes apart from its ids: some 130, and what growing vectors keep in reserve.
const ROW_BYTES: usize = 192;

/// Rows from which on a buffer is taken for one that gets full, and so gets its memory at once: to grow is to copy, into
/// memory that no one has touched yet. Few of the buffers of many days have as many.
const LARGE: usize = ROW_GROUP_ROWS / 8;

/// Columns in the making. Addresses and repeated text are numbered, and written out once a row group.
#[derive(Debug, Default)]
pub(super) struct RowBuffer {
    start_time: Vec<i64>,
    end_time: Vec<i64>,
    src_ip: Vec<u32>,
    dst_ip: Vec<u32>,
    internal: Vec<InternalEnd>,
    ips: Numbers<u128>,
    src_port: Vec<u16>,
    dst_port: Vec<u16>,
    protocol: Vec<u8>,
    service: Options<UInt32Type>,
    src_bytes: Options<UInt64Type>,
    dst_bytes: Options<UInt64Type>,
    src_packets: Options<UInt64Type>,
    dst_packets: Options<UInt64Type>,
    conn_state: Options<UInt32Type>,
    tcp_flags: Options<UInt16Type>,
    src_mac: Options<UInt32Type>,
    dst_mac: Options<UInt32Type>,
    macs: Numbers<[u8; 6]>,
    vlan: Options<UInt16Type>,
    flow_uid: Ids,
    community_id: Ids,
    dst_name: Options<UInt32Type>,
    sensor: Options<UInt32Type>,
    texts: Numbers<String>,
    sampling_interval: Options<UInt32Type>,
    observed_sides: Options<UInt8Type>,
    id_bytes: usize,
    hours: Hours,
    sensors: SensorHours,
}

impl RowBuffer {
    /// Number of flows.
    pub(super) fn rows(&self) -> usize {
        self.end_time.len()
    }

    /// Memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let rows = if self.rows() > LARGE { self.rows().max(ROW_GROUP_ROWS) } else { self.rows() };
        rows * ROW_BYTES + self.id_bytes
    }

    /// What it holds of each hour.
    pub(super) fn hours(&self) -> &Hours {
        &self.hours
    }

    /// What it holds of each sensor and hour.
    pub(super) fn sensors(&self) -> &SensorHours {
        &self.sensors
    }

    /// Adds a flow. `scratch` is overwritten.
    pub(super) fn push(&mut self, flow: &FlowRecord<'_>, internal: InternalEnd, scratch: &mut Vec<u8>) {
        if self.rows() == LARGE {
            self.reserve(ROW_GROUP_ROWS - LARGE);
        }
        self.hours.add(flow, flow.digest(scratch));
        self.sensors.add(flow.sensor, flow.end_time);
        self.start_time.push(flow.start_time);
        self.end_time.push(flow.end_time);
        self.src_ip.push(self.ips.number(&ip_number(flow.src_ip)));
        self.dst_ip.push(self.ips.number(&ip_number(flow.dst_ip)));
        self.internal.push(internal);
        self.src_port.push(flow.src_port);
        self.dst_port.push(flow.dst_port);
        self.protocol.push(flow.protocol);
        self.src_bytes.push(flow.src_bytes);
        self.dst_bytes.push(flow.dst_bytes);
        self.src_packets.push(flow.src_packets);
        self.dst_packets.push(flow.dst_packets);
        self.tcp_flags.push(flow.tcp_flags);
        self.vlan.push(flow.vlan);
        self.sampling_interval.push(flow.sampling_interval);
        self.observed_sides.push(flow.observed_sides);
        for (column, mac) in [(&mut self.src_mac, flow.src_mac), (&mut self.dst_mac, flow.dst_mac)] {
            column.push(mac.map(|mac| self.macs.number(&mac)));
        }
        for (column, text) in [
            (&mut self.service, flow.service),
            (&mut self.conn_state, flow.conn_state),
            (&mut self.dst_name, flow.dst_name),
            (&mut self.sensor, flow.sensor),
        ] {
            column.push(text.map(|text| self.texts.number(text)));
        }
        for (column, id) in [(&mut self.flow_uid, flow.flow_uid), (&mut self.community_id, flow.community_id)] {
            column.push(id);
            self.id_bytes += id.map_or(0, str::len);
        }
    }

    fn reserve(&mut self, rows: usize) {
        self.start_time.reserve_exact(rows);
        self.end_time.reserve_exact(rows);
        self.src_ip.reserve_exact(rows);
        self.dst_ip.reserve_exact(rows);
        self.internal.reserve_exact(rows);
        self.src_port.reserve_exact(rows);
        self.dst_port.reserve_exact(rows);
        self.protocol.reserve_exact(rows);
        for column in [&mut self.src_bytes, &mut self.dst_bytes, &mut self.src_packets, &mut self.dst_packets] {
            column.reserve(rows);
        }
        for column in [&mut self.service, &mut self.conn_state, &mut self.dst_name, &mut self.sensor] {
            column.reserve(rows);
        }
        for column in [&mut self.src_mac, &mut self.dst_mac, &mut self.sampling_interval] {
            column.reserve(rows);
        }
        for column in [&mut self.tcp_flags, &mut self.vlan] {
            column.reserve(rows);
        }
        self.observed_sides.reserve(rows);
    }

    /// The rows in the order of [`layout`], and the columns of [`flow::schema`](crate::flow::schema).
    pub(super) fn into_columns(self) -> (UInt32Array, Vec<Column>) {
        let ips: Vec<String> = self.ips.values.iter().map(|&number| number_ip(number).to_string()).collect();
        let order = UInt32Array::from(self.order(&ips));
        let ips = StringViewArray::from_iter_values(ips);
        let macs = StringViewArray::from_iter_values(self.macs.values.iter().map(mac_text));
        let texts = StringViewArray::from_iter_values(self.texts.values.iter());
        let time = |times: Vec<i64>| Column::of(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
        let columns = vec![
            time(self.start_time),
            time(self.end_time),
            Column::of_addresses(self.src_ip.into(), &ips),
            Column::of_addresses(self.dst_ip.into(), &ips),
            Column::of(UInt16Array::from(self.src_port)),
            Column::of(UInt16Array::from(self.dst_port)),
            Column::of(UInt8Array::from(self.protocol)),
            Column::of_numbered(self.service.finish(), &texts),
            Column::of_optional(self.src_bytes.finish()),
            Column::of_optional(self.dst_bytes.finish()),
            Column::of_optional(self.src_packets.finish()),
            Column::of_optional(self.dst_packets.finish()),
            Column::of_numbered(self.conn_state.finish(), &texts),
            Column::of_optional(self.tcp_flags.finish()),
            Column::of_numbered(self.src_mac.finish(), &macs),
            Column::of_numbered(self.dst_mac.finish(), &macs),
            Column::of_optional(self.vlan.finish()),
            Column::of_optional(self.flow_uid.finish()),
            Column::of_optional(self.community_id.finish()),
            Column::of_numbered(self.dst_name.finish(), &texts),
            Column::of_numbered(self.sensor.finish(), &texts),
            Column::of_optional(self.sampling_interval.finish()),
            Column::of_optional(self.observed_sides.finish()),
        ];
        (order, columns)
    }

    fn order(&self, ips: &[String]) -> Vec<u32> {
        let mut sorted: Vec<u32> = (0..ips.len() as u32).collect();
        sorted.sort_unstable_by(|&a, &b| ips[a as usize].cmp(&ips[b as usize]));
        let mut rank = vec![0; ips.len()];
        for (place, &ip) in sorted.iter().enumerate() {
            rank[ip as usize] = place as u32;
        }
        let groups = self.internal.iter().zip(self.src_ip.iter().zip(&self.dst_ip)).map(|(internal, (&src, &dst))| {
            let (side, end) = match internal {
                InternalEnd::Src | InternalEnd::Both => (0, src),
                InternalEnd::Dst => (1, dst),
                InternalEnd::Neither => (2, src),
            };
            side * ips.len() as u32 + rank[end as usize]
        });
        layout::order(&groups.collect::<Vec<_>>(), 3 * ips.len(), &self.end_time)
    }
}

/// Numbers for values, in the order in which they are first seen.
#[derive(Debug)]
struct Numbers<K> {
    numbers: HashMap<K, u32, RandomState>,
    values: Vec<K>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { numbers: HashMap::default(), values: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash> Numbers<K> {
    fn number<Q>(&mut self, value: &Q) -> u32
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(&number) = self.numbers.get(value) {
            return number;
        }
        let number = self.values.len() as u32;
        let value = value.to_owned();
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }
}
