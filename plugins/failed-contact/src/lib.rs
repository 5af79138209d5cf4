//! `wardflow/failed-contact`: a peer that a device keeps trying without success.
//!
//! # What it finds
//! - `failed-contact`: attempts of the device to reach one peer and port, for half an hour or longer or a hundred of
//!   them, every one of which was refused or remained without answer.
//!
//! # Why it matters for a device
//! Malware tries its servers after they are gone or blocked, and falls back on others (ATT&CK T1008). More often it is
//! a service that was moved or switched off while the device was not told: then something that the device is meant to
//! do does not happen. Both want a person, the second one more often.
//!
//! # How
//! An attempt over TCP fails if its handshake does not come about: Zeek's states S0, REJ, RSTOS0, SH; without a state,
//! if nothing or only a single empty packet came back. One over UDP fails if nothing came back, which is a weak sign,
//! since many services never answer: twice as many are asked for. Flows of which the start was not seen tell nothing.
//! SYNs that are repeated from one port for 130 s (RFC 6298 and common defaults: 1 + 2 + 4 + ... + 64 s) are one
//! attempt, as are flows that begin within a second of each other.
//!
//! Any answer ends a run of failures. A service that has answered since the device is watched is taken for one with an
//! outage: inside, that is left to those who watch servers; outside, it is informational.
//!
//! Bits of a finding are added up: that the peer is dead where all other services of the device answered (Laplace's
//! rule of succession over those remembered); log2 of the number of attempts; that none of a class of `n` devices uses
//! it; and how evenly attempts come, by the share of intervals that are within a fourth of the interval before, where
//! one in nine is chance (for the ratio of two exponential intervals, 1.25/2.25 - 1/2.25), 20 bits at most. One that
//! the device has tried since its first day, which is a habit, has the attempts and the evenness only.
//!
//! Severity is low for a new peer. It is medium if the peer is outside and no device of the class uses it, over TCP, at even
//! intervals (20 bits), and either the port is none of the usual ones for polling or the device has no business outside: it
//! was watched for `learning_hours` with traffic, and no outside peer ever answered it; a hundred attempts in less than
//! `least_span_minutes` remain low, since a restart of the peer looks the same. It is informational for a habit,
//! save on an unusual port outside; for peers that `shared_by` others of the class try as well; and after an outage.
//!
//! # What is no failed contact
//! Name and time service, DHCP, multicast and broadcast, flows that the peer initiated; peers of a declared role other
//! than proxy and NAT, and of group `expected-cloud`; what a device declared scanner, network management, backup
//! server, proxy or NAT does; datagrams to peers inside. Many peers on a port, each tried once, are a scan.
//!
//! # Blind spots
//! A server that is there and does not let the device in; a program that gives up after fewer than `least_attempts`, or
//! goes from address to address; more than 96 services that fail at once.
//!
//! # Memory
//! 96 services that failed a few times, 32 that failed eight times or more, 128 that answered; 10 KiB at most, for most
//! devices some hundred bytes.
//!
//! # Parameters
//! `least_attempts`, `least_span_minutes`, `shared_by`, `learning_hours`: see `plugin.toml`.

mod attempt;
mod run;
mod scope;

use serde::{Deserialize, Serialize};
use wardflow_common::{TCP, is_polling_port, port_name};
use wardflow_sdk::{
    Bounded, Continuity, DAY, Detector, Device, Findings, Flows, Learning, MINUTE, PeerScope, SECOND, Saved, Severity,
    Slice, math, surprise,
};

use crate::{
    attempt::Outcome,
    run::{Failures, Seen},
};

/// How long a device is watched before a peer counts as new to it.
const WATCHED: i64 = DAY;
/// Failures after which a run is kept apart from those that come and go.
const SETTLED: u32 = 8;
/// How long a run is kept without an attempt.
const FORGOTTEN: i64 = 8 * DAY;
/// Attempts that are reported however short the time.
const COUNTLESS: u32 = 100;
/// Single services that are reported in a slice; the rest are one finding.
const SINGLE: usize = 8;
/// Bits from which intervals are even, and the most that they add.
const EVEN: f64 = 20.0;

