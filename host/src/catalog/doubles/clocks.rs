//! How sensors' clocks differ, as the flows tell that two of them saw.
//!
//! A clock is ahead of another by what most of these flows say. Where it was set within the slice they say one thing before
//! and another after; the step is where that parts them best. What both sensors saw counts twice where their clocks differ by
//! more than that: within the seconds that a clock shows twice when it is set back, where it is set more than once in a slice,
//! and where too few flows tell on either side.

use std::{cmp::Reverse, collections::BTreeMap, ops::RangeInclusive};

use super::find::Seen;
use crate::time::SECOND;

/// How far apart records of one conversation may lie by clocks that are set right: as far as twice what most pairs do, but no
/// less than sensors differ in when they see a packet, and no more than exporters that give whole seconds do.
const TOLERANCE: RangeInclusive<i64> = 10_000..=SECOND;

/// How far clocks may differ: more is no drift but another time zone.
const MOST_OFFSET: i64 = 300 * SECOND;

/// Pairs from which on a difference is one of the clocks, and the share of them, in percent, that must agree: more of both
/// where clocks are said to differ by more than sensors do that are set right.
const ENOUGH: (usize, usize) = (5, 50);
const ENOUGH_FOR_OFFSET: (usize, usize) = (50, 80);

/// How much longer one record of a conversation may last than the other for the two to tell of clocks.
const SAME_DURATION: i64 = SECOND;

/// How sensors' clocks differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clocks {
    /// By the sensor's place.
    pub(super) offsets: Vec<Offset>,
    /// How far apart records of one conversation may lie all the same.
    pub(super) tolerance: i64,
}

/// How far a sensor's clock is ahead of the first sensor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// From which time by the sensor's own clock on, and by how many microseconds: in order, from the first time on.
    steps: Vec<(i64, i64)>,
    /// Whether enough flows tell of it. It counts as zero where they do not.
    is_known: bool,
}

/// The start of a flow by the clock of the later of two sensors, and how long after the other's that is.
type Pair = (i64, i64);

impl Offset {
    fn constant(offset: i64) -> Self {
        Self { steps: vec![(i64::MIN, offset)], is_known: true }
    }

    fn unknown() -> Self {
        Self { is_known: false, ..Self::constant(0) }
    }

    /// What it counts as at a time by the sensor's clock.
    pub(super) fn at(&self, time: i64) -> i64 {
        let begun = self.steps.partition_point(|(from, _)| *from <= time);
        begun.checked_sub(1).map_or(0, |last| self.steps[last].1)
    }

    /// What it is known to be at a time by the sensor's clock.
    pub(super) fn known_at(&self, time: i64) -> Option<i64> {
        self.is_known.then(|| self.at(time))
    }

    /// That of another clock, which is so far ahead of this one.
    fn plus(&self, ahead: &Self) -> Self {
        let by_other = |(from, _): &(i64, i64)| from.saturating_add(ahead.at(*from));
        let mut times: Vec<i64> = ahead.steps.iter().map(|(from, _)| *from).collect();
        times.extend(self.steps.iter().map(by_other));
        times.sort_unstable();
        let step = |from: i64| (from, ahead.at(from) + self.at(from.saturating_sub(ahead.at(from))));
        let mut steps: Vec<_> = times.into_iter().map(step).collect();
        steps.dedup_by_key(|(_, offset)| *offset);
        Self { steps, is_known: self.is_known && ahead.is_known }
    }
}

/// What the flows that two sensors saw tell of their clocks.
pub(super) fn clocks(seen: &mut [Seen], sensors: usize) -> Clocks {
    seen.sort_unstable_by_key(|one| (one.key, one.sensor));
    let mut pairs: BTreeMap<(u16, u16), Vec<Pair>> = BTreeMap::new();
    for group in seen.chunk_by(|one, other| one.key == other.key) {
        // A sensor that saw several conversations of these ends does not tell which is which.
        let once: Vec<&Seen> = group
            .chunk_by(|one, other| one.sensor == other.sensor)
            .filter_map(|of_sensor| if let [one] = of_sensor { Some(one) } else { None })
            .collect();
        for (place, later) in once.iter().enumerate() {
            for earlier in &once[..place] {
                let difference = later.start - earlier.start;
                let durations = (later.end - later.start) - (earlier.end - earlier.start);
                if difference.abs() <= MOST_OFFSET && durations.abs() <= SAME_DURATION {
                    pairs.entry((later.sensor, earlier.sensor)).or_default().push((later.start, difference));
                }
            }
        }
    }
    let mut offsets = vec![Offset::constant(0)];
    let mut tolerance = *TOLERANCE.start();
    for sensor in 1..sensors {
        let number = u16::try_from(sensor).unwrap_or(u16::MAX);
        let mut of_sensor: Vec<_> = pairs.range_mut((number, 0)..(number, number)).collect();
        of_sensor.sort_by_key(|((_, reference), pairs)| (Reverse(pairs.len()), *reference));
        let mut offset = Offset::unknown();
        if let Some(((_, reference), pairs)) = of_sensor.first_mut() {
            let (ahead, spread) = ahead(pairs).unwrap_or((Offset::unknown(), *TOLERANCE.end()));
            offset = offsets[usize::from(*reference)].plus(&ahead);
            tolerance = tolerance.max(spread);
        }
        offsets.push(offset);
    }
    Clocks { offsets, tolerance }
}

