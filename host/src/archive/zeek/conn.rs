//! `conn.log`: one record a connection, one flow a record.

use std::io::Read;

use super::{
    log::{Kind, Log, Step},
    names::Names,
};
use crate::{
    archive::{
        reader::{Place, Reader, Record, Reject},
        record::FlowRecord,
        tcp::TCP,
        values,
    },
    error::Result,
};

const TS: usize = 0;
const ORIG_H: usize = 1;
const ORIG_P: usize = 2;
const RESP_H: usize = 3;
const RESP_P: usize = 4;
const PROTO: usize = 5;
const UID: usize = 6;
const SERVICE: usize = 7;
const DURATION: usize = 8;
const ORIG_BYTES: usize = 9;
const RESP_BYTES: usize = 10;
const CONN_STATE: usize = 11;
const HISTORY: usize = 12;
const ORIG_PKTS: usize = 13;
const RESP_PKTS: usize = 14;
const ORIG_MAC: usize = 15;
const RESP_MAC: usize = 16;
const VLAN: usize = 17;
const COMMUNITY_ID: usize = 18;
const IP_PROTO: usize = 19;
const SYSTEM_NAME: usize = 20;
const PATH: usize = 21;

const FIELDS: [&str; 22] = [
    "ts",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "uid",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "history",
    "orig_pkts",
    "resp_pkts",
    "orig_l2_addr",
    "resp_l2_addr",
    "vlan",
    "community_id",
    "ip_proto",
    "_system_name",
    "_path",
];

const REQUIRED: usize = 6;

static CONN: Kind<22> = Kind { path: "conn", fields: FIELDS, required: REQUIRED };
static OPEN_CONN: Kind<22> = Kind { path: "open_conn", fields: FIELDS, required: REQUIRED };
static CONN_LONG: Kind<22> = Kind { path: "conn_long", fields: FIELDS, required: REQUIRED };

/// Which connections a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connections {
    /// `conn.log`: those that ended.
    Ended,
    /// `open_conn.log`: those that are open, again and again with their counts so far.
    Open,
    /// `conn_long.log`: the same of those that last long.
    Long,
}

/// Reads flows from a `conn.log`.
#[derive(Debug)]
pub(super) struct ConnLog<R> {
    log: Log<R, 22>,
    connections: Connections,
    names: Names,
    sensor: Option<String>,
    /// The service where it had to be changed.
    service: String,
}

impl<R: Read> ConnLog<R> {
    /// A reader of decompressed content. `names` are joined by `uid`; `sensor` is the name for the column of that name,
    /// in place of the field `_system_name`.
    pub(super) fn new(input: R, connections: Connections, names: Names, sensor: Option<String>) -> Self {
        let kind = match connections {
            Connections::Ended => &CONN,
            Connections::Open => &OPEN_CONN,
            Connections::Long => &CONN_LONG,
        };
        Self { log: Log::new(input, kind), connections, names, sensor, service: String::new() }
    }
}

impl<R: Read> Reader for ConnLog<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        let reason = match self.log.advance()? {
            Step::End => return Ok(None),
            Step::Malformed(reason) => reason,
            Step::Record => {
                self.lower_service();
                match self.flow() {
                    Ok(flow) if self.connections == Connections::Ended => return Ok(Some(Record::Flow(flow))),
                    Ok(flow) => return Ok(Some(Record::Open(flow))),
                    Err(reason) => reason,
                }
            }
        };
        Ok(Some(Record::Reject(Reject { place: self.place(), reason, raw: self.log.text() })))
    }

    fn place(&self) -> Place {
        Place::Line(self.log.number())
    }

    fn raw(&self) -> &[u8] {
        self.log.text()
    }

    fn is_broken(&self) -> bool {
        self.log.is_broken()
    }
}

