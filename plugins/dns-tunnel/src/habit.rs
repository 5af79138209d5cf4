//! What the device's queries usually carry.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Level, math, surprise};

use crate::seen::Seen;

/// Bytes below which amounts are alike: of an hour, of a day.
const NOTHING: (f64, f64) = (1_000.0, 10_000.0);
/// Values that a level remembers: two weeks of hours, four weeks of days.
const MEMORY: (u32, u32) = (14 * 24, 28);
/// Days from which shares may be suspicious.
const SETTLED: u32 = 5;
/// Least standard deviation of the logarithm of an amount: a factor of 1.65.
const LEAST: f64 = 0.5;
/// Carried bytes in an hour before anything was learned; they vary by a factor of e.
const UNLEARNED: f64 = 3_000.0;
/// Least share of long queries that is usual, and how many queries must be learned to know better.
const LONG: (f64, f64) = (0.05, 200.0);
/// What the counts of queries keep of themselves each night.
const KEPT: f64 = 0.84;

/// What was learned of the queries.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Habit {
    hour: Level,
    day: Level,
    /// Carried bytes since midnight UTC.
    today: u64,
    /// Queries of earlier days, the older ones in part, and the long ones among them.
    queries: f64,
    long: f64,
    /// The same since midnight.
    queries_today: u64,
    long_today: u64,
}

impl Habit {
    /// Takes what a slice shows of a name server.
    pub(crate) fn take(&mut self, seen: &Seen) {
        self.today = self.today.saturating_add(seen.carried);
        self.queries_today = self.queries_today.saturating_add(seen.queries);
        self.long_today = self.long_today.saturating_add(seen.long);
    }

    /// Carried bytes since midnight.
    pub(crate) fn today(&self) -> u64 {
        self.today
    }

    /// Share of long queries that is usual.
    pub(crate) fn long_share(&self) -> f64 {
        let (least, queries) = LONG;
        ((self.long + least * queries) / (self.queries + queries)).clamp(least, 0.95)
    }

    /// Bits of what an hour carried, and the bytes that would be no surprise.
    pub(crate) fn of_hour(&self, carried: f64, is_learned: bool) -> (f64, f64) {
        let (mean, deviation) = match is_learned && self.hour.values() > 0 {
            true => yardstick(&self.hour),
            false => (math::ln(NOTHING.0 + UNLEARNED), 2.0 * LEAST),
        };
        let bits = surprise::of_deviation((math::ln(NOTHING.0 + carried) - mean) / deviation);
        (bits, (math::exp(mean + 2.0 * deviation) - NOTHING.0).max(0.0))
    }

    /// Bits of what the day has carried so far; zero before a day was learned.
    pub(crate) fn of_day(&self) -> f64 {
        if self.day.values() == 0 {
            return 0.0;
        }
        let (mean, deviation) = yardstick(&self.day);
        surprise::of_deviation((math::ln(NOTHING.1 + self.today as f64) - mean) / deviation)
    }

    pub(crate) fn learn_hours(&mut self, seen: &Seen) {
        for carried in seen.hours() {
            self.hour.learn(math::ln(NOTHING.0 + carried as f64), MEMORY.0, LEAST);
        }
    }

    /// Learns the day that ends, if there was a query in it. Of its long queries not more are learned than are usual
    /// five times over.
    pub(crate) fn end_day(&mut self) {
        if self.queries_today > 0 {
            self.day.learn(math::ln(NOTHING.1 + self.today as f64), MEMORY.1, LEAST);
        }
        let (queries, long) = (self.queries_today as f64, self.long_today as f64);
        let is_settled = self.day.values() > SETTLED;
        let most =
            if is_settled { (5.0 * self.long_share() * queries).min(self.queries.max(50.0) / 10.0) } else { long };
        self.long = (self.long + long.min(most)) * KEPT;
        self.queries = (self.queries + queries) * KEPT;
        (self.today, self.queries_today, self.long_today) = (0, 0, 0);
    }
}

/// Mean and deviation of a level, wider where little was learned.
fn yardstick(level: &Level) -> (f64, f64) {
    (level.mean(), level.deviation().max(LEAST) * (1.0 + 2.0 / f64::from(level.values().max(1))))
}
