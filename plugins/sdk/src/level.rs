use serde::{Deserialize, Serialize};

use crate::math;

/// Standard deviations above the mean from which a value is suspicious.
const SUSPICIOUS: f64 = 3.0;
/// What a suspicious value weighs. Who raises a level by what is just bearable needs months in place of days.
const SUSPICIOUS_WEIGHT: f64 = 1.0 / 16.0;
/// A level is settled, so that values may be suspicious, from a fifth of its memory on: five days of four weeks.
const SETTLED_SHARE: u32 = 5;
/// Of hours a whole day is enough, however long the memory.
const SETTLED_AT_MOST: u32 = 24;

/// The usual level of a number and how much it varies, learned one value at a time, and following it as it drifts.
///
/// The first values count alike (Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products",
/// Technometrics 4, 1962); from `memory` values on the newest weighs 1 / `memory`, so that the level drifts with what it is
/// shown (exponentially weighted moving average and variance: Finch, "Incremental calculation of weighted mean and
/// variance", University of Cambridge, 2009). Once a fifth of `memory` is learned, or 24 values, a value more than three
/// standard deviations above the mean counts as one at three, and a sixteenth as much: a device that is misused must not
/// teach that this is how it is. A deviation below `least` counts as that, so this holds also where nothing ever varied,
/// and a trifle does not surprise.
///
/// Numbers that are multiplied rather than added to, such as bytes, are learned as logarithms.
///
/// ```
/// let mut level = wardflow_sdk::Level::default();
/// (0..100).for_each(|day| level.learn(f64::from(10 + day % 3), 28, 0.5));
/// assert!((level.mean() - 11.0).abs() < 0.2);
/// assert!(level.sigmas(11.0, 0.5) < 0.5 && level.sigmas(20.0, 0.5) > 8.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    values: u32,
    mean: f64,
    variance: f64,
}

impl Level {
    /// Learns a value; of the last `memory` ones or so, at least 2. What is not finite is left out. `least` is the least
    /// deviation, as in [`Level::sigmas`].
    pub fn learn(&mut self, value: f64, memory: u32, least: f64) {
        if !value.is_finite() {
            return;
        }
        let memory = memory.max(2);
        let bearable = self.mean + SUSPICIOUS * self.deviation().max(least);
        let is_settled = self.values >= (memory / SETTLED_SHARE).clamp(2, SETTLED_AT_MOST);
        let (value, weight) = match is_settled && value > bearable {
            true => (bearable, SUSPICIOUS_WEIGHT),
            false => (value, 1.0),
        };
        self.values = self.values.saturating_add(1);
        let rate = weight / f64::from(self.values.min(memory));
        let difference = value - self.mean;
        self.mean += rate * difference;
        self.variance = (1.0 - rate) * (self.variance + rate * difference * difference);
    }

    /// How many values were learned.
    pub const fn values(&self) -> u32 {
        self.values
    }

    /// The usual value; zero before the first.
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation; zero before the second value.
    pub fn deviation(&self) -> f64 {
        math::sqrt(self.variance)
    }

    /// How many standard deviations above the mean a value is, where a deviation below `least` counts as that.
    pub fn sigmas(&self, value: f64, least: f64) -> f64 {
        (value - self.mean) / self.deviation().max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    fn of(values: impl IntoIterator<Item = f64>) -> Level {
        let mut level = Level::default();
        values.into_iter().for_each(|value| level.learn(value, 28, 0.5));
        level
    }

    #[test]
    fn the_first_values_make_a_plain_mean_and_variance() {
        let mut level = Level::default();
        [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().for_each(|value| level.learn(value, 56, 0.5));
        assert!((level.mean() - 5.0).abs() < 1e-12 && (level.deviation() - 2.0).abs() < 1e-12, "{level:?}");
    }

    #[test]
    fn a_level_follows_a_drift() {
        let drifting = of((0..400).map(|day| 10.0 + f64::from(day) / 40.0 + f64::from(day % 3)));
        assert!((18.0..21.5).contains(&drifting.mean()), "{drifting:?}");
    }

    #[test]
    fn an_attacker_does_not_teach_it_quickly() {
        let mut level = of((0..56).map(|day| 10.0 + f64::from(day % 3)));
        let usual = level.mean();
        (0..28).for_each(|_| level.learn(1_000.0, 28, 0.5));
        assert!(level.mean() < usual + 3.0 && level.sigmas(1_000.0, 0.1) > 100.0, "{level:?}");
        level.learn(f64::NAN, 28, 0.5);
        assert!(level.mean().is_finite());
    }

    #[test]
    fn an_outlier_hardly_moves_what_never_varied() {
        let mut level = of([10.0; 5]);
        level.learn(1_000.0, 28, 0.5);
        assert!(level.mean() < 10.1 && level.sigmas(1_000.0, 0.5) > 1_000.0, "{level:?}");
        (0..28).for_each(|_| level.learn(1_000.0, 28, 0.5));
        assert!(level.mean() < 11.0 && level.sigmas(1_000.0, 0.5) > 500.0, "{level:?}");
    }

    #[test]
    fn what_never_varied_may_vary_a_little() {
        let mut level = of([10.0; 28]);
        (0..84).for_each(|_| level.learn(11.0, 28, 0.5));
        assert!(level.mean() > 10.9, "{level:?}");
    }
}
