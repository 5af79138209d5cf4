//! The rows of a shard in order: by device, and of one device as the contract orders its flows.

use std::ops::Range;

use super::{
    chunks::{CHUNK_ROWS, Chunks},
    layout::{Carried, Layout},
    slice_facts::SliceFacts,
};
use crate::detector::Values;

/// The rows of one device.
#[derive(Clone, Debug)]
pub(super) struct DeviceRows {
    pub(super) device: u32,
    pub(super) rows: Range<usize>,
    /// Runs of rows that end together. How they are ordered depends on what a plugin sees of them.
    pub(super) ties: Vec<Range<usize>>,
}

/// A shard's rows in order.
pub(super) struct Grouped {
    /// The devices that have rows, by id.
    pub(super) devices: Vec<DeviceRows>,
    /// Numbers of the rows, in order.
    pub(super) order: Vec<u32>,
    /// When each flow ended, in that order.
    pub(super) ends: Vec<i64>,
}

/// Orders a shard's rows by device id and end time: a counting sort by device; the rows of one device are sorted by time
/// only if they are out of order.
pub(super) fn group(chunks: &Chunks, layout: &Layout, facts: &SliceFacts) -> Grouped {
    let position = |carried| layout.position(carried).unwrap_or(usize::MAX);
    // Rows come in runs of one device: short ones, or, as `ingest` lays them out, long ones.
    let of_chunks = || (0_u32..).step_by(CHUNK_ROWS).zip(chunks.numbers(position(Carried::Device)));
    let mut counts = vec![0_u32; facts.device_count()];
    let mut present = Vec::new();
    for run in of_chunks().flat_map(|(_, devices)| devices.chunk_by(|a, b| a == b)) {
        let count = &mut counts[run[0] as usize];
        if *count == 0 {
            present.push(run[0]);
        }
        *count += run.len() as u32;
    }
    present.sort_unstable_by_key(|device| facts.rank(*device));

    let mut next = counts;
    let mut devices = Vec::with_capacity(present.len());
    let mut total = 0;
    for device in present {
        let count = std::mem::replace(&mut next[device as usize], total);
        devices.push(DeviceRows { device, rows: total as usize..(total + count) as usize, ties: Vec::new() });
        total += count;
    }
    let mut order = vec![0_u32; total as usize];
    for (first, devices) in of_chunks() {
        let mut row = first;
        for run in devices.chunk_by(|a, b| a == b) {
            let place = &mut next[run[0] as usize];
            for own in &mut order[*place as usize..*place as usize + run.len()] {
                *own = row;
                row += 1;
            }
            *place += run.len() as u32;
        }
    }
    let Values::I64(mut ends) = chunks.gather(position(Carried::End), &order) else {
        return Grouped { devices: Vec::new(), order: Vec::new(), ends: Vec::new() };
    };
    for device in &mut devices {
        let rows = device.rows.clone();
        sort(&mut order[rows.clone()], &mut ends[rows.clone()]);
        device.ties = ties(&ends[rows.clone()], rows.start);
    }
    Grouped { devices, order, ends }
}

/// Sorts a device's rows by their ends, if they are not in order; rows that end together stay as they stood.
///
/// Row groups follow each other in time, so rows come in runs that are in order and overlap with few rows before them:
/// each run is merged into those alone. Rows in no such order are sorted as usual.
fn sort(rows: &mut [u32], ends: &mut [i64]) {
    let mut kept = Vec::new();
    let mut moved = 0;
    let mut from = 0;
    for run in ends.chunk_by(|a, b| a <= b).map(<[i64]>::len).collect::<Vec<_>>() {
        let until = from + run;
        let overlap = ends[..from].partition_point(|end| *end <= ends[from]);
        if overlap < from {
            moved += until - overlap;
            if moved > MOST_MOVES * ends.len() {
                return sort_all(rows, ends);
            }
            merge(&mut rows[overlap..until], &mut ends[overlap..until], from - overlap, &mut kept);
        }
        from = until;
    }
}

fn sort_all(rows: &mut [u32], ends: &mut [i64]) {
    let mut pairs: Vec<_> = ends.iter().copied().zip(rows.iter().copied()).collect();
    pairs.sort_by_key(|(end, _)| *end);
    for ((end, row), pair) in ends.iter_mut().zip(rows).zip(pairs) {
        (*end, *row) = pair;
    }
}

/// Merges two runs that are in order, of which the second begins at `middle`. `kept` is overwritten.
fn merge(rows: &mut [u32], ends: &mut [i64], middle: usize, kept: &mut Vec<(i64, u32)>) {
    kept.clear();
    kept.extend(ends[..middle].iter().copied().zip(rows[..middle].iter().copied()));
    let (mut left, mut right) = (0, middle);
    for place in 0..ends.len() {
        // What is left of the second run stands where it belongs.
        let Some(&first) = kept.get(left) else { return };
        let second = if right < ends.len() { (ends[right], rows[right]) } else { (i64::MAX, 0) };
        // No branch: which of them comes next cannot be foretold.
        let is_second = right < ends.len() && second.0 < first.0;
        (ends[place], rows[place]) = if is_second { second } else { first };
        left += usize::from(!is_second);
        right += usize::from(is_second);
    }
}

/// Times that a row is merged, on average, before all are sorted at once.
const MOST_MOVES: usize = 4;

/// Runs of equal ends, counted from `first`.
fn ties(ends: &[i64], first: usize) -> Vec<Range<usize>> {
    let mut ties = Vec::new();
    let mut from = 0;
    while from + 1 < ends.len() {
        let mut until = from + 1;
        while until < ends.len() && ends[until] == ends[from] {
            until += 1;
        }
        if until - from > 1 {
            ties.push(first + from..first + until);
        }
        from = until;
    }
    ties
}

#[cfg(test)]
mod tests {
    use super::{sort, ties};

    fn check(given: &[i64]) {
        let mut ends = given.to_vec();
        let mut rows: Vec<_> = (0..given.len() as u32).collect();
        sort(&mut rows, &mut ends);
        let mut expected: Vec<_> = given.iter().copied().zip(0..).collect();
        expected.sort();
        assert_eq!(ends.into_iter().zip(rows).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn runs_that_overlap_are_merged_as_they_came() {
        check(&[]);
        check(&[3]);
        check(&[1, 2, 2, 3]);
        check(&[5, 4, 3, 3, 2, 1, 5]);
        check(&[1, 5, 9, 2, 5, 8, 10, 12, 11, 12, 13, 0]);
        check(&(0..1_000).map(|row| row * 7_919 % 1_009).collect::<Vec<_>>());
        check(&(0..1_000).map(|row| row / 100 * 50 + row % 100).collect::<Vec<_>>());
        check(&(0..1_000).rev().collect::<Vec<_>>());
    }

    #[test]
    fn ties_are_runs_of_equal_ends() {
        assert_eq!(ties(&[1, 1, 2, 3, 3, 3, 4], 10), [10..12, 13..16]);
        assert!(ties(&[], 0).is_empty());
    }
}
