/// Numbers that look random and are always the same (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014), for flows that are made up.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Another seed, other numbers.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in [0, 1).
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A wait of 1 on average, where one moment is as likely as the next.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.roll()).ln()
    }

    /// About `median`, off by `octaves` doublings or halvings (one standard deviation).
    pub fn about(&mut self, median: f64, octaves: f64) -> u64 {
        let normal = (0..12).map(|_| self.roll()).sum::<f64>() - 6.0;
        (median * (normal * octaves).exp2()) as u64
    }
}
