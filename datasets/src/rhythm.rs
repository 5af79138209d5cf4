//! Rhythm: how busy an hour of the local week is.

/// When in the week people cause traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rhythm {
    /// The same by day and by night.
    Always,
    /// Weekdays from eight to five, and a little around it.
    Office,
    /// Day shift, evening, a quiet night; two thirds of it at weekends.
    Ward,
}

const OFFICE_WEEKDAY: [u8; 24] =
    [1, 1, 1, 1, 1, 3, 15, 50, 95, 100, 100, 95, 60, 85, 100, 95, 75, 40, 15, 8, 5, 3, 2, 1];
const OFFICE_WEEKEND: [u8; 24] = [1, 1, 1, 1, 1, 1, 2, 4, 8, 10, 10, 8, 6, 6, 8, 8, 6, 4, 3, 2, 2, 1, 1, 1];
const WARD_WEEKDAY: [u8; 24] =
    [25, 20, 18, 18, 20, 35, 70, 95, 100, 100, 95, 90, 85, 85, 90, 85, 80, 75, 70, 65, 60, 45, 35, 30];

impl Rhythm {
    /// How busy an hour is, from 0 to 1. `weekday` counts from Monday, 0.
    pub(crate) fn weight(self, weekday: u8, hour: u8) -> f64 {
        let hour = usize::from(hour % 24);
        match (self, weekday < 5) {
            (Self::Always, _) => 1.0,
            (Self::Office, true) => f64::from(OFFICE_WEEKDAY[hour]) / 100.0,
            (Self::Office, false) => f64::from(OFFICE_WEEKEND[hour]) / 100.0,
            (Self::Ward, true) => f64::from(WARD_WEEKDAY[hour]) / 100.0,
            (Self::Ward, false) => f64::from(WARD_WEEKDAY[hour]) / 150.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_and_weekends_are_quieter() {
        for rhythm in [Rhythm::Office, Rhythm::Ward] {
            assert!(rhythm.weight(1, 10) > 2.0 * rhythm.weight(1, 3), "{rhythm:?} by night");
            assert!(rhythm.weight(1, 10) > rhythm.weight(6, 10), "{rhythm:?} at weekends");
        }
    }
}
