//! `wardflow/long-connection`: connections to outside peers that are kept open for hours.
//!
//! # What it finds
//! - `long-connection`: a connection of the device with an outside peer that lasts `least_hours` or longer, or
//!   connections with it that add up to twice that in a day, where long connections with that peer are new to the
//!   device and the peer is not one that its class shares.
//!
//! # Why it matters for a device
//! A connection that is kept open is how a server outside reaches a device behind a firewall: makers do it for push and
//! remote service, intruders for remote control (ATT&CK T1219, T1572, T1095). A device has few of them and its maker
//! knows each.
//!
//! # How
//! - It is the length of connections that counts, as in RITA's "long connections" (Active Countermeasures). Flows of
//!   half a minute or longer are looked at. One on the same port of the device, begun within five minutes of the end of
//!   the last, or while it lasted, continues it: an exporter cuts long connections. Connected time of a day is that of
//!   all flows with the peer since midnight UTC, overlaps counted once.
//! - A *habit* is a peer and port with an hour of connection that began while the device was learned
//!   (`learning_hours`), or two weeks ago. Habits and peers that `shared_by` others of the class use are not judged,
//!   whatever the length.
//! - Of peers that are taken up later than on the first day, and for two weeks, each day teaches the longest, as
//!   ln(1 min + time): nothing for most devices, an open page for a workstation. Bits are those of the deviation from
//!   that level, a factor of e at least and wider where little was learned; log2(n + 2) more if none of a class of `n`
//!   devices uses the peer; less log2 of the number of outside peers with such connections in the slice. From 8 bits on
//!   it is reported.
//!
//! Severity is low. It is medium, and never more, with 20 bits, if no device of the class uses the peer, on a port that
//! is not usual for push (443, 5223, 8883 and the like), with a trickle of less than 200 bytes a second in both
//! directions, as keystrokes and keep-alives make; or with 30 bits without the trickle. Before `learning_hours`, a peer
//! that is new to a class that is known (5 devices share some peer of this device) is low, and any
//! other that the class does not share informational, by a level of ten minutes, from 8 bits.
//!
//! # What is no long connection
//! Attempts and datagrams without answer; peers of group `expected-cloud`, of role remote service in its hours, network
//! management or backup; what a device does in a role of its own: proxy, NAT, name server, backup, remote service,
//! scanner, network management; multicast; peers inside.
//!
//! # Blind spots
//! Records that come only when a connection ends tell of it only then. Short connections again and again (see
//! `beacon`); what goes through a proxy; more than three connections at once with one peer, which are told apart by the
//! device's port; a peer that the class shares.
//!
//! # Memory
//! 64 peers with some connection of half a minute, 32 with an hour or more; some 50 bytes each.
//!
//! # Parameters
//! `least_hours`, `shared_by`, `learning_hours`: see `plugin.toml`.

mod peer;
mod scope;
mod yardstick;

use serde::{Deserialize, Serialize};
use wardflow_common::port_name;
use wardflow_sdk::{
    Bounded, Continuity, DAY, Detector, Device, Findings, Flows, HOUR, Learning, Level, SECOND, Saved, Severity, Slice,
    math, surprise,
};

use crate::{peer::Peer, scope::Service, yardstick::Yardstick};

/// Flows that learning needs beside hours.
const LEAST_FLOWS: u64 = 50;
/// Shorter flows are not looked at.
const LEAST_LENGTH: i64 = 30 * SECOND;
/// Connected time from which a peer is one with long connections.
const LONG: i64 = HOUR;
/// How long a peer with long connections is new.
const NEW: i64 = 14 * DAY;
/// Devices of a class that share a peer, from which the class counts as known.
const CLASS_KNOWN: u32 = 5;
/// Bits from which a peer is reported.
const REPORTED: f64 = 8.0;
/// Single peers that are reported in a slice; the rest are one finding.
const SINGLE: usize = 8;
/// Bytes a second, both directions together, up to which a connection is a trickle.
const TRICKLE: f64 = 200.0;

/// Long connections of one device with outside peers.
pub struct LongConnection {
    parameters: Parameters,
    state: State,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    least_hours: f64,
    shared_by: u32,
    learning_hours: u32,
}

