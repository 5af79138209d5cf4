//! Parts into flows: the two directions of a conversation, and the pieces into which an exporter's active timeout cut it.
//!
//! Parts of one conversation share addresses, ports, protocol, VLAN and sensor, and lie no further apart than Zeek waits
//! for more before it takes a conversation for ended (`tcp_inactivity_timeout` 5 min, `udp_inactivity_timeout` and
//! `icmp_inactivity_timeout` 1 min), so that one conversation is one flow, whoever recorded it. A SYN after a connection that
//! was answered or refused begins another; after one that was not, it is a retry of the same.

use std::{collections::HashMap, net::IpAddr};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::{
    record::FlowRecord,
    tcp::{self, ACK, Direction, FIN, RST, SYN, TCP},
};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// How far records may be out of order.
const DISORDER: i64 = MINUTE;

/// From which duration on a piece may have been cut: exporters are not set to an active timeout of less than a minute.
const LEAST_CUT: i64 = 50 * SECOND;

/// How long the next piece of a conversation may take to come: the longest usual active timeout, Cisco's default.
const LONGEST_CUT: i64 = 30 * MINUTE;

/// How far back a part may begin before it is of another recording, for which nothing waits.
const ANOTHER_TIME: i64 = 24 * 60 * MINUTE;

/// Conversations that wait at most, some 300 bytes each. Past it the half that ended first waits no longer.
const MOST_WAITING: usize = 1_000_000;

/// Joins parts into flows.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    waiting: HashMap<Key, Conversation, FixedState>,
    /// Conversations that are over, in the order in which they leave.
    over: Vec<Conversation>,
    /// Latest start of a part.
    now: i64,
    /// When it was last looked who is over.
    looked: i64,
    /// Parts that became part of a flow that another one began.
    joined: u64,
}

/// What parts of a conversation share, the lower end first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    ends: [(IpAddr, u16); 2],
    protocol: u8,
    vlan: Option<u16>,
    sensor: Option<Box<str>>,
}

/// What is known of a conversation. Its first end is the one that sent the first part.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Conversation {
    ends: [(IpAddr, u16); 2],
    sides: [Side; 2],
    macs: [Option<[u8; 6]>; 2],
    protocol: u8,
    start: i64,
    end: i64,
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

impl Joiner {
    /// Goes on from what [`Joiner::save`] gave.
    pub(super) fn restore(saved: &[u8]) -> Result<Self, postcard::Error> {
        let mut joiner = Self::default();
        let conversations: Vec<Conversation> = if saved.is_empty() { Vec::new() } else { postcard::from_bytes(saved)? };
        for conversation in conversations {
            joiner.now = joiner.now.max(conversation.start);
            joiner.waiting.insert(conversation.key(), conversation);
        }
        joiner.looked = joiner.now;
        Ok(joiner)
    }

    /// The conversations that wait; empty for none. Equal ones give equal bytes.
    pub(super) fn save(mut self) -> Result<Vec<u8>, postcard::Error> {
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        let mut conversations: Vec<_> = self.waiting.drain().map(|(_, conversation)| conversation).collect();
        conversations.sort_by(Conversation::order);
        postcard::to_allocvec(&conversations)
    }

    /// Takes a part.
    pub(super) fn push(&mut self, part: &FlowRecord<'_>) {
        let part = Conversation::of(part);
        if part.start < self.now - ANOTHER_TIME {
            self.end();
            (self.now, self.looked) = (part.start, part.start);
        }
        self.now = self.now.max(part.start);
        let key = part.key();
        match self.waiting.get_mut(&key) {
            Some(conversation) if conversation.goes_on_with(&part) => {
                conversation.add(&part);
                self.joined += 1;
            }
            Some(conversation) => self.over.push(std::mem::replace(conversation, part)),
            None => _ = self.waiting.insert(key, part),
        }
        if self.now - self.looked >= MINUTE || self.waiting.len() > MOST_WAITING {
            self.look();
        }
    }

