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
//! times `least_flows` in the busiest minute, or twenty minutes of it. High asks for 40 bits and failed attempts in tens
//! of times `least_flows`, or for packets in tens of times `least_packets`. Before `learning_hours` a flood is only
//! reported from ten times the least, medium if half of it failed, or from forty times.
//!
//! # What is no flood
//! - Many peers on one port: that is a scan, or a server that comes back after an outage and finds all its clients.
//! - Attempts that fail at a peer and port that answered in an earlier slice, a storm of retries, up to ten times
//!   `least_flows`; but not where they remain without any answer, not even a refusal, seven times a second: a client that
//!   asks again waits for an answer first.
//! - Multicast and broadcast; declared scanners, network management, proxies and NAT, on either side; backup servers as
//!   peers; requests to a declared name server, time server, domain controller or DHCP server.
//!
//! # Blind spots
//! A flood by hundreds of peers, each of which is moderate; one below the usual peak of its port; one that was there
//! while it learned. One-sided records make all packets look unanswered: those of TCP connections whose handshake was
//! not seen are therefore low at most.
//!
//! # Memory
//! 24 ports in each direction and 64 services that answered: some 2 KiB at most, and a few hundred bytes for most
//! devices.
//!
//! # Parameters
//! `least_flows`, `least_packets`, `learning_hours`: see `plugin.toml`.

mod habit;
mod held;
mod minutes;
mod seen;

use serde::{Deserialize, Serialize};
use wardflow_common::{has_failed, is_for_many, port_name, serves_everybody};
use wardflow_sdk::{
    Bounded, ConnState, Continuity, Detector, Device, Direction, Findings, Flows, Learning, MINUTE, PeerRole,
    PeerScope, SECOND, Saved, Severity, Slice, UNKNOWN, surprise,
};

use crate::{habit::Habit, held::Held, minutes::Busy, seen::Seen};

/// Flows that learning needs beside hours.
const LEAST_FLOWS: u64 = 50;
/// Services of a slice that are told apart.
const IN_SLICE: usize = 256;
/// Single services that are reported in a slice; the rest are one finding.
const SINGLE: usize = 8;
/// Packets back, for each sent, up to which packets are not answered.
const ANSWERED: u64 = 20;
/// A flood of so many times the least needs no habit to be one.
const PLAIN: f64 = 10.0;
/// One of so many times the least is for a person to look at, whatever became of the connections.
const VAST: f64 = 40.0;
/// What a packet of a handshake that nobody answers counts: a stream of video may send a thousand datagrams a second, but a
/// client that waits and doubles its patience sends seven SYNs in two minutes (RFC 6298), so that a thousand of them a
/// minute are some hundred clients in one host.
const SYN: f64 = 60.0;
/// Connections a minute that remain without any answer, beyond which they are no retries: who asks again waits a second or
/// more for the answer (RFC 6298), and few clients ask seven times at once.
const IMPATIENT: f64 = 420.0;
/// Bits of a minute of a flood, without which it is none.
const LEAST_BITS: f64 = 12.0;

/// The rates of one device's contacts.
pub struct Flood {
    parameters: Parameters,
    state: State,
    seen: Bounded<Service, Seen, IN_SLICE>,
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

/// What a service is found to be flooded with.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    bits: f64,
    severity: Severity,
    confidence: f64,
    /// The minutes of the flood.
    busy: Busy,
    /// In the busiest minute.
    rate: f64,
    usual: f64,
    what: What,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Connections,
    Packets,
    /// Connections that are held.
    Held,
}

impl Detector for Flood {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self { parameters, state: state.unwrap_or_default(), seen: Bounded::new() })
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
        for (service, seen, verdict) in found.iter().take(SINGLE) {
            report(service, seen, verdict, findings);
        }
        for is_outbound in [true, false] {
            let rest: Vec<_> =
                found.iter().skip(SINGLE).filter(|(service, ..)| service.is_outbound == is_outbound).collect();
            report_rest(&rest, findings);
        }
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

impl Service {
    /// The service of a flow, unless it is not judged.
    fn of(flows: &Flows<'_>, row: usize) -> Option<Self> {
        let is_one_peer =
            matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
        if !is_one_peer || is_for_many(flows.local_role()[row]) || is_for_many(flows.peer_role()[row]) {
            return None;
        }
        let (is_outbound, protocol) = (flows.direction()[row] == Direction::Outbound, flows.protocol()[row]);
        let serves = if is_outbound { flows.peer_role()[row] } else { flows.local_role()[row] };
        let is_backup = flows.peer_role()[row] == PeerRole::Backup || flows.local_role()[row] == PeerRole::Backup;
        if serves_everybody(serves) && !is_outbound || is_backup {
            return None;
        }
        let port = match protocol {
            1 | 58 => 0,
            _ if is_outbound => flows.peer_port()[row],
            _ => flows.local_port()[row],
        };
        Some(Self { is_outbound, peer: flows.peer()[row], port, protocol })
    }
}

