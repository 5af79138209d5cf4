use wardflow_sdk::{Draft, Flows, UNKNOWN};

use crate::{Service, Standing, came_about};

/// Example flows of a cause.
const EXAMPLES: usize = 5;

/// Flows that show one cause.
#[derive(Clone, Debug)]
pub struct Evidence<G> {
    /// Who the peer was at the first flow; of several causes, that of the gravest.
    pub standing: Standing<G>,
    /// The service of the first flow; of several causes, that of the gravest.
    pub service: Service,
    /// Whether other services are among the flows.
    pub has_more_services: bool,
    /// Whether any connection came about.
    pub is_established: bool,
    /// How many flows.
    pub flows: u64,
    /// Start of the first, in microseconds since 1970.
    pub first: i64,
    /// End of the last, in microseconds since 1970.
    pub last: i64,
    /// Payload bytes towards the device, as far as known.
    pub received: u64,
    /// Payload bytes from the device, as far as known.
    pub sent: u64,
    examples: Vec<u32>,
}

impl<G: Copy> Evidence<G> {
    /// Nothing yet of what a flow begins.
    pub fn new(flows: &Flows<'_>, row: usize, standing: Standing<G>, service: Service) -> Self {
        Self {
            standing,
            service,
            has_more_services: false,
            is_established: false,
            flows: 0,
            first: flows.start_time()[row],
            last: flows.end_time()[row],
            received: 0,
            sent: 0,
            examples: Vec::new(),
        }
    }

    /// Takes a flow in.
    pub fn add(&mut self, flows: &Flows<'_>, row: usize, service: Service) {
        self.flows += 1;
        self.first = self.first.min(flows.start_time()[row]);
        self.last = self.last.max(flows.end_time()[row]);
        self.received = self.received.saturating_add(known(flows.bytes_received()[row]));
        self.sent = self.sent.saturating_add(known(flows.bytes_sent()[row]));
        self.has_more_services |= service != self.service;
        self.is_established |= came_about(flows, row);
        if self.examples.len() < EXAMPLES {
            self.examples.push(flows.position(row));
        }
    }

    /// What came about is graver than what was only tried; of these, it depends on the peer.
    pub(crate) fn gravity(&self) -> (bool, u8) {
        (self.is_established, self.standing.gravity())
    }

    /// Takes over what another cause shows.
    pub fn merge(&mut self, other: &Self) {
        let are_several = self.service != other.service;
        if other.gravity() > self.gravity() {
            (self.standing, self.service) = (other.standing, other.service);
        }
        self.flows += other.flows;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.received = self.received.saturating_add(other.received);
        self.sent = self.sent.saturating_add(other.sent);
        self.has_more_services |= other.has_more_services || are_several;
        self.is_established |= other.is_established;
        self.examples.extend(&other.examples);
        self.examples.truncate(EXAMPLES);
    }

    /// Fills in what all findings have: how many flows, which, and how sure it is that they are contact.
    pub fn fill<'a>(&self, draft: Draft<'a>) -> Draft<'a> {
        draft
            .flow_count(self.flows)
            .confidence(if self.is_established { 0.9 } else { 0.5 })
            .examples(self.examples.iter().copied())
    }
}

const fn known(bytes: u64) -> u64 {
    if bytes == UNKNOWN { 0 } else { bytes }
}