    /// Gives the flows that are over, in order, to `take`.
    pub(super) fn drain<E>(&mut self, mut take: impl FnMut(&FlowRecord<'_>) -> Result<(), E>) -> Result<(), E> {
        for mut conversation in self.over.drain(..) {
            take(&conversation.flow())?;
        }
        Ok(())
    }

    /// Whether some flow is over.
    pub(super) fn has_flows(&self) -> bool {
        !self.over.is_empty()
    }

    /// Takes all that waits for over.
    pub(super) fn end(&mut self) {
        self.over.extend(self.waiting.drain().map(|(_, conversation)| conversation));
        self.over.sort_by(Conversation::order);
    }

    /// Number of conversations that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Number of parts that became part of a flow that another one began.
    pub(super) const fn joined(&self) -> u64 {
        self.joined
    }

    fn look(&mut self) {
        let now = self.now;
        let first = self.over.len();
        self.over.extend(self.waiting.extract_if(|_, waits| waits.until() < now).map(|(_, over)| over));
        if self.waiting.len() > MOST_WAITING {
            let mut ends: Vec<i64> = self.waiting.values().map(|waits| waits.end).collect();
            let (_, middle, _) = ends.select_nth_unstable(MOST_WAITING / 2);
            let middle = *middle;
            self.over.extend(self.waiting.extract_if(|_, waits| waits.end <= middle).map(|(_, over)| over));
        }
        self.over[first..].sort_by(Conversation::order);
        self.looked = now;
    }
}

impl Conversation {
    fn of(part: &FlowRecord<'_>) -> Self {
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
        if let Some(request) = icmp_request(part.protocol, part.src_port) {
            conversation.turn();
            conversation.ends[0].1 = request;
            conversation.ends[1].1 = part.dst_port;
        }
        conversation
    }

    fn key(&self) -> Key {
        let mut ends = self.ends;
        // Type and code of ICMP are no ports of an end: they go with the initiator.
        if !is_icmp(self.protocol) {
            ends.sort_unstable();
        }
        Key { ends, protocol: self.protocol, vlan: self.vlan, sensor: self.sensor.clone() }
    }

    /// A total order for what leaves together.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let key = |one: &Self| (one.end, one.start, one.ends, one.protocol, one.vlan);
        key(self).cmp(&key(other)).then_with(|| self.sensor.cmp(&other.sensor))
    }

    fn goes_on_with(&self, part: &Self) -> bool {
        let idle = idle(self.protocol);
        if part.start - self.end > idle || self.start - part.end > idle {
            return false;
        }
        let begins = part.protocol == TCP && part.sides.iter().any(|side| side.has(SYN)) && part.start >= self.end;
        !(begins && (self.is_closed() || self.is_answered()))
    }

    fn is_answered(&self) -> bool {
        self.sides.iter().all(|side| side.start.is_some()) || self.sides.iter().any(|side| side.has(ACK))
    }

    fn is_closed(&self) -> bool {
        self.sides.iter().all(|side| side.has(FIN)) || self.sides.iter().any(|side| side.has(RST))
    }

    /// Until when, by the latest start, more of it may come.
    fn until(&self) -> i64 {
        let waits = match (self.protocol == TCP && self.is_closed(), self.longest >= LEAST_CUT) {
            (true, _) => 0,
            (_, true) => idle(self.protocol) + LONGEST_CUT,
            (_, false) => idle(self.protocol),
        };
        self.end.saturating_add(waits + DISORDER)
    }

