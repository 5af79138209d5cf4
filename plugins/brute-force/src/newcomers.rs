//! Peers that the device tries for the first time, and how many of them are usual.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, DAY, MINUTE};

use crate::login::Service;

/// Peers and services whose coming is remembered.
pub(crate) const REMEMBERED: usize = 64;
/// Days that the habit remembers.
const MEMORY: f64 = 56.0;

/// How many come on a day.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Newcomers {
    days: f64,
    total: f64,
    day: i64,
    today: u32,
    yesterday: u32,
    /// When the latest of them came, in minutes.
    pub(crate) latest: Bounded<(u64, Service), i64, REMEMBERED>,
}

impl Newcomers {
    pub(crate) fn count(&mut self, key: (u64, Service), time: i64) {
        let day = time.div_euclid(DAY);
        if self.day == 0 {
            self.day = day;
        }
        // A day is learned one day late, so that who goes on over midnight is not judged by himself.
        for _ in 0..(day - self.day).clamp(0, MEMORY as i64) {
            self.days += 1.0;
            self.total += f64::from(std::mem::replace(&mut self.yesterday, std::mem::take(&mut self.today)));
            if self.days >= MEMORY {
                (self.days, self.total) = (self.days / 2.0, self.total / 2.0);
            }
        }
        self.day = day.max(self.day);
        self.today += 1;
        self.latest.touch(key, time.div_euclid(MINUTE), || time.div_euclid(MINUTE));
    }

    /// New peers on an ordinary day, one at least.
    pub(crate) fn usual(&self) -> f64 {
        ((self.total + 0.5) / (self.days + 1.0)).max(1.0)
    }
}
