//! Which flows are doubles: records of a conversation that another sensor saw more fully.
//!
//! Records of different sensors are of one conversation if they share both ends and the protocol, whichever end is taken for
//! the initiator (what Community ID, version 1, hashes), and overlap in time, by clocks that are set right by the difference
//! that most such pairs show. Of one conversation the records of that sensor count which saw the most packets; where several
//! saw as many, of the first by name. Where two sensors saw one end each, as where the ways to and fro differ, neither record is
//! fuller than the other: the initiator's counts, completed by the other.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use foldhash::fast::FixedState;

use super::clocks::Clocks;

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
    /// Absent where they are not known.
    pub(super) bytes: Option<u64>,
    /// The sensor's place among those of the slice, in order of name.
    pub(super) sensor: u16,
    /// The end whose packets alone were seen, if there is one.
    pub(super) alone: Option<Alone>,
}

/// An end whose packets alone were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alone {
    /// Whether the record has it for the initiator.
    pub(super) is_src: bool,
    /// Whether its port is the higher one, as an initiator's is.
    pub(super) has_higher_port: bool,
    /// Which of the two ends it is, by their hashes.
    pub(super) is_high: bool,
}

/// What another sensor saw of a conversation: the end that is missing from the record that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Half {
    pub(super) packets: u64,
    /// Absent where they are not known.
    pub(super) bytes: Option<u64>,
}

impl Half {
    fn add(&mut self, seen: &Seen) {
        self.packets = self.packets.saturating_add(seen.packets);
        self.bytes = self.bytes.into_iter().chain(seen.bytes).reduce(u64::saturating_add);
    }
}

/// Doubles in the making.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) records: HashSet<u64, FixedState>,
    /// What completes records that count.
    pub(super) halves: HashMap<u64, Half, FixedState>,
    /// By sensor those that end in `counted`.
    pub(super) counts: Vec<u64>,
    pub(super) counted: Range<i64>,
}

