//! Events `flow` and `netflow` as flow records, without their text.

use super::{
    event::Event,
    protocol, time,
    value::{Value, as_number, as_text, optional, required},
};
use crate::archive::{
    record::FlowRecord,
    tcp::{self, Direction, ICMP, ICMPV6, TCP, UDP},
    values,
};

const SCTP: u8 = 132;
pub(super) const IP: &str = "an IP address";
pub(super) const PROTOCOL: &str = "a transport protocol";
const COUNT: &str = "a whole number";
const MAC: &str = "a MAC address";

/// The flow of an event `flow`. On failure the reason.
pub(super) fn flow(event: &Event<'_>) -> Result<FlowRecord<'static>, String> {
    let flow = &event.flow;
    let times = times(("flow.start", &flow.start), ("flow.end", &flow.end))?;
    let record = common(event, times)?;
    let src_packets = count("flow.pkts_toserver", &flow.pkts_toserver)?;
    let dst_packets = count("flow.pkts_toclient", &flow.pkts_toclient)?;
    let flags = Flags::of(event, record.protocol)?;
    let seen = |packets: Option<u64>, flags| Some(Direction { packets: packets?, flags });
    Ok(FlowRecord {
        src_packets,
        dst_packets,
        src_bytes: count("flow.bytes_toserver", &flow.bytes_toserver)?,
        dst_bytes: count("flow.bytes_toclient", &flow.bytes_toclient)?,
        tcp_flags: flags.all,
        conn_state: conn_state(event, record.protocol, seen(src_packets, flags.src), seen(dst_packets, flags.dst)),
        ..record
    })
}

/// What an event `netflow` has seen of a flow: one direction, with the times of both. On failure the reason.
pub(super) fn part(event: &Event<'_>) -> Result<FlowRecord<'static>, String> {
    let netflow = &event.netflow;
    let times = times(("netflow.start", &netflow.start), ("netflow.end", &netflow.end))?;
    let record = common(event, times)?;
    Ok(FlowRecord {
        src_packets: count("netflow.pkts", &netflow.pkts)?,
        src_bytes: count("netflow.bytes", &netflow.bytes)?,
        tcp_flags: Flags::of(event, record.protocol)?.all,
        ..record
    })
}

/// What flows and parts have in the same places.
fn common(event: &Event<'_>, times: (i64, i64)) -> Result<FlowRecord<'static>, String> {
    let src_ip = required("src_ip", &event.src_ip, as_text(values::ip), IP)?;
    let dst_ip = required("dest_ip", &event.dest_ip, as_text(values::ip), IP)?;
    let protocol = required("proto", &event.proto, as_text(protocol::number), PROTOCOL)?;
    let [Some(src_port), Some(dst_port)] = ports(event, Some(protocol))? else {
        return Err(match protocol {
            ICMP | ICMPV6 => "icmp_type or icmp_code is not set; a flow of ICMP must have both".into(),
            _ => "src_port or dest_port is not set; a flow of TCP, UDP or SCTP must have both".into(),
        });
    };
    let ether = &event.ether;
    Ok(FlowRecord {
        src_mac: mac(("ether.src_macs", &ether.src_macs), ("ether.src_mac", &ether.src_mac))?,
        dst_mac: mac(("ether.dest_macs", &ether.dest_macs), ("ether.dest_mac", &ether.dest_mac))?,
        vlan: optional("vlan", &event.vlan, as_number, "a VLAN id")?,
        ..FlowRecord::new(times, (src_ip, src_port), (dst_ip, dst_port), protocol)
    })
}

/// What stands for the ports: of ICMP type and code, 0 for a protocol that has neither.
pub(super) fn ports(event: &Event<'_>, protocol: Option<u8>) -> Result<[Option<u16>; 2], String> {
    let port = |name, value| optional(name, value, as_number::<u16>, "a port from 0 to 65535");
    let icmp = |name, value| optional(name, value, as_octet, "a number from 0 to 255");
    match protocol {
        Some(ICMP | ICMPV6) => Ok([icmp("icmp_type", &event.icmp_type)?, icmp("icmp_code", &event.icmp_code)?]),
        Some(TCP | UDP | SCTP) => Ok([port("src_port", &event.src_port)?, port("dest_port", &event.dest_port)?]),
        Some(_) => Ok([Some(0); 2]),
        None => Ok([None; 2]),
    }
}

fn as_octet(value: &Value<'_>) -> Option<u16> {
    as_number::<u8>(value).map(u16::from)
}

type Named<'v, 'a> = (&'static str, &'v Value<'a>);

/// Start and end. A flow without an end ends where it starts.
fn times(start: Named<'_, '_>, end: Named<'_, '_>) -> Result<(i64, i64), String> {
    let start_time = required(start.0, start.1, as_text(time::micros), time::RULE)?;
    let end_time = optional(end.0, end.1, as_text(time::micros), time::RULE)?.unwrap_or(start_time);
    if end_time < start_time {
        return Err(format!("{} is {}; it must not be before {}, {}", end.0, end.1, start.0, start.1));
    }
    Ok((start_time, end_time))
}

fn count(name: &str, value: &Value<'_>) -> Result<Option<u64>, String> {
    optional(name, value, as_number, COUNT)
}

/// The first address that a side had, or the only one.
fn mac(several: Named<'_, '_>, one: Named<'_, '_>) -> Result<Option<[u8; 6]>, String> {
    match optional(several.0, several.1, as_text(values::mac), MAC)? {
        Some(mac) => Ok(Some(mac)),
        None => optional(one.0, one.1, as_text(values::mac), MAC),
    }
}

/// TCP flags of a flow. Suricata writes `00` where it followed no TCP session, as for a connection that it met in its
/// midst: that is not known, and no packet without flags.
#[derive(Default)]
struct Flags {
    src: Option<u16>,
    dst: Option<u16>,
    all: Option<u16>,
}

impl Flags {
    fn of(event: &Event<'_>, protocol: u8) -> Result<Self, String> {
        if protocol != TCP {
            return Ok(Self::default());
        }
        let flags = |name: &str, value: &Value<'_>| -> Result<Option<u16>, String> {
            Ok(optional(name, value, hex, "TCP flags in hexadecimal")?.filter(|flags| *flags != 0))
        };
        let src = flags("tcp.tcp_flags_ts", &event.tcp.tcp_flags_ts)?;
        let dst = flags("tcp.tcp_flags_tc", &event.tcp.tcp_flags_tc)?;
        let all = flags("tcp.tcp_flags", &event.tcp.tcp_flags)?;
        let either = || Some(src.unwrap_or(0) | dst.unwrap_or(0)).filter(|flags| *flags != 0);
        Ok(Self { src, dst, all: all.or_else(either) })
    }
}

fn hex(value: &Value<'_>) -> Option<u16> {
    let text = value.text().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u16::from_str_radix(text, 16).ok()
}

/// How a connection went: by the flags of both directions, else by what `tcp.state` tells for sure: a SYN without
/// answer, a connection that stands, or one that both ends closed with a FIN. `closed` may have been any end, and
/// `flow.state` tells less, but for `bypassed`: then the end was not seen.
fn conn_state(event: &Event<'_>, protocol: u8, src: Option<Direction>, dst: Option<Direction>) -> Option<&'static str> {
    let (src, dst) = (src?, dst?);
    if protocol == TCP && event.flow.state.text() == Some("bypassed") {
        return None;
    }
    tcp::conn_state(protocol, src, dst).or_else(|| match event.tcp.state.text()? {
        "syn_sent" if dst.packets == 0 => Some("S0"),
        "established" => Some("S1"),
        "last_ack" | "closing" | "time_wait" => Some("SF"),
        _ => None,
    })
}
