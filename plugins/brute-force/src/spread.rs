use serde::{Deserialize, Serialize};
use wardflow_sdk::math;

/// Mean and variance (Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics
/// 4, 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    values: u32,
    pub(crate) mean: f32,
    squares: f32,
}

impl Spread {
    pub(crate) fn add(&mut self, value: f64) {
        let value = value as f32;
        self.values = self.values.saturating_add(1);
        let before = value - self.mean;
        self.mean += before / self.values as f32;
        self.squares += before * (value - self.mean);
    }

    pub(crate) fn deviation(&self) -> f64 {
        math::sqrt(f64::from(self.squares.max(0.0)) / f64::from(self.values.max(1)))
    }
}
