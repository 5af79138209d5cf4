//! A data record into a flow.

use super::{
    elements::Slot,
    fields::Fields,
    texts::Texts,
    times::{Clock, times},
};
use crate::archive::{
    record::FlowRecord,
    tcp::{Direction, ICMP, ICMPV6, TCP, UDP, conn_state},
};

const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// Flags of the TCP header; the four bits above are its length (RFC 9293, 3.1).
const FLAGS: u16 = 0x0fff;

/// A flow, and whether there is no more to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow<'a> {
    pub(super) record: FlowRecord<'a>,
    pub(super) is_whole: bool,
}

/// What a record has from elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    pub(super) clock: Clock,
    pub(super) sampling_interval: Option<u32>,
    pub(super) sensor: Option<&'a str>,
    pub(super) texts: &'a Texts,
}

const SRC_BYTES: [Slot; 4] = [Slot::InitiatorOctets, Slot::Octets, Slot::TotalOctets, Slot::PostOctets];
const DST_BYTES: [Slot; 3] = [Slot::ResponderOctets, Slot::ReverseOctets, Slot::ReverseTotalOctets];
const SRC_PACKETS: [Slot; 4] = [Slot::InitiatorPackets, Slot::Packets, Slot::TotalPackets, Slot::PostPackets];
const DST_PACKETS: [Slot; 3] = [Slot::ResponderPackets, Slot::ReversePackets, Slot::ReverseTotalPackets];

/// What a firewall's event is, by `firewallEvent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    None,
    /// A flow was deleted (2) or goes on (5): the counts are those since the event before.
    Counts,
    /// It was created, denied, or something else happened.
    Happened,
}

fn event(fields: Fields<'_>) -> Event {
    match fields.number(Slot::FirewallEvent) {
        None | Some(0) => Event::None,
        Some(2 | 5) => Event::Counts,
        Some(_) => Event::Happened,
    }
}

/// Whether a record tells of an event at a firewall or address translator, and counts nothing.
pub(super) fn is_event(fields: Fields<'_>) -> bool {
    let has_counts =
        || [&SRC_BYTES[..], &DST_BYTES, &SRC_PACKETS, &DST_PACKETS].iter().any(|slots| fields.first(slots).is_some());
    match event(fields) {
        Event::Happened => true,
        Event::Counts => !has_counts(),
        Event::None => fields.number(Slot::NatEvent).is_some_and(|event| event > 0) && !has_counts(),
    }
}

/// The flow of a record. On failure the reason.
pub(super) fn flow<'a>(fields: Fields<'_>, around: Around<'a>) -> Result<Flow<'a>, String> {
    let (src_ip, dst_ip) = fields.addresses().ok_or("the record has no pair of addresses")?;
    let protocol: u8 = fields.small(Slot::Protocol)?.ok_or("protocolIdentifier is not in the record's template")?;
    let (src_port, dst_port) = ports(fields, protocol)?;
    let times = times(fields, around.clock)?;
    let (src_bytes, dst_bytes) = (fields.first(&SRC_BYTES), fields.first(&DST_BYTES));
    let (src_packets, dst_packets) = (fields.first(&SRC_PACKETS), fields.first(&DST_PACKETS));
    let has_both = dst_bytes.is_some() || dst_packets.is_some();
    // Cut by the active timeout, or for want of memory.
    let is_cut = matches!(fields.number(Slot::EndReason), Some(2 | 5)) || event(fields) != Event::None;
    let is_whole = has_both && !is_cut;
    let (src_flags, dst_flags) = match protocol {
        TCP => (flags(fields, Slot::TcpFlags)?, flags(fields, Slot::ReverseTcpFlags)?),
        _ => (None, None),
    };
    let direction = |packets: Option<u64>, bytes: Option<u64>, flags| Direction {
        packets: packets.unwrap_or_else(|| u64::from(bytes.unwrap_or(0) > 0)),
        flags,
    };
    let mut src = direction(src_packets, src_bytes, src_flags);
    let mut dst = direction(dst_packets, dst_bytes, dst_flags);
    let vlan: Option<u16> = match fields.small(Slot::Dot1qVlan)?.filter(|vlan| *vlan > 0) {
        None => fields.small(Slot::Vlan)?,
        some => some,
    };
    let mut record = FlowRecord {
        service: around.texts.service(),
        src_bytes,
        dst_bytes,
        src_packets,
        dst_packets,
        tcp_flags: src_flags.map_or(dst_flags, |flags| Some(flags | dst_flags.unwrap_or(0))),
        src_mac: fields.mac(Slot::SourceMac),
        dst_mac: fields.mac(Slot::DestinationMac).or_else(|| fields.mac(Slot::PostDestinationMac)),
        vlan: vlan.filter(|vlan| *vlan > 0),
        flow_uid: around.texts.flow_uid(),
        sensor: around.sensor,
        sampling_interval: around.sampling_interval,
        observed_sides: has_both.then_some(2),
        ..FlowRecord::new(times, (src_ip, src_port), (dst_ip, dst_port), protocol)
    };
    // The record's source is the responder (RFC 5103, 6.3).
    if has_both && fields.number(Slot::BiflowDirection) == Some(2) {
        record = turned(record);
        (src, dst) = (dst, src);
    }
    if is_whole {
        record.conn_state = conn_state(protocol, src, dst);
    }
    Ok(Flow { record, is_whole })
}

