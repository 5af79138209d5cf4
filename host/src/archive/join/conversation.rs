//! What is known of a conversation, and how parts add to it.

use std::{cmp::Ordering, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::icmp::{is_icmp, request};
use crate::{
    archive::{
        record::FlowRecord,
        tcp::{self, ACK, Direction, FIN, RST, SYN, TCP},
    },
    time::{MINUTE, SECOND},
};

/// How far records may be out of order.
const DISORDER: i64 = MINUTE;

/// From which duration on a piece may have been cut: exporters are not set to an active timeout of less than a minute.
const LEAST_CUT: i64 = 50 * SECOND;

/// How long the next piece of a conversation may take to come: the longest usual active timeout, Cisco's default.
const LONGEST_CUT: i64 = 30 * MINUTE;

/// What parts of a conversation share, the lower end first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    ends: [(IpAddr, u16); 2],
    protocol: u8,
    vlan: Option<u16>,
    sensor: Option<Box<str>>,
}

/// What is known of a conversation. Its first end is the one that sent the first part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Conversation {
    ends: [(IpAddr, u16); 2],
    sides: [Side; 2],
    macs: [Option<[u8; 6]>; 2],
    protocol: u8,
    pub(super) start: i64,
    pub(super) end: i64,
    /// Duration of the longest part.
    longest: i64,
    vlan: Option<u16>,
    sampling_interval: Option<u32>,
    service: Option<Box<str>>,
    flow_uid: Option<Box<str>>,
    community_id: Option<Box<str>>,
    dst_name: Option<Box<str>>,
    sensor: Option<Box<str>>,
    /// What the source says of how it went, while it is the only part.
    state: Option<Box<str>>,
}

/// What one end sent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Side {
    bytes: Option<u64>,
    packets: Option<u64>,
    flags: Option<u16>,
    /// When it began to; absent where nothing of it was seen.
    start: Option<i64>,
}

impl Conversation {
    pub(super) fn of(part: &FlowRecord<'_>) -> Self {
        let own = |text: Option<&str>| text.map(Box::from);
        let side = |bytes, packets, flags, is_seen: bool| Side {
            bytes,
            packets,
            flags,
            start: is_seen.then_some(part.start_time),
        };
        // Where a part has both directions, its flags are of both, and no one's own.
        let has_both = part.dst_packets.is_some() || part.dst_bytes.is_some();
        let counts = [part.dst_packets, part.dst_bytes];
        let answered = part.observed_sides == Some(2) || counts.iter().flatten().any(|count| *count > 0);
        let flags = part.tcp_flags;
        let mut conversation = Self {
            ends: [(part.src_ip.to_canonical(), part.src_port), (part.dst_ip.to_canonical(), part.dst_port)],
            sides: [
                side(part.src_bytes, part.src_packets, flags, true),
                side(part.dst_bytes, part.dst_packets, flags.filter(|_| has_both && answered), answered),
            ],
            macs: [part.src_mac, part.dst_mac],
            protocol: part.protocol,
            start: part.start_time,
            end: part.end_time,
            longest: part.end_time - part.start_time,
            vlan: part.vlan,
            sampling_interval: part.sampling_interval,
            service: own(part.service),
            flow_uid: own(part.flow_uid),
            community_id: own(part.community_id),
            dst_name: own(part.dst_name),
            sensor: own(part.sensor),
            state: own(part.conn_state),
        };
        if let Some(request) = request(part.protocol, part.src_port) {
            conversation.turn();
            conversation.ends[0].1 = request;
            conversation.ends[1].1 = part.dst_port;
        }
        conversation
    }

    pub(super) fn key(&self) -> Key {
        let mut ends = self.ends;
        // Type and code of ICMP are no ports of an end: they go with the initiator.
        if !is_icmp(self.protocol) {
            ends.sort_unstable();
        }
        Key { ends, protocol: self.protocol, vlan: self.vlan, sensor: self.sensor.clone() }
    }

    /// Bytes of its texts.
    pub(super) fn texts(&self) -> usize {
        let texts = [&self.service, &self.flow_uid, &self.community_id, &self.dst_name, &self.sensor, &self.state];
        texts.into_iter().flatten().map(|text| text.len()).sum()
    }