    fn add(&mut self, part: &Self) {
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

    /// The flow. Its initiator is the end that spoke first, or of two that did at once the one with the higher port.
    fn flow(&mut self) -> FlowRecord<'_> {
        let [first, second] = self.sides;
        let is_turned = !is_icmp(self.protocol)
            && match (first.start, second.start) {
                (Some(one), Some(other)) => (other, self.ends[0].1) < (one, self.ends[1].1),
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

const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, tcp::ICMP | tcp::ICMPV6)
}

/// The type of the request that an ICMP message answers (RFC 792, RFC 950, RFC 1256; RFC 4443, RFC 4861).
const fn icmp_request(protocol: u8, kind: u16) -> Option<u16> {
    match (protocol, kind) {
        (tcp::ICMP, 0) => Some(8),
        (tcp::ICMP, 14) => Some(13),
        (tcp::ICMP, 16) => Some(15),
        (tcp::ICMP, 18) => Some(17),
        (tcp::ICMP, 9) => Some(10),
        (tcp::ICMPV6, 129) => Some(128),
        (tcp::ICMPV6, 134) => Some(133),
        (tcp::ICMPV6, 136) => Some(135),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ACK, FIN, Joiner, MINUTE, RST, SECOND, SYN, TCP};
    use crate::archive::FlowRecord;

    const CLIENT: (&str, u16) = ("10.0.0.1", 50_000);
    const SERVER: (&str, u16) = ("192.0.2.1", 443);

    /// One direction, from and to in seconds.
    fn part(src: (&str, u16), dst: (&str, u16), protocol: u8, times: (i64, i64), flags: u16) -> FlowRecord<'static> {
        let end = |(ip, port): (&str, u16)| (ip.parse().unwrap(), port);
        FlowRecord {
            src_bytes: Some(100),
            src_packets: Some(2),
            tcp_flags: Some(flags).filter(|_| protocol == TCP),
            ..FlowRecord::new((times.0 * SECOND, times.1 * SECOND), end(src), end(dst), protocol)
        }
    }

    /// What comes of parts: initiator's port, start, end, bytes, state, sides.
    type Seen = (u16, i64, i64, [Option<u64>; 2], Option<String>, Option<u8>);

    fn joined(parts: &[FlowRecord<'_>]) -> Vec<Seen> {
        let mut joiner = Joiner::default();
        let mut seen = Vec::new();
        let mut take = |flow: &FlowRecord<'_>| {
            let state = flow.conn_state.map(str::to_owned);
            let times = (flow.start_time / SECOND, flow.end_time / SECOND);
            seen.push((flow.src_port, times.0, times.1, [flow.src_bytes, flow.dst_bytes], state, flow.observed_sides));
            Ok::<_, ()>(())
        };
        for part in parts {
            joiner.push(part);
            joiner.drain(&mut take).unwrap();
            // Its state may go through a file at any time.
            let over = std::mem::take(&mut joiner.over);
            let joined = joiner.joined;
            joiner = Joiner::restore(&joiner.save().unwrap()).unwrap();
            (joiner.over, joiner.joined) = (over, joined);
        }
        joiner.end();
        joiner.drain(&mut take).unwrap();
        assert_eq!(joiner.joined() as usize + seen.len(), parts.len());
        seen
    }

