//! The bootstrap: how much a figure would differ, were others like these observed.

use serde::Serialize;

/// Times that the units are drawn anew.
const RESAMPLES: usize = 2_000;

/// Nineteen in twenty of the drawn figures lie between these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The percentile interval at 95 % of a ratio of sums (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
/// chapter 13). What is drawn, with replacement, is whole units of numerator and denominator, such as a device with all of its
/// hours, since what one device does in one hour and the next is not independent. Absent where nothing was counted. All
/// chance comes from a fixed seed.
pub(super) fn interval(units: &[(f64, f64)]) -> Option<Interval> {
    if units.iter().all(|(_, of)| *of == 0.0) {
        return None;
    }
    let mut dice = Dice(0x5eed);
    let mut drawn: Vec<f64> =
        (0..RESAMPLES).filter_map(|_| ratio((0..units.len()).map(|_| units[dice.below(units.len())]))).collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| drawn[((drawn.len() - 1) as f64 * share).round() as usize];
    (!drawn.is_empty()).then(|| Interval { low: at(0.025), high: at(0.975) })
}

/// A ratio of sums; absent where nothing was counted.
pub(super) fn ratio(units: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let (hits, of) = units.into_iter().fold((0.0, 0.0), |(hits, of), unit| (hits + unit.0, of + unit.1));
    (of > 0.0).then(|| hits / of)
}

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, many: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(bits ^ (bits >> 31)) * many as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{interval, ratio};

    #[test]
    fn an_interval_is_that_of_a_share() {
        let units: Vec<_> = (0..100).map(|unit| (f64::from(u8::from(unit < 80)), 1.0)).collect();
        assert_eq!(ratio(units.iter().copied()), Some(0.8));
        let interval = interval(&units).unwrap();
        // The normal approximation: 0.8 ± 1.96 √(0.8 · 0.2 / 100).
        assert!((interval.low - 0.722).abs() < 0.015 && (interval.high - 0.878).abs() < 0.015, "{interval:?}");
    }

    #[test]
    fn nothing_counted_has_none() {
        assert_eq!((interval(&[]), interval(&[(0.0, 0.0)])), (None, None));
        let sure = interval(&[(1.0, 1.0), (1.0, 1.0)]).unwrap();
        assert_eq!((sure.low, sure.high), (1.0, 1.0));
    }
}