/// How far the later of two sensors' clocks is ahead, and how far apart their records may lie all the same.
fn ahead(pairs: &mut [Pair]) -> Option<(Offset, i64)> {
    pairs.sort_unstable();
    let pairs = &*pairs;
    let parts = step(pairs).map(|place| pairs.split_at(place));
    let stepped = parts.and_then(|(before, after)| {
        let ((old, old_spread), (new, new_spread)) = (difference(before)?, difference(after)?);
        let offset = Offset { steps: vec![(i64::MIN, old), (after.first()?.0, new)], is_known: true };
        Some((offset, old_spread.max(new_spread)))
    });
    stepped.or_else(|| difference(pairs).map(|(offset, spread)| (Offset::constant(offset), spread)))
}

/// From which of the pairs on, in order of time, the difference is another.
fn step(pairs: &[Pair]) -> Option<usize> {
    let probe = (pairs.len() / 4).min(ENOUGH_FOR_OFFSET.0);
    if probe < ENOUGH.0 {
        return None;
    }
    let (old, new) = (middle(&pairs[..probe]), middle(&pairs[pairs.len() - probe..]));
    if !is_apart(old, new) {
        return None;
    }
    let (mut agreeing, mut best) = (0, (0, 0));
    for (place, (_, difference)) in pairs.iter().enumerate() {
        agreeing += i32::from(!is_apart(*difference, old)) - i32::from(!is_apart(*difference, new));
        best = best.max((agreeing, place + 1));
    }
    Some(best.1).filter(|place| (1..pairs.len()).contains(place))
}

fn is_apart(one: i64, other: i64) -> bool {
    (one - other).abs() > *TOLERANCE.end()
}

fn middle(pairs: &[Pair]) -> i64 {
    let mut differences: Vec<i64> = pairs.iter().map(|(_, difference)| *difference).collect();
    let place = differences.len() / 2;
    *differences.select_nth_unstable(place).1
}

/// The middle of differences, if most lie close to it, and twice how far from it nine of ten of those lie.
fn difference(pairs: &[Pair]) -> Option<(i64, i64)> {
    if pairs.len() < ENOUGH.0 {
        return None;
    }
    let middle = middle(pairs);
    let distances = pairs.iter().map(|(_, difference)| (difference - middle).abs());
    let mut near: Vec<i64> = distances.filter(|distance| distance <= TOLERANCE.end()).collect();
    let (pairs_needed, percent) = if is_apart(middle, 0) { ENOUGH_FOR_OFFSET } else { ENOUGH };
    if pairs.len() < pairs_needed || near.len() * 100 <= pairs.len() * percent {
        return None;
    }
    near.sort_unstable();
    let spread = 2 * near[near.len() * 9 / 10];
    Some((middle, spread.clamp(*TOLERANCE.start(), *TOLERANCE.end())))
}

#[cfg(test)]
mod tests {
    use super::{Clocks, Offset, Seen, clocks};
    use crate::time::SECOND;

    /// Clocks by flows every ten seconds, of which each sensor's is ahead of the true time as a function has it.
    fn told(flows: u64, ahead: &[fn(i64) -> i64]) -> Clocks {
        let mut all = Vec::new();
        for key in 0..flows {
            let time = key as i64 * 10 * SECOND;
            all.extend(ahead.iter().enumerate().map(|(sensor, ahead)| {
                let start = time + ahead(time);
                let (sensor, record) = (sensor as u16, key << 8 | sensor as u64);
                Seen { key, record, start, end: start + 1_000, packets: 2, bytes: None, sensor, alone: None }
            }));
        }
        clocks(&mut all, ahead.len())
    }

    #[test]
    fn a_clock_that_is_set_has_two_offsets() {
        // The third goes with the second until that is set, and the second is set back by seven seconds.
        let set = |time: i64| if time < 1_000 * SECOND { 7 * SECOND } else { 0 };
        let Clocks { offsets, tolerance } = told(160, &[|_| 0, set, |_| -90 * SECOND]);
        assert_eq!(tolerance, 10_000);
        assert_eq!([0, 990, 1_010].map(|seconds| offsets[1].at(seconds * SECOND)), [7 * SECOND, 7 * SECOND, 0]);
        assert_eq!(offsets[2], Offset::constant(-90 * SECOND));
        // Where the first is set, the others are told by it.
        let Clocks { offsets, .. } = told(160, &[set, |_| 0]);
        assert_eq!(
            [0, 990, 1_000].map(|seconds| offsets[1].known_at(seconds * SECOND)),
            [Some(-7 * SECOND), Some(-7 * SECOND), Some(0)]
        );
    }

    #[test]
    fn a_step_of_which_few_flows_tell_is_none() {
        let late = |time: i64| if time < 1_570 * SECOND { 7 * SECOND } else { 0 };
        let Clocks { offsets, .. } = told(160, &[|_| 0, late]);
        assert_eq!(offsets[1], Offset::constant(7 * SECOND));
    }

    #[test]
    fn few_flows_tell_nothing() {
        let Clocks { offsets, .. } = told(49, &[|_| 0, |_| 7 * SECOND, |_| 0]);
        assert_eq!(offsets.iter().map(|offset| offset.known_at(0)).collect::<Vec<_>>(), [Some(0), None, Some(0)]);
        assert_eq!(offsets[1].at(0), 0);
    }

    #[test]
    fn offsets_add_up() {
        let reference = Offset { steps: vec![(i64::MIN, 5), (100, 0)], is_known: true };
        let sum = reference.plus(&Offset { steps: vec![(i64::MIN, 1_000), (5_000, 2_000)], is_known: true });
        assert_eq!([0, 1_099, 1_100, 4_999, 5_000].map(|time| sum.at(time)), [1_005, 1_005, 1_000, 1_000, 2_000]);
        assert_eq!(reference.plus(&Offset::unknown()).known_at(0), None);
    }
}
