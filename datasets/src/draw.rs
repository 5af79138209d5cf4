//! A draw: chance that comes out the same on every machine.
//!
//! Nothing here calls the platform's mathematical library, whose last digits differ between systems; only sums,
//! products and bit patterns are used.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// A source of chance for one owner and one stretch of time.
#[derive(Debug)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The source that belongs to these three numbers and to no others.
    pub(crate) fn new(seed: u64, owner: u64, part: u64) -> Self {
        let mut key = [0; 32];
        for (bytes, number) in key.chunks_exact_mut(8).zip([seed, owner, part]) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Evenly from [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// Evenly from the whole numbers below `bound`; 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// Evenly from `low` up to, not including, `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of these; `None` of an empty slice.
    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len() as u32) as usize)
    }

    /// A whole number with this mean: one of its two neighbours.
    pub(crate) fn round(&mut self, mean: f64) -> u64 {
        let floor = mean as u64;
        floor + u64::from(self.chance(mean - floor as f64))
    }

    /// Skewed to the right as sizes and durations are: `median`, and up to `octaves` doublings or halvings of it.
    pub(crate) fn skewed(&mut self, median: f64, octaves: f64) -> f64 {
        median * exp2((self.unit() - self.unit()) * octaves)
    }

    /// Letters and digits as base32 has them.
    pub(crate) fn label(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        (0..length).map(|_| char::from(ALPHABET[(self.0.next_u32() >> 27) as usize])).collect()
    }
}

/// A well-mixed number for each number, no two the same (the finaliser of SplitMix64, Steele et al., 2014).
pub(crate) const fn mix(number: u64) -> u64 {
    let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

/// 2 to the power of `x`, straight between the powers of two: within 6.2 %.
fn exp2(x: f64) -> f64 {
    let floor = x.floor().clamp(-1022.0, 1023.0);
    f64::from_bits(((floor as i64 + 1023) as u64) << 52) * (1.0 + (x - floor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mean: f64, allowed: std::ops::Range<f64>) {
        assert!(allowed.contains(&mean), "{mean} is not in {allowed:?}");
    }

    fn mean_of(mut draw: impl FnMut(&mut Draw) -> f64) -> f64 {
        let mut source = Draw::new(1, 2, 3);
        (0..100_000).map(|_| draw(&mut source)).sum::<f64>() / 100_000.0
    }

    #[test]
    fn means_are_as_documented() {
        check(mean_of(Draw::unit), 0.495..0.505);
        check(mean_of(|draw| draw.below(10).into()), 4.45..4.55);
        check(mean_of(|draw| draw.round(3.3) as f64), 3.29..3.31);
        check(mean_of(|draw| f64::from(u8::from(draw.skewed(100.0, 2.0) < 100.0))), 0.49..0.51);
    }

    #[test]
    fn powers_of_two_are_exact_and_the_rest_is_near() {
        assert_eq!(exp2(3.0), 8.0);
        assert_eq!(exp2(-2.0), 0.25);
        check(exp2(0.5) / std::f64::consts::SQRT_2, 1.0..1.062);
    }

    #[test]
    fn other_numbers_give_another_source() {
        assert_ne!(Draw::new(1, 2, 3).label(32), Draw::new(1, 3, 2).label(32));
        assert_eq!(Draw::new(1, 2, 3).label(32), Draw::new(1, 2, 3).label(32));
    }
}