impl Flood {
    fn take(&mut self, service: Service, flows: &Flows<'_>, row: usize, end: i64) {
        let (start, state) = (flows.start_time()[row], flows.conn_state()[row]);
        let (sent, received) = match service.is_outbound {
            true => (flows.packets_sent()[row], flows.packets_received()[row]),
            false => (flows.packets_received()[row], flows.packets_sent()[row]),
        };
        let is_tcp = service.protocol == 6;
        let has_failed = has_failed(state) || received == 0 && (!is_tcp || state == ConnState::Unknown);
        let is_unanswered = sent != UNKNOWN && received != UNKNOWN && received.saturating_mul(ANSWERED) <= sent;
        // Of a flow that lasts, a minute's worth: it may count in no more than the minute of its start.
        let lasts = (end - start).max(SECOND) as f64 / MINUTE as f64;
        let weight = if is_tcp && state == ConnState::S0 { SYN } else { 1.0 };
        let packets = if is_unanswered { sent as f64 / lasts.max(1.0) } else { 0.0 };
        let is_doubtful = is_tcp && matches!(state, ConnState::Oth | ConnState::Unknown);
        let seen = self.seen.touch(service, end, || Seen::new(start));
        let (count, packets_by_now) =
            seen.minutes.add(start.div_euclid(MINUTE), end.div_euclid(MINUTE), weight * packets);
        seen.add(start, end, has_failed, is_tcp && state == ConnState::S0);
        if packets_by_now >= self.parameters.least_packets {
            seen.add_loud(start, end);
        }
        if f64::from(count) >= self.parameters.least_flows / 2.0 || packets_by_now >= self.parameters.least_packets {
            seen.show(flows.position(row));
        }
        if is_tcp && Held::is_one(flows, row) {
            seen.held.add(start, end, flows.position(row));
        }
        if packets > 0.0 {
            seen.add_packets(packets, weight, lasts, is_doubtful);
        }
    }

    /// The worst of what there is of a service.
    fn judge(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let all = [
            self.judge_held(service, seen, looks),
            self.judge_packets(service, seen, looks),
            self.judge_connections(service, seen, looks),
        ];
        let severity = |verdict: &Verdict| (verdict.severity, verdict.bits);
        all.into_iter().flatten().max_by(|one, other| {
            let ((one, bits), (other, of_other)) = (severity(one), severity(other));
            one.cmp(&other).then(bits.total_cmp(&of_other))
        })
    }

    fn judge_held(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let (least, is_learned) = (self.parameters.least_flows, self.is_learned());
        let (flows, most) = seen.held.counts();
        let rate = f64::from(most);
        let usual = self.habit(service).held(is_learned);
        let bits = usual.bits(rate, looks);
        let is_plain = rate >= PLAIN * least;
        if rate < least.max(4.0 * usual.peak()) || bits < LEAST_BITS || !is_learned && !is_plain {
            return None;
        }
        let severity = if bits >= 30.0 && rate >= 4.0 * least { Severity::Medium } else { Severity::Low };
        let minute = |time: i64| time.div_euclid(MINUTE);
        let (first, last) = (minute(seen.held.first), minute(seen.held.last));
        let busy = Busy { minutes: usize::try_from(last - first + 1).unwrap_or(1), flows, first, last };
        let confidence = if is_learned { 0.8 } else { 0.5 };
        Some(Verdict { bits, severity, confidence, busy, rate, usual: usual.peak(), what: What::Held })
    }

    fn judge_connections(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let least = self.parameters.least_flows;
        let rate = f64::from(seen.minutes.most_flows());
        if rate < least {
            return None;
        }
        let is_learned = self.is_learned();
        let failed = seen.failed as f64 / seen.flows as f64;
        let is_plain = rate >= PLAIN * least;
        let is_patient = rate < IMPATIENT || seen.silent as f64 / (seen.flows as f64) < 0.5;
        let is_retry = failed >= 0.8 && is_patient && self.state.answered.get(service).is_some();
        if (is_retry || !is_learned) && !is_plain {
            return None;
        }
        let usual = self.habit(service).of((service.protocol, service.port), is_learned);
        let bits = usual.bits(rate, looks);
        let floor = least.max(4.0 * usual.peak());
        let busy = seen.minutes.with_flows(floor);
        let minutes = busy.minutes;
        if bits < LEAST_BITS || rate < floor || minutes < 3 && !is_plain {
            return None;
        }
        let further = failed >= 0.5 || rate >= 4.0 * least || minutes >= 20;
        let severity = match bits {
            _ if is_retry => Severity::Low,
            _ if !is_learned => {
                if failed >= 0.5 || rate >= VAST * least {
                    Severity::Medium
                } else {
                    Severity::Low
                }
            }
            40.0.. if failed >= 0.5 && is_plain => Severity::High,
            30.0.. if minutes >= 5 && further => Severity::Medium,
            _ => Severity::Low,
        };
        let confidence = if is_learned { 0.9 } else { 0.6 };
        Some(Verdict { bits, severity, confidence, busy, rate, usual: usual.peak(), what: What::Connections })
    }

