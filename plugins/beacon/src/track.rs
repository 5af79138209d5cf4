use serde::{Deserialize, Serialize};
use wardflow_common::has_failed;
use wardflow_sdk::{ConnState, DAY, SECOND, UNKNOWN};

use crate::histogram::{Histogram, Scale};
use crate::seen::Seen;

/// Intervals, in seconds: four bins in a window of ratio 1.5, which is a length give or take a fifth.
pub(crate) const INTERVALS: Scale = Scale { step: 0.101_366_277_027_041_1, window: 4, most_bins: 132 };
/// Payload of a connection, in bytes: two bins in a window of ratio 1.1.
pub(crate) const SIZES: Scale = Scale { step: 0.048_790_164_169_432_05, window: 2, most_bins: 16 };

/// Flows that begin within this time of each other are one contact.
const TOGETHER: i64 = SECOND;
/// A flow on the same port that begins within this time of the last one's end continues it: an exporter cut a long
/// connection, or two sensors saw one.
const CONTINUES: i64 = 15 * SECOND;
/// As [`CONTINUES`], for TCP flows of which no handshake was seen: a connection keeps its port, a new one takes another.
const CONTINUES_MIDSTREAM: i64 = DAY;
/// How long TCP goes on repeating an unanswered SYN (RFC 6298 and common defaults: 1 + 2 + 4 + ... + 64 s).
const REPEATS_SYN: i64 = 130 * SECOND;
/// Connections that are remembered of a peer and port, to know their later flows.
const CONNECTIONS: usize = 4;
/// Contacts after which all counts are halved.
const MEMORY: u32 = 1_024;

/// The device's contacts with one peer and port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    /// Start of the first contact, in microseconds since 1970.
    pub(crate) since: i64,
    /// Start of the last flow of the last contact.
    pub(crate) last: i64,
    /// Contacts, halved from time to time.
    pub(crate) contacts: u32,
    /// Those of them that failed.
    pub(crate) failed: u32,
    last_failed: bool,
    connections: Vec<Connection>,
    /// Seconds between the starts of contacts.
    pub(crate) intervals: Histogram,
    /// Payload bytes of connections, where known and not zero.
    pub(crate) sent: Histogram,
    /// As `sent`, one byte more than the peer's payload, so that zero has a bin.
    pub(crate) received: Histogram,
    /// Whether a peer that the device knew moved here.
    pub(crate) has_moved_here: bool,
    /// What this slice shows of it.
    #[serde(skip)]
    pub(crate) seen: Option<Seen>,
}

/// A connection whose later flows may still come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Connection {
    port: u16,
    end: i64,
    failed: bool,
}

/// What a track needs to know of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) local_port: u16,
    pub(crate) is_tcp: bool,
    pub(crate) state: ConnState,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) packets_received: u64,
}

impl Track {
    pub(crate) fn new(since: i64) -> Self {
        Self {
            since,
            last: since,
            contacts: 0,
            failed: 0,
            last_failed: false,
            connections: Vec::new(),
            intervals: Histogram::default(),
            sent: Histogram::default(),
            received: Histogram::default(),
            has_moved_here: false,
            seen: None,
        }
    }

    /// Takes the next flow. Returns the interval to the contact before, in microseconds, if it begins a contact.
    pub(crate) fn add(&mut self, contact: Contact) -> Option<i64> {
        let failed = contact.has_failed();
        if self.continues(contact, failed) {
            self.redeem(failed);
            return None;
        }
        if contact.sent != UNKNOWN && contact.sent > 0 {
            self.sent.add(SIZES, contact.sent as f64);
            self.received.add(SIZES, if contact.received == UNKNOWN { 1.0 } else { contact.received as f64 + 1.0 });
        }
        let interval = contact.start - self.last;
        if self.contacts > 0 && interval <= TOGETHER {
            self.last = self.last.max(contact.start);
            self.redeem(failed);
            return None;
        }
        let is_first = self.contacts == 0;
        (self.last, self.last_failed) = (contact.start, failed);
        self.contacts += 1;
        self.failed += u32::from(failed);
        if is_first {
            return None;
        }
        self.intervals.add(INTERVALS, interval as f64 / SECOND as f64);
        if self.contacts >= MEMORY {
            self.halve();
        }
        Some(interval)
    }

    /// Whether a flow belongs to a connection that is known; if not, it is known from here on.
    fn continues(&mut self, contact: Contact, failed: bool) -> bool {
        let same = self.connections.iter().position(|known| {
            let most = match contact.state {
                _ if contact.is_tcp && known.failed => REPEATS_SYN,
                ConnState::Unknown | ConnState::Oth if contact.is_tcp => CONTINUES_MIDSTREAM,
                _ => CONTINUES,
            };
            known.port == contact.local_port && contact.start - known.end <= most
        });
        let before = same.map(|known| self.connections.remove(known));
        if self.connections.len() == CONNECTIONS {
            self.connections.remove(0);
        }
        self.connections.push(Connection { port: contact.local_port, end: contact.end, failed });
        before.is_some()
    }

    /// A contact of which any flow succeeds has not failed.
    fn redeem(&mut self, failed: bool) {
        if self.last_failed && !failed {
            self.last_failed = false;
            self.failed = self.failed.saturating_sub(1);
        }
    }

    fn halve(&mut self) {
        self.contacts /= 2;
        self.failed /= 2;
        self.intervals.halve();
        self.sent.halve();
        self.received.halve();
    }
}

impl Contact {
    /// Whether TCP did not come about. Other protocols need no answer.
    pub(crate) fn has_failed(&self) -> bool {
        self.is_tcp
            && match self.state {
                ConnState::Unknown => self.packets_received == 0,
                state => has_failed(state),
            }
    }
}
