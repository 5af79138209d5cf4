//! The flow: a bidirectional flow record (RFC 5103) whose `src` is the initiator.
//!
//! An archive holds flows as Parquet with the columns of [`schema`]. Columns other than [`REQUIRED`] may be absent.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The columns without which a record is no flow.
pub const REQUIRED: [&str; 7] = ["start_time", "end_time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol"];

/// The canonical columns. Text is `Utf8View`; times are microseconds in UTC.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = COLUMNS.iter().map(|column| {
            let nullable = !REQUIRED.contains(&column.name);
            Field::new(column.name, column.data_type.arrow(), nullable)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    });
    Arc::clone(&SCHEMA)
}

/// IANA protocol number.
const TCP: u8 = 6;

/// Packets of one end from which on the other must have answered: what a TCP connection takes of its initiator (SYN, ACK,
/// data, FIN; RFC 9293, 3.5 and 3.6). Fewer may be a refusal, a probe, or the rest of a connection that was over.
const ANSWERED_PACKETS: u64 = 4;

/// The columns that tell whether one direction alone of a flow was seen.
pub const SIDES: [&str; 5] = ["observed_sides", "protocol", "src_packets", "dst_packets", "conn_state"];

/// Whether one direction alone of a flow was seen, though there must have been another; nothing where the flow does not
/// tell. An attempt without an answer does not: its record says nothing of sides, or has too few packets. So do John, Dusi
/// and Claffy, who judge symmetry by TCP alone and without what nobody need answer ("Estimating Routing Symmetry on Single
/// Links by Passive Flow Measurements", IWCMC 2010). A TCP record that has neither a state nor packets of the other end is
/// one of one direction, whatever it does not say.
pub fn is_one_sided(
    protocol: u8,
    observed_sides: Option<u8>,
    [src_packets, dst_packets]: [Option<u64>; 2],
    has_state: bool,
) -> Option<bool> {
    let is_of_one = match (protocol, observed_sides) {
        (TCP, Some(2)) => return Some(false),
        (_, Some(1)) => true,
        (TCP, None) => dst_packets.is_none() && !has_state,
        _ => false,
    };
    let most = src_packets.max(dst_packets);
    (is_of_one && most.is_none_or(|most| most >= ANSWERED_PACKETS)).then_some(true)
}

/// The type of a canonical time.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A canonical column and where other formats have it.
#[derive(Clone, Copy, Debug)]
pub struct FlowColumn {
    /// Its name in SQL and Parquet.
    pub name: &'static str,
    /// Its type.
    pub data_type: FlowType,
    /// What it holds, with its unit.
    pub doc: &'static str,
    /// The field of Zeek's `conn.log` (or of the log named) that it comes from; empty for none.
    pub zeek: &'static str,
    /// The IPFIX information element; empty for none.
    pub ipfix: &'static str,
    /// The field of Suricata's EVE `flow` event; empty for none.
    pub eve: &'static str,
}

/// The types that canonical columns have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FlowType {
    Time,
    Text,
    U8,
    U16,
    U32,
    U64,
}

impl FlowType {
    /// The Arrow type.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Time => time_type(),
            Self::Text => DataType::Utf8View,
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
        }
    }
}

macro_rules! columns {
    ($($name:literal $type:ident $doc:literal $zeek:literal $ipfix:literal $eve:literal;)*) => {
        /// Every canonical column, in order.
        pub const COLUMNS: &[FlowColumn] = &[$(FlowColumn {
            name: $name, data_type: FlowType::$type, doc: $doc, zeek: $zeek, ipfix: $ipfix, eve: $eve,
        }),*];
    };
}

