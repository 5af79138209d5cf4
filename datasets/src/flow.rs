//! A flow: both directions of one conversation, from its first packet to its last.

use crate::Incident;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, cmp::Ordering, net::IpAddr};

/// A bidirectional flow record; `src` is the initiator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// First packet, UTC microseconds.
    pub start_us: i64,
    /// Last packet, or the instant at which the exporter cut the flow; UTC microseconds.
    pub end_us: i64,
    /// The initiator's address.
    pub src_ip: IpAddr,
    /// The responder's address.
    pub dst_ip: IpAddr,
    /// The initiator's port; for ICMP the type.
    pub src_port: u16,
    /// The responder's port; for ICMP the code.
    pub dst_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// The application protocol by Zeek's name, or empty where a sensor would not tell.
    pub service: &'static str,
    /// Payload bytes that the initiator sent, as Zeek's `orig_bytes` counts them.
    pub src_bytes: u64,
    /// Payload bytes that the responder sent.
    pub dst_bytes: u64,
    /// Packets that the initiator sent.
    pub src_packets: u64,
    /// Packets that the responder sent.
    pub dst_packets: u64,
    /// How the conversation went.
    pub conn_state: ConnState,
    /// TCP control bits seen from either side; 0 for other protocols.
    pub tcp_flags: u8,
    /// Source MAC at the sensor: a router's where the initiator is in another subnet.
    pub src_mac: Option<[u8; 6]>,
    /// Destination MAC at the sensor: a router's where the responder is in another subnet.
    pub dst_mac: Option<[u8; 6]>,
    /// VLAN at the sensor.
    pub vlan: Option<u16>,
    /// Unique in the archive.
    pub uid: u64,
    /// The server name from TLS, or the name asked for in DNS.
    pub dst_name: Option<Cow<'static, str>>,
    /// The sensor that saw the flow.
    pub sensor: &'static str,
    /// The incident that the flow belongs to: the truth, for tests, and not for an archive.
    pub incident: Option<Incident>,
}

impl Flow {
    /// The order of an archive: by end, since a flow is known when it ends, then by start, addresses, ports, protocol
    /// and `uid`. No two flows are equal in it.
    pub fn archive_order(&self, other: &Self) -> Ordering {
        (self.end_us, self.start_us).cmp(&(other.end_us, other.start_us)).then_with(|| self.key().cmp(&other.key()))
    }

    fn key(&self) -> (IpAddr, IpAddr, u16, u16, u8, u64) {
        (self.src_ip, self.dst_ip, self.src_port, self.dst_port, self.protocol, self.uid)
    }
}

/// Zeek's thirteen connection states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConnState {
    /// An attempt without an answer.
    S0,
    /// Established, no end seen.
    S1,
    /// Established; the initiator wanted to close, the responder did not reply.
    S2,
    /// Established; the responder wanted to close, the initiator did not reply.
    S3,
    /// Established and closed in order.
    Sf,
    /// Refused.
    Rej,
    /// Established; the initiator aborted.
    Rsto,
    /// The responder aborted.
    Rstr,
    /// The initiator sent a SYN, then a RST, and saw no answer.
    Rstos0,
    /// The responder sent a SYN ACK, then a RST; the initiator's SYN was not seen.
    Rstrh,
    /// The initiator sent a SYN, then a FIN; nothing was seen of the responder.
    Sh,
    /// The responder sent a SYN ACK, then a FIN; the initiator's SYN was not seen.
    Shr,
    /// Traffic without a beginning, such as a later piece of a long flow.
    Oth,
}

impl ConnState {
    /// Zeek's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Sf => "SF",
            Self::Rej => "REJ",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
            Self::Rstos0 => "RSTOS0",
            Self::Rstrh => "RSTRH",
            Self::Sh => "SH",
            Self::Shr => "SHR",
            Self::Oth => "OTH",
        }
    }
}

impl std::fmt::Display for ConnState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
