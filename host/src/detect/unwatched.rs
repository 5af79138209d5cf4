//! Flows of devices that are in no plugin's scope: counted, for coverage, and not kept.

use std::sync::{Mutex, PoisonError};

/// Flows by device, of a whole slice.
#[derive(Debug, Default)]
pub(super) struct Unwatched(Mutex<Vec<u64>>);

impl Unwatched {
    /// Adds a flow for each of these devices.
    pub(super) fn add(&self, devices: &[u32]) {
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for device in devices {
            let device = *device as usize;
            if device >= flows.len() {
                flows.resize(device + 1, 0);
            }
            flows[device] += 1;
        }
    }

    /// The devices that have flows, and how many.
    pub(super) fn devices(&self) -> Vec<(u32, u64)> {
        let flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (0..).zip(flows.iter().copied()).filter(|(_, flows)| *flows > 0).collect()
    }
}
