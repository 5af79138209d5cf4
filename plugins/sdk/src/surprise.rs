//! How unusual a number is, in bits, and the score that this makes: what makes scores of different detectors comparable.
//!
//! A surprise of `b` bits is a number that an ordinary device shows once in 2^`b` times at most, whatever was counted to
//! tell. Counts, shares and amounts that are judged by their own yardsticks come to one scale by this, and a sum over
//! independent signs is the surprise of all of them.
//!
//! The tails of distributions are taken by Chernoff's bound ("A measure of asymptotic efficiency for tests of a hypothesis
//! based on the sum of observations", Annals of Mathematical Statistics 23, 1952), which is never too small a probability.
//!
//! Who looks at many things finds the unusual: of `n` peers that were looked at, one is as unusual as one in `n`. Take
//! `log2(n)` off where that matters.

use std::f64::consts::{LN_2, LOG2_E};

use crate::math;

/// The bits that make a score of one half: one in a million.
pub const HALF: f64 = 20.0;

/// The score of a surprise: `b / (b + 20)`, so that one in a million scores 0.5, one in 10^9 0.6, one in 10^18 0.75.
/// Zero for what is no surprise.
///
/// ```
/// use wardflow_sdk::surprise;
/// assert_eq!(surprise::score(20.0), 0.5);
/// assert_eq!(surprise::score(-3.0), 0.0);
/// assert!(surprise::score(f64::INFINITY) == 1.0);
/// ```
pub fn score(bits: f64) -> f64 {
    match bits {
        f64::INFINITY => 1.0,
        bits if bits > 0.0 => bits / (bits + HALF),
        _ => 0.0,
    }
}

/// Bits of a count of events that come independently (Poisson), where `expected` would have been usual; zero for no more
/// than that. Infinite for an event that is never expected.
pub fn of_count(count: f64, expected: f64) -> f64 {
    if count <= expected {
        return 0.0;
    }
    (count * math::ln(count / expected) - (count - expected)) * LOG2_E
}

/// Bits of a share of independent trials (binomial), `hits` of `trials` where the share `usual` would have been; zero for
/// no more than that.
pub fn of_share(hits: f64, trials: f64, usual: f64) -> f64 {
    if trials <= 0.0 || hits <= trials * usual {
        return 0.0;
    }
    let share = (hits / trials).min(1.0);
    let part = |share: f64, usual: f64| if share > 0.0 { share * math::log2(share / usual) } else { 0.0 };
    trials * (part(share, usual) + part(1.0 - share, 1.0 - usual))
}

/// Bits of a value so many standard deviations above the mean (normal); zero for one below it.
pub fn of_deviation(sigmas: f64) -> f64 {
    if sigmas > 0.0 { sigmas * sigmas / 2.0 / LN_2 } else { 0.0 }
}

/// Bits of something that was never seen in `looks` chances to see it: by Laplace's rule of succession ("Essai
/// philosophique sur les probabilités", 1814) it has a probability of 1 / (`looks` + 2).
pub fn of_novelty(looks: f64) -> f64 {
    math::log2(looks.max(0.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::{of_count, of_deviation, of_novelty, of_share};

    /// That a bound in bits is at least as probable as the tail, and within so many bits of it.
    #[track_caller]
    fn check(bits: f64, tail: f64, within: f64) {
        let exact = -tail.log2();
        assert!(bits <= exact + 1e-9 && bits > exact - within, "{bits} bits, exactly {exact}");
    }

    #[test]
    fn tails_are_never_less_probable_than_said() {
        let poisson = |count: u32, mean: f64| {
            let term = |k: u32| (1..=k).fold((-mean).exp(), |term, k| term * mean / f64::from(k));
            (count..count + 200).map(term).sum::<f64>()
        };
        check(of_count(10.0, 2.0), poisson(10, 2.0), 4.0);
        check(of_count(40.0, 20.0), poisson(40, 20.0), 4.0);
        let binomial = |hits: u32, trials: u32, usual: f64| {
            let choose = |k: u32| (0..k).fold(1.0, |all, i| all * f64::from(trials - i) / f64::from(i + 1));
            let term = |k: u32| choose(k) * usual.powi(k as i32) * (1.0 - usual).powi((trials - k) as i32);
            (hits..=trials).map(term).sum::<f64>()
        };
        check(of_share(9.0, 10.0, 0.2), binomial(9, 10, 0.2), 4.0);
        check(of_share(10.0, 10.0, 0.2), 0.2_f64.powi(10), 1e-6);
        check(of_deviation(3.0), 0.001_349_9, 4.0);
        assert_eq!(of_novelty(2.0), 2.0);
    }

    #[test]
    fn the_usual_is_no_surprise() {
        for bits in [of_count(3.0, 3.0), of_count(0.0, 0.0), of_share(1.0, 10.0, 0.2), of_share(0.0, 0.0, 0.2)] {
            assert_eq!(bits, 0.0);
        }
        assert_eq!(of_deviation(-4.0), 0.0);
        assert_eq!(of_count(1.0, 0.0), f64::INFINITY);
        assert_eq!(of_share(5.0, 5.0, 0.0), f64::INFINITY);
    }
}
