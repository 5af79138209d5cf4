//! Suricata's EVE: events as JSON, one a line.

use super::{Json, Mac, community::answer, community_id, headers, is_icmp};
use crate::{
    ConnState, Flow,
    side::{ACK, FIN, ICMP, ICMPV6, PSH, RST, SYN, Side, TCP, UDP},
};
use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

/// Ethernet's header, which Suricata counts.
const FRAME: u64 = 14;

/// Writes events as Suricata 7 does, with `ethernet`, `community-id`, `vlan` and `sensor-name` switched on, and with
/// `midstream`, so that it tells flags of connections whose beginning it did not see.
///
/// Each flow is a `flow` event. If it has a name, a `tls`, `quic`, `http` or `dns` event of the same `flow_id` comes
/// before it and tells that.
///
/// | lost | why |
/// |---|---|
/// | `service` of `dicom` and `ldap`, and of none with payload | Suricata 7 does not know them: `failed` |
/// | payload bytes | bytes are those of whole frames, with headers and 14 bytes of Ethernet |
/// | the upper bits of `uid` | a `flow_id` has 51 |
/// | `conn_state` | follows from flags by direction, but not from `tcp.state` |
///
/// The type of a query is not known; `rrtype` is always `A`. The interface is invented.
#[derive(Debug)]
pub struct Eve<W> {
    out: W,
    line: String,
}

impl<W: Write> Eve<W> {
    /// Begins a file.
    pub const fn new(out: W) -> Self {
        Self { out, line: String::new() }
    }

    /// Writes the events of a flow.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, flow: &Flow) -> io::Result<()> {
        self.line.clear();
        name(flow, &mut self.line).and_then(|()| event(flow, &mut self.line)).map_err(io::Error::other)?;
        self.out.write_all(self.line.as_bytes())
    }

    /// Flushes, and gives back what was written to.
    ///
    /// # Errors
    /// It cannot be flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The event that tells the name.
fn name(flow: &Flow, out: &mut String) -> fmt::Result {
    let (Some(name), Some(kind)) = (&flow.dst_name, app_proto(flow)) else {
        return Ok(());
    };
    let name = Json(name);
    let details = match kind {
        "tls" | "quic" => format!("{{\"sni\":{name}}}"),
        "http" => format!("{{\"hostname\":{name}}}"),
        "dns" => format!(
            "{{\"type\":\"query\",\"id\":{},\"rrname\":{name},\"rrtype\":\"A\",\"tx_id\":0,\"opcode\":0}}",
            flow.uid & 0xffff
        ),
        _ => return Ok(()),
    };
    head(flow, kind, flow.start_us, out)?;
    out.write_str(",\"pkt_src\":\"wire/pcap\"")?;
    if let Some((src, dst)) = flow.src_mac.zip(flow.dst_mac) {
        write!(out, ",\"ether\":{{\"src_mac\":\"{}\",\"dest_mac\":\"{}\"}}", Mac(src), Mac(dst))?;
    }
    write!(out, ",\"community_id\":\"{}\",\"{kind}\":{details}", community_id(flow))?;
    writeln!(out, ",\"host\":{}}}", Json(flow.sensor))
}

/// The event of the flow itself.
fn event(flow: &Flow, out: &mut String) -> fmt::Result {
    let header = FRAME + headers(flow);
    head(flow, "flow", flow.end_us, out)?;
    if let Some(name) = app_proto(flow) {
        write!(out, ",\"app_proto\":\"{name}\"")?;
    }
    write!(
        out,
        ",\"flow\":{{\"pkts_toserver\":{},\"pkts_toclient\":{},\"bytes_toserver\":{},\"bytes_toclient\":{},\
         \"start\":\"{}\",\"end\":\"{}\",\"age\":{},\"state\":\"{}\",\"reason\":\"timeout\",\"alerted\":false}}",
        flow.src_packets,
        flow.dst_packets,
        flow.src_bytes + header * flow.src_packets,
        flow.dst_bytes + header * flow.dst_packets,
        instant(flow.start_us)?,
        instant(flow.end_us)?,
        flow.end_us.div_euclid(1_000_000) - flow.start_us.div_euclid(1_000_000),
        state(flow),
    )?;
    let macs = |mac: Option<[u8; 6]>| mac.map(|mac| format!("\"{}\"", Mac(mac))).unwrap_or_default();
    if flow.src_mac.or(flow.dst_mac).is_some() {
        write!(out, ",\"ether\":{{\"dest_macs\":[{}],\"src_macs\":[{}]}}", macs(flow.dst_mac), macs(flow.src_mac))?;
    }
    write!(out, ",\"community_id\":\"{}\"", community_id(flow))?;
    if flow.protocol == TCP {
        let [sent, received] = Side::both(flow).map(|side| side.flags());
        let all = sent | received;
        write!(
            out,
            ",\"tcp\":{{\"tcp_flags\":\"{all:02x}\",\"tcp_flags_ts\":\"{sent:02x}\",\"tcp_flags_tc\":\"{received:02x}\""
        )?;
        let flags = [("syn", SYN), ("fin", FIN), ("rst", RST), ("psh", PSH), ("ack", ACK)];
        flags.iter().filter(|(_, flag)| all & flag != 0).try_for_each(|(name, _)| write!(out, ",\"{name}\":true"))?;
        write!(out, ",\"state\":\"{}\",\"ts_max_regions\":1,\"tc_max_regions\":1}}", tcp_state(flow.conn_state))?;
    }
    writeln!(out, ",\"host\":{}}}", Json(flow.sensor))
}

