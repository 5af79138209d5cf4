//! `wardflow/exfiltration`: payload that a device sends to peers outside, beyond what it ever sent.
//!
//! # What it finds
//! - `exfiltration`: the device sent one outside peer, over days, far more than it sends to peers that are new to it;
//!   or to a peer that it knows, on one day, far more than it ever did; or to many new peers together.
//!
//! # Why it matters for a device
//! A medical device holds patients' data and has few peers outside: its maker's cloud, perhaps an update service. Data
//! that is carried off goes to somebody else, or to a peer that never got so much (ATT&CK T1041, T1567; in small pieces
//! over days T1030).
//!
//! # How
//! Payload is summed by peer. Each night a sum keeps 0.84 of itself (a half-life of four days), so that a hundred
//! kilobytes at a time add up over days and are forgotten over weeks. Amounts are compared as ln(100 kB + bytes): what
//! is below 100 kB is nothing, and a doubling is a doubling.
//! - A *new* peer is one that the device took up after it had been watched for a day, at most two weeks ago. Each day
//!   teaches how much the new peers that the class does not share have been sent: nothing, for most devices; some for a
//!   workstation. A new peer's sum is judged by that level. That no other of a class of `n` devices ever used the peer
//!   adds log2(n + 2) bits (Laplace's rule of succession).
//! - A *known* peer, or one that `shared_by` other devices of the class use, is judged by the day: by the level of what
//!   it is sent on the days on which it is sent something, or, before five such days, by that of all that goes outside.
//! - Levels deviate by a factor of e at least, and by more where few days were learned. Bits of a finding are those of
//!   the deviation, less log2 of the number of outside peers in the slice.
//!
//! Less than `least_bytes` to a peer is never reported, nor is a peer that sends back more than it is sent, over the
//! days that are judged: calls, video and browsing do that. Medium asks, moreover, for 20 bits, a new peer, four times
//! as much sent as received, and a day on which all that goes outside is beyond usual by three deviations, of a factor
//! 1.65 at least: a cloud that moves to another address is new, but adds nothing. High asks for 40 bits. A known peer
//! is medium at most.
//!
//! Before `learning_hours` only a peer that is new to a class that is known (5 devices or more share some peer of this
//! device) is reported, by a level of a device that sends nothing, of one and a half times the deviation, from 20
//! bits; and, low, a peer that is sent a hundred times what it sends back, and nine tenths of all that goes outside
//! that day, by a port that is none of web, mail or SSH.
//!
//! # What is no exfiltration
//! Peers of group `expected-cloud` and of roles remote service (in its hours) and backup; what a declared proxy, NAT,
//! backup, remote service or name server sends; peers inside.
//!
//! # Blind spots
//! What goes out through a proxy inside, or hidden in DNS; less than the level of what the device sends to new peers
//! anyway; a peer that the class shares, such as a public cloud; what was sent while it learned; after two weeks a peer
//! is known. Amounts of sampled records are wrong: the plugin is then `unsuited`.
//!
//! # Memory
//! 64 peers that got 256 kB or more, those that got most, and 96 others, the least recently used forgotten first: some
//! 50 bytes each. In a slice the 1,024 peers of the latest flows are judged, and of the rest the 64 that got most.
//!
//! # Parameters
//! `least_bytes`, `shared_by`, `learning_hours`: see `plugin.toml`.

mod amount;
mod in_slice;
mod peers;
mod seen;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{
    Continuity, DAY, Detector, Device, Findings, Flows, Learning, Level, PeerRole, PeerScope, Saved, Severity, Slice,
    UNKNOWN,
};

use crate::{
    amount::{Amount, Verdict, Yardstick},
    in_slice::InSlice,
    peers::{Peer, Peers},
    seen::Seen,
};

/// Position of the peer group in `plugin.toml`.
const EXPECTED_CLOUD: u16 = 1;
/// Flows that learning needs beside hours.
const LEAST_FLOWS: u64 = 50;
/// Devices of a class that share a peer, from which the class counts as known.
const CLASS_KNOWN: u32 = 5;
/// Single peers that are reported in a slice; the rest are one finding.
const SINGLE: usize = 8;
/// Bytes sent, for each received, from which a peer only takes.
const ONE_WAY: f64 = 100.0;

