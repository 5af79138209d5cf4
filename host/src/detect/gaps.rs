//! What the sensors delivered in a slice, and where they delivered nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wardflow_manifest::Requirement;

use super::Slice;
use crate::detector::Gap;

pub(super) const MINUTE: i64 = 60_000_000;

/// Minutes without a flow of any device that count as a gap: a hospital with devices on is never that quiet.
const GAP_MINUTES: usize = 15;

/// Share of records, in percent, that may lack what a manifest requires.
const LACKING_PERCENT: u64 = 1;

/// Counts over all flows of a slice, gathered while they are resolved.
#[derive(Debug)]
pub struct Observed {
    slice: Slice,
    flows: AtomicU64,
    unresolved: AtomicU64,
    one_sided: AtomicU64,
    sampled: AtomicU64,
    minutes: Vec<AtomicU64>,
}

/// What one batch adds to [`Observed`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) flows: u64,
    pub(super) unresolved: u64,
    pub(super) one_sided: u64,
    pub(super) sampled: u64,
}

impl Observed {
    /// Nothing yet.
    pub fn new(slice: Slice) -> Self {
        let minutes = minutes(slice).div_ceil(64);
        Self {
            slice,
            flows: AtomicU64::new(0),
            unresolved: AtomicU64::new(0),
            one_sided: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            minutes: (0..minutes).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Known beforehand: so many flows, `lacking` of them one-sided and sampled, some of which ended at or after each of
    /// these times, in the same minute.
    pub fn known(slice: Slice, flows: u64, lacking: (u64, u64), times: impl IntoIterator<Item = i64>) -> Self {
        let observed = Self::new(slice);
        observed.add(&Counts { flows, unresolved: 0, one_sided: lacking.0, sampled: lacking.1 });
        times.into_iter().for_each(|time| observed.see(time));
        observed
    }

    /// Flows of the slice, of devices or not.
    pub fn flows(&self) -> u64 {
        self.flows.load(Relaxed)
    }

    /// Flows of the slice of which no device is an end.
    pub fn unresolved(&self) -> u64 {
        self.unresolved.load(Relaxed)
    }

    pub(super) fn add(&self, counts: &Counts) {
        self.flows.fetch_add(counts.flows, Relaxed);
        self.unresolved.fetch_add(counts.unresolved, Relaxed);
        self.one_sided.fetch_add(counts.one_sided, Relaxed);
        self.sampled.fetch_add(counts.sampled, Relaxed);
    }

    /// Marks the minute of a time inside the slice as seen.
    pub(super) fn see(&self, time: i64) {
        let minute = usize::try_from((time - self.slice.start) / MINUTE).unwrap_or(0);
        let (word, bit) = (minute / 64, 1 << (minute % 64));
        if let Some(word) = self.minutes.get(word)
            && word.load(Relaxed) & bit == 0
        {
            word.fetch_or(bit, Relaxed);
        }
    }

    /// Stretches of at least 15 minutes in which no flow of any device ended.
    pub fn gaps(&self) -> Vec<Gap> {
        let count = minutes(self.slice);
        let is_seen = |minute: usize| self.minutes[minute / 64].load(Relaxed) & (1 << (minute % 64)) != 0;
        let mut gaps = Vec::new();
        let mut from = 0;
        for minute in 0..=count {
            if minute == count || is_seen(minute) {
                if minute - from >= GAP_MINUTES {
                    let at = |minute: usize| (self.slice.start + minute as i64 * MINUTE).min(self.slice.end);
                    gaps.push(Gap { start: at(from), end: at(minute) });
                }
                from = minute + 1;
            }
        }
        gaps
    }

    /// Why records lack what is required; nothing if they do not.
    pub fn lacks(&self, requirement: Requirement) -> Option<String> {
        let (count, what) = match requirement {
            Requirement::BothSides => (self.one_sided.load(Relaxed), "show only one side of the conversation"),
            Requirement::Unsampled => (self.sampled.load(Relaxed), "come from sampled packets"),
            Requirement::OwnAddress => return None,
        };
        let flows = self.flows();
        (count * 100 > flows * LACKING_PERCENT)
            .then(|| format!("{count} of {flows} flows {what}; at most {LACKING_PERCENT} % may"))
    }
}

fn minutes(slice: Slice) -> usize {
    usize::try_from((slice.end - slice.start + MINUTE - 1) / MINUTE).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Counts, MINUTE, Observed, Slice};
    use wardflow_manifest::Requirement;

    fn check(seen: &[i64], expected: &[(i64, i64)]) {
        let observed = Observed::new(Slice { start: 100 * MINUTE, end: 200 * MINUTE });
        for minute in seen {
            observed.see((100 + minute) * MINUTE);
        }
        let gaps: Vec<_> =
            observed.gaps().iter().map(|gap| (gap.start / MINUTE - 100, gap.end / MINUTE - 100)).collect();
        assert_eq!(gaps, expected);
    }

    #[test]
    fn gaps_are_long_stretches_without_any_flow() {
        check(&[], &[(0, 100)]);
        check(&(0..100).collect::<Vec<_>>(), &[]);
        check(&(0..100).step_by(15).collect::<Vec<_>>(), &[]);
        check(&(0..100).step_by(16).collect::<Vec<_>>(), &[(1, 16), (17, 32), (33, 48), (49, 64), (65, 80), (81, 96)]);
        check(&[50], &[(0, 50), (51, 100)]);
    }

    #[test]
    fn a_few_records_may_lack_what_is_required() {
        let observed = Observed::new(Slice { start: 0, end: MINUTE });
        observed.add(&Counts { flows: 100, unresolved: 0, one_sided: 1, sampled: 2 });
        assert_eq!(observed.lacks(Requirement::BothSides), None);
        assert!(observed.lacks(Requirement::Unsampled).unwrap().starts_with("2 of 100 flows"));
    }
}
