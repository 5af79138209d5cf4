//! What the sensors delivered in a slice, and where they delivered nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wardflow_manifest::Requirement;

use super::Slice;
use crate::{detector::Gap, time::MINUTE};

/// Minutes without a flow of any device that count as a gap: a hospital with devices on is never that quiet.
const GAP_MINUTES: usize = 15;

/// Share of flows, in percent, that may come from sampled packets: a few counts of another exporter.
const SAMPLED_PERCENT: u64 = 1;

/// Share, in percent, of the flows that tell whether both sides were seen which may have one alone. The other is lost with it,
/// and a tenth is how much sensors may lose before what they see is doubted (`archive::Health`, after Zeek's
/// `CaptureLoss::too_much_loss`).
pub const ONE_SIDED_PERCENT: u64 = 10;

/// Counts over all flows of a slice, gathered while they are resolved.
#[derive(Debug)]
pub struct Observed {
    slice: Slice,
    flows: AtomicU64,
    unresolved: AtomicU64,
    one_sided: AtomicU64,
    two_sided: AtomicU64,
    sampled: AtomicU64,
    minutes: Vec<AtomicU64>,
}

/// What one batch adds to [`Observed`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) flows: u64,
    pub(super) unresolved: u64,
    pub(super) one_sided: u64,
    pub(super) two_sided: u64,
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
            two_sided: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            minutes: (0..minutes).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Known beforehand: so many flows, of one side and of two where that is told, and sampled ones; some ended at or after
    /// each of these times, in the same minute.
    pub fn known(
        slice: Slice,
        flows: u64,
        ([one_sided, two_sided], sampled): ([u64; 2], u64),
        times: impl IntoIterator<Item = i64>,
    ) -> Self {
        let observed = Self::new(slice);
        observed.add(&Counts { flows, one_sided, two_sided, sampled, ..Counts::default() });
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
        self.two_sided.fetch_add(counts.two_sided, Relaxed);
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
        let (count, of, percent, what) = match requirement {
            Requirement::BothSides => {
                let [one, two] = [&self.one_sided, &self.two_sided].map(|count| count.load(Relaxed));
                (one, one + two, ONE_SIDED_PERCENT, "flows that tell show one side of a conversation that had two")
            }
            Requirement::Unsampled => {
                (self.sampled.load(Relaxed), self.flows(), SAMPLED_PERCENT, "flows come from sampled packets")
            }
            Requirement::OwnAddress => return None,
        };
        (count * 100 > of * percent).then(|| format!("{count} of {of} {what}; at most {percent} % may"))
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
        observed.add(&Counts { flows: 100, sampled: 1, one_sided: 1, two_sided: 9, ..Counts::default() });
        assert_eq!(observed.lacks(Requirement::BothSides), None);
        assert_eq!(observed.lacks(Requirement::Unsampled), None);
        observed.add(&Counts { sampled: 1, one_sided: 1, ..Counts::default() });
        assert!(observed.lacks(Requirement::BothSides).unwrap().starts_with("2 of 11 flows that tell"));
        assert!(observed.lacks(Requirement::Unsampled).unwrap().starts_with("2 of 100 flows"));
    }
}