/// What one device sends outside.
pub struct Exfiltration {
    parameters: Parameters,
    state: State,
    /// What the slice shows, by peer.
    seen: InSlice,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    least_bytes: f64,
    shared_by: u32,
    learning_hours: u32,
}

/// What is remembered of a device.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    /// Start of the device's first flow, in microseconds since 1970.
    watched_since: Option<i64>,
    /// Bytes sent outside since midnight UTC.
    today: u64,
    /// Whether the device had any flow since midnight.
    is_active: bool,
    /// A day's [`today`](Self::today), as an [`Amount`].
    outside: Level,
    /// The sum of new peers that the class does not share, at a day's end, as an [`Amount`].
    newcomers: Level,
    /// Bytes that such peers were sent since midnight UTC, those too that are forgotten since.
    newcomers_today: u64,
    /// Most devices of the class that shared a peer of this device.
    class: u32,
    peers: Peers,
}

impl Detector for Exfiltration {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self { parameters, state: state.unwrap_or_default(), seen: InSlice::default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        let scopes = flows.peer_scope();
        for row in flows.rows() {
            let end = flows.end_time()[row];
            if self.state.learning.count(end) == Continuity::Returned {
                self.state = State { learning: self.state.learning, ..State::default() };
            }
            self.state.is_active = true;
            self.state.watched_since.get_or_insert(end);
            if scopes[row] == PeerScope::External && is_judged(flows, row) {
                self.take(flows, row);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let mut found = Vec::new();
        let seen = std::mem::take(&mut self.seen);
        let shared_by = self.parameters.shared_by;
        let mut in_order: Vec<_> = seen.iter().collect();
        in_order.sort_by_key(|(_, seen)| seen.last);
        in_order.into_iter().for_each(|(peer, seen)| self.state.absorb(*peer, seen, shared_by));
        let looks = seen.len() as f64;
        for (peer, seen) in seen.iter() {
            if let Some(verdict) = self.judge(*peer, seen, looks, slice.end) {
                found.push((*peer, seen, verdict));
            }
        }
        found.sort_by(|(_, _, one), (_, _, other)| {
            other.severity.cmp(&one.severity).then(other.bits.total_cmp(&one.bits))
        });
        for (peer, seen, verdict) in found.iter().take(SINGLE) {
            self.report(*peer, seen, verdict, findings);
        }
        if found.len() > SINGLE {
            let rest: Vec<_> = found[SINGLE..].iter().map(|(_, seen, _)| *seen).collect();
            let sent = rest.iter().map(|seen| seen.sent as f64).sum();
            report_many(&rest, Verdict { amount: sent, ..found[SINGLE].2 }, "", findings);
        } else {
            let is_found = |peer| found.iter().any(|(found, _, _)| *found == peer);
            let others: Vec<_> = seen.iter().filter(|(peer, _)| !is_found(**peer)).collect();
            self.judge_newcomers(&others, slice.end, findings);
        }
        if slice.end.div_euclid(DAY) > slice.start.div_euclid(DAY) {
            self.state.end_day(slice.end, self.parameters.shared_by);
        }
    }

    fn save(self) -> Saved<State> {
        let learned = self.state.learning.progress(self.parameters.learning_hours, LEAST_FLOWS);
        Saved { state: self.state, learned, ready: learned >= 1.0 }
    }
}

/// Whether a flow with an outside peer is judged at all.
fn is_judged(flows: &Flows<'_>, row: usize) -> bool {
    let sent = flows.bytes_sent()[row];
    let is_declared = matches!(flows.peer_role()[row], PeerRole::RemoteService | PeerRole::Backup)
        || flows.peer_group()[row] == EXPECTED_CLOUD;
    let is_for_others = matches!(
        flows.local_role()[row],
        PeerRole::Proxy | PeerRole::Nat | PeerRole::Backup | PeerRole::RemoteService | PeerRole::NameServer
    );
    sent != UNKNOWN && sent > 0 && !is_declared && !is_for_others
}

impl Exfiltration {
    fn take(&mut self, flows: &Flows<'_>, row: usize) {
        if let Some((gone, seen)) = self.seen.add(flows, row) {
            self.state.absorb(gone, &seen, self.parameters.shared_by);
        }
    }

