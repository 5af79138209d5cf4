use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardflow_sdk::math;

/// Counts of values in bins of equal ratio, kept sparse. A value outside the bins' range is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    bins: BTreeMap<u16, u16>,
    /// Values that found no bin free.
    elsewhere: u16,
}

/// How values are sorted into bins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Natural logarithm of the ratio of two neighbouring bins.
    pub(crate) step: f64,
    /// Bins that are looked at together for the [`Mode`].
    pub(crate) window: u16,
    /// Bins that may be in use at once.
    pub(crate) most_bins: usize,
}

/// The window of neighbouring bins that holds most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mode {
    /// Share of all values that lie in the window.
    pub(crate) share: f64,
    /// Least value of the window.
    pub(crate) low: f64,
    /// Least value above the window.
    pub(crate) high: f64,
    /// Geometric mean of the values in it, as far as bins tell.
    pub(crate) middle: f64,
}

impl Histogram {
    /// Counts a value, in the unit of the histogram, at least 1.
    pub(crate) fn add(&mut self, scale: Scale, value: f64) {
        let bin = math::floor(math::ln(value.max(1.0)) / scale.step);
        if bin >= f64::from(u16::MAX) {
            return;
        }
        let has_room = self.bins.len() < scale.most_bins;
        let count = match self.bins.get_mut(&(bin as u16)) {
            Some(count) => count,
            None if has_room => self.bins.entry(bin as u16).or_default(),
            None => &mut self.elsewhere,
        };
        *count = count.saturating_add(1);
    }

    /// Number of values.
    pub(crate) fn len(&self) -> u32 {
        u32::from(self.elsewhere) + self.bins.values().map(|count| u32::from(*count)).sum::<u32>()
    }

    /// The mode; of several, the one of the least values. Absent for no values.
    pub(crate) fn mode(&self, scale: Scale) -> Option<Mode> {
        let within = |first: u16| {
            let window = self.bins.range(first..first.saturating_add(scale.window));
            window.map(|(bin, count)| (f64::from(*bin), f64::from(*count)))
        };
        let mut best = (0.0, 0);
        for first in self.bins.keys() {
            let count = within(*first).map(|(_, count)| count).sum();
            if count > best.0 {
                best = (count, *first);
            }
        }
        let (count, first) = best;
        let middle = within(first).map(|(bin, count)| (bin + 0.5) * count).sum::<f64>() / count;
        let value = |bin: f64| math::exp(bin * scale.step);
        (count > 0.0).then(|| Mode {
            share: count / f64::from(self.len()),
            low: value(f64::from(first)),
            high: value(f64::from(first.saturating_add(scale.window))),
            middle: value(middle),
        })
    }

    /// Halves all counts, so that what is older counts less.
    pub(crate) fn halve(&mut self) {
        self.elsewhere /= 2;
        self.bins.retain(|_, count| {
            *count /= 2;
            *count > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Scale};

    const SCALE: Scale = Scale { step: 0.101_366_277_027_041_1, window: 4, most_bins: 8 };

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.add(SCALE, *value));
        histogram
    }

    #[test]
    fn the_mode_is_where_most_values_are() {
        let check = |values: &[f64], share: f64, inside: f64| {
            let mode = of(values).mode(SCALE).unwrap();
            assert!((mode.share - share).abs() < 1e-9, "{mode:?}");
            assert!((mode.low..mode.high).contains(&inside), "{mode:?}");
            assert!((mode.middle / inside - 1.0).abs() < 0.06, "{mode:?}");
            assert!((mode.high / mode.low - 1.5).abs() < 1e-9, "{mode:?}");
        };
        check(&[10.0, 10.1, 11.0, 500.0], 0.75, 10.5);
        check(&[0.0, 900.0, 900.0], 2.0 / 3.0, 900.0);
        check(&[3.0, 3_000.0], 0.5, 3.0);
        assert_eq!(of(&[]).mode(SCALE), None);
    }

    #[test]
    fn what_finds_no_bin_still_counts() {
        let mut histogram = of(&(0..100).map(|i| 1.3_f64.powi(i % 20)).collect::<Vec<_>>());
        assert_eq!((histogram.len(), histogram.bins.len()), (100, SCALE.most_bins));
        assert!((histogram.mode(SCALE).unwrap().share - 0.1).abs() < 1e-9);
        histogram.halve();
        assert_eq!(histogram.len(), 8 * 2 + 30);
    }
}
