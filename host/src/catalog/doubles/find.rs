//! Which flows are doubles: records of a conversation that another sensor saw more fully.
//!
//! Records of different sensors are of one conversation if they share both ends and the protocol, whichever end is taken for
//! the initiator (what Community ID, version 1, hashes), and overlap in time, by clocks that are set right by the difference
//! that most such pairs show. Of one conversation the records of that sensor count which saw the most packets; where several
//! saw as many, of the first by name.

use std::{
    collections::{BTreeMap, HashSet},
    ops::{Range, RangeInclusive},
};

use foldhash::fast::FixedState;

/// What is compared of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Stands for both ends and the protocol.
    pub(super) key: u64,
    /// Stands for the record.
    pub(super) record: u64,
    /// First and last packet by the sensor's clock, microseconds UTC.
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) packets: u64,
    /// The sensor's place among those of the slice, in order of name.
    pub(super) sensor: u16,
}

/// How far apart records of one conversation may lie by clocks that are set right: as far as twice what most pairs do, but no
/// less than sensors differ in when they see a packet, and no more than exporters that give whole seconds do.
const TOLERANCE: RangeInclusive<i64> = 10_000..=1_000_000;

/// How far clocks may differ: more is no drift but another time zone.
const MOST_OFFSET: i64 = 300_000_000;

/// Pairs from which on a difference is one of the clocks, and the share of them, in percent, that must agree: more of both
/// where clocks are said to differ by more than sensors do that are set right.
const ENOUGH: (usize, usize) = (5, 50);
const ENOUGH_FOR_OFFSET: (usize, usize) = (50, 80);

/// How much longer one record of a conversation may last than the other for the two to tell of clocks.
const SAME_DURATION: i64 = 1_000_000;

/// How sensors' clocks differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clocks {
    /// How far each is ahead of the first sensor's, microseconds; zero where too few flows tell.
    pub(super) offsets: Vec<i64>,
    /// How far apart records of one conversation may lie all the same.
    tolerance: i64,
}

/// What the flows that two sensors saw tell of their clocks.
pub(super) fn clocks(seen: &mut [Seen], sensors: usize) -> Clocks {
    seen.sort_unstable_by_key(|one| (one.key, one.sensor));
    let mut differences: BTreeMap<(u16, u16), Vec<i64>> = BTreeMap::new();
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
                    differences.entry((later.sensor, earlier.sensor)).or_default().push(difference);
                }
            }
        }
    }
    let mut offsets = vec![0; sensors];
    let mut tolerance = *TOLERANCE.start();
    for sensor in 1..sensors {
        let number = u16::try_from(sensor).unwrap_or(u16::MAX);
        let mut pairs: Vec<_> = differences.range_mut((number, 0)..(number, number)).collect();
        pairs.sort_by_key(|((_, reference), pairs)| (std::cmp::Reverse(pairs.len()), *reference));
        if let Some(((_, reference), pairs)) = pairs.first_mut() {
            let (difference, spread) = difference(pairs).unwrap_or((0, *TOLERANCE.end()));
            offsets[sensor] = offsets[usize::from(*reference)] + difference;
            tolerance = tolerance.max(spread);
        }
    }
    Clocks { offsets, tolerance }
}

/// The middle of differences, if most lie close to it, and twice how far from it nine of ten of those lie.
fn difference(pairs: &mut [i64]) -> Option<(i64, i64)> {
    if pairs.len() < ENOUGH.0 {
        return None;
    }
    let place = pairs.len() / 2;
    let (_, middle, _) = pairs.select_nth_unstable(place);
    let middle = *middle;
    let distances = pairs.iter().map(|pair| (pair - middle).abs());
    let mut near: Vec<i64> = distances.filter(|distance| distance <= TOLERANCE.end()).collect();
    let (pairs_needed, percent) = if middle.abs() <= *TOLERANCE.end() { ENOUGH } else { ENOUGH_FOR_OFFSET };
    if pairs.len() < pairs_needed || near.len() * 100 <= pairs.len() * percent {
        return None;
    }
    near.sort_unstable();
    let spread = 2 * near[near.len() * 9 / 10];
    Some((middle, spread.clamp(*TOLERANCE.start(), *TOLERANCE.end())))
}

/// Doubles in the making.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) records: HashSet<u64, FixedState>,
    /// By sensor those that end in `counted`.
    pub(super) counts: Vec<u64>,
    pub(super) counted: Range<i64>,
}