    fn judge(&self, peer: u64, seen: &Seen, looks: f64, now: i64) -> Option<Verdict> {
        let state = &self.state;
        let known = state.peers.get(peer)?;
        let sum = known.sent as f64;
        // What a peer got earlier is no news in a slice in which it gets next to nothing.
        let is_going_on = (seen.sent as f64) * 50.0 >= sum;
        let is_learned = state.learning.is_done(self.parameters.learning_hours, LEAST_FLOWS);
        let others = seen.others(known);
        let is_shared = others >= self.parameters.shared_by;
        let is_new = state.is_new(known, now) && !is_shared;
        let is_of_day = is_learned && !is_new;
        let (ratio, received) = match is_of_day {
            true => (known.ratio_today(), known.received_today),
            false => (known.ratio(), known.received()),
        };
        if sum < self.parameters.least_bytes || !is_going_on || ratio.is_some_and(|ratio| ratio < 1.0) {
            return None;
        }
        let is_one_way = !is_learned
            && seen.is_by_unusual_port()
            && ratio.is_some_and(|ratio| ratio >= ONE_WAY)
            && known.today as f64 >= 0.9 * state.today as f64;
        let looks = if is_one_way { 1.0 } else { looks };
        let (amount, yardstick) = match (is_learned, is_new) {
            (true, true) => (sum, Yardstick::of(&state.newcomers)),
            (true, false) if known.usual.values() >= 5 => (known.today as f64, Yardstick::of(&known.usual)),
            (true, false) => (known.today as f64, Yardstick::of(&state.outside)),
            (false, _) if state.class >= CLASS_KNOWN && others == 0 => (sum, Yardstick::UNLEARNED),
            (false, _) if is_one_way => (sum, Yardstick::UNLEARNED),
            (false, _) => return None,
        };
        let company = if others == 0 && (is_new || !is_learned) { state.class } else { 0 };
        let bits = yardstick.bits(amount, company, looks);
        let beyond = Yardstick::of_days(&state.outside).sigmas(state.today as f64);
        let is_upload = ratio.is_some_and(|ratio| ratio >= 4.0);
        let severity = match bits {
            ..amount::REPORTED => return None,
            _ if is_one_way => Severity::Low,
            _ if !is_new && (amount < self.parameters.least_bytes || bits < amount::STRONG) => return None,
            amount::VERY_STRONG.. if is_learned && is_new && is_upload && beyond >= 3.0 => Severity::High,
            amount::STRONG.. if is_learned && is_new && is_upload && beyond >= 3.0 => Severity::Medium,
            amount::VERY_STRONG.. if is_upload && !(is_new && beyond < 3.0) => Severity::Medium,
            _ => Severity::Low,
        };
        let days = f64::from(state.outside.values());
        let certainty = if ratio.is_some() { 0.95 } else { 0.6 };
        let confidence = certainty * (days + 1.0) / (days + 3.0);
        Some(Verdict { bits, severity, confidence, amount, received, usual: yardstick.usual(), is_new, others })
    }

    fn report(&self, peer: u64, seen: &Seen, verdict: &Verdict, findings: &mut Findings) {
        let (amount, usual) = (Amount(verdict.amount), Amount(verdict.usual));
        let draft = seen
            .draft(*verdict, findings)
            .peer(peer)
            .measured("bytes-sent", verdict.amount, "By", ..=verdict.usual)
            .measured("bytes-sent-in-slice", seen.sent as f64, "By", ..)
            .measured("bytes-received", verdict.received.map_or(f64::NAN, |received| received as f64), "By", ..)
            .measured("bytes-sent-outside-today", self.state.today as f64, "By", ..)
            .measured("others-of-class", f64::from(verdict.others), "1", ..);
        let port = seen.port_name();
        if verdict.is_new {
            draft.summary(format_args!(
                "sent {amount} to a new outside peer on {port} within days, {} of it now; new peers usually get \
                 {usual} at most",
                Amount(seen.sent as f64)
            ));
        } else if self.state.learning.is_done(self.parameters.learning_hours, LEAST_FLOWS) {
            draft
                .summary(format_args!("sent {amount} to an outside peer on {port} in a day; usual is {usual} at most"));
        } else {
            draft.summary(format_args!(
                "sent {amount} to an outside peer on {port} in a day; what is usual is not known yet, and taken to be \
                 {usual} at most"
            ));
        }
    }

