//! How much a device sends.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Level, math};

use crate::service::Service;

/// Hours with payload that the usual volume remembers.
const MEMORY: u32 = 168;
/// Least standard deviation of the logarithm of a volume: a factor of 1.65.
const LEAST: f64 = 0.5;

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
                usual.learn(math::ln(*current as f64), MEMORY, LEAST);
                *current = 0;
            }
        }
    }

    /// Three standard deviations above the usual, in bytes an hour.
    pub(crate) fn most(&self) -> [f64; 2] {
        self.usual.map(|level| match level.values() {
            0 => 0.0,
            _ => math::exp(level.mean() + 3.0 * level.deviation().max(LEAST)),
        })
    }
}
