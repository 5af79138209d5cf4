//! The rows of a shard in order: by device, and of one device by the ends of its flows.

use std::ops::Range;

use super::{
    chunks::{CHUNK_ROWS, Chunks},
    layout::{Carried, Layout},
    slice_facts::SliceFacts,
};

/// The rows of one device.
#[derive(Clone, Debug)]
pub(super) struct DeviceRows {
    pub(super) device: u32,
    pub(super) rows: Range<usize>,
}

/// A shard's rows in order.
pub(super) struct Grouped {
    /// The devices that have rows, by id.
    pub(super) devices: Vec<DeviceRows>,
    /// Numbers of the rows, in order.
    pub(super) order: Vec<u32>,
}

/// Bytes a row that [`group`] takes, besides what it gives back of the rows.
pub(super) const BYTES_OF_A_ROW: usize = size_of::<u32>();

/// Orders a shard's rows by device id and end time: a counting sort by device; the rows of one device are sorted by time
/// only if they are out of order. Whose they are is then known by their places, so that sorting takes the room of it.
pub(super) fn group(chunks: &mut Chunks, layout: &Layout, facts: &SliceFacts) -> Grouped {
    let position = |carried| layout.position(carried).unwrap_or(usize::MAX);
    let of_device = position(Carried::Device);
    // Rows come in runs of one device: short ones, or, as `ingest` lays them out, long ones.
    let of_chunks = || (0_u32..).step_by(CHUNK_ROWS).zip(chunks.numbers(of_device));
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
        devices.push(DeviceRows { device, rows: total as usize..(total + count) as usize });
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
    chunks.forget(of_device);
    let of_end = position(Carried::End);
    for device in &devices {
        sort(&mut order[device.rows.clone()], |row| chunks.time(of_end, row));
    }
    Grouped { devices, order }
}

/// Sorts a device's rows by their ends, if they are not in order; rows that end together stay as they stood.
///
/// Row groups follow each other in time, so rows come in runs that are in order and overlap with few rows before them:
/// each run is merged into those alone. Rows in no such order are sorted as usual.
fn sort(rows: &mut [u32], end: impl Fn(u32) -> i64) {
    let mut kept = Vec::new();
    let mut moved = 0;
    let mut from = 0;
    while from < rows.len() {
        let until = from + run(&rows[from..], &end);
        let first = end(rows[from]);
        let overlap = match from.checked_sub(1) {
            Some(last) if end(rows[last]) > first => rows[..from].partition_point(|row| end(*row) <= first),
            _ => from,
        };
        if overlap < from {
            moved += until - overlap;
            if moved > MOST_MOVES * rows.len() {
                return rows.sort_by_key(|row| end(*row));
            }
            merge(&mut rows[overlap..until], from - overlap, &end, &mut kept);
        }
        from = until;
    }
}

/// How many rows from the first on are in order.
fn run(rows: &[u32], end: impl Fn(u32) -> i64) -> usize {
    let mut last = i64::MIN;
    let mut ends = rows.iter().map(|row| end(*row));
    ends.position(|end| end < std::mem::replace(&mut last, end)).unwrap_or(rows.len())
}

/// Merges two runs that are in order, of which the second begins at `middle`. `kept` is overwritten.
fn merge(rows: &mut [u32], middle: usize, end: impl Fn(u32) -> i64, kept: &mut Vec<u32>) {
    kept.clear();
    kept.extend_from_slice(&rows[..middle]);
    let (mut left, mut right) = (0, middle);
    for place in 0..rows.len() {
        // What is left of the second run stands where it belongs.
        let Some(&first) = kept.get(left) else { return };
        let second = rows.get(right).copied().unwrap_or(first);
        // No branch: which of them comes next cannot be foretold.
        let is_second = end(second) < end(first);
        rows[place] = if is_second { second } else { first };
        left += usize::from(!is_second);
        right += usize::from(is_second);
    }
}

/// Times that a row is merged, on average, before all are sorted at once.
const MOST_MOVES: usize = 4;

#[cfg(test)]
mod tests {
    use super::sort;

    fn check(ends: &[i64]) {
        let mut rows: Vec<_> = (0..ends.len() as u32).collect();
        sort(&mut rows, |row| ends[row as usize]);
        let mut expected: Vec<_> = (0..ends.len() as u32).collect();
        expected.sort_by_key(|row| ends[*row as usize]);
        assert_eq!(rows, expected);
    }

    #[test]
    fn runs_that_overlap_are_merged_as_they_came() {
        check(&[]);
        check(&[3]);
        check(&[1, 2, 2, 3]);
        check(&[5, 4, 3, 3, 2, 1, 5]);
        check(&[i64::MIN, i64::MAX, i64::MIN]);
        check(&[1, 5, 9, 2, 5, 8, 10, 12, 11, 12, 13, 0]);
        check(&(0..1_000).map(|row| row * 7_919 % 1_009).collect::<Vec<_>>());
        check(&(0..1_000).map(|row| row / 100 * 50 + row % 100).collect::<Vec<_>>());
        check(&(0..1_000).rev().collect::<Vec<_>>());
    }
}
