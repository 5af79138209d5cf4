//! The rows of a shard in order: by device, and of one device as the contract orders its flows.

use std::ops::Range;

use super::{
    chunks::Chunks,
    layout::{Carried, Layout},
    resolve::NONE,
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
    let of_rows = || chunks.numbers(position(Carried::Device));
    let mut counts = vec![0_u32; facts.device_count()];
    let mut present = Vec::new();
    for device in of_rows().filter(|device| *device != NONE) {
        let count = &mut counts[device as usize];
        if *count == 0 {
            present.push(device);
        }
        *count += 1;
    }
    present.sort_unstable_by(|a, b| facts.id(*a).cmp(facts.id(*b)));

    let mut next = counts;
    let mut devices = Vec::with_capacity(present.len());
    let mut total = 0;
    for device in present {
        let count = std::mem::replace(&mut next[device as usize], total);
        devices.push(DeviceRows { device, rows: total as usize..(total + count) as usize, ties: Vec::new() });
        total += count;
    }
    let mut order = vec![0_u32; total as usize];
    for (row, device) in (0_u32..).zip(of_rows()) {
        if device != NONE {
            let place = &mut next[device as usize];
            order[*place as usize] = row;
            *place += 1;
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

/// Sorts a device's rows by their ends, if they are not in order. They come in a few runs that are, which a stable sort
/// merges.
fn sort(rows: &mut [u32], ends: &mut [i64]) {
    if ends.is_sorted() {
        return;
    }
    let mut pairs: Vec<_> = ends.iter().copied().zip(rows.iter().copied()).collect();
    pairs.sort_by_key(|(end, _)| *end);
    for (place, (end, row)) in pairs.into_iter().enumerate() {
        (ends[place], rows[place]) = (end, row);
    }
}

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