/// Adds the records that are doubles.
pub(super) fn find(seen: &mut [Seen], clocks: &Clocks, found: &mut Found) {
    // A record's end lies by the clock as it went when the record began.
    let at = |one: &Seen, time: i64| time.saturating_sub(clocks.offsets[usize::from(one.sensor)].at(one.start));
    seen.sort_unstable_by_key(|one| (one.key, at(one, one.start), one.sensor, one.end, one.record));
    for group in seen.chunk_by(|one, other| one.key == other.key) {
        let mut rest = group;
        while let Some(first) = rest.first() {
            // A record may have its times the wrong way round.
            let mut end = at(first, first.end.max(first.start));
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
    let fullest = packets.iter().max_by_key(|(sensor, packets)| (**packets, Reverse(**sensor)));
    let Some((fullest, _)) = fullest else { return };
    let kept = match halves(conversation) {
        Some([kept, other]) => {
            // As many pieces on either side are pairs; what is too many of one belongs to the last.
            for (place, half) in other.iter().enumerate() {
                let whole = kept[place.min(kept.len() - 1)];
                found.halves.entry(whole.record).or_default().add(half);
            }
            kept[0].sensor
        }
        None => *fullest,
    };
    for one in conversation.iter().filter(|one| one.sensor != kept) {
        found.records.insert(one.record);
        found.counts[usize::from(one.sensor)] += u64::from(found.counted.contains(&one.end));
    }
}

/// The records of the initiator's end and those of the other, if each of two sensors saw one end alone. Which is which, times
/// do not tell: the ways differ, and clocks were set right by records such as these.
fn halves(conversation: &[Seen]) -> Option<[Vec<&Seen>; 2]> {
    let sensor = conversation.iter().find(|one| one.alone.is_some())?.sensor;
    let (own, other): (Vec<&Seen>, Vec<&Seen>) = conversation.iter().partition(|one| one.sensor == sensor);
    let end = |of: &[&Seen]| {
        let (first, end) = (of.first()?, of.first()?.alone?);
        let is_same = |one: &&Seen| one.alone.is_some_and(|alone| alone.is_high == end.is_high);
        of.iter().all(|one| one.sensor == first.sensor && is_same(one)).then_some(end)
    };
    let (one, two) = (end(&own)?, end(&other)?);
    let initiates = |end: Alone| (end.is_src, end.has_higher_port);
    let records = if initiates(one) >= initiates(two) { [own, other] } else { [other, own] };
    (one.is_high != two.is_high).then_some(records)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap, HashSet};

    use super::{Alone, Found, Half, Seen, find};
    use crate::{
        catalog::doubles::clocks::{Clocks, clocks},
        time::SECOND,
    };

    fn seen(key: u64, sensor: u16, times: (i64, i64), packets: u64) -> Seen {
        let record = u64::from(sensor) << 32 | key << 16 | (times.0 / SECOND) as u64;
        Seen { key, record, start: times.0, end: times.1, packets, bytes: None, sensor, alone: None }
    }

    fn found(all: &mut [Seen], sensors: usize) -> Found {
        let clocks = clocks(all, sensors);
        let (records, halves, counts) = (HashSet::default(), HashMap::default(), vec![0; sensors]);
        let mut found = Found { records, halves, counts, counted: i64::MIN..i64::MAX };
        find(all, &clocks, &mut found);
        found
    }

    /// The doubles by sensor and time in seconds.
    fn doubles(mut all: Vec<Seen>, sensors: usize) -> (Clocks, BTreeSet<(u16, i64)>) {
        let clocks = clocks(&mut all, sensors);
        let found = found(&mut all, sensors);
        assert_eq!(found.counts.iter().sum::<u64>(), found.records.len() as u64);
        let doubles = all.iter().filter(|one| found.records.contains(&one.record));
        (clocks, doubles.map(|one| (one.sensor, one.start / SECOND)).collect())
    }

    #[test]
    fn times_that_are_wrong_end_nowhere_but_at_the_end() {
        let backwards = |sensor| seen(1, sensor, (900 * SECOND, 5 * SECOND), 8);
        assert_eq!(doubles(vec![backwards(0), backwards(1)], 2).1, BTreeSet::from([(1, 900)]));
        let far = |sensor, time: i64| seen(2, sensor, (time, time), 8);
        let mut all = vec![far(0, i64::MIN), far(1, i64::MAX), far(0, i64::MAX)];
        assert!(!found(&mut all, 2).records.is_empty());
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
    fn what_two_sensors_saw_of_one_end_each_is_put_together() {
        let end = |sensor, packets, is_high, is_src, has_higher_port| Seen {
            bytes: Some(packets * 100),
            alone: Some(Alone { is_src, has_higher_port, is_high }),
            ..seen(1, sensor, (0, SECOND), packets)
        };
        let check = |one: Seen, other: Seen, kept: Option<(u64, u64)>| {
            let found = found(&mut [one, other], 2);
            assert_eq!(found.records.len(), 1);
            let halves: Vec<_> = found.halves.iter().map(|(record, half)| (*record, *half)).collect();
            let expected = kept.map(|(record, packets)| (record, Half { packets, bytes: Some(packets * 100) }));
            assert_eq!(halves, Vec::from_iter(expected));
        };
        let (request, answer) = (end(0, 5, true, true, true), end(1, 9, false, false, false));
        check(request, answer, Some((request.record, 9)));
        // Where either sensor takes for the initiator what it saw, the port tells.
        let answer = end(1, 9, false, true, false);
        check(request, answer, Some((request.record, 9)));
        check(end(0, 5, true, true, false), end(1, 9, false, true, true), Some((answer.record, 5)));
        // The same end twice, or one record with both, is seen more or less fully.
        check(request, end(1, 4, true, true, true), None);
        check(request, Seen { alone: None, ..answer }, None);
        // One record and the pieces of the other direction.
        let piece = |second: i64| Seen { start: second * SECOND, record: 90 + second as u64, ..answer };
        let found = found(&mut [Seen { end: 9 * SECOND, ..request }, piece(0), piece(5), piece(8)], 2);
        assert_eq!(found.halves.get(&request.record), Some(&Half { packets: 27, bytes: Some(2_700) }));
        assert_eq!((found.halves.len(), found.records.len()), (1, 3));
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
        let (clocks, doubles) = doubles(all, 3);
        let offsets: Vec<i64> = clocks.offsets.iter().map(|offset| offset.at(0)).collect();
        assert!((7 * SECOND..7 * SECOND + 60).contains(&offsets[1]) && offsets[2] == -90 * SECOND, "{offsets:?}");
        assert_eq!(doubles.len(), 120);
        assert!(doubles.iter().all(|(sensor, _)| *sensor > 0));
    }

    #[test]
    fn a_clock_may_be_set_in_between() {
        let mut all = Vec::new();
        for key in 0..120_u64 {
            let start = key as i64 * 10 * SECOND;
            let ahead = if key < 60 { -40 * SECOND } else { 0 };
            all.push(seen(key, 0, (start, start + 1_000), 2));
            all.push(seen(key, 1, (start + ahead, start + ahead + 1_000), 2));
        }
        let doubles = doubles(all, 2).1;
        assert_eq!(doubles.len(), 120);
        assert!(doubles.iter().all(|(sensor, _)| *sensor == 1));
    }

    #[test]
    fn few_flows_tell_nothing_of_clocks() {
        let all = vec![seen(1, 0, (0, SECOND), 1), seen(1, 1, (60 * SECOND, 61 * SECOND), 1)];
        let (clocks, doubles) = doubles(all, 2);
        assert_eq!((clocks.offsets[1].known_at(0), doubles), (None, BTreeSet::new()));
    }
}
