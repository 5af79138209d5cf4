//! Exports: flows as sensors and exporters write them.
//!
//! Each writer takes flows one by one, and gives back what it writes to. What a format has no place for is lost, as
//! it would be outside:
//!
//! | of a [`Flow`] | [`Zeek`] | [`Eve`] | [`Ipfix`] biflows | [`Ipfix`] halves | [`Vpc`] |
//! |---|---|---|---|---|---|
//! | `start_us`, `end_us` | exact | exact | exact | of each side's packets | the same, whole seconds |
//! | one record a flow | yes | yes | yes | no | no |
//! | who began | yes | yes | yes | who was first | who was first |
//! | ports; type and code of ICMP | yes | yes | yes | yes | ports only |
//! | `service` | yes | Suricata's names | no | no | no |
//! | payload bytes | exact | whole frames | whole IP packets | whole IP packets | whole IP packets |
//! | packets | yes | yes | yes | yes | yes |
//! | `conn_state` | yes | from flags | from flags | from flags | no |
//! | `tcp_flags` | without PSH | yes | yes | yes | no |
//! | MACs, VLAN | yes | yes | yes, absent is 0 | yes, absent is 0 | no |
//! | `uid` | `uid` | 51 bits of it | no | no | no |
//! | `dst_name` | of `ssl` and `dns` in logs of their own | in an event of its own | no | no | no |
//! | `sensor` | in JSON | `host` | no | no | no |
//! | `incident` | no | no | no | no | no |
//!
//! # Flags by direction
//!
//! A flow has the flags of both sides together. Those of each follow from its state, by the packets that a connection
//! of that state has; a reader that derives a state from them comes to the same. Payload adds PSH to its side. A side
//! without packets has no flags, and neither have other protocols.
//!
//! | state | initiator | responder |
//! |---|---|---|
//! | `S0` | SYN | |
//! | `S1` | SYN ACK | SYN ACK |
//! | `S2` | SYN ACK FIN | SYN ACK |
//! | `S3` | SYN ACK | SYN ACK FIN |
//! | `SF` | SYN ACK FIN | SYN ACK FIN |
//! | `REJ` | SYN | RST ACK |
//! | `RSTO` | SYN ACK RST | SYN ACK |
//! | `RSTR` | SYN ACK | SYN ACK RST |
//! | `RSTOS0` | SYN RST | |
//! | `RSTRH` | ACK, if anything | SYN ACK RST |
//! | `SH` | SYN FIN | |
//! | `SHR` | ACK, if anything | SYN ACK FIN |
//! | `OTH` | ACK | ACK |
//!
//! # Packets in time
//!
//! Where a format wants times of one side, or pieces of it, the side's packets lie evenly over the flow, and its
//! payload evenly over the packets. The first packet of the responder is later than that of the initiator. The only
//! packet of a flow is at its start.

mod community;
mod eve;
mod ipfix;
mod vpc;
mod zeek;

pub use community::community_id;
pub use eve::Eve;
pub use ipfix::{Ipfix, Records};
pub use vpc::Vpc;
pub use zeek::{Format, Log, Zeek, uid};

use crate::{
    Flow,
    side::{ICMP, ICMPV6, TCP, UDP},
};

/// Bytes that initiator and responder sent in IP packets: the payload, and the headers of IP and of TCP (20 bytes), UDP
/// or ICMP (8 bytes), without options.
pub fn ip_bytes(flow: &Flow) -> (u64, u64) {
    let headers = headers(flow);
    (flow.src_bytes + headers * flow.src_packets, flow.dst_bytes + headers * flow.dst_packets)
}

/// Bytes of headers in an IP packet of the flow.
const fn headers(flow: &Flow) -> u64 {
    let ip = if flow.src_ip.is_ipv4() { 20 } else { 40 };
    let transport = match flow.protocol {
        TCP => 20,
        UDP | ICMP | ICMPV6 => 8,
        _ => 0,
    };
    ip + transport
}

/// Whether ports are a type and a code.
const fn is_icmp(flow: &Flow) -> bool {
    matches!(flow.protocol, ICMP | ICMPV6)
}

/// Text as JSON has it, with quotes.
struct Json<'a>(&'a str);

impl std::fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                control if control.is_ascii_control() => write!(f, "\\u{:04x}", u32::from(control))?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A MAC address in lower case, with colons.
struct Mac([u8; 6]);

impl std::fmt::Display for Mac {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnState;

    /// A visit to a web server, of ninety seconds.
    pub(super) fn visit() -> Flow {
        Flow {
            start_us: 1_772_409_600_000_001,
            end_us: 1_772_409_690_250_000,
            src_ip: [10, 110, 0, 7].into(),
            dst_ip: [198, 51, 100, 20].into(),
            src_port: 50_000,
            dst_port: 443,
            protocol: TCP,
            service: "ssl",
            src_bytes: 1_000,
            dst_bytes: 5_001,
            src_packets: 7,
            dst_packets: 8,
            conn_state: ConnState::Sf,
            tcp_flags: 0x1b,
            src_mac: Some([2, 0, 0, 0, 0xab, 7]),
            dst_mac: Some([2, 0x52, 0x54, 0, 0, 110]),
            vlan: Some(110),
            uid: (1 << 63) + 42,
            dst_name: Some("ingest.pulsewisp.example".into()),
            sensor: "clinical-a",
            incident: None,
        }
    }

    /// A ping over IPv4 without link layer.
    pub(super) fn ping() -> Flow {
        Flow {
            protocol: ICMP,
            src_port: 8,
            dst_port: 0,
            service: "",
            src_bytes: 56,
            dst_bytes: 56,
            src_packets: 1,
            dst_packets: 1,
            conn_state: ConnState::Oth,
            tcp_flags: 0,
            src_mac: None,
            dst_mac: None,
            vlan: None,
            dst_name: None,
            ..visit()
        }
    }

    /// A query over IPv6 that nobody answers.
    pub(super) fn query() -> Flow {
        Flow {
            src_ip: "fd00:a::7".parse().unwrap(),
            dst_ip: "2001:db8::2".parse().unwrap(),
            dst_port: 53,
            protocol: UDP,
            service: "dns",
            src_bytes: 40,
            dst_bytes: 0,
            src_packets: 1,
            dst_packets: 0,
            conn_state: ConnState::S0,
            tcp_flags: 0,
            dst_name: Some("a\"b.example".into()),
            ..visit()
        }
    }

    #[test]
    fn headers_count() {
        assert_eq!(ip_bytes(&visit()), (1_000 + 7 * 40, 5_001 + 8 * 40));
        assert_eq!(ip_bytes(&ping()), (84, 84));
        assert_eq!(ip_bytes(&query()), (88, 0));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(Json("a\"b\\c\n\u{e9}").to_string(), "\"a\\\"b\\\\c\\u000a\u{e9}\"");
    }
}