/// Adds the records that are doubles.
pub(super) fn find(seen: &mut [Seen], clocks: &Clocks, found: &mut Found) {
    let at = |one: &Seen, time: i64| time - clocks.offsets[usize::from(one.sensor)];
    seen.sort_unstable_by_key(|one| (one.key, at(one, one.start), one.sensor, one.end, one.record));
    for group in seen.chunk_by(|one, other| one.key == other.key) {
        let mut rest = group;
        while let Some(first) = rest.first() {
            let mut end = at(first, first.end);
            let more = rest.iter().take_while(|one| {
                let is_near = at(one, one.start) <= end.saturating_add(clocks.tolerance);
                if is_near {
                    end = end.max(at(one, one.end));
                }
                is_near
            });
            let (conversation, others) = rest.split_at(more.count());
            choose(conversation, found);
            rest = others;
        }
    }
}

fn choose(conversation: &[Seen], found: &mut Found) {
    if conversation.iter().all(|one| one.sensor == conversation[0].sensor) {
        return;
    }
    let mut packets: BTreeMap<u16, u64> = BTreeMap::new();
    for one in conversation {
        let sum = packets.entry(one.sensor).or_default();
        *sum = sum.saturating_add(one.packets);
    }
    let fullest = packets.iter().max_by_key(|(sensor, packets)| (**packets, std::cmp::Reverse(**sensor)));
    let Some((kept, _)) = fullest else { return };
    for one in conversation.iter().filter(|one| one.sensor != *kept) {
        found.records.insert(one.record);
        found.counts[usize::from(one.sensor)] += u64::from(found.counted.contains(&one.end));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::{Found, Seen, clocks, find};

    const SECOND: i64 = 1_000_000;

    fn seen(key: u64, sensor: u16, times: (i64, i64), packets: u64) -> Seen {
        let record = u64::from(sensor) << 32 | key << 16 | (times.0 / SECOND) as u64;
        Seen { key, record, start: times.0, end: times.1, packets, sensor }
    }

    /// The doubles by sensor and time in seconds.
    fn doubles(mut all: Vec<Seen>, sensors: usize) -> (Vec<i64>, BTreeSet<(u16, i64)>) {
        let clocks = clocks(&mut all, sensors);
        let counted = i64::MIN..i64::MAX;
        let mut found = Found { records: HashSet::default(), counts: vec![0; sensors], counted };
        find(&mut all, &clocks, &mut found);
        assert_eq!(found.counts.iter().sum::<u64>(), found.records.len() as u64);
        let doubles = all.iter().filter(|one| found.records.contains(&one.record));
        (clocks.offsets, doubles.map(|one| (one.sensor, one.start / SECOND)).collect())
    }

    #[test]
    fn the_fullest_record_counts() {
        let all = vec![
            seen(1, 0, (0, SECOND), 8),
            seen(1, 1, (0, SECOND), 9),
            seen(2, 0, (5 * SECOND, 6 * SECOND), 4),
            seen(2, 1, (5 * SECOND, 6 * SECOND), 4),
            // The same sensor saw the same ends twice, and another one neither.
            seen(3, 0, (0, SECOND), 1),
            seen(3, 0, (0, 2 * SECOND), 1),
            // Long after, it is another conversation.
            seen(4, 0, (0, SECOND), 1),
            seen(4, 1, (9 * SECOND, 9 * SECOND), 1),
        ];
        assert_eq!(doubles(all, 2).1, BTreeSet::from([(0, 0), (1, 5)]));
    }

    #[test]
    fn a_long_record_has_its_pieces_as_doubles() {
        let mut all = vec![seen(1, 0, (0, 300 * SECOND), 50)];
        all.extend((0..5).map(|piece| seen(1, 1, (piece * 60 * SECOND, (piece * 60 + 59) * SECOND), 9)));
        assert_eq!(doubles(all, 2).1, BTreeSet::from([0, 60, 120, 180, 240].map(|start| (1, start))));
    }

    #[test]
    fn clocks_are_set_right_first() {
        let mut all = Vec::new();
        for key in 0..60_u64 {
            let start = key as i64 * 10 * SECOND;
            all.push(seen(key, 0, (start, start + 1_000), 2));
            all.push(seen(key, 1, (start + 7 * SECOND + key as i64, start + 7 * SECOND + 1_000), 2));
            all.push(seen(key, 2, (start - 90 * SECOND, start - 90 * SECOND), 2));
        }
        let (offsets, doubles) = doubles(all, 3);
        assert!((7 * SECOND..7 * SECOND + 60).contains(&offsets[1]) && offsets[2] == -90 * SECOND, "{offsets:?}");
        assert_eq!(doubles.len(), 120);
        assert!(doubles.iter().all(|(sensor, _)| *sensor > 0));
    }

    #[test]
    fn few_flows_tell_nothing_of_clocks() {
        let all = vec![seen(1, 0, (0, SECOND), 1), seen(1, 1, (60 * SECOND, 61 * SECOND), 1)];
        assert_eq!(doubles(all, 2), (vec![0, 0], BTreeSet::new()));
    }
}