/// What is remembered of a device.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    /// End of the device's first flow, in microseconds since 1970: it may have begun long before anything was watched.
    watched_since: Option<i64>,
    /// Whether the device had any flow since midnight UTC.
    is_active: bool,
    /// When learning was done, in microseconds since 1970.
    learned_since: Option<i64>,
    /// The longest since midnight with peers that are new and not shared, in microseconds.
    longest: i64,
    /// The same, of the days before.
    newcomers: Level,
    /// Most devices of the class that shared a peer of this device.
    class: u32,
    young: Bounded<Service, Peer, 64>,
    long: Bounded<Service, Peer, 32>,
}

/// What is made of a peer.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    bits: f64,
    severity: Severity,
    confidence: f64,
    usual: f64,
    is_learned: bool,
    others: u32,
}

impl Detector for LongConnection {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self { parameters, state: state.unwrap_or_default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        let (starts, ends) = (flows.start_time(), flows.end_time());
        for row in flows.rows() {
            if self.state.learning.count(ends[row]) == Continuity::Returned {
                self.state = State { learning: self.state.learning, ..State::default() };
            }
            self.state.is_active = true;
            self.state.watched_since.get_or_insert(ends[row]);
            if self.state.learned_since.is_none() && self.is_learned() {
                self.state.learned_since = Some(ends[row]);
            }
            if ends[row] - starts[row] >= LEAST_LENGTH
                && let Some(service) = Service::of(flows, row)
            {
                self.state.take(service, flows, row);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let shown = || self.state.young.iter().chain(self.state.long.iter()).filter(|(_, peer)| peer.seen.is_some());
        let looks = shown().count() as f64;
        let mut found: Vec<_> = shown()
            .filter_map(|(service, peer)| Some((service, peer, self.judge(service, peer, looks, slice.end)?)))
            .collect();
        found.sort_by(|(_, _, one), (_, _, other)| other.bits.total_cmp(&one.bits));
        for (service, peer, verdict) in found.iter().take(SINGLE) {
            report(service, peer, *verdict, findings);
        }
        report_rest(found.get(SINGLE..).unwrap_or_default(), findings);
        let longest = shown().filter(|(_, peer)| self.teaches(peer, slice.end)).map(|(_, peer)| peer.connected());
        self.state.longest = longest.max().unwrap_or_default().max(self.state.longest);
        if slice.end.div_euclid(DAY) > slice.start.div_euclid(DAY) {
            self.state.end_day();
        }
    }

    fn save(self) -> Saved<State> {
        let learned = self.state.learning.progress(self.parameters.learning_hours, LEAST_FLOWS);
        Saved { state: self.state, learned, ready: learned >= 1.0 }
    }
}

impl State {
    fn take(&mut self, service: Service, flows: &Flows<'_>, row: usize) {
        self.class = self.class.max(flows.peer_prevalence()[row]);
        let end = flows.end_time()[row];
        let now = end / SECOND;
        if let Some(peer) = self.long.touch_known(&service, now) {
            return peer.add(flows, row);
        }
        let peer = self.young.touch(service, now, Peer::default);
        peer.add(flows, row);
        if peer.connected() >= LONG
            && let Some(mut peer) = self.young.remove(&service)
        {
            peer.since = Some((end - peer.connected()) / SECOND);
            self.long.touch(service, now, || peer);
        }
    }

    /// Learns a day, if the device had any flow in it.
    fn end_day(&mut self) {
        if std::mem::take(&mut self.is_active) {
            yardstick::teach(&mut self.newcomers, std::mem::take(&mut self.longest) as f64);
        }
        self.young.iter_mut().chain(self.long.iter_mut()).for_each(|(_, peer)| peer.end_day());
    }
}

impl LongConnection {
    fn is_learned(&self) -> bool {
        self.state.learning.is_done(self.parameters.learning_hours, LEAST_FLOWS)
    }

    /// Whether a peer shows how long connections with new ones are: it has none since the first day.
    fn teaches(&self, peer: &Peer, now: i64) -> bool {
        self.is_new(peer, self.state.watched_since.map(|since| since + DAY), now)
    }

    /// Whether long connections with a peer are no habit, and the class does not share it.
    fn is_newcomer(&self, peer: &Peer, now: i64) -> bool {
        self.is_new(peer, self.state.learned_since, now)
    }

    /// Whether long connections with a peer began at a time or later, not long ago, and the class does not share it.
    fn is_new(&self, peer: &Peer, from: Option<i64>, now: i64) -> bool {
        let is_new = |since| since >= from.unwrap_or(now) && now - since < NEW;
        peer.since.is_none_or(|since| is_new(since * SECOND)) && peer.others() < self.parameters.shared_by
    }

