//! What the devices of a batch see: flows, each as one of its ends sees it.
//!
//! Sightings of one device are put together, so that keeping them takes few copies. As `ingest` lays flows out they are
//! together as they came; then they stay so, and columns are copied in stretches.

use std::ops::Range;

use super::places::Places;

/// Sightings of a run or stretch, on average, from which it pays to take it as one.
const LONG: usize = 16;

/// A flow as one of its ends sees it: the flow's row, and in the lowest bit whether it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting(u32);

impl Sighting {
    pub(super) const fn new(row: usize, is_inbound: bool) -> Self {
        Self((row as u32) << 1 | is_inbound as u32)
    }

    const fn row(self) -> usize {
        (self.0 >> 1) as usize
    }

    const fn is_inbound(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether it is of the next row, seen from the same end.
    const fn follows(self, other: Self) -> bool {
        self.0 == other.0 + 2
    }
}

/// The sightings of a batch, those of one device in few runs.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    seen: Vec<Sighting>,
    /// The shard of each.
    shards: Vec<u8>,
    /// The sightings as rows that follow each other, if most of them do.
    stretches: Option<Vec<Stretch>>,
}

/// Rows that follow each other, seen from the same end.
#[derive(Debug)]
struct Stretch {
    rows: Range<usize>,
    is_inbound: bool,
}

impl Sightings {
    /// From what was found, a list an end: the place of the device, and what it sees. Lists are in order of rows.
    pub(super) fn new(found: [Vec<(u16, Sighting)>; 2], places: &Places) -> Self {
        let shard_of = places.shards();
        let mut all = Self::default();
        for found in found {
            let changes = found.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
            let found = if changes * LONG < found.len() { found } else { by_place(&found, shard_of.len()) };
            all.seen.extend(found.iter().map(|(_, seen)| *seen));
            all.shards.extend(found.iter().map(|(place, _)| shard_of[usize::from(*place)]));
        }
        let breaks = all.seen.windows(2).filter(|pair| !pair[1].follows(pair[0])).count();
        if breaks * LONG < all.seen.len() {
            let stretch = |run: &[Sighting]| Stretch {
                rows: run[0].row()..run[0].row() + run.len(),
                is_inbound: run[0].is_inbound(),
            };
            all.stretches = Some(all.seen.chunk_by(|a, b| b.follows(*a)).map(stretch).collect());
        }
        all
    }

    /// The shard of each sighting.
    pub(super) fn shards(&self) -> &[u8] {
        &self.shards
    }

    /// What each sighting shows of its flow, whichever its end.
    pub(super) fn each<T: Copy>(&self, column: &[T]) -> Vec<T> {
        self.pick(column, column)
    }

    /// What each sighting shows of its flow: one column for the initiator, another for the responder.
    pub(super) fn pick<T: Copy>(&self, initiator: &[T], responder: &[T]) -> Vec<T> {
        let column = |is_inbound| if is_inbound { responder } else { initiator };
        match &self.stretches {
            None => self.seen.iter().map(|seen| column(seen.is_inbound())[seen.row()]).collect(),
            Some(stretches) => {
                let mut picked = Vec::with_capacity(self.seen.len());
                for Stretch { rows, is_inbound } in stretches {
                    picked.extend_from_slice(&column(*is_inbound)[rows.clone()]);
                }
                picked
            }
        }
    }
}

/// Puts them in the order of their places, those of one place as they stood: a counting sort.
fn by_place(found: &[(u16, Sighting)], places: usize) -> Vec<(u16, Sighting)> {
    let mut next = vec![0_usize; places + 1];
    found.iter().for_each(|(place, _)| next[usize::from(*place) + 1] += 1);
    for place in 1..next.len() {
        next[place] += next[place - 1];
    }
    let mut sorted = vec![(0, Sighting(0)); found.len()];
    for &(place, seen) in found {
        let next = &mut next[usize::from(place)];
        sorted[*next] = (place, seen);
        *next += 1;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::{Sighting, Sightings, by_place};
    use crate::detect::places::Places;

    /// Columns come out as the sightings say, whether they are copied in stretches or row by row.
    fn check(outbound: &[(u16, usize)], inbound: &[(u16, usize)], has_stretches: bool, expected: &[i32]) {
        let list = |end: &[(u16, usize)], is_inbound| -> Vec<_> {
            end.iter().map(|(place, row)| (*place, Sighting::new(*row, is_inbound))).collect()
        };
        let sightings = Sightings::new([list(outbound, false), list(inbound, true)], &Places::of_shards(&[3, 9]));
        assert_eq!(sightings.stretches.is_some(), has_stretches);
        let (initiator, responder): (Vec<_>, Vec<_>) = (0..100).map(|row| (row, -row)).unzip();
        assert_eq!(sightings.pick(&initiator, &responder), expected);
        assert_eq!(sightings.each(&initiator), expected.iter().map(|row| row.abs()).collect::<Vec<_>>());
        assert_eq!(sightings.shards().len(), expected.len());
    }

    #[test]
    fn long_runs_stay_and_others_are_put_together() {
        let run = |place, rows: std::ops::Range<usize>| rows.map(move |row| (place, row));
        let scattered = [(1, 1), (0, 2), (1, 3), (0, 9)];
        check(&[], &[], false, &[]);
        check(&scattered, &[(1, 4)], false, &[2, 9, 1, 3, -4]);
        let long: Vec<_> = run(1, 0..40).chain(run(0, 40..80)).collect();
        check(&long, &[], true, &(0..80).collect::<Vec<_>>());
        let both: Vec<_> = (0..80).chain((50..90).map(|row| -row)).collect();
        check(&long, &run(0, 50..90).collect::<Vec<_>>(), true, &both);
        let behind: Vec<_> = (0..80).chain([-9, -1, -3]).collect();
        check(&long, &[(1, 1), (1, 3), (0, 9)], true, &behind);
    }

    #[test]
    fn shards_are_those_of_the_places() {
        let found = vec![(1, Sighting::new(0, false)), (0, Sighting::new(1, false))];
        assert_eq!(by_place(&found, 2), [found[1], found[0]]);
        assert_eq!(Sightings::new([found, Vec::new()], &Places::of_shards(&[3, 9])).shards(), [3, 9]);
    }
}
