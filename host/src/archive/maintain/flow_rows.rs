//! Rows of a flow file back into [`FlowRecord`]s, exactly.

use std::{collections::HashMap, net::IpAddr};

use arrow::{
    array::{Array, AsArray, PrimitiveArray, RecordBatch, StringViewArray},
    datatypes::{ArrowPrimitiveType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};

use super::read_back::Fault;
use crate::{
    archive::{
        FlowRecord,
        record::{ip_number, mac_text, number_ip},
        values,
    },
    error::Result,
    flow,
};

/// Texts that are remembered with their meaning at most.
const MOST_KNOWN: usize = 1 << 16;

/// Reads rows. Addresses are remembered, since few of them are most of them.
#[derive(Debug)]
pub(super) struct FlowRows {
    ips: Known<IpAddr>,
    macs: Known<[u8; 6]>,
}

impl Default for FlowRows {
    fn default() -> Self {
        let ips = Known { values: HashMap::new(), what: "an address in the form of RFC 5952", parse: ip };
        let macs = Known { values: HashMap::new(), what: "a MAC address in lower case with colons", parse: mac };
        Self { ips, macs }
    }
}

impl FlowRows {
    /// Gives every flow of a batch to `each`.
    pub(super) fn each<E: From<Fault>>(
        &mut self,
        batch: &RecordBatch,
        mut each: impl FnMut(&FlowRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = if batch.schema().fields() == flow::schema().fields() { batch.columns() } else { &[] };
        let [
            start_time,
            end_time,
            src_ip,
            dst_ip,
            src_port,
            dst_port,
            protocol,
            service,
            src_bytes,
            dst_bytes,
            src_packets,
            dst_packets,
            conn_state,
            tcp_flags,
            src_mac,
            dst_mac,
            vlan,
            flow_uid,
            community_id,
            dst_name,
            sensor,
            sampling_interval,
            observed_sides,
        ] = columns
        else {
            return Err(Fault::Damaged("its columns are not those of flows".into()).into());
        };
        let [start_time, end_time] = [start_time, end_time].map(|c| c.as_primitive::<TimestampMicrosecondType>());
        let [src_ip, dst_ip, src_mac, dst_mac] = [src_ip, dst_ip, src_mac, dst_mac].map(|c| c.as_string_view());
        let [src_port, dst_port, tcp_flags, vlan] =
            [src_port, dst_port, tcp_flags, vlan].map(|c| c.as_primitive::<UInt16Type>());
        let [src_bytes, dst_bytes, src_packets, dst_packets] =
            [src_bytes, dst_bytes, src_packets, dst_packets].map(|c| c.as_primitive::<UInt64Type>());
        let [protocol, observed_sides] = [protocol, observed_sides].map(|c| c.as_primitive::<UInt8Type>());
        let sampling_interval = sampling_interval.as_primitive::<UInt32Type>();
        let [service, conn_state, flow_uid, community_id, dst_name, sensor] =
            [service, conn_state, flow_uid, community_id, dst_name, sensor].map(|c| c.as_string_view());
        for row in 0..batch.num_rows() {
            each(&FlowRecord {
                start_time: start_time.value(row),
                end_time: end_time.value(row),
                src_ip: self.ips.get(src_ip.value(row))?,
                dst_ip: self.ips.get(dst_ip.value(row))?,
                src_port: src_port.value(row),
                dst_port: dst_port.value(row),
                protocol: protocol.value(row),
                service: text(service, row),
                src_bytes: number(src_bytes, row),
                dst_bytes: number(dst_bytes, row),
                src_packets: number(src_packets, row),
                dst_packets: number(dst_packets, row),
                conn_state: text(conn_state, row),
                tcp_flags: number(tcp_flags, row),
                src_mac: text(src_mac, row).map(|mac| self.macs.get(mac)).transpose()?,
                dst_mac: text(dst_mac, row).map(|mac| self.macs.get(mac)).transpose()?,
                vlan: number(vlan, row),
                flow_uid: text(flow_uid, row),
                community_id: text(community_id, row),
                dst_name: text(dst_name, row),
                sensor: text(sensor, row),
                sampling_interval: number(sampling_interval, row),
                observed_sides: number(observed_sides, row),
            })?;
        }
        Ok(())
    }
}

fn text(column: &StringViewArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn number<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}

/// Texts and what they mean.
#[derive(Debug)]
struct Known<T> {
    values: HashMap<String, T>,
    what: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T: Copy> Known<T> {
    fn get(&mut self, text: &str) -> Result<T, Fault> {
        if let Some(value) = self.values.get(text) {
            return Ok(*value);
        }
        let value = (self.parse)(text).ok_or_else(|| Fault::Damaged(format!("{text:?} is not {}", self.what)))?;
        if self.values.len() >= MOST_KNOWN {
            self.values.clear();
        }
        self.values.insert(text.to_owned(), value);
        Ok(value)
    }
}

/// An address, if the text is the one that is written for it: another one of the same meaning would not be found by it.
fn ip(text: &str) -> Option<IpAddr> {
    let ip = values::ip(text.as_bytes())?;
    (number_ip(ip_number(ip)).to_string() == text).then_some(ip)
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mac = values::mac(text.as_bytes())?;
    (mac_text(&mac) == text).then_some(mac)
}
