use std::collections::{BTreeMap, BTreeSet};

use wardflow_sdk::{Findings, MINUTE, Severity, surprise};

use crate::{
    SCANNED,
    contact::{ICMP, ICMP6, TCP, UDP},
    haste::Haste,
    walk::{Tally, Test, Walk},
};

/// Above this number of ports or peers, one finding stands for all of them.
const SINGLE: usize = 4;
/// Peers that are told apart for the count in a finding.
const COUNTED: usize = 4_096;

/// The scans of a slice, by protocol.
#[derive(Default)]
pub(crate) struct Scans {
    by_port: BTreeMap<u8, Group<u16>>,
    by_peer: BTreeMap<u8, Group<u64>>,
    /// Ports by which contacts were hasty, and no scan by what became of them.
    hasty: Vec<(u8, u16, Haste)>,
    failed_peers: BTreeSet<(u8, u64)>,
}

/// The scans of one kind and protocol: the first few, and all together.
#[derive(Default)]
struct Group<T> {
    single: Vec<(T, Shown)>,
    all: Shown,
    count: usize,
}

/// What a finding rests on. First contacts count from the test's beginning, flows from that of the slice.
#[derive(Default)]
struct Shown {
    failed: u64,
    answered: u64,
    tally: Tally,
}

/// What a finding is about.
struct Cause {
    kind: &'static str,
    peer: Option<u64>,
    port: Option<u16>,
    what: String,
}

impl Scans {
    /// Takes a first contact that failed.
    pub(crate) fn peer_failed(&mut self, protocol: u8, peer: u64) {
        if self.failed_peers.len() < COUNTED {
            self.failed_peers.insert((protocol, peer));
        }
    }

    /// Takes the test of a port.
    pub(crate) fn port(&mut self, protocol: u8, port: u16, walk: Walk) {
        if walk.tally.is_scan {
            self.by_port.entry(protocol).or_default().add(port, walk);
        } else if walk.haste.is_shown() && self.hasty.len() < SINGLE {
            self.hasty.push((protocol, port, walk.haste));
        }
    }

    /// Takes the test of a peer.
    pub(crate) fn peer(&mut self, protocol: u8, peer: u64, walk: Walk) {
        if walk.tally.is_scan {
            self.by_peer.entry(protocol).or_default().add(peer, walk);
        }
    }

    /// Reports what was taken.
    pub(crate) fn report(self, test: &Test, findings: &mut Findings) {
        for (protocol, group) in self.by_port {
            let peers = self.failed_peers.range((protocol, 0)..=(protocol, u64::MAX)).count();
            let ports = group.count;
            let all = Cause::horizontal(None, format!("tried {peers} peers on {ports} {} ports", name(protocol)));
            group.report(test, protocol, findings, all, |port| match protocol {
                ICMP | ICMP6 => Cause::horizontal(None, format!("sent {} echo requests to many peers", name(protocol))),
                _ => Cause::horizontal(Some(port), format!("tried many peers on {} port {port}", name(protocol))),
            });
        }
        for (protocol, group) in self.by_peer {
            let what = format!("tried many {} ports on each of {} peers", name(protocol), group.count);
            group.report(test, protocol, findings, Cause::vertical(None, what), |peer| {
                Cause::vertical(Some(peer), format!("tried many {} ports of one peer", name(protocol)))
            });
        }
        for (protocol, port, haste) in self.hasty {
            report_haste(test, protocol, port, haste, findings);
        }
    }
}

impl Cause {
    fn horizontal(port: Option<u16>, what: String) -> Self {
        Self { kind: "horizontal-scan", peer: None, port, what }
    }

    fn vertical(peer: Option<u64>, what: String) -> Self {
        Self { kind: "vertical-scan", peer, port: None, what }
    }
}

impl<T> Group<T> {
    fn add(&mut self, axis: T, walk: Walk) {
        let failed = u64::from(walk.failed).max(walk.tally.failed);
        let shown = Shown { failed, answered: walk.answered.into(), tally: walk.tally };
        self.count += 1;
        self.all.failed += shown.failed;
        self.all.answered += shown.answered;
        self.all.tally.merge(&shown.tally);
        if self.single.len() < SINGLE {
            self.single.push((axis, shown));
        }
    }

    fn report(self, test: &Test, protocol: u8, findings: &mut Findings, all: Cause, single: impl Fn(T) -> Cause) {
        if self.count > SINGLE {
            return self.all.report(test, protocol, findings, all);
        }
        for (axis, shown) in self.single {
            shown.report(test, protocol, findings, single(axis));
        }
    }
}

impl Shown {
    fn report(self, test: &Test, protocol: u8, findings: &mut Findings, cause: Cause) {
        let Self { failed, answered, tally } = self;
        let (count, contacts) = (failed as f64, (failed + answered) as f64);
        let normal = test.normally_failed(protocol);
        let minutes = (tally.last - tally.first).max(MINUTE) as f64 / MINUTE as f64;
        let about = if failed + answered > SCANNED as u64 { "about " } else { "" };
        let certainty = if protocol == UDP { 0.7 } else { 0.95 };
        let mut draft = findings
            .report(cause.kind, tally.first, tally.last)
            .score(surprise::score(test.bits(protocol, count, answered as f64)))
            .confidence(certainty * count / contacts)
            .protocol(protocol)
            .flow_count(tally.flows)
            .measured("failed-first-contacts", count, "1", ..=(contacts * normal))
            .measured("failed-share", count / contacts, "1", ..=normal)
            .measured("failed-rate", tally.failed as f64 / minutes, "/min", ..)
            .examples(tally.examples)
            .summary(format_args!("{}: {about}{failed} of {} tries failed", cause.what, failed + answered));
        if let Some(peer) = cause.peer {
            draft = draft.peer(peer);
        }
        if let Some(port) = cause.port {
            draft.peer_port(port);
        }
    }
}

fn report_haste(test: &Test, protocol: u8, port: u16, haste: Haste, findings: &mut Findings) {
    let normal = test.normally_failed(protocol);
    let bits = haste.bits(normal);
    let Haste { tally, answered, .. } = haste;
    let (failed, contacts) = (tally.failed, tally.failed + answered);
    findings
        .report("horizontal-scan", tally.first, tally.last)
        .severity(Severity::Low)
        .score(surprise::score(bits))
        .confidence(0.5)
        .protocol(protocol)
        .peer_port(port)
        .flow_count(tally.flows)
        .measured("failed-first-contacts", failed as f64, "1", ..=(contacts as f64 * normal))
        .measured("failed-share", failed as f64 / contacts as f64, "1", ..=normal)
        .examples(tally.examples)
        .summary(format_args!(
            "tried many peers on {} port {port} within ten seconds: {failed} of {contacts} tries failed",
            name(protocol)
        ));
}

fn name(protocol: u8) -> &'static str {
    match protocol {
        TCP => "TCP",
        UDP => "UDP",
        ICMP => "ICMP",
        _ => "ICMPv6",
    }
}