    fn judge_packets(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let least = self.parameters.least_packets;
        let rate = seen.minutes.most_packets();
        let is_learned = self.is_learned();
        let is_plain = rate >= PLAIN * least;
        if rate < least || !is_learned && !is_plain {
            return None;
        }
        let usual = self.habit(service).packets(is_learned);
        let bits = usual.bits(rate, looks);
        if bits < LEAST_BITS || rate < 4.0 * usual.peak() {
            return None;
        }
        let mut busy = seen.minutes.with_packets(least);
        busy.minutes = busy.minutes.max(seen.minutes_of_packets);
        let severity = match bits {
            _ if seen.is_doubtful => Severity::Low,
            40.0.. if is_plain && is_learned => Severity::High,
            _ if is_plain => Severity::Medium,
            30.0.. if busy.minutes >= 3 => Severity::Medium,
            _ => Severity::Low,
        };
        let confidence = if seen.is_doubtful { 0.4 } else { 0.8 };
        let (rate, usual) = (rate / seen.weight(), usual.peak() / seen.weight());
        Some(Verdict { bits, severity, confidence, busy, rate, usual, what: What::Packets })
    }

    fn is_learned(&self) -> bool {
        self.state.learning.is_done(self.parameters.learning_hours, LEAST_FLOWS)
    }

    fn habit(&self, service: &Service) -> &Habit {
        if service.is_outbound { &self.state.outbound } else { &self.state.inbound }
    }
}

impl State {
    fn learn(&mut self, service: Service, seen: &Seen) {
        if seen.failed < seen.flows {
            self.answered.touch(service, seen.last / SECOND, || ());
        }
        let habit = if service.is_outbound { &mut self.outbound } else { &mut self.inbound };
        habit.learn((service.protocol, service.port), &seen.minutes, &seen.held, seen.last / SECOND);
    }
}

fn report(service: &Service, seen: &Seen, verdict: &Verdict, findings: &mut Findings) {
    let (rate, usual, busy) = (verdict.rate, verdict.usual, verdict.busy);
    let (minutes, flows) = (busy.minutes, busy.flows.max(1));
    // What shows it began and ended in those minutes, give or take the length of a flow.
    let first = seen.first.max(busy.first * MINUTE);
    let (first, last) = match verdict.what {
        What::Connections => (first, seen.last.min((busy.last + 1) * MINUTE)),
        What::Packets => seen.loud.unwrap_or((seen.first, seen.last)),
        What::Held => (seen.held.first, seen.held.last),
    };
    let (what, name, unit) = match verdict.what {
        What::Connections => ("connections a minute", "flows-per-minute", "flows"),
        What::Packets => ("unanswered packets a minute", "packets-per-minute", "packets"),
        What::Held => ("connections an hour that are held and say next to nothing", "held-per-hour", "flows"),
    };
    let per = if verdict.what == What::Held { "/h" } else { "/min" };
    let examples = if verdict.what == What::Held { &seen.held.examples } else { &seen.examples };
    let failed = seen.failed as f64 / seen.flows as f64;
    let kind = if service.is_outbound { "flood-out" } else { "flood-in" };
    let draft = findings
        .report(kind, first, last)
        .severity(verdict.severity)
        .score(surprise::score(verdict.bits))
        .confidence(verdict.confidence)
        .peer(service.peer)
        .protocol(service.protocol)
        .flow_count(flows)
        .measured(name, rate, per, ..=usual)
        .measured("minutes", minutes as f64, "min", ..)
        .measured("failed-share", failed, "1", ..)
        .examples(examples.iter().copied());
    let name = port_name(service.port, service.protocol);
    let percent = failed * 100.0;
    if service.is_outbound {
        draft.peer_port(service.port).summary(format_args!(
            "up to {rate:.0} {what} to {name} of one peer, in {minutes} min; usual are up to {usual:.0} \
             {unit}; {percent:.0} % of flows failed"
        ));
    } else {
        draft.cause_key(&name).summary(format_args!(
            "up to {rate:.0} {what} from one peer to {name} of the device, in {minutes} min; usual are up to \
             {usual:.0} {unit}; {percent:.0} % of flows failed"
        ));
    }
}

/// Reports further services of one direction as one.
fn report_rest(rest: &[&(&Service, &Seen, Verdict)], findings: &mut Findings) {
    let Some((service, first, verdict)) = rest.first() else { return };
    let all = || rest.iter().map(|(_, seen, _)| *seen);
    let kind = if service.is_outbound { "flood-out" } else { "flood-in" };
    findings
        .report(
            kind,
            all().map(|seen| seen.first).min().unwrap_or(first.first),
            all().map(|seen| seen.last).max().unwrap_or(first.last),
        )
        .severity(rest.iter().map(|(_, _, verdict)| verdict.severity).max().unwrap_or(verdict.severity))
        .score(surprise::score(verdict.bits))
        .confidence(verdict.confidence)
        .cause_key("many-services")
        .flow_count(rest.iter().map(|(_, _, verdict)| verdict.busy.flows).sum())
        .measured("services", rest.len() as f64, "1", ..)
        .examples(all().filter_map(|seen| seen.examples.first().copied()))
        .summary(format_args!("floods of {} further services at the same time", rest.len()));
}

wardflow_sdk::export!(Flood, include_str!("../plugin.toml"));