    fn state(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn two_directions_are_one_flow() {
        let whole = SYN | ACK | FIN;
        // The answer's record may come first.
        let parts = [part(SERVER, CLIENT, TCP, (1, 9), whole), part(CLIENT, SERVER, TCP, (0, 9), whole)];
        assert_eq!(joined(&parts), [(50_000, 0, 9, [Some(100), Some(100)], state("SF"), Some(2))]);
        let at_once = [part(SERVER, CLIENT, TCP, (0, 9), whole), part(CLIENT, SERVER, TCP, (0, 9), whole)];
        assert_eq!(joined(&at_once)[0].0, 50_000);
    }

    #[test]
    fn pieces_are_one_flow_however_many() {
        let mut parts = Vec::new();
        for minute in 0..120 {
            let times = (minute * 60, minute * 60 + 59);
            parts.push(part(CLIENT, SERVER, TCP, times, ACK | if minute == 0 { SYN } else { 0 }));
            parts.push(part(SERVER, CLIENT, TCP, times, ACK | if minute == 0 { SYN } else { 0 }));
        }
        let bytes = Some(12_000);
        assert_eq!(joined(&parts), [(50_000, 0, 7_199, [bytes, bytes], state("S1"), Some(2))]);
    }

    #[test]
    fn what_ended_goes_on_as_another() {
        let whole = SYN | ACK | FIN;
        let one = [part(CLIENT, SERVER, TCP, (0, 9), whole), part(SERVER, CLIENT, TCP, (0, 9), whole)];
        let two = [part(CLIENT, SERVER, TCP, (20, 29), whole), part(SERVER, CLIENT, TCP, (20, 29), whole)];
        assert_eq!(joined(&[one, two].concat()).len(), 2);
        // Silence ends a conversation too: sooner without a connection.
        let udp = |from| part(CLIENT, SERVER, 17, (from, from), 0);
        assert_eq!(joined(&[udp(0), udp(60), udp(121)]).len(), 2);
        let tcp = |from| part(CLIENT, SERVER, TCP, (from, from), ACK);
        assert_eq!(joined(&[tcp(0), tcp(300), tcp(601)]).len(), 2);
    }

    #[test]
    fn retries_are_one_attempt_and_refusals_many() {
        let tries = [0, 1, 3, 7, 15].map(|at| part(CLIENT, SERVER, TCP, (at, at), SYN));
        assert_eq!(joined(&tries), [(50_000, 0, 15, [Some(500), Some(0)], state("S0"), None)]);
        let refused = |at| [part(CLIENT, SERVER, TCP, (at, at), SYN), part(SERVER, CLIENT, TCP, (at, at), RST | ACK)];
        let seen = joined(&[refused(0), refused(1)].concat());
        assert_eq!(seen.iter().map(|flow| flow.4.clone()).collect::<Vec<_>>(), [state("REJ"), state("REJ")]);
    }

    #[test]
    fn one_side_is_told_from_no_answer() {
        let question = [part(CLIENT, SERVER, TCP, (0, 9), SYN | ACK)];
        assert_eq!(joined(&question), [(50_000, 0, 9, [Some(100), None], None, Some(1))]);
        let answer = [part(SERVER, CLIENT, TCP, (0, 9), SYN | ACK)];
        assert_eq!(joined(&answer), [(50_000, 0, 9, [None, Some(100)], None, Some(1))]);
        let datagram = [part(CLIENT, SERVER, 17, (0, 0), 0)];
        assert_eq!(joined(&datagram), [(50_000, 0, 0, [Some(100), Some(0)], state("S0"), None)]);
    }

    #[test]
    fn a_part_of_both_directions_keeps_what_it_says() {
        let both = FlowRecord {
            dst_bytes: Some(70),
            conn_state: Some("S2"),
            observed_sides: Some(2),
            ..part(CLIENT, SERVER, TCP, (0, 9), SYN | ACK | FIN)
        };
        assert_eq!(joined(&[both]), [(50_000, 0, 9, [Some(100), Some(70)], state("S2"), Some(2))]);
        // With more of it, the flags of all its parts say how it went.
        let (start_time, end_time, tcp_flags) = (10 * SECOND, 20 * SECOND, Some(ACK));
        let more = FlowRecord { start_time, end_time, tcp_flags, ..both };
        assert_eq!(joined(&[both, more]), [(50_000, 0, 20, [Some(200), Some(140)], state("SF"), Some(2))]);
    }

    #[test]
    fn an_echo_belongs_to_its_request() {
        let parts = [
            part(("192.0.2.1", 0), ("10.0.0.1", 0), 1, (1, 1), 0),
            part(("10.0.0.1", 8), ("192.0.2.1", 0), 1, (0, 1), 0),
        ];
        assert_eq!(joined(&parts), [(8, 0, 1, [Some(100), Some(100)], state("OTH"), Some(2))]);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut joiner = Joiner::default();
        for minute in 0..600_u16 {
            let times = (i64::from(minute) * 60, i64::from(minute) * 60 + 1);
            joiner.push(&part(("10.0.0.1", minute), SERVER, 17, times, 0));
        }
        assert!(joiner.waiting() < 5, "{}", joiner.waiting());
        assert!(joiner.now > 500 * MINUTE);
    }
}