impl<R: Read> ConnLog<R> {
    fn flow(&self) -> Result<FlowRecord<'_>, String> {
        self.check_kind()?;
        let start_time = self.log.required(TS, values::time, "a time in seconds since 1970, or in ISO 8601")?;
        let duration = self.log.optional(DURATION, values::micros, "a number of seconds")?.unwrap_or(0);
        let src_ip = self.log.required(ORIG_H, values::ip, "an IP address")?;
        let dst_ip = self.log.required(RESP_H, values::ip, "an IP address")?;
        let proto =
            self.log.required(PROTO, |text| values::protocol(text, src_ip.is_ipv6()), "a transport protocol")?;
        let ip_proto = self.log.optional(IP_PROTO, values::number, "a protocol number")?;
        let protocol = if proto == 0 { ip_proto.unwrap_or(0) } else { proto };
        let port = "a port from 0 to 65535";
        let count = "a whole number";
        let mac = "a MAC address";
        let flow_uid = self.log.text_of(UID)?;
        let history = self.log.get(HISTORY).filter(|_| protocol == TCP);
        Ok(FlowRecord {
            start_time,
            end_time: end_time(start_time, duration)?,
            src_ip,
            dst_ip,
            src_port: self.log.required(ORIG_P, values::number, port)?,
            dst_port: self.log.required(RESP_P, values::number, port)?,
            protocol,
            service: self.service(),
            src_bytes: self.log.optional(ORIG_BYTES, values::number, count)?,
            dst_bytes: self.log.optional(RESP_BYTES, values::number, count)?,
            src_packets: self.log.optional(ORIG_PKTS, values::number, count)?,
            dst_packets: self.log.optional(RESP_PKTS, values::number, count)?,
            conn_state: self.log.text_of(CONN_STATE)?,
            tcp_flags: history.map(values::tcp_flags),
            src_mac: self.log.optional(ORIG_MAC, values::mac, mac)?,
            dst_mac: self.log.optional(RESP_MAC, values::mac, mac)?,
            vlan: self.log.optional(VLAN, values::number, "a VLAN id")?,
            flow_uid,
            community_id: self.log.text_of(COMMUNITY_ID)?,
            dst_name: flow_uid.and_then(|uid| self.names.get(uid.as_bytes())),
            sensor: self.sensor.as_deref().map_or_else(|| self.log.text_of(SYSTEM_NAME), |sensor| Ok(Some(sensor)))?,
            sampling_interval: None,
            observed_sides: None,
        })
    }

    /// JSON has no header that tells the logs apart: `dns.log` has addresses and ports too.
    fn check_kind(&self) -> Result<(), String> {
        match self.log.get(PATH) {
            // The package that writes open_conn.log leaves `conn` in its records.
            Some(path) if path != b"conn" && path != self.log.kind().path.as_bytes() => Err(format!(
                "the record is one of Zeek's {}.log, not {}.log",
                path.escape_ascii(),
                self.log.kind().path
            )),
            None if self.log.is_json()
                && [CONN_STATE, HISTORY, ORIG_PKTS].iter().all(|&field| self.log.get(field).is_none()) =>
            {
                Err("the record is none of conn.log: it has neither conn_state nor history nor orig_pkts".into())
            }
            _ => Ok(()),
        }
    }

    /// Keeps the service in lower case, unless it is so already.
    fn lower_service(&mut self) {
        self.service.clear();
        if let Some(service) = self.log.get(SERVICE)
            && service.iter().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
        {
            self.service.push_str(&String::from_utf8_lossy(service));
            self.service.make_ascii_lowercase();
        }
    }

    fn service(&self) -> Option<&str> {
        if !self.service.is_empty() {
            return Some(&self.service);
        }
        self.log.get(SERVICE).and_then(|service| std::str::from_utf8(service).ok())
    }
}

fn end_time(start: i64, duration: i64) -> Result<i64, String> {
    let end = (duration >= 0).then(|| start.checked_add(duration)).flatten().filter(|end| *end < values::LAST_TIME);
    end.ok_or_else(|| format!("duration is {duration} microseconds; it must not be negative or pass the year 9999"))
}
