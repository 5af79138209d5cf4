//! The bootstrap: how much a figure would differ, were others like these observed.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Times that the units are drawn anew.
const RESAMPLES: usize = 2_000;

/// Units that tell how much they vary.
const LEAST: usize = 5;

/// Standard deviations of a normal distribution that hold 95 % of it.
const Z: f64 = 1.959_964;

/// Nineteen in twenty of the drawn figures lie between these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The percentile interval at 95 % of a ratio of sums (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
/// chapter 13). What is drawn, with replacement, is whole units of numerator and denominator, such as a device with all of its
/// hours, since what one device does in one hour and the next is not independent. All chance comes from a fixed seed.
///
/// Where all or none of the units are hits, nothing varies, and drawing would tell of certainty: of shares it is Wilson's
/// interval of so many units ("Probable inference, the law of succession, and statistical inference", Journal of the American
/// Statistical Association 22, 1927), of rates the rule of three. Absent where nothing was counted, and for fewer than five
/// units that vary.
pub(super) fn interval(units: &[(f64, f64)], kind: Kind) -> Option<Interval> {
    let counted: Vec<_> = units.iter().copied().filter(|(_, of)| *of > 0.0).collect();
    let all = ratio(counted.iter().copied())?;
    let number = counted.len() as f64;
    match kind {
        Kind::Rate if all == 0.0 => {
            let of: f64 = counted.iter().map(|(_, of)| of).sum();
            return Some(Interval { low: 0.0, high: 3.0 / of });
        }
        Kind::Share if all == 0.0 => return Some(Interval { low: 0.0, high: Z * Z / (number + Z * Z) }),
        Kind::Share if all == 1.0 => return Some(Interval { low: number / (number + Z * Z), high: 1.0 }),
        _ if counted.len() < LEAST => return None,
        _ => {}
    }
    let mut chance = ChaCha8Rng::seed_from_u64(0x5eed);
    let mut draw = || ratio((0..counted.len()).map(|_| counted[chance.random_range(0..counted.len())]));
    let mut drawn: Vec<f64> = (0..RESAMPLES).filter_map(|_| draw()).collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| drawn[((drawn.len() - 1) as f64 * share).round() as usize];
    (!drawn.is_empty()).then(|| Interval { low: at(0.025), high: at(0.975) })
}

/// What a ratio is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of its units, from 0 to 1.
    Share,
    /// Of events a unit.
    Rate,
}

/// A ratio of sums; absent where nothing was counted.
pub(super) fn ratio(units: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let (hits, of) = units.into_iter().fold((0.0, 0.0), |(hits, of), unit| (hits + unit.0, of + unit.1));
    (of > 0.0).then(|| hits / of)
}

#[cfg(test)]
mod tests {
    use super::{Kind, interval, ratio};

    #[test]
    fn an_interval_is_that_of_a_share() {
        let units: Vec<_> = (0..100).map(|unit| (f64::from(u8::from(unit < 80)), 1.0)).collect();
        assert_eq!(ratio(units.iter().copied()), Some(0.8));
        let interval = interval(&units, Kind::Share).unwrap();
        // The normal approximation: 0.8 ± 1.96 √(0.8 · 0.2 / 100).
        assert!((interval.low - 0.722).abs() < 0.015 && (interval.high - 0.878).abs() < 0.015, "{interval:?}");
    }

    #[test]
    fn nothing_counted_has_none_and_certainty_is_never_claimed() {
        assert_eq!((interval(&[], Kind::Share), interval(&[(0.0, 0.0)], Kind::Rate)), (None, None));
        assert_eq!(interval(&[(1.0, 2.0), (0.0, 1.0)], Kind::Share), None, "too few");
        let check = |units: &[(f64, f64)], kind, low: f64, high: f64| {
            let interval = interval(units, kind).unwrap();
            assert!((interval.low - low).abs() < 1e-3 && (interval.high - high).abs() < 1e-3, "{interval:?}");
        };
        // Wilson's interval of 20 of 20 and of none of 11; no event in 300 device-days.
        check(&[(1.0, 1.0); 20], Kind::Share, 0.839, 1.0);
        check(&[(0.0, 1.0); 11], Kind::Share, 0.0, 0.259);
        check(&[(0.0, 100.0); 3], Kind::Rate, 0.0, 0.01);
    }
}
