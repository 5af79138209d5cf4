//! What each field of a log holds of a flow.

use super::{
    super::{Mac, community_id, ip_bytes, is_icmp},
    uid,
};
use crate::{
    ConnState, Flow,
    side::{ACK, FIN, RST, SYN, Side, TCP, UDP},
};
use std::{
    fmt::{Result, Write},
    net::IpAddr,
};

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Zeek's type.
    pub(super) kind: &'static str,
    /// Writes the value of a flow, and nothing where it is unset.
    pub(super) value: fn(&Flow, &mut String) -> Result,
}

const fn field(name: &'static str, kind: &'static str, value: fn(&Flow, &mut String) -> Result) -> Field {
    Field { name, kind, value }
}

/// One that the generator knows nothing of.
const fn unset(name: &'static str, kind: &'static str) -> Field {
    field(name, kind, |_, _| Ok(()))
}

/// Those that begin every log.
pub(super) static HEAD: &[Field] = &[
    field("ts", "time", |flow, out| seconds(flow.start_us, out)),
    field("uid", "string", |flow, out| out.write_str(&uid(flow.uid))),
    field("id.orig_h", "addr", |flow, out| write!(out, "{}", flow.src_ip)),
    field("id.orig_p", "port", |flow, out| write!(out, "{}", flow.src_port)),
    field("id.resp_h", "addr", |flow, out| write!(out, "{}", flow.dst_ip)),
    field("id.resp_p", "port", |flow, out| write!(out, "{}", flow.dst_port)),
];

const PROTO: Field = field("proto", "enum", |flow, out| {
    out.write_str(match flow.protocol {
        TCP => "tcp",
        UDP => "udp",
        _ if is_icmp(flow) => "icmp",
        _ => "unknown_transport",
    })
});

/// Those of `conn.log`.
pub(super) static CONN: &[Field] = &[
    PROTO,
    field("service", "string", |flow, out| out.write_str(flow.service)),
    field("duration", "interval", |flow, out| {
        lasts(flow).map_or(Ok(()), |flow| seconds(flow.end_us - flow.start_us, out))
    }),
    field("orig_bytes", "count", |flow, out| lasts(flow).map_or(Ok(()), |flow| write!(out, "{}", flow.src_bytes))),
    field("resp_bytes", "count", |flow, out| lasts(flow).map_or(Ok(()), |flow| write!(out, "{}", flow.dst_bytes))),
    field("conn_state", "string", |flow, out| out.write_str(flow.conn_state.as_str())),
    field("local_orig", "bool", |flow, out| write!(out, "{}", is_local(flow.src_ip))),
    field("local_resp", "bool", |flow, out| write!(out, "{}", is_local(flow.dst_ip))),
    field("missed_bytes", "count", |_, out| out.write_str("0")),
    field("history", "string", history),
    field("orig_pkts", "count", |flow, out| write!(out, "{}", flow.src_packets)),
    field("orig_ip_bytes", "count", |flow, out| write!(out, "{}", ip_bytes(flow).0)),
    field("resp_pkts", "count", |flow, out| write!(out, "{}", flow.dst_packets)),
    field("resp_ip_bytes", "count", |flow, out| write!(out, "{}", ip_bytes(flow).1)),
    unset("tunnel_parents", "set[string]"),
    field("orig_l2_addr", "string", |flow, out| mac(flow.src_mac, out)),
    field("resp_l2_addr", "string", |flow, out| mac(flow.dst_mac, out)),
    field("vlan", "int", |flow, out| flow.vlan.map_or(Ok(()), |vlan| write!(out, "{vlan}"))),
    unset("inner_vlan", "int"),
    field("community_id", "string", |flow, out| out.write_str(&community_id(flow))),
];

/// Those of `ssl.log`.
pub(super) static SSL: &[Field] = &[
    unset("version", "string"),
    unset("cipher", "string"),
    unset("curve", "string"),
    field("server_name", "string", name),
    field("resumed", "bool", |_, out| out.write_str("false")),
    unset("last_alert", "string"),
    unset("next_protocol", "string"),
    field("established", "bool", |flow, out| write!(out, "{}", flow.dst_bytes > 0)),
    // Whoever answers says hello.
    field("ssl_history", "string", |flow, out| out.write_str(if flow.dst_bytes > 0 { "Cs" } else { "C" })),
    unset("cert_chain_fps", "vector[string]"),
    unset("client_cert_chain_fps", "vector[string]"),
    unset("sni_matches_cert", "bool"),
];

/// Those of `dns.log`.
pub(super) static DNS: &[Field] = &[
    PROTO,
    unset("trans_id", "count"),
    unset("rtt", "interval"),
    field("query", "string", name),
    unset("qclass", "count"),
    unset("qclass_name", "string"),
    unset("qtype", "count"),
    unset("qtype_name", "string"),
    unset("rcode", "count"),
    unset("rcode_name", "string"),
    field("AA", "bool", |_, out| out.write_str("false")),
    field("TC", "bool", |_, out| out.write_str("false")),
    field("RD", "bool", |_, out| out.write_str("true")),
    field("RA", "bool", |flow, out| write!(out, "{}", flow.dst_packets > 0)),
    field("Z", "count", |_, out| out.write_str("0")),
    unset("answers", "vector[string]"),
    unset("TTLs", "vector[interval]"),
    field("rejected", "bool", |_, out| out.write_str("false")),
];

/// The flow, if it has a duration.
fn lasts(flow: &Flow) -> Option<&Flow> {
    (flow.end_us > flow.start_us).then_some(flow)
}

fn seconds(us: i64, out: &mut String) -> Result {
    let sign = if us < 0 { "-" } else { "" };
    write!(out, "{sign}{}.{:06}", us.unsigned_abs() / 1_000_000, us.unsigned_abs() % 1_000_000)
}

fn mac(mac: Option<[u8; 6]>, out: &mut String) -> Result {
    mac.map_or(Ok(()), |mac| write!(out, "{}", Mac(mac)))
}

fn name(flow: &Flow, out: &mut String) -> Result {
    out.write_str(flow.dst_name.as_deref().unwrap_or_default())
}

/// As `Site::local_nets` has it unless told otherwise.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

/// One letter for each kind of packet that the state tells of, in the order of a connection; the initiator's in upper
/// case. ICMP has none.
fn history(flow: &Flow, out: &mut String) -> Result {
    let [src, dst] = Side::both(flow);
    if flow.protocol != TCP {
        let spoke = |side: &Side| side.packets > 0 && flow.protocol == UDP;
        let letters = [(spoke(&src), 'D'), (spoke(&dst), 'd')];
        return letters.iter().filter(|(is_seen, _)| *is_seen).try_for_each(|&(_, letter)| out.write_char(letter));
    }
    let (sent, received) = (src.flags(), dst.flags());
    let is_flipped = matches!(flow.conn_state, ConnState::Rstrh | ConnState::Shr);
    // Of a refusal and of a SYN ACK alone Zeek notes no ACK.
    let letters = [
        (is_flipped, '^'),
        (sent & SYN != 0, 'S'),
        (received & SYN != 0, 'h'),
        (sent & ACK != 0, 'A'),
        (flow.src_bytes > 0, 'D'),
        (sent & received & ACK != 0, 'a'),
        (flow.dst_bytes > 0, 'd'),
        (sent & FIN != 0, 'F'),
        (received & FIN != 0, 'f'),
        (sent & RST != 0, 'R'),
        (received & RST != 0, 'r'),
    ];
    letters.iter().filter(|(is_seen, _)| *is_seen).try_for_each(|&(_, letter)| out.write_char(letter))
}
