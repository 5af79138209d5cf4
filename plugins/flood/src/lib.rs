//! `wardflow/flood`: a service flooded with connections or packets, from the device or on it.
//!
//! # What it finds
//! - `flood-out`: the device opens far more connections a minute to one peer and port, for minutes, than it ever does,
//!   or sends far more packets a minute that nobody answers.
//! - `flood-in`: one peer does so to a port of the device.
//!
//! # Why it matters for a device
//! A device that floods is part of an attack on somebody else, as cameras and recorders have been by the hundred
//! thousand (ATT&CK T1498, T1499; Antonakakis et al., "Understanding the Mirai Botnet", USENIX Security 2017). A device
//! that is flooded may stop doing what it is for: network stacks of medical devices are small.
//!
//! # How
//! Flows count in the minute in which they start, by peer, port and protocol: the peer's port for flows of the device,
//! the device's own for those of the peer. A flow that is reported more than eight minutes after its start is a long
//! connection and counts for none. Packets count in it if they are not answered: at most one came back for twenty sent;
//! those of a TCP handshake that nobody answers count sixty times.
//!
//! - What is usual is learned by the hour, for each port in each direction, as ln(1 + c) of the busiest minute of any
//!   one peer: so a study of a thousand images, a backup in parallel, or the rounds of a poller are the port's habit. A
//!   port of fewer than 72 such hours is judged by all ports of its direction together.
//! - A minute is one of a flood if it has `least_flows` flows or more, four times the usual peak, and 12 bits. Its bits
//!   are the lesser of two: those of the deviation from the level (a factor of 1.65 at least is one deviation), and
//!   those of a Poisson count where two deviations above the level is expected; less log2 of the number of services in
//!   the slice.
//! - Three such minutes in a slice are reported, or one that has ten times `least_flows`.
//! - Packets are judged alike, with `least_packets` a minute; what is usual is then the device's own, in each
//!   direction.
//!
//! - Connections that came about, last a minute or more, are sent a byte a second at most and answer nothing are held:
//!   they take a server's places (ATT&CK T1499.002). They are judged alike by the hour, with `least_flows` an hour; four
//!   times as many and 30 bits are medium.
//!
//! Severity is low. Medium asks for 30 bits, five minutes, and one further sign: half of the attempts failed, four
//! times `least_flows` in the busiest minute, or twenty minutes of it in the slice, in a row or not. High asks for 40 bits and failed attempts in tens
//! of times `least_flows`, or for packets in tens of times `least_packets`. Before `learning_hours` a flood is only
//! reported from ten times the least, medium if half of it failed, or from forty times.
//!
//! # What is no flood
//! - Many peers on one port: that is a scan, or a server that comes back after an outage and finds all its clients.
//! - Attempts that fail at a peer and port that answered in an earlier slice, a storm of retries, up to ten times
//!   `least_flows`; but not where they remain without any answer, not even a refusal, seven times a second: a client that
//!   asks again waits for an answer first. Their packets do not count either, up to ten times `least_packets`.
//! - Multicast and broadcast; declared scanners, network management, proxies and NAT, on either side; backup servers as
//!   peers; requests to a declared name server, time server, domain controller or DHCP server.
//!
//! # Blind spots
//! A flood by hundreds of peers, each of which is moderate; of more than 64 busy services of a slice the one longest
//! unused; one below the usual peak of its port; one that was there while it learned. One-sided records make all
//! packets look unanswered: those of TCP connections whose handshake was not seen, or that said something though no
//! answer to their first packet was seen, are therefore low at most. Connections that are held are not seen where a
//! record's bytes include those of headers, as those of NetFlow do.
//!
//! # Memory
//! 24 ports in each direction and 64 services that answered: some 3 KiB at most, and a few hundred bytes for most
//! devices.
//!
//! # Parameters
//! `least_flows`, `least_packets`, `learning_hours`: see `plugin.toml`.

mod habit;
mod held;
mod in_slice;
mod judge;
mod minutes;
mod report;
mod seen;

use serde::{Deserialize, Serialize};
use wardflow_common::{TCP, has_failed, is_for_many, serves_everybody};
use wardflow_sdk::{
    Bounded, ConnState, Continuity, Detector, Device, Direction, Findings, Flows, Learning, MINUTE, PeerRole,
    PeerScope, SECOND, Saved, Slice, UNKNOWN,
};

use crate::{habit::Habit, held::Held, in_slice::InSlice, minutes::Packets, seen::Seen};

/// Flows that learning needs beside hours.
const LEAST_FLOWS: u64 = 50;
/// Packets back, for each sent, up to which packets are not answered.
const ANSWERED: u64 = 20;
/// What a packet of a handshake that nobody answers counts: a stream of video may send a thousand datagrams a second, but a
/// client that waits and doubles its patience sends seven SYNs in two minutes (RFC 6298), so that a thousand of them a
/// minute are some hundred clients in one host.
const SYN: f64 = 60.0;
/// Bytes a packet above which there is payload, whether headers are counted or not: those of IPv6 and of TCP with all its
/// options are 100.
const HEADERS: u64 = 100;

/// The rates of one device's contacts.
pub struct Flood {
    parameters: Parameters,
    state: State,
    /// What the slice shows, by service.
    seen: InSlice,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    least_flows: f64,
    least_packets: f64,
    learning_hours: u32,
}

/// What is remembered of a device.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    outbound: Habit,
    inbound: Habit,
    /// Services that answered.
    answered: Bounded<Service, (), 64>,
}

/// Who offers what to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Service {
    /// Whether the device opens the connections.
    is_outbound: bool,
    peer: u64,
    /// Of the end that is contacted; zero for ICMP.
    port: u16,
    protocol: u8,
}

