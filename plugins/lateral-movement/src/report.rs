//! What is said of the new ones in a slice.

use std::{cmp::Reverse, collections::BTreeMap};

use wardflow_sdk::{Findings, Flows, Severity, UNKNOWN, surprise};

use crate::{
    access::{Outcome, Protocol},
    contacts::{FanOut, KNOWN, Met, bits},
};

/// Flows that are kept as examples of a peer, and of a finding.
const EXAMPLES: usize = 3;
const MOST_EXAMPLES: usize = 10;
/// Who came to the device: so many are reported one by one, the rest is left to the count.
const SINGLE: usize = 4;
/// Bits of surprise from which a fan-out is for a person to look at, and below which nothing is said.
const MEDIUM: f64 = 10.0;
const LOW: f64 = 4.0;
/// Bits from which two of the device's own class are, by one family of protocols.
const PAIR: f64 = 6.0;
/// Peers in a day, in halves, that make medium and high.
const SEVERAL: u32 = 6;
const MANY: u32 = 12;
/// Failed tries before success that are no slip of the finger.
const TRIES: u32 = 3;
/// What a device logs on to for the first time on a day, as long as its habit is not known: an administrator may own
/// it.
const YOUNG: f64 = 3.0;

/// What one slice shows of somebody new.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    peer_port: u16,
    met: Met,
    flows: u64,
    /// Connections that were broken off with little payload.
    aborted: u64,
    first: i64,
    last: i64,
    bytes: u64,
    examples: Vec<u32>,
}

/// The last day, and what would be usual.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) fan: FanOut,
    /// New ones on an ordinary day.
    pub(crate) usual: f64,
    pub(crate) is_young: bool,
}

/// Those who are new by one protocol.
struct Group {
    peers: u64,
    peer: u64,
    seen: Seen,
    failed: u32,
}

impl Seen {
    pub(crate) fn new(flows: &Flows<'_>, row: usize, met: Met) -> Self {
        let (first, last) = (flows.start_time()[row], flows.end_time()[row]);
        let peer_port = flows.peer_port()[row];
        Self { peer_port, met, flows: 0, aborted: 0, first, last, bytes: 0, examples: Vec::new() }
    }

    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize, outcome: Outcome) {
        let payload = |bytes: u64| if bytes == UNKNOWN { 0 } else { bytes };
        self.flows += 1;
        self.aborted += u64::from(outcome == Outcome::Aborted);
        self.first = self.first.min(flows.start_time()[row]);
        self.last = self.last.max(flows.end_time()[row]);
        let bytes = payload(flows.bytes_sent()[row]).saturating_add(payload(flows.bytes_received()[row]));
        self.bytes = self.bytes.saturating_add(bytes);
        if self.examples.len() < EXAMPLES {
            self.examples.push(flows.position(row));
        }
    }

    /// Failed tries, of which the last ones may have been seen after the first contact.
    fn failed(&self) -> u32 {
        let aborted = u32::try_from(self.aborted).unwrap_or(u32::MAX);
        if aborted < self.flows as u32 { u32::from(self.met.failed).max(aborted) } else { 0 }
    }

    fn merge(&mut self, other: &Self) {
        self.flows += other.flows;
        self.aborted += other.aborted;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.bytes = self.bytes.saturating_add(other.bytes);
        let free = MOST_EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.iter().take(free));
    }
}

