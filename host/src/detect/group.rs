//! The rows of a shard in order: by device, and of one device as the contract orders its flows.

use std::{cmp::Ordering, ops::Range};

use super::{
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
    /// Runs of rows that nothing but a plugin's own columns can tell apart.
    pub(super) ties: Vec<Range<usize>>,
}

/// Orders a shard's rows: by device id, then end, start, peer, ports and protocol. A counting sort by device; the rows of
/// one device are sorted by time only if they are out of order, and further only where times are equal.
pub(super) fn group(columns: &[Values], layout: &Layout, facts: &SliceFacts) -> (Vec<u32>, Vec<DeviceRows>) {
    let keys = Keys::new(columns, layout, facts);
    let mut counts = vec![0_u32; facts.device_count()];
    let mut present = Vec::new();
    for device in keys.devices.iter().filter(|device| **device != NONE) {
        let count = &mut counts[*device as usize];
        if *count == 0 {
            present.push(*device);
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
    for (row, device) in (0_u32..).zip(keys.devices) {
        if *device != NONE {
            let place = &mut next[*device as usize];
            order[*place as usize] = row;
            *place += 1;
        }
    }
    for device in &mut devices {
        device.ties = keys.sort(&mut order[device.rows.clone()], device.rows.start);
    }
    (order, devices)
}

/// What orders a device's flows, before the plugin's own columns.
struct Keys<'a> {
    devices: &'a [u32],
    end: &'a [i64],
    start: &'a [i64],
    peer: &'a [u32],
    peer_device: &'a [u32],
    local_port: &'a [u16],
    peer_port: &'a [u16],
    protocol: &'a [u8],
    facts: &'a SliceFacts,
}

impl<'a> Keys<'a> {
    fn new(columns: &'a [Values], layout: &Layout, facts: &'a SliceFacts) -> Self {
        let column = |carried| layout.position(carried).and_then(|position| columns.get(position));
        Self {
            devices: column(Carried::Device).and_then(Values::as_u32).unwrap_or_default(),
            end: column(Carried::End).and_then(Values::as_i64).unwrap_or_default(),
            start: column(Carried::Start).and_then(Values::as_i64).unwrap_or_default(),
            peer: column(Carried::Peer).and_then(Values::as_u32).unwrap_or_default(),
            peer_device: column(Carried::PeerDevice).and_then(Values::as_u32).unwrap_or_default(),
            local_port: column(Carried::LocalPort).and_then(Values::as_u16).unwrap_or_default(),
            peer_port: column(Carried::PeerPort).and_then(Values::as_u16).unwrap_or_default(),
            protocol: column(Carried::Protocol).and_then(Values::as_u8).unwrap_or_default(),
            facts,
        }
    }

    /// Sorts the rows of a device. Returns the runs of rows that compare equal, counted from `first`.
    fn sort(&self, rows: &mut [u32], first: usize) -> Vec<Range<usize>> {
        let end = |row: &u32| self.end[*row as usize];
        if !rows.is_sorted_by_key(end) {
            // Rows come in a few runs that are in order, which a stable sort merges.
            rows.sort_by_key(end);
        }
        let mut ties = Vec::new();
        let mut from = 0;
        for simultaneous in rows.chunk_by_mut(|a, b| end(a) == end(b)) {
            if simultaneous.len() > 1 {
                simultaneous.sort_unstable_by(|a, b| self.compare_simultaneous(*a, *b));
                let mut at = first + from;
                for same in simultaneous.chunk_by(|a, b| self.compare_simultaneous(*a, *b).is_eq()) {
                    if same.len() > 1 {
                        ties.push(at..at + same.len());
                    }
                    at += same.len();
                }
            }
            from += simultaneous.len();
        }
        ties
    }

    fn compare_simultaneous(&self, a: u32, b: u32) -> Ordering {
        let (a, b) = (a as usize, b as usize);
        let pseudonym = |row: usize| self.facts.peer(self.peer[row], self.peer_device[row]).pseudonym;
        let ports = |row: usize| (self.local_port[row], self.peer_port[row], self.protocol[row]);
        self.start[a]
            .cmp(&self.start[b])
            .then_with(|| pseudonym(a).cmp(&pseudonym(b)))
            .then_with(|| ports(a).cmp(&ports(b)))
    }
}
