//! Connected time, and how much of it is usual.

use wardflow_sdk::{Level, MINUTE, math, surprise};

/// Times below this are alike.
const NOTHING: f64 = MINUTE as f64;
/// Least standard deviation of the logarithm of a time: a factor of e.
const LEAST: f64 = 1.0;
/// Days that a level remembers.
const MEMORY: u32 = 28;

/// What times are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yardstick {
    mean: f64,
    deviation: f64,
}

impl Yardstick {
    /// Before anything was learned: ln of eleven minutes, in microseconds.
    pub(crate) const UNLEARNED: Self = Self { mean: 20.307_750_392_984_744, deviation: LEAST };

    pub(crate) fn of(level: &Level) -> Self {
        match f64::from(level.values()) {
            ..1.0 => Self::UNLEARNED,
            days => Self { mean: level.mean(), deviation: level.deviation().max(LEAST) * (1.0 + 2.0 / days) },
        }
    }

    /// Bits of a time, in microseconds.
    pub(crate) fn bits(self, time: f64) -> f64 {
        surprise::of_deviation((log(time) - self.mean) / self.deviation)
    }

    /// What would have been no surprise: two deviations above the mean, in microseconds.
    pub(crate) fn usual(self) -> f64 {
        (math::exp(self.mean + 2.0 * self.deviation) - NOTHING).max(0.0)
    }
}

/// Teaches a level the longest time of a day, in microseconds.
pub(crate) fn teach(level: &mut Level, time: f64) {
    level.learn(log(time), MEMORY, LEAST);
}

fn log(time: f64) -> f64 {
    math::ln(NOTHING + time)
}

#[cfg(test)]
mod tests {
    use super::{Yardstick, log};
    use wardflow_sdk::MINUTE;

    #[test]
    fn ten_minutes_are_usual_before_anything_was_learned() {
        assert!((Yardstick::UNLEARNED.mean - log(10.0 * MINUTE as f64)).abs() < 1e-9, "{}", log(10.0 * MINUTE as f64));
    }
}
