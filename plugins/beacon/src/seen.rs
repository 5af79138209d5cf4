use wardflow_sdk::{Flows, PeerScope, SECOND, math};

use crate::histogram::Mode;

/// Intervals that are kept, of all parts of a slice alike.
const INTERVALS: usize = 64;
/// Intervals that show whether a rhythm goes on.
const ENOUGH: usize = 8;
/// Flows that are kept as examples.
const EXAMPLES: usize = 5;

/// What one slice shows of a peer and port. It is not saved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) flows: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) is_external: bool,
    /// Devices of the class that use the peer and port.
    pub(crate) prevalence: u32,
    pub(crate) examples: Vec<u32>,
    /// One in so many intervals, in seconds.
    intervals: Vec<f64>,
    one_in: u32,
    /// Intervals since the last that was kept.
    passed: u32,
}

impl Seen {
    /// Nothing yet of what a flow begins.
    pub(crate) fn new(flows: &Flows<'_>, row: usize) -> Self {
        Self {
            flows: 0,
            first: flows.start_time()[row],
            last: flows.end_time()[row],
            is_external: flows.peer_scope()[row] == PeerScope::External,
            prevalence: flows.peer_prevalence()[row],
            examples: Vec::new(),
            intervals: Vec::new(),
            one_in: 1,
            passed: 0,
        }
    }

    /// Adds a flow, and the interval that it ends, in microseconds, if it ends one.
    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize, interval: Option<i64>) {
        self.flows += 1;
        self.first = self.first.min(flows.start_time()[row]);
        self.last = self.last.max(flows.end_time()[row]);
        if let Some(interval) = interval {
            self.keep(interval as f64 / SECOND as f64);
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(flows.position(row));
        }
    }

    fn keep(&mut self, interval: f64) {
        self.passed += 1;
        if self.passed < self.one_in {
            return;
        }
        self.passed = 0;
        self.intervals.push(interval);
        if self.intervals.len() == INTERVALS {
            self.intervals = self.intervals.iter().skip(1).step_by(2).copied().collect();
            self.one_in = self.one_in.saturating_mul(2);
        }
    }

    /// Whether its intervals may be of a mode that was learned: of eight or more at least one lies in it. After a flood the
    /// most frequent interval is that of the flood, which is over.
    pub(crate) fn may_show(&self, mode: Mode) -> bool {
        let is_inside = |interval: &f64| (mode.low..mode.high).contains(interval);
        self.intervals.len() < ENOUGH || self.intervals.iter().any(is_inside)
    }

    /// The usual interval, in seconds: the median of the kept ones that lie in the mode, else the middle of the mode.
    pub(crate) fn interval(&self, mode: Mode) -> f64 {
        let inside = self.intervals.iter().copied().filter(|interval| (mode.low..mode.high).contains(interval));
        math::median(&mut inside.collect::<Vec<_>>()).unwrap_or(mode.middle)
    }
}

#[cfg(test)]
mod tests {
    use super::{ENOUGH, INTERVALS, Seen};
    use crate::histogram::Mode;

    #[test]
    fn a_slice_is_judged_by_all_its_parts() {
        let mut seen = Seen {
            flows: 0,
            first: 0,
            last: 0,
            is_external: true,
            prevalence: 1,
            examples: Vec::new(),
            intervals: Vec::new(),
            one_in: 1,
            passed: 0,
        };
        let mode = Mode { share: 1.0, low: 50.0, high: 75.0, middle: 60.0 };
        (0..ENOUGH - 1).for_each(|_| seen.keep(1.0));
        assert!(seen.may_show(mode), "too few to tell");
        (0..1_000).for_each(|_| seen.keep(1.0));
        assert!(!seen.may_show(mode), "a flood");
        (0..200).for_each(|_| seen.keep(60.0));
        assert!(seen.may_show(mode) && seen.intervals.len() < INTERVALS, "a rhythm that begins after it");
        assert!((seen.interval(mode) - 60.0).abs() < 1e-9, "{seen:?}");
    }
}
