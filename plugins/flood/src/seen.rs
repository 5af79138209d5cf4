//! What one slice shows of a service. It is not saved.

use crate::{held::Held, minutes::Minutes};

/// Flows that are kept as examples.
pub(crate) const EXAMPLES: usize = 5;

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) minutes: Minutes,
    pub(crate) held: Held,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) flows: u64,
    /// Flows that were refused or not answered at all.
    pub(crate) failed: u64,
    /// Those of them that were not even refused.
    pub(crate) silent: u64,
    /// Minutes that the flow of most unanswered packets lasted, and how many these are a minute.
    pub(crate) minutes_of_packets: usize,
    most_packets: f64,
    /// Start and end of the flows in whose minute there were very many packets.
    pub(crate) loud: Option<(i64, i64)>,
    pub(crate) examples: Vec<u32>,
}

impl Seen {
    pub(crate) fn new(first: i64) -> Self {
        Self {
            minutes: Minutes::default(),
            held: Held::default(),
            first,
            last: first,
            flows: 0,
            failed: 0,
            silent: 0,
            minutes_of_packets: 0,
            most_packets: 0.0,
            loud: None,
            examples: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, start: i64, end: i64, has_failed: bool, is_silent: bool) {
        self.first = self.first.min(start);
        self.last = end;
        self.flows += 1;
        self.failed += u64::from(has_failed);
        self.silent += u64::from(is_silent);
    }

    /// Keeps a flow of a busy minute as an example.
    pub(crate) fn show(&mut self, position: u32) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(position);
        }
    }

    /// Takes a flow in whose minute there were very many packets, with how many of them a minute are its own, and how many
    /// minutes it lasted.
    pub(crate) fn add_loud(&mut self, start: i64, end: i64, packets: f64, lasts: f64) {
        let (first, last) = self.loud.unwrap_or((start, end));
        self.loud = Some((first.min(start), last.max(end)));
        if packets > self.most_packets {
            (self.most_packets, self.minutes_of_packets) = (packets, lasts as usize);
        }
    }

    /// Share of flows that failed.
    pub(crate) fn failed_share(&self) -> f64 {
        self.failed as f64 / self.flows as f64
    }
}