columns! {
    "start_time" Time "First packet, microseconds, UTC." "ts" "flowStartMicroseconds" "flow.start";
    "end_time" Time "Last packet, microseconds, UTC; the start where the duration is unknown." "ts + duration" "flowEndMicroseconds" "flow.end";
    "src_ip" Text "Initiator's address, RFC 5952." "id.orig_h" "sourceIPv4Address, sourceIPv6Address" "src_ip";
    "dst_ip" Text "Responder's address, RFC 5952." "id.resp_h" "destinationIPv4Address, destinationIPv6Address" "dest_ip";
    "src_port" U16 "Initiator's port; for ICMP the type; 0 for protocols without ports." "id.orig_p" "sourceTransportPort" "src_port";
    "dst_port" U16 "Responder's port; for ICMP the code; 0 for protocols without ports." "id.resp_p" "destinationTransportPort" "dest_port";
    "protocol" U8 "IANA protocol number." "proto" "protocolIdentifier" "proto";
    "service" Text "Application protocol as the sensor recognised it, lower case." "service" "applicationName" "app_proto";
    "src_bytes" U64 "Payload bytes from the initiator." "orig_bytes" "initiatorOctets" "flow.bytes_toserver";
    "dst_bytes" U64 "Payload bytes from the responder." "resp_bytes" "responderOctets" "flow.bytes_toclient";
    "src_packets" U64 "Packets from the initiator." "orig_pkts" "initiatorPackets" "flow.pkts_toserver";
    "dst_packets" U64 "Packets from the responder." "resp_pkts" "responderPackets" "flow.pkts_toclient";
    "conn_state" Text "How the connection went, in Zeek's words (`SF`, `S0`, `REJ` ...)." "conn_state" "" "flow.state";
    "tcp_flags" U16 "TCP flags seen in either direction, as in the TCP header." "history" "tcpControlBits" "tcp.tcp_flags";
    "src_mac" Text "Initiator's MAC address, lower case with colons." "orig_l2_addr" "sourceMacAddress" "ether.src_macs";
    "dst_mac" Text "Responder's MAC address, lower case with colons." "resp_l2_addr" "destinationMacAddress" "ether.dest_macs";
    "vlan" U16 "IEEE 802.1Q VLAN id." "vlan" "vlanId" "vlan";
    "flow_uid" Text "The sensor's own id of the flow." "uid" "flowId" "flow_id";
    "community_id" Text "Community ID, version 1." "community_id" "" "community_id";
    "dst_name" Text "The responder's name: SNI, or the DNS name that resolved to it." "ssl.server_name, dns.query" "" "tls.sni";
    "sensor" Text "The sensor that observed the flow." "" "exporterIPv4Address" "host";
    "sampling_interval" U32 "One packet in this many was seen; 1 for all." "" "samplingPacketInterval" "";
    "observed_sides" U8 "2 if both directions could be seen, 1 if only one." "" "biflowDirection" "";
}

#[cfg(test)]
mod tests {
    use super::{REQUIRED, is_one_sided, schema};

    #[test]
    fn an_attempt_without_an_answer_is_not_one_sided() {
        // An unanswered SYN, or datagram, however often it is repeated.
        assert_eq!(is_one_sided(6, None, [Some(7), Some(0)], false), None);
        assert_eq!(is_one_sided(17, None, [Some(7), Some(0)], false), None);
        // A refusal of which the attempt was not seen, and a bare ACK that a firewall drops.
        assert_eq!(is_one_sided(6, Some(1), [None, Some(1)], false), None);
        assert_eq!(is_one_sided(6, Some(1), [Some(3), Some(0)], false), None);
        assert_eq!(is_one_sided(6, Some(1), [Some(4), None], false), Some(true));
        assert_eq!(is_one_sided(6, Some(1), [None, None], false), Some(true));
        assert_eq!(is_one_sided(6, Some(2), [Some(1), Some(1)], false), Some(false));
        // Datagrams of both sides say nothing of connections, but a source may say that it sees one side of all.
        assert_eq!(is_one_sided(17, Some(2), [Some(9), Some(9)], false), None);
        assert_eq!(is_one_sided(17, Some(1), [Some(9), None], false), Some(true));
        // Records of one direction, of which nobody says so.
        assert_eq!(is_one_sided(6, None, [Some(4), None], false), Some(true));
        assert_eq!(is_one_sided(6, None, [None, None], false), Some(true));
        assert_eq!(is_one_sided(6, None, [Some(3), None], false), None);
        assert_eq!(is_one_sided(6, None, [None, None], true), None);
        assert_eq!(is_one_sided(17, None, [Some(4), None], false), None);
    }

    #[test]
    fn only_what_is_required_is_never_null() {
        for field in schema().fields() {
            assert_eq!(field.is_nullable(), !REQUIRED.contains(&field.name().as_str()), "{}", field.name());
        }
    }
}
