//! Functions whose results are the same bits in the sandbox and outside.
//!
//! `f64::ln` and its like come from the platform's C library, and differ between glibc and wasm in 1 to 10 % of their
//! results. These come from the `libm` crate on every target. What IEEE 754 defines exactly (`+ - * /`, `sqrt`, `abs`,
//! `floor`, `min`, `max`) needs no replacement; `powi`, `sin` or `mul_add` do.

pub use libm::{
    cbrt, ceil, cos, erf, erfc, exp, exp2, expm1, floor, hypot, lgamma, log as ln, log1p as ln_1p, log2, log10, pow,
    round, sin, sqrt, tanh, trunc,
};

/// Median, the mean of the two middle values for an even count; absent for no values. NaN sorts last.
pub fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Quantile `q` in [0, 1], linear between the two nearest ranks (type 7 of Hyndman and Fan, "Sample Quantiles in
/// Statistical Packages", 1996); absent for no values. Sorts the values.
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let rank = q.clamp(0.0, 1.0) * last as f64;
    let below = floor(rank) as usize;
    let above = (below + 1).min(last);
    let share = rank - below as f64;
    Some(values[below] + (values[above] - values[below]) * share)
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_lie_between_ranks() {
        for (q, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (1.0, 4.0), (7.0, 4.0)] {
            assert_eq!(quantile(&mut [4.0, 2.0, 1.0, 3.0], q), Some(expected), "{q}");
        }
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
