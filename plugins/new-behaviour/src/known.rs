//! The peers and services that a device has.

use std::hash::Hash;

use serde::{Deserialize, Serialize};
use wardflow_sdk::Bounded;

/// Minutes for which something new stays new, so that what it does next counts as well.
const FRESH: i64 = 24 * 60;

/// When the device met something, and what that was to it then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Met {
    /// Minutes since 1970.
    since: i64,
    /// Distinct hours in which it was seen while it was new.
    pub(crate) hours: u8,
    last_hour: u8,
    /// Surprise of meeting it, in bits; zero for what is not judged.
    pub(crate) bits: u8,
    /// Whether the device was still being learned, so that its class alone judges.
    pub(crate) is_young: bool,
}

impl Met {
    pub(crate) fn new(minute: i64, bits: f64, is_young: bool) -> Self {
        let last_hour = (minute / 60).rem_euclid(24) as u8;
        Self { since: minute, hours: 1, last_hour, bits: bits as u8, is_young }
    }

    fn see(&mut self, minute: i64) {
        let hour = (minute / 60).rem_euclid(24) as u8;
        if hour != self.last_hour {
            (self.hours, self.last_hour) = (self.hours.saturating_add(1), hour);
        }
    }

    /// Whether it is to be reported.
    fn is_new(&self, minute: i64) -> bool {
        self.bits > 0 && minute - self.since < FRESH
    }
}

/// What is known, whether it still counts as new.
pub(crate) fn see<K: Ord + Hash + Clone, const N: usize>(
    known: &mut Bounded<K, Met, N>,
    key: &K,
    minute: i64,
) -> Option<Option<Met>> {
    let met = known.touch_known(key, minute)?;
    let is_new = met.is_new(minute);
    if is_new {
        met.see(minute);
    }
    Some(is_new.then_some(*met))
}