/// What one device fails to reach.
pub struct FailedContact {
    parameters: Parameters,
    state: State,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    least_attempts: u32,
    least_span_minutes: i64,
    shared_by: u32,
    learning_hours: u32,
}

/// What is remembered of a device.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    /// Whether a peer outside ever answered.
    has_outside: bool,
    /// End of the device's first flow, in microseconds since 1970.
    watched_since: Option<i64>,
    /// Most devices of the class that shared a service of this device.
    class: u32,
    young: Bounded<Service, Failures, 96>,
    settled: Bounded<Service, Failures, 32>,
    answered: Bounded<Service, (), 128>,
}

/// A peer, its port and the protocol.
type Service = (u64, u16, u8);

/// What is made of a run of failures.
struct Verdict {
    bits: f64,
    severity: Severity,
    /// Bits of how evenly attempts come.
    even: f64,
    others: u32,
}

impl Detector for FailedContact {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self { parameters, state: state.unwrap_or_default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            let end = flows.end_time()[row];
            if self.state.learning.count(end) == Continuity::Returned {
                self.state = State { learning: self.state.learning, ..State::default() };
            }
            self.state.watched_since.get_or_insert(end);
            if scope::is_judged(flows, row) {
                self.state.take(flows, row, end);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let mut found = Vec::new();
        for (service, failures) in self.state.settled.iter() {
            if let Some((seen, verdict)) = self.judge(service, failures) {
                found.push((*service, failures, seen, verdict));
            }
        }
        found.sort_by(|one, other| {
            (other.3.severity, other.3.bits)
                .partial_cmp(&(one.3.severity, one.3.bits))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        for (service, failures, seen, verdict) in found.iter().take(SINGLE) {
            report(*service, failures, seen, verdict, findings);
        }
        report_rest(found.get(SINGLE..).unwrap_or_default(), findings);
        self.state.young.retain(|_, last, _| last > slice.end - FORGOTTEN);
        self.state.settled.retain(|_, last, _| last > slice.end - FORGOTTEN);
    }

    fn save(self) -> Saved<State> {
        Saved { state: self.state, learned: 1.0, ready: true }
    }
}

impl State {
    fn take(&mut self, flows: &Flows<'_>, row: usize, end: i64) {
        let service = (flows.peer()[row], flows.peer_port()[row], flows.protocol()[row]);
        match Outcome::of(flows, row) {
            Outcome::Answered => {
                self.has_outside |= flows.peer_scope()[row] == PeerScope::External;
                self.class = self.class.max(flows.peer_prevalence()[row]);
                self.young.remove(&service);
                self.settled.remove(&service);
                self.answered.touch(service, end, || ());
            }
            Outcome::Failed => self.take_failure(service, flows, row, end),
            Outcome::Untold => {}
        }
    }

    fn take_failure(&mut self, service: Service, flows: &Flows<'_>, row: usize, end: i64) {
        if let Some(failures) = self.settled.touch_known(&service, end) {
            failures.add(flows, row);
            return;
        }
        let start = flows.start_time()[row];
        let failures = self.young.touch(service, end, || Failures::new(start));
        failures.add(flows, row);
        if failures.attempts >= SETTLED
            && let Some(failures) = self.young.remove(&service)
        {
            self.settled.touch(service, end, || failures);
        }
    }
}

impl FailedContact {
    fn judge<'a>(&self, service: &Service, failures: &'a Failures) -> Option<(&'a Seen, Verdict)> {
        let seen = failures.seen.as_ref()?;
        let (_, port, protocol) = *service;
        let is_tcp = protocol == TCP;
        let least = self.parameters.least_attempts * if is_tcp { 1 } else { 2 };
        let is_long = failures.span() >= self.parameters.least_span_minutes * MINUTE;
        if failures.attempts < least || (!is_long && failures.attempts < COUNTLESS) {
            return None;
        }
        let had_answered = self.state.answered.get(service).is_some();
        if !seen.is_external && (had_answered || !is_tcp) {
            return None;
        }
        let is_new = self.state.watched_since.is_some_and(|since| failures.since() - since >= WATCHED);
        // After its first slice, the device itself is among those that use the peer.
        let others = seen.prevalence.saturating_sub(u32::from(failures.since() < seen.first));
        let is_unusual = !is_polling_port(port, protocol);
        let is_stranger = !self.state.has_outside && self.state.learning.hours() >= self.parameters.learning_hours;
        let even = surprise::of_share(f64::from(failures.alike), f64::from(failures.intervals), 1.0 / 9.0).min(EVEN);
        let novelty = if is_new { surprise::of_novelty(self.state.answered.len() as f64) } else { 0.0 };
        let company = if is_new && others == 0 && self.state.class > 0 {
            surprise::of_novelty(self.state.class.into())
        } else {
            0.0
        };
        let severity = match (seen.is_external, is_new) {
            _ if had_answered || others >= self.parameters.shared_by => Severity::Informational,
            (true, true) if is_long && (is_unusual || is_stranger) && is_tcp && others == 0 && even >= EVEN => {
                Severity::Medium
            }
            (_, true) => Severity::Low,
            (true, false) if is_unusual => Severity::Low,
            _ => Severity::Informational,
        };
        let bits = novelty + company + even + math::log2(f64::from(failures.attempts));
        Some((seen, Verdict { bits, severity, even, others }))
    }
}

fn report(service: Service, failures: &Failures, seen: &Seen, verdict: &Verdict, findings: &mut Findings) {
    let (peer, port, protocol) = service;
    let attempts = f64::from(failures.attempts);
    let certainty = if protocol == TCP { 0.95 } else { 0.5 };
    let place = if seen.is_external { "an outside peer" } else { "a peer inside" };
    let minutes = failures.span() as f64 / MINUTE as f64;
    let evenly = if verdict.even >= EVEN { ", at even intervals" } else { "" };
    findings
        .report("failed-contact", seen.first, seen.last)
        .severity(verdict.severity)
        .score(surprise::score(verdict.bits))
        .confidence(certainty * attempts / (attempts + 10.0))
        .peer(peer)
        .peer_port(port)
        .protocol(protocol)
        .flow_count(seen.flows)
        .measured("failed-attempts", attempts, "1", ..)
        .measured("minutes", minutes, "min", ..)
        .measured("interval", failures.interval() / SECOND as f64, "s", ..)
        .measured("even-share", failures.even_share(), "1", ..=1.0 / 9.0)
        .measured("others-of-class", f64::from(verdict.others), "1", ..)
        .examples(seen.examples.iter().copied())
        .summary(format_args!(
            "tried {} of {place} {} times in {:.1} h{evenly}; none came about; {} flows in these hours",
            port_name(port, protocol),
            failures.attempts,
            minutes / 60.0,
            seen.flows
        ));
}

/// Reports further services as one.
fn report_rest(rest: &[(Service, &Failures, &Seen, Verdict)], findings: &mut Findings) {
    let Some((_, _, worst, verdict)) = rest.first() else { return };
    let all = || rest.iter().map(|(_, _, seen, _)| *seen);
    let first = all().map(|seen| seen.first).min().unwrap_or(worst.first);
    let last = all().map(|seen| seen.last).max().unwrap_or(worst.last);
    findings
        .report("failed-contact", first, last)
        .severity(verdict.severity)
        .score(surprise::score(verdict.bits))
        .confidence(0.8)
        .cause_key("many-services")
        .flow_count(all().map(|seen| seen.flows).sum())
        .measured("services", rest.len() as f64, "1", ..)
        .examples(all().filter_map(|seen| seen.examples.first().copied()))
        .summary(format_args!("tried {} further peers and ports again and again; none came about", rest.len()));
}

wardflow_sdk::export!(FailedContact, include_str!("../plugin.toml"));