impl Detector for Flood {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self { parameters, state: state.unwrap_or_default(), seen: InSlice::default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            let end = flows.end_time()[row];
            if self.state.learning.count(end) == Continuity::Returned {
                self.state = State { learning: self.state.learning, ..State::default() };
            }
            if let Some(service) = Service::of(flows, row) {
                self.take(service, flows, row, end);
            }
        }
    }

    fn end_slice(&mut self, _: &Slice<'_>, findings: &mut Findings) {
        let mut seen = std::mem::take(&mut self.seen);
        seen.iter_mut().for_each(|(_, seen)| seen.minutes.finish());
        let looks = seen.len() as f64;
        let mut found: Vec<_> = seen
            .iter()
            .filter_map(|(service, seen)| Some((service, seen, self.judge(service, seen, looks)?)))
            .collect();
        found.sort_by(|(_, _, one), (_, _, other)| other.bits.total_cmp(&one.bits));
        report::report(&found, findings);
        // In order of time: what is learned depends on the order, and that of pseudonyms is another in each hospital.
        let mut in_order: Vec<_> = seen.iter().collect();
        in_order.sort_by_key(|(service, seen)| (seen.last, seen.first, seen.flows, service.port, service.protocol));
        for (service, seen) in in_order {
            self.state.learn(*service, seen);
        }
    }

    fn save(self) -> Saved<State> {
        let learned = self.state.learning.progress(self.parameters.learning_hours, LEAST_FLOWS);
        Saved { state: self.state, learned, ready: learned >= 1.0 }
    }
}

impl Flood {
    fn take(&mut self, service: Service, flows: &Flows<'_>, row: usize, end: i64) {
        let (start, state) = (flows.start_time()[row], flows.conn_state()[row]);
        let (sent, received, bytes) = match service.is_outbound {
            true => (flows.packets_sent()[row], flows.packets_received()[row], flows.bytes_sent()[row]),
            false => (flows.packets_received()[row], flows.packets_sent()[row], flows.bytes_received()[row]),
        };
        let is_tcp = service.is_tcp();
        // Who says something had its first packet answered, and a sensor that saw no answer sees one side.
        let is_half_seen = is_tcp
            && matches!(state, ConnState::Sh | ConnState::Rstos0)
            && bytes != UNKNOWN
            && sent != UNKNOWN
            && bytes > sent.saturating_mul(HEADERS);
        let has_failed =
            has_failed(state) && !is_half_seen || received == 0 && (!is_tcp || state == ConnState::Unknown);
        let is_unanswered = sent != UNKNOWN && received != UNKNOWN && received.saturating_mul(ANSWERED) <= sent;
        // Of a flow that lasts, a minute's worth: it may count in no more than the minute of its start.
        let lasts = (end - start).max(SECOND) as f64 / MINUTE as f64;
        let count = if is_unanswered { sent as f64 / lasts.max(1.0) } else { 0.0 };
        let weight = if is_tcp && state == ConnState::S0 { SYN * count } else { count };
        let is_doubtful = is_half_seen || is_tcp && matches!(state, ConnState::Oth | ConnState::Unknown);
        let packets = Packets { count, weight, certain: if is_doubtful { 0.0 } else { weight } };
        let seen = self.seen.touch(service, start, end);
        let (flows_by_now, weight_by_now) = seen.minutes.add(start.div_euclid(MINUTE), end.div_euclid(MINUTE), packets);
        seen.add(start, end, has_failed, is_tcp && state == ConnState::S0);
        let is_loud = weight_by_now >= self.parameters.least_packets;
        if is_loud {
            seen.add_loud(start, end, count, lasts);
        }
        if is_loud || f64::from(flows_by_now) >= self.parameters.least_flows / 2.0 {
            seen.show(flows.position(row));
        }
        if is_tcp && Held::is_one(flows, row) {
            seen.held.add(start, end, flows.position(row));
        }
    }

    fn is_learned(&self) -> bool {
        self.state.learning.is_done(self.parameters.learning_hours, LEAST_FLOWS)
    }

    fn habit(&self, service: &Service) -> &Habit {
        if service.is_outbound { &self.state.outbound } else { &self.state.inbound }
    }
}

impl Service {
    /// The service of a flow, unless it is not judged.
    fn of(flows: &Flows<'_>, row: usize) -> Option<Self> {
        let is_one_peer =
            matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
        let (local, peer) = (flows.local_role()[row], flows.peer_role()[row]);
        if !is_one_peer || is_for_many(local) || is_for_many(peer) || [local, peer].contains(&PeerRole::Backup) {
            return None;
        }
        let (is_outbound, protocol) = (flows.direction()[row] == Direction::Outbound, flows.protocol()[row]);
        if !is_outbound && serves_everybody(local) {
            return None;
        }
        let port = match protocol {
            1 | 58 => 0,
            _ if is_outbound => flows.peer_port()[row],
            _ => flows.local_port()[row],
        };
        Some(Self { is_outbound, peer: flows.peer()[row], port, protocol })
    }

    fn is_tcp(&self) -> bool {
        self.protocol == TCP
    }

    fn port_key(&self) -> (u8, u16) {
        (self.protocol, self.port)
    }

    fn kind(&self) -> &'static str {
        if self.is_outbound { "flood-out" } else { "flood-in" }
    }
}

impl State {
    fn learn(&mut self, service: Service, seen: &Seen) {
        if seen.failed < seen.flows {
            self.answered.touch(service, seen.last / SECOND, || ());
        }
        let habit = if service.is_outbound { &mut self.outbound } else { &mut self.inbound };
        habit.learn(service.port_key(), seen);
    }
}

wardflow_sdk::export!(Flood, include_str!("../plugin.toml"));
