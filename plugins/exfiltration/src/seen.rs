//! What one slice shows of an outside peer. It is not saved.

use wardflow_common::port_name;
use wardflow_sdk::{Direction, Draft, Findings, Flows, UNKNOWN, surprise};

use crate::{amount::Verdict, peers::Peer};

/// Flows that are kept as examples: the first of them and the largest ones since.
const EXAMPLES: usize = 5;

/// Web, mail, file transfer over SSH.
const UPLOADS: [u16; 9] = [22, 25, 80, 443, 465, 587, 993, 8080, 8443];

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) flows: u64,
    pub(crate) sent: u64,
    /// Absent once a record did not tell.
    pub(crate) received: Option<u64>,
    /// Most devices of the class that had used the peer, by any of its ports, before the slice.
    pub(crate) prevalence: u32,
    /// The port, whose it is, and the protocol of the flow that sent most.
    port: u16,
    is_own_port: bool,
    protocol: u8,
    most: u64,
    examples: Vec<u32>,
}

impl Seen {
    /// Nothing yet of what a flow begins.
    pub(crate) fn new(flows: &Flows<'_>, row: usize) -> Self {
        Self { first: flows.start_time()[row], received: Some(0), ..Self::default() }
    }

    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize) {
        let (sent, received) = (flows.bytes_sent()[row], flows.bytes_received()[row]);
        self.first = self.first.min(flows.start_time()[row]);
        self.last = flows.end_time()[row];
        self.flows += 1;
        self.sent = self.sent.saturating_add(sent);
        self.received = match received {
            UNKNOWN => None,
            more => self.received.map(|all| all.saturating_add(more)),
        };
        self.prevalence = self.prevalence.max(flows.peer_prevalence()[row]);
        if sent > self.most {
            (self.most, self.protocol) = (sent, flows.protocol()[row]);
            self.is_own_port = flows.direction()[row] == Direction::Inbound;
            self.port = if self.is_own_port { flows.local_port()[row] } else { flows.peer_port()[row] };
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(flows.position(row));
        } else if sent == self.most {
            self.examples[EXAMPLES - 1] = flows.position(row);
        }
    }

    /// Other devices of the class that had used the peer: after its first slice, the device itself is among them.
    pub(crate) fn others(&self, peer: &Peer) -> u32 {
        self.prevalence.saturating_sub(u32::from(peer.slices > 1))
    }

    /// Whether most went by a port that is none of those by which programs upload.
    pub(crate) fn is_by_unusual_port(&self) -> bool {
        !UPLOADS.contains(&self.port)
    }

    /// Several peers as one; absent for none.
    pub(crate) fn together(all: &[&Self]) -> Option<Self> {
        let mut together = Self { first: all.iter().map(|seen| seen.first).min()?, ..Self::default() };
        for seen in all {
            together.last = together.last.max(seen.last);
            together.flows += seen.flows;
            together.sent = together.sent.saturating_add(seen.sent);
            together.examples.extend(seen.examples.first());
        }
        Some(together)
    }

    /// A finding of a verdict on it.
    pub(crate) fn draft<'a>(&self, verdict: Verdict, findings: &'a mut Findings) -> Draft<'a> {
        findings
            .report("exfiltration", self.first, self.last)
            .severity(verdict.severity)
            .score(surprise::score(verdict.bits))
            .confidence(verdict.confidence)
            .flow_count(self.flows)
            .examples(self.examples.iter().copied())
    }

    /// `port 443/tcp`, of the flow that sent most.
    pub(crate) fn port_name(&self) -> String {
        let name = port_name(self.port, self.protocol);
        if self.is_own_port { format!("the device's own {name}") } else { name }
    }
}
