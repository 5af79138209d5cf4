//! A run of failures: attempts at one service since it last answered.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Flows, PeerScope, SECOND};

/// Flows that begin within this time of each other are one attempt.
const TOGETHER: i64 = SECOND;
/// How long TCP goes on repeating an unanswered SYN.
const REPEATS_SYN: i64 = 130 * SECOND;
/// Attempts that are remembered, to know their later flows.
const RECENT: usize = 4;
/// Two intervals are alike if neither is longer than the other by more than this.
const ALIKE: f64 = 1.25;
/// Attempts after which all counts are halved.
const MEMORY: u32 = 4_096;
/// Flows that are kept as examples.
const EXAMPLES: usize = 5;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failures {
    /// Start of the first attempt and of the last, in seconds since 1970.
    since: i64,
    last: i64,
    pub(crate) attempts: u32,
    /// Seconds between the last two attempts; zero before.
    interval: i64,
    /// Intervals that were compared with the one before, and those of them that were alike.
    pub(crate) intervals: u32,
    pub(crate) alike: u32,
    /// Ports and starts, in seconds, of the last attempts.
    recent: Vec<(u16, i64)>,
    /// What this slice shows of it.
    #[serde(skip)]
    pub(crate) seen: Option<Seen>,
}

/// What one slice shows of a run.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) flows: u64,
    pub(crate) is_external: bool,
    /// Devices of the class that had used the service before the slice.
    pub(crate) prevalence: u32,
    pub(crate) examples: Vec<u32>,
}

impl Failures {
    pub(crate) fn new(start: i64) -> Self {
        let since = start.div_euclid(SECOND);
        Self { since, last: since, attempts: 0, interval: 0, intervals: 0, alike: 0, recent: Vec::new(), seen: None }
    }

    /// Takes the next flow.
    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize) {
        self.seen.get_or_insert_with(|| Seen::new(flows, row)).add(flows, row);
        let start = flows.start_time()[row].div_euclid(SECOND);
        let port = flows.local_port()[row];
        let is_repeated =
            self.recent.iter().any(|(known, since)| *known == port && (start - since) * SECOND <= REPEATS_SYN);
        let is_same = self.attempts > 0 && (start - self.last) * SECOND <= TOGETHER;
        if is_repeated || is_same {
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push((port, start));
        self.attempts += 1;
        if self.attempts > 1 {
            self.take_interval(start - self.last);
        }
        self.last = start;
        if self.attempts >= MEMORY {
            (self.attempts, self.intervals, self.alike) = (self.attempts / 2, self.intervals / 2, self.alike / 2);
        }
    }

    fn take_interval(&mut self, interval: i64) {
        if self.interval > 0 {
            let ratio = interval as f64 / self.interval as f64;
            self.intervals += 1;
            self.alike += u32::from((1.0 / ALIKE..=ALIKE).contains(&ratio));
        }
        self.interval = interval;
    }

    /// Start of the first attempt, in microseconds since 1970.
    pub(crate) fn since(&self) -> i64 {
        self.since * SECOND
    }

    /// Microseconds from the first attempt to the last.
    pub(crate) fn span(&self) -> i64 {
        (self.last - self.since) * SECOND
    }

    /// Microseconds from one attempt to the next: the last interval.
    pub(crate) fn interval(&self) -> f64 {
        (self.interval * SECOND) as f64
    }

    pub(crate) fn even_share(&self) -> f64 {
        f64::from(self.alike) / f64::from(self.intervals.max(1))
    }
}

impl Seen {
    fn new(flows: &Flows<'_>, row: usize) -> Self {
        Self {
            first: flows.start_time()[row],
            last: flows.end_time()[row],
            flows: 0,
            is_external: flows.peer_scope()[row] == PeerScope::External,
            prevalence: flows.peer_prevalence()[row],
            examples: Vec::new(),
        }
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