    /// A total order for what leaves together.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let key = |one: &Self| (one.end, one.start, one.ends, one.protocol, one.vlan);
        key(self).cmp(&key(other)).then_with(|| self.sensor.cmp(&other.sensor))
    }

    pub(super) fn goes_on_with(&self, part: &Self) -> bool {
        let idle = idle(self.protocol);
        if part.start - self.end > idle || self.start - part.end > idle {
            return false;
        }
        // Of one moment, as where clocks give whole seconds, an answer's record may come before that of the question.
        let is_later = part.start > self.start && part.start >= self.end;
        let begins = part.protocol == TCP && part.sides.iter().any(|side| side.has(SYN)) && is_later;
        !(begins && (self.is_closed() || self.is_answered()))
    }

    fn is_answered(&self) -> bool {
        self.sides.iter().all(|side| side.start.is_some()) || self.sides.iter().any(|side| side.has(ACK))
    }

    fn is_closed(&self) -> bool {
        self.sides.iter().all(|side| side.has(FIN)) || self.sides.iter().any(|side| side.has(RST))
    }

    /// Until when, by the latest start, more of it may come.
    pub(super) fn until(&self) -> i64 {
        let waits = match (self.protocol == TCP && self.is_closed(), self.longest >= LEAST_CUT) {
            (true, _) => 0,
            (_, true) => idle(self.protocol) + LONGEST_CUT,
            (_, false) => idle(self.protocol),
        };
        self.end.saturating_add(waits + DISORDER)
    }

    pub(super) fn add(&mut self, part: &Self) {
        let is_turned = self.ends[0] != part.ends[0];
        for (index, side) in self.sides.iter_mut().enumerate() {
            side.add(&part.sides[if is_turned { 1 - index } else { index }]);
        }
        for (index, mac) in self.macs.iter_mut().enumerate() {
            *mac = mac.or(part.macs[if is_turned { 1 - index } else { index }]);
        }
        self.state = None;
        self.start = self.start.min(part.start);
        self.end = self.end.max(part.end);
        self.longest = self.longest.max(part.longest);
        self.sampling_interval = self.sampling_interval.or(part.sampling_interval);
        for (own, more) in [
            (&mut self.service, &part.service),
            (&mut self.flow_uid, &part.flow_uid),
            (&mut self.community_id, &part.community_id),
            (&mut self.dst_name, &part.dst_name),
        ] {
            if own.is_none() {
                own.clone_from(more);
            }
        }
    }

    fn turn(&mut self) {
        self.ends.reverse();
        self.sides.reverse();
        self.macs.reverse();
    }

    /// The flow. Its initiator is the end that spoke first, or of two that did at once the one whose flags have SYN without
    /// ACK, else the one with the higher port.
    pub(super) fn flow(&mut self) -> FlowRecord<'_> {
        let [first, second] = self.sides;
        let is_turned = !is_icmp(self.protocol)
            && match (first.start, second.start) {
                (Some(one), Some(other)) => {
                    let order = |start, side: Side, peer: usize| (start, !side.opens(), self.ends[peer].1);
                    order(other, second, 0) < order(one, first, 1)
                }
                // An answer whose question was not seen.
                (_, None) => {
                    self.protocol == TCP && first.has(ACK) && self.ends[0].1 < 1_024 && self.ends[1].1 >= 1_024
                }
                (None, _) => false,
            };
        if is_turned {
            self.turn();
        }
        let [src, dst] = self.sides;
        let observed_sides = match (src.start, dst.start) {
            (Some(_), Some(_)) => Some(2),
            // Nobody acknowledges what nobody sent.
            _ if self.protocol == TCP && (src.has(ACK) || dst.has(ACK)) => Some(1),
            _ => None,
        };
        let counted = |side: Side, count: Option<u64>| match observed_sides {
            Some(1) => count,
            _ if side.start.is_none() => Some(0),
            _ => count,
        };
        let direction = |side: Side| Direction { packets: u64::from(side.start.is_some()), flags: side.flags };
        let state = tcp::conn_state(self.protocol, direction(src), direction(dst));
        let flags = src.flags.into_iter().chain(dst.flags).reduce(|one, other| one | other);
        FlowRecord {
            service: self.service.as_deref(),
            src_bytes: counted(src, src.bytes),
            dst_bytes: counted(dst, dst.bytes),
            src_packets: counted(src, src.packets),
            dst_packets: counted(dst, dst.packets),
            conn_state: self.state.as_deref().or(state.filter(|_| observed_sides != Some(1))),
            tcp_flags: flags.filter(|_| self.protocol == TCP),
            src_mac: self.macs[0],
            dst_mac: self.macs[1],
            vlan: self.vlan,
            flow_uid: self.flow_uid.as_deref(),
            community_id: self.community_id.as_deref(),
            dst_name: self.dst_name.as_deref(),
            sensor: self.sensor.as_deref(),
            sampling_interval: self.sampling_interval,
            observed_sides,
            ..FlowRecord::new((self.start, self.end), self.ends[0], self.ends[1], self.protocol)
        }
    }
}

impl Side {
    fn has(&self, flag: u16) -> bool {
        self.flags.is_some_and(|flags| flags & flag != 0)
    }

    /// Whether it asked for a connection and acknowledged nothing, by flags of which not all may be there.
    fn opens(&self) -> bool {
        self.has(SYN) && !self.has(ACK)
    }

    fn add(&mut self, more: &Self) {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        self.bytes = sum(self.bytes, more.bytes);
        self.packets = sum(self.packets, more.packets);
        self.flags = match (self.flags, more.flags) {
            (Some(one), Some(other)) => Some(one | other),
            (one, other) => one.or(other),
        };
        self.start = match (self.start, more.start) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

fn idle(protocol: u8) -> i64 {
    if protocol == TCP { 5 * MINUTE } else { MINUTE }
}