/// The fields that begin every event.
fn head(flow: &Flow, kind: &str, at_us: i64, out: &mut String) -> fmt::Result {
    let id = flow.uid & ((1 << 51) - 1);
    write!(out, "{{\"timestamp\":\"{}\",\"flow_id\":{id},\"in_iface\":\"tap0\"", instant(at_us)?)?;
    write!(out, ",\"event_type\":\"{kind}\"")?;
    if let Some(vlan) = flow.vlan {
        write!(out, ",\"vlan\":[{vlan}]")?;
    }
    write!(out, ",\"src_ip\":\"{}\"", flow.src_ip)?;
    if !is_icmp(flow) {
        write!(out, ",\"src_port\":{}", flow.src_port)?;
    }
    write!(out, ",\"dest_ip\":\"{}\"", flow.dst_ip)?;
    if !is_icmp(flow) {
        write!(out, ",\"dest_port\":{}", flow.dst_port)?;
    }
    match flow.protocol {
        TCP => out.write_str(",\"proto\":\"TCP\""),
        UDP => out.write_str(",\"proto\":\"UDP\""),
        ICMP => out.write_str(",\"proto\":\"ICMP\""),
        ICMPV6 => out.write_str(",\"proto\":\"IPv6-ICMP\""),
        other => write!(out, ",\"proto\":\"{other:03}\""),
    }?;
    if is_icmp(flow) {
        write!(out, ",\"icmp_type\":{},\"icmp_code\":{}", flow.src_port, flow.dst_port)?;
        if let Some(answer) = answer(flow.protocol, flow.src_port).filter(|_| flow.dst_packets > 0) {
            write!(out, ",\"response_icmp_type\":{answer},\"response_icmp_code\":0")?;
        }
    }
    Ok(())
}

/// Suricata's name for the application protocol; none where nothing was said.
fn app_proto(flow: &Flow) -> Option<&'static str> {
    match flow.service {
        "ssl" => Some("tls"),
        "krb_tcp" => Some("krb5"),
        known @ ("dhcp" | "dns" | "http" | "ntp" | "quic" | "rdp" | "smb" | "snmp" | "ssh") => Some(known),
        _ => (!is_icmp(flow) && flow.src_bytes + flow.dst_bytes > 0).then_some("failed"),
    }
}

fn state(flow: &Flow) -> &'static str {
    match tcp_state(flow.conn_state) {
        _ if flow.protocol != TCP && flow.src_packets.min(flow.dst_packets) == 0 => "new",
        _ if flow.protocol != TCP => "established",
        "syn_sent" => "new",
        "closed" => "closed",
        _ => "established",
    }
}

/// Where Suricata's engine for TCP is at the end.
const fn tcp_state(state: ConnState) -> &'static str {
    match state {
        ConnState::S0 | ConnState::Sh => "syn_sent",
        ConnState::S1 | ConnState::Oth => "established",
        ConnState::S2 => "close_wait",
        ConnState::S3 | ConnState::Shr => "fin_wait1",
        _ => "closed",
    }
}

fn instant(us: i64) -> Result<impl fmt::Display, fmt::Error> {
    let at = jiff::Timestamp::from_microsecond(us).map_err(|_| fmt::Error)?;
    Ok(at.strftime("%Y-%m-%dT%H:%M:%S%.6f+0000").to_string())
}

#[cfg(test)]
mod tests;
