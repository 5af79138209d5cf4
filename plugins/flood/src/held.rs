//! Connections that are held open and say next to nothing: they keep a server's places taken.

use std::collections::BTreeMap;

use wardflow_common::is_established;
use wardflow_sdk::{Direction, Flows, HOUR, MINUTE, SECOND, UNKNOWN};

use crate::seen::EXAMPLES;

/// Those of one service, in a slice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// How many began, by the hour since 1970. Not how many ended: a peer that restarts ends all that there are at once.
    hours: BTreeMap<i64, u32>,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) examples: Vec<u32>,
}

impl Held {
    /// Whether a connection is one: it came about, lasted a minute, was sent no more than a byte a second, and answered
    /// nothing.
    pub(crate) fn is_one(flows: &Flows<'_>, row: usize) -> bool {
        let lasted = flows.end_time()[row] - flows.start_time()[row];
        let (sent, received) = (flows.bytes_sent()[row], flows.bytes_received()[row]);
        let (asked, answered) = match flows.direction()[row] {
            Direction::Outbound => (sent, received),
            _ => (received, sent),
        };
        is_established(flows.conn_state()[row])
            && lasted >= MINUTE
            && answered == 0
            && asked != UNKNOWN
            && asked <= (lasted / SECOND) as u64
    }

    pub(crate) fn add(&mut self, start: i64, end: i64, position: u32) {
        self.first = if self.hours.is_empty() { start } else { self.first.min(start) };
        self.last = self.last.max(end);
        *self.hours.entry(start.div_euclid(HOUR)).or_default() += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(position);
        }
    }

    /// All of them, and those of the busiest hour.
    pub(crate) fn counts(&self) -> (u64, u32) {
        let all = self.hours.values().map(|count| u64::from(*count)).sum();
        (all, self.hours.values().copied().max().unwrap_or(0))
    }

    /// Hours in which any began, and how many did.
    pub(crate) fn hours(&self) -> impl Iterator<Item = (i64, u32)> {
        self.hours.iter().map(|(hour, count)| (*hour, *count))
    }
}
