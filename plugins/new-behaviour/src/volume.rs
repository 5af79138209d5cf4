//! How much a device sends.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Level, math};

use crate::service::Service;

/// Hours with payload that the usual volume remembers.
const MEMORY: u32 = 168;

/// Payload that the device sends an hour, inside and outside of the hospital, as logarithms.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Volume {
    usual: [Level; 2],
    current: [u64; 2],
}

impl Volume {
    /// Adds payload, in bytes.
    pub(crate) fn add(&mut self, service: Service, sent: u64) {
        let current = &mut self.current[usize::from(service.is_external)];
        *current = current.saturating_add(sent);
    }

    /// Ends an hour with traffic.
    pub(crate) fn close(&mut self) {
        for (usual, current) in self.usual.iter_mut().zip(&mut self.current) {
            if *current > 0 {
                usual.learn(math::ln(*current as f64), MEMORY);
                *current = 0;
            }
        }
    }

    /// Three standard deviations above the usual, the latter at least a factor of e^0.5, in bytes an hour.
    pub(crate) fn most(&self) -> [f64; 2] {
        self.usual.map(|level| match level.values() {
            0 => 0.0,
            _ => math::exp(level.mean() + 3.0 * level.deviation().max(0.5)),
        })
    }
}
