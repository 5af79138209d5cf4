//! The connections with one peer and port.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{DAY, Flows, MINUTE, SECOND, UNKNOWN};

/// A flow that begins within this time of the end of the last one on its port continues it.
const CONTINUES: i64 = 5 * MINUTE;
/// Connections that are told apart.
const CONNECTIONS: usize = 3;
/// Flows that are kept as examples.
const EXAMPLES: usize = 5;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Since when it is one with long connections, in seconds since 1970.
    pub(crate) since: Option<i64>,
    /// Slices in which it was seen, up to 255.
    slices: u8,
    connections: Vec<Connection>,
    /// The longest connection since midnight UTC, in seconds.
    longest: i64,
    /// Connected time since midnight, in seconds, and until when it is counted, in seconds since 1970.
    today: i64,
    counted: i64,
    /// Payload of the flows that ended since midnight, and the seconds of those that brought some.
    sent: u64,
    received: u64,
    carrying: i64,
    /// What this slice shows of it.
    #[serde(skip)]
    pub(crate) seen: Option<Seen>,
}

/// A connection that may go on; times in seconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Connection {
    port: u16,
    start: i64,
    end: i64,
}

/// What one slice shows of a peer.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) flows: u64,
    /// Devices of the class that had used peer and port before the slice.
    prevalence: u32,
    pub(crate) examples: Vec<u32>,
}

impl Peer {
    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize) {
        let (start, end) = (flows.start_time()[row] / SECOND, flows.end_time()[row] / SECOND);
        if self.seen.is_none() {
            self.slices = self.slices.saturating_add(1);
        }
        self.seen.get_or_insert_with(|| Seen::new(flows, row)).add(flows, row);
        let length = self.connect(flows.local_port()[row], start, end);
        self.longest = self.longest.max(length);
        let midnight = end - end.rem_euclid(DAY / SECOND);
        self.today += (end - start.max(self.counted).max(midnight)).max(0);
        self.counted = self.counted.max(end);
        self.carry(flows.bytes_sent()[row], flows.bytes_received()[row], end - start);
    }

    /// Adds the payload of a flow that lasted for some seconds.
    fn carry(&mut self, sent: u64, received: u64, seconds: i64) {
        let known = |bytes: u64| if bytes == UNKNOWN { 0 } else { bytes };
        let (sent, received) = (known(sent), known(received));
        self.sent = self.sent.saturating_add(sent);
        self.received = self.received.saturating_add(received);
        if sent > 0 || received > 0 {
            self.carrying += seconds;
        }
    }

    /// Adds a flow to its connection. Returns how long that has lasted, in seconds.
    fn connect(&mut self, port: u16, start: i64, end: i64) -> i64 {
        let continues = |known: &Connection| known.port == port && (start - known.end) * SECOND <= CONTINUES;
        let known = self.connections.iter().position(continues).map(|known| self.connections.remove(known));
        let connection = match known {
            Some(known) => Connection { port, start: known.start.min(start), end: known.end.max(end) },
            None => Connection { port, start, end },
        };
        let length = connection.end - connection.start;
        if self.connections.len() == CONNECTIONS {
            self.connections.remove(0);
        }
        self.connections.push(connection);
        length
    }

    /// The longest connection since midnight, in microseconds, with what it lasted before.
    pub(crate) fn longest(&self) -> i64 {
        self.longest * SECOND
    }

    /// Connected time since midnight, in microseconds.
    pub(crate) fn today(&self) -> i64 {
        self.today * SECOND
    }

    /// Connected time since midnight, or of the longest connection if that is more, in microseconds.
    pub(crate) fn connected(&self) -> i64 {
        self.today().max(self.longest())
    }

    /// Payload a second in the flows that brought some, if both sides said something.
    pub(crate) fn rate(&self) -> Option<f64> {
        let said = self.sent > 0 && self.received > 0 && self.carrying > 0;
        said.then(|| (self.sent as f64 + self.received as f64) / self.carrying as f64)
    }

    /// Other devices of the class that had used it: after its first slice, the device itself is among them.
    pub(crate) fn others(&self) -> u32 {
        let prevalence = self.seen.as_ref().map_or(0, |seen| seen.prevalence);
        prevalence.saturating_sub(u32::from(self.slices > 1))
    }

    pub(crate) fn end_day(&mut self) {
        (self.longest, self.today) = (0, 0);
        (self.sent, self.received, self.carrying) = (0, 0, 0);
    }
}

impl Seen {
    fn new(flows: &Flows<'_>, row: usize) -> Self {
        let (first, last) = (flows.start_time()[row], flows.end_time()[row]);
        Self { first, last, flows: 0, prevalence: flows.peer_prevalence()[row], examples: Vec::new() }
    }

    fn add(&mut self, flows: &Flows<'_>, row: usize) {
        self.flows += 1;
        self.first = self.first.min(flows.start_time()[row]);
        self.last = flows.end_time()[row];
        if self.examples.len() < EXAMPLES {
            self.examples.push(flows.position(row));
        }
    }
}
