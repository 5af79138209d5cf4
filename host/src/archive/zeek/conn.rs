//! `conn.log`: one record a connection, one flow a record.

use std::io::Read;

use super::{
    log::{Kind, Log, Step},
    names::Names,
    values,
};
use crate::{archive::record::FlowRecord, error::Result};

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

static CONN: Kind<22> = Kind {
    path: "conn",
    fields: [
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
    ],
    required: 6,
};

/// Reads flows from a `conn.log`.
#[derive(Debug)]
pub struct ConnLog<R> {
    log: Log<R, 22>,
    names: Names,
    sensor: Option<String>,
    /// The service where it had to be changed.
    service: String,
}

/// A line of a `conn.log` that is no header.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly every line is a flow, lent for a moment and never stored")]
pub enum ConnLine<'a> {
    /// A flow.
    Flow(FlowRecord<'a>),
    /// A line that is none.
    Reject(Reject<'a>),
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject<'a> {
    /// Its number in the source, from one.
    pub line: u64,
    /// The rule that it breaks, and its value.
    pub reason: String,
    /// The line, or its beginning.
    pub raw: &'a [u8],
}

impl<R: Read> ConnLog<R> {
    /// A reader of decompressed content. `names` are joined by `uid`; `sensor` is the name for the column of that name,
    /// in place of the field `_system_name`.
    pub fn new(input: R, names: Names, sensor: Option<String>) -> Self {
        Self { log: Log::new(input, &CONN), names, sensor, service: String::new() }
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// The input cannot be read, is no Zeek log, or is another one.
    pub fn next_line(&mut self) -> Result<Option<ConnLine<'_>>> {
        let reason = match self.log.advance()? {
            Step::End => return Ok(None),
            Step::Malformed(reason) => reason,
            Step::Record => {
                self.lower_service();
                match self.flow() {
                    Ok(flow) => return Ok(Some(ConnLine::Flow(flow))),
                    Err(reason) => reason,
                }
            }
        };
        Ok(Some(ConnLine::Reject(Reject { line: self.log.number(), reason, raw: self.log.text() })))
    }

    /// The number of the last line, from one.
    pub const fn number(&self) -> u64 {
        self.log.number()
    }

    /// Whether a compressed input broke off.
    pub const fn is_broken(&self) -> bool {
        self.log.is_broken()
    }

    fn flow(&self) -> Result<FlowRecord<'_>, String> {
        self.check_kind()?;
        let start_time = self.required(TS, values::time, "a time in seconds since 1970, or in ISO 8601")?;
        let duration = self.optional(DURATION, values::micros, "a number of seconds")?.unwrap_or(0);
        let src_ip = self.required(ORIG_H, values::ip, "an IP address")?;
        let dst_ip = self.required(RESP_H, values::ip, "an IP address")?;
        let proto = self.required(PROTO, |text| values::protocol(text, src_ip.is_ipv6()), "a transport protocol")?;
        let ip_proto = self.optional(IP_PROTO, values::number, "a protocol number")?;
        let protocol = if proto == 0 { ip_proto.unwrap_or(0) } else { proto };
        let port = "a port from 0 to 65535";
        let count = "a whole number";
        let mac = "a MAC address";
        let flow_uid = self.text(UID)?;
        let history = self.log.get(HISTORY).filter(|_| protocol == TCP);
        Ok(FlowRecord {
            start_time,
            end_time: end_time(start_time, duration)?,
            src_ip,
            dst_ip,
            src_port: self.required(ORIG_P, values::number, port)?,
            dst_port: self.required(RESP_P, values::number, port)?,
            protocol,
            service: self.service(),
            src_bytes: self.optional(ORIG_BYTES, values::number, count)?,
            dst_bytes: self.optional(RESP_BYTES, values::number, count)?,
            src_packets: self.optional(ORIG_PKTS, values::number, count)?,
            dst_packets: self.optional(RESP_PKTS, values::number, count)?,
            conn_state: self.text(CONN_STATE)?,
            tcp_flags: history.map(values::tcp_flags),
            src_mac: self.optional(ORIG_MAC, values::mac, mac)?,
            dst_mac: self.optional(RESP_MAC, values::mac, mac)?,
            vlan: self.optional(VLAN, values::number, "a VLAN id")?,
            flow_uid,
            community_id: self.text(COMMUNITY_ID)?,
            dst_name: flow_uid.and_then(|uid| self.names.get(uid.as_bytes())),
            sensor: self.sensor.as_deref().map_or_else(|| self.text(SYSTEM_NAME), |sensor| Ok(Some(sensor)))?,
            sampling_interval: None,
            observed_sides: None,
        })
    }

    /// JSON has no header that tells the logs apart: `dns.log` has addresses and ports too.
    fn check_kind(&self) -> Result<(), String> {
        match self.log.get(PATH) {
            Some(path) if path != b"conn" => {
                Err(format!("the record is one of Zeek's {}.log, not conn.log", path.escape_ascii()))
            }
            None if self.log.is_json()
                && [CONN_STATE, HISTORY, ORIG_PKTS].iter().all(|&field| self.log.get(field).is_none()) =>
            {
                Err("the record is none of conn.log: it has neither conn_state nor history nor orig_pkts".into())
            }
            _ => Ok(()),
        }
    }

    // Left to itself the compiler calls these for each field, with results that go through memory.
    #[inline(always)]
    fn required<T>(&self, field: usize, parse: impl Fn(&[u8]) -> Option<T>, rule: &str) -> Result<T, String> {
        let value = self.optional(field, parse, rule)?;
        value.ok_or_else(|| unset(field, rule))
    }

    #[inline(always)]
    fn optional<T>(&self, field: usize, parse: impl Fn(&[u8]) -> Option<T>, rule: &str) -> Result<Option<T>, String> {
        let Some(text) = self.log.get(field) else {
            return Ok(None);
        };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(field, text, rule)),
        }
    }

    #[inline(always)]
    fn text(&self, field: usize) -> Result<Option<&str>, String> {
        let text = self.log.get(field);
        text.map(|text| std::str::from_utf8(text).map_err(|_| wrong(field, text, "text in UTF-8"))).transpose()
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

const TCP: u8 = 6;

fn end_time(start: i64, duration: i64) -> Result<i64, String> {
    let end = (duration >= 0).then(|| start.checked_add(duration)).flatten().filter(|end| *end < values::LAST_TIME);
    end.ok_or_else(|| format!("duration is {duration} microseconds; it must not be negative or pass the year 9999"))
}

#[cold]
fn unset(field: usize, rule: &str) -> String {
    format!("{} is not set; it must be {rule}", CONN.fields[field])
}

#[cold]
fn wrong(field: usize, text: &[u8], rule: &str) -> String {
    let shown = &text[..text.len().min(80)];
    format!("{} is \"{}\"; it must be {rule}", CONN.fields[field], shown.escape_ascii())
}
