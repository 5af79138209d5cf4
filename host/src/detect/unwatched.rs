//! Flows of devices that are in no plugin's scope: counted, for coverage, and not kept.

use std::sync::{Mutex, PoisonError};

use super::{Directory, SHARDS};

/// Flows by device, of a whole slice.
#[derive(Debug, Default)]
pub(super) struct Unwatched(Mutex<Vec<u64>>);

impl Unwatched {
    /// Adds devices, and how many flows of each.
    pub(super) fn add(&self, counts: &[(u32, u64)]) {
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (device, count) in counts {
            let device = *device as usize;
            if device >= flows.len() {
                flows.resize(device + 1, 0);
            }
            flows[device] += count;
        }
    }

    /// How many such devices have flows, and how many those are, by shard. A plugin that does not run may be for a device.
    pub(super) fn by_shard(&self, directory: &Directory, at: i64) -> Vec<(u64, u64)> {
        let flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = directory.read();
        let mut shards = vec![(0, 0); usize::from(SHARDS)];
        let seen = tables.devices.iter().zip(flows.iter()).filter(|(_, own)| **own > 0);
        for (device, own) in seen.filter(|(device, _)| !directory.has_plugin_for(&device.id, at)) {
            let (devices, flows) = &mut shards[usize::from(device.shard)];
            *devices += 1;
            *flows += own;
        }
        shards
    }
}