/// Reports what the device logs on to, one finding a protocol.
pub(crate) fn movement<'a>(
    seen: impl Iterator<Item = (&'a (u64, Protocol), &'a Seen)>,
    context: &Context,
    findings: &mut Findings,
) {
    let mut groups = BTreeMap::<Protocol, Group>::new();
    for ((peer, protocol), seen) in seen {
        let failed = seen.failed();
        match groups.get_mut(protocol) {
            Some(group) => {
                group.peers += 1;
                group.failed += failed;
                group.seen.merge(seen);
            }
            None => {
                groups.insert(*protocol, Group { peers: 1, peer: *peer, seen: seen.clone(), failed });
            }
        }
    }
    let usual = if context.is_young { context.usual.max(YOUNG) } else { context.usual };
    let fan = &context.fan;
    let count = f64::from(fan.halves) / 2.0;
    let bits = bits(count, usual);
    for (protocol, group) in groups {
        let Some(severity) = severity(context, protocol, bits, group.failed) else { continue };
        let Group { peers, peer, seen, failed } = group;
        let draft = findings
            .report("lateral-movement", seen.first, seen.last)
            .severity(severity)
            .score(surprise::score(bits))
            .confidence(if context.is_young { 0.5 } else { 0.8 })
            .protocol(6)
            .cause_key(&protocol.to_string())
            .flow_count(seen.flows)
            .measured("new-peers", peers as f64, "1", ..)
            .measured("new-peers-a-day", f64::from(fan.peers), "/d", ..=usual)
            .measured("protocol-families", f64::from(fan.families), "1", ..)
            .measured("new-peers-of-own-class", f64::from(fan.alike), "1", ..)
            .measured("failed-tries", f64::from(failed), "1", ..)
            .measured("bytes", seen.bytes as f64, "By", ..)
            .measured("surprise", bits, "bit", ..)
            .examples(seen.examples);
        let (flows, all) = (seen.flows, peers.max(fan.peers.into()));
        // Of more not all are remembered.
        let least = if fan.peers as usize >= KNOWN { "at least " } else { "" };
        let tries = if failed > 0 { format!(", {failed} failed tries") } else { String::new() };
        let who = match peers {
            1 => "a new internal peer".to_owned(),
            _ => format!("{least}{peers} new internal peers"),
        };
        // Several in a day are one movement, whichever of them a slice shows.
        let draft = if all == 1 { draft.peer(peer).peer_port(seen.peer_port) } else { draft };
        draft.summary(format_args!(
            "reached {who} by {protocol}, {flows} flows{tries}; {least}{all} new in a day, usual {usual:.2}"
        ));
    }
}

fn severity(context: &Context, protocol: Protocol, bits: f64, failed: u32) -> Option<Severity> {
    let fan = &context.fan;
    let FanOut { peers, families, alike, .. } = *fan;
    let is_surprising = bits >= MEDIUM && !context.is_young;
    match fan.halves {
        _ if bits < LOW => None,
        MANY.. if is_surprising => Some(Severity::High),
        SEVERAL.. if is_surprising && families > 1 => Some(Severity::High),
        SEVERAL.. if is_surprising => Some(Severity::Medium),
        _ if fan.alike_by(protocol.family()) > 1 && bits >= PAIR && !context.is_young => Some(Severity::Medium),
        _ if peers > 1 || alike > 0 || failed >= TRIES => Some(Severity::Low),
        _ => Some(Severity::Informational),
    }
}

/// Reports who logs on to the device, each one.
pub(crate) fn access<'a>(
    seen: impl Iterator<Item = (&'a (u64, Protocol), &'a Seen)>,
    context: &Context,
    findings: &mut Findings,
) {
    let bits = bits(f64::from(context.fan.peers).min(1.0), context.usual);
    if bits < LOW {
        return;
    }
    let mut ranked: Vec<_> = seen.collect();
    ranked.sort_by_key(|(key, seen)| (Reverse((seen.failed(), seen.bytes)), *key));
    for ((peer, protocol), seen) in ranked.into_iter().take(SINGLE) {
        let failed = seen.failed();
        let flows = seen.flows;
        findings
            .report("admin-access", seen.first, seen.last)
            .severity(if failed >= TRIES { Severity::Medium } else { Severity::Low })
            .score(surprise::score(bits))
            .confidence(0.8)
            .peer(*peer)
            .protocol(6)
            .cause_key(&protocol.to_string())
            .flow_count(flows)
            .measured("new-peers-a-day", f64::from(context.fan.peers), "/d", ..=context.usual)
            .measured("failed-tries", f64::from(failed), "1", ..)
            .measured("bytes", seen.bytes as f64, "By", ..)
            .measured("surprise", bits, "bit", ..)
            .examples(seen.examples.iter().copied())
            .summary(format_args!(
                "an internal peer came by {protocol} for the first time, {flows} flows, {failed} failed tries before"
            ));
    }
}