fn turned(record: FlowRecord<'_>) -> FlowRecord<'_> {
    let is_icmp = matches!(record.protocol, ICMP | ICMPV6);
    let (src_port, dst_port) =
        if is_icmp { (record.src_port, record.dst_port) } else { (record.dst_port, record.src_port) };
    FlowRecord {
        src_ip: record.dst_ip,
        dst_ip: record.src_ip,
        src_port,
        dst_port,
        src_bytes: record.dst_bytes,
        dst_bytes: record.src_bytes,
        src_packets: record.dst_packets,
        dst_packets: record.src_packets,
        src_mac: record.dst_mac,
        dst_mac: record.src_mac,
        ..record
    }
}

fn flags(fields: Fields<'_>, slot: Slot) -> Result<Option<u16>, String> {
    Ok(fields.small::<u16>(slot)?.map(|flags| flags & FLAGS))
}

fn ports(fields: Fields<'_>, protocol: u8) -> Result<(u16, u16), String> {
    match protocol {
        TCP | UDP | DCCP | SCTP | UDP_LITE => {}
        ICMP | ICMPV6 => return icmp(fields),
        _ => return Ok((0, 0)),
    }
    let port = |slots: [Slot; 3]| {
        let slot = slots.into_iter().find(|slot| fields.bytes(*slot).is_some());
        Ok::<u16, String>(slot.map_or(Ok(None), |slot| fields.small(slot))?.unwrap_or(0))
    };
    let src = port([Slot::SourcePort, Slot::TcpSourcePort, Slot::UdpSourcePort])?;
    let dst = port([Slot::DestinationPort, Slot::TcpDestinationPort, Slot::UdpDestinationPort])?;
    Ok((src, dst))
}

/// Type and code of ICMP: of `icmpTypeIPv4` and `icmpCodeIPv4`, of the IPv6 ones, of `icmpTypeCodeIPv4`, of the IPv6
/// one, else of the destination port, where exporters put type * 256 + code. What is 0 may just not be filled in, so
/// that the next counts.
fn icmp(fields: Fields<'_>) -> Result<(u16, u16), String> {
    for (kind, code) in [(Slot::IcmpTypeIpv4, Slot::IcmpCodeIpv4), (Slot::IcmpTypeIpv6, Slot::IcmpCodeIpv6)] {
        let pair: (Option<u8>, Option<u8>) = (fields.small(kind)?, fields.small(code)?);
        if let (Some(kind), code) = pair
            && (kind, code.unwrap_or(0)) != (0, 0)
        {
            return Ok((kind.into(), code.unwrap_or(0).into()));
        }
    }
    for slot in [Slot::IcmpTypeCodeIpv4, Slot::IcmpTypeCodeIpv6] {
        if let Some(both) = fields.small::<u16>(slot)?.filter(|both| *both > 0) {
            return Ok((both >> 8, both & 0xff));
        }
    }
    let src: u16 = fields.small(Slot::SourcePort)?.unwrap_or(0);
    let dst: u16 = fields.small(Slot::DestinationPort)?.unwrap_or(0);
    // Some put the type into the source port, as the columns have it.
    Ok(if src == 0 { (dst >> 8, dst & 0xff) } else { (src, dst) })
}