    fn judge(&self, service: &Service, peer: &Peer, looks: f64, now: i64) -> Option<Verdict> {
        let least = self.parameters.least_hours * HOUR as f64;
        let (longest, connected) = (peer.longest() as f64, peer.connected() as f64);
        if longest < least && (peer.today() as f64) < 2.0 * least {
            return None;
        }
        let (is_learned, others) = (self.is_learned(), peer.others());
        let yardstick = match is_learned {
            true if self.is_newcomer(peer, now) => Yardstick::of(&self.state.newcomers),
            false if others < self.parameters.shared_by => Yardstick::UNLEARNED,
            _ => return None,
        };
        let company =
            if others == 0 && self.state.class > 0 { surprise::of_novelty(self.state.class.into()) } else { 0.0 };
        let bits = yardstick.bits(connected) + company - math::log2(looks.max(1.0));
        if bits < REPORTED {
            return None;
        }
        let is_trickle = peer.rate().is_some_and(|rate| rate < TRICKLE);
        let is_strange = is_learned && others == 0 && !service.is_push();
        let is_of_class = self.state.class >= CLASS_KNOWN && others == 0;
        let severity = match bits {
            _ if !is_learned && !is_of_class => Severity::Informational,
            30.0.. if is_strange => Severity::Medium,
            20.0.. if is_strange && is_trickle => Severity::Medium,
            _ => Severity::Low,
        };
        let confidence = if is_learned { 0.9 } else { 0.6 } * if peer.rate().is_some() { 1.0 } else { 0.8 };
        Some(Verdict { bits, severity, confidence, usual: yardstick.usual(), is_learned, others })
    }
}

fn report(service: &Service, peer: &Peer, verdict: Verdict, findings: &mut Findings) {
    let Some(seen) = &peer.seen else { return };
    let hours = |time: f64| time / HOUR as f64;
    let (longest, connected) = (hours(peer.longest() as f64), hours(peer.today() as f64));
    let rate = peer.rate().unwrap_or(f64::NAN);
    let name = port_name(service.port, service.protocol);
    let draft = findings
        .report("long-connection", seen.first, seen.last)
        .severity(verdict.severity)
        .score(surprise::score(verdict.bits))
        .confidence(verdict.confidence)
        .peer(service.peer)
        .protocol(service.protocol)
        .flow_count(seen.flows)
        .measured("longest-connection", longest, "h", ..=hours(verdict.usual))
        .measured("connected-in-a-day", connected, "h", ..=hours(verdict.usual))
        .measured("rate", rate, "By/s", ..)
        .measured("others-of-class", f64::from(verdict.others), "1", ..)
        .examples(seen.examples.iter().copied());
    let length = format!("for {longest:.1} h without a break, {connected:.1} h in all since midnight UTC");
    let new = match verdict.is_learned {
        true => format!(
            "long connections with it are new, and with new peers usually have {:.1} h at most",
            hours(verdict.usual)
        ),
        false => "what is usual is not known yet".to_owned(),
    };
    if service.is_outbound {
        draft.peer_port(service.port).summary(format_args!("connected to {name} of an outside peer {length}; {new}"));
    } else {
        draft
            .cause_key(&name)
            .summary(format_args!("an outside peer was connected to {name} of the device {length}; {new}"));
    }
}

/// Reports further peers as one.
fn report_rest(rest: &[(&Service, &Peer, Verdict)], findings: &mut Findings) {
    let Some((_, _, verdict)) = rest.first() else { return };
    let all = || rest.iter().filter_map(|(_, peer, _)| peer.seen.as_ref());
    let (Some(first), Some(last)) = (all().map(|seen| seen.first).min(), all().map(|seen| seen.last).max()) else {
        return;
    };
    findings
        .report("long-connection", first, last)
        .severity(rest.iter().map(|(_, _, verdict)| verdict.severity).max().unwrap_or(verdict.severity))
        .score(surprise::score(verdict.bits))
        .confidence(verdict.confidence)
        .cause_key("many-peers")
        .flow_count(all().map(|seen| seen.flows).sum())
        .measured("peers", rest.len() as f64, "1", ..)
        .examples(all().filter_map(|seen| seen.examples.first().copied()))
        .summary(format_args!("long connections with {} further outside peers", rest.len()));
}

wardflow_sdk::export!(LongConnection, include_str!("../plugin.toml"));