    /// Reports new peers that got little each and much together.
    fn judge_newcomers(&self, seen: &[(&u64, &Seen)], now: i64, findings: &mut Findings) {
        let state = &self.state;
        if !state.learning.is_done(self.parameters.learning_hours, LEAST_FLOWS) {
            return;
        }
        let is_one = |peer: &u64, seen: &Seen| {
            state.peers.get(*peer).filter(|known| {
                let is_upload = known.ratio().is_some_and(|ratio| ratio >= 1.0);
                is_upload && state.is_new(known, now) && seen.others(known) < self.parameters.shared_by
            })
        };
        let new: Vec<_> = seen.iter().filter_map(|(peer, seen)| Some((*seen, is_one(peer, seen)?))).collect();
        let known: f64 = new.iter().map(|(_, known)| known.sent as f64).sum();
        // Of too many peers not all are remembered; their sum is.
        let amount = known.max(state.newcomers_today as f64);
        let yardstick = Yardstick::of(&state.newcomers);
        let bits = yardstick.bits(amount, 0, 1.0);
        if amount < self.parameters.least_bytes || bits < amount::STRONG {
            return;
        }
        let beyond = Yardstick::of_days(&state.outside).sigmas(state.today as f64);
        let is_plain = bits >= amount::VERY_STRONG && beyond >= 3.0;
        let (usual, severity) = (yardstick.usual(), if is_plain { Severity::Medium } else { Severity::Low });
        let verdict =
            Verdict { bits, severity, confidence: 0.6, amount, received: None, usual, is_new: true, others: 0 };
        let told = if amount > known { "more than" } else { "" };
        report_many(&new.iter().map(|(seen, _)| *seen).collect::<Vec<_>>(), verdict, told, findings);
    }
}

/// Reports many peers as one, where `told` says whether there are more than these.
fn report_many(all: &[&Seen], verdict: Verdict, told: &str, findings: &mut Findings) {
    let Some(together) = Seen::together(all) else { return };
    together
        .draft(verdict, findings)
        .cause_key("many-peers")
        .measured("bytes-sent", verdict.amount, "By", ..=verdict.usual)
        .measured("bytes-sent-in-slice", together.sent as f64, "By", ..)
        .measured("peers", all.len() as f64, "1", ..)
        .summary(format_args!(
            "sent {} to {told}{}{} outside peers together",
            Amount(verdict.amount),
            if told.is_empty() { "" } else { " " },
            all.len()
        ));
}

impl State {
    /// Adds what was seen of a peer.
    fn absorb(&mut self, peer: u64, seen: &Seen, shared_by: u32) {
        self.today = self.today.saturating_add(seen.sent);
        self.class = self.class.max(seen.prevalence);
        self.peers.add(peer, seen);
        let is_upload = seen.received.is_none_or(|received| received <= seen.sent);
        if is_upload
            && self.peers.get(peer).is_some_and(|known| self.is_new(known, seen.last) && known.others < shared_by)
        {
            self.newcomers_today = self.newcomers_today.saturating_add(seen.sent);
        }
    }

    /// Whether the device took a peer up after it had been watched for a day, not long ago.
    fn is_new(&self, peer: &Peer, now: i64) -> bool {
        let since = self.watched_since.unwrap_or(now);
        peer.since() - since >= DAY && now - peer.since() < 14 * DAY
    }

    /// Learns a day, if the device had any flow in it.
    fn end_day(&mut self, now: i64, shared_by: u32) {
        if std::mem::take(&mut self.is_active) {
            amount::teach(&mut self.outside, self.today as f64);
            if self.watched_since.is_some_and(|since| now - since >= DAY) {
                let new = self.peers.iter().filter(|peer| self.is_new(peer, now) && peer.others < shared_by);
                let sum: f64 = new.map(|peer| peer.sent as f64).sum();
                amount::teach(&mut self.newcomers, sum.max(self.newcomers_today as f64));
            }
        }
        (self.today, self.newcomers_today) = (0, 0);
        self.peers.end_day();
    }
}

wardflow_sdk::export!(Exfiltration, include_str!("../plugin.toml"));
