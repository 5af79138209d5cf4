/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub const DAY: i64 = 24 * HOUR;

/// A fixed UTC window of archive time, [`start`, `end`), in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// First microsecond of it.
    pub start: i64,
    /// First microsecond after it.
    pub end: i64,
    /// Where the sensors delivered nothing: silence in a gap means nothing. In order of time, disjoint, inside the
    /// slice.
    pub gaps: &'a [Gap],
}

/// A stretch without sensor data, [`start`, `end`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First microsecond of it.
    pub start: i64,
    /// First microsecond after it.
    pub end: i64,
}

impl Slice<'_> {
    /// Microseconds in [`from`, `to`), as far as it lies in the slice, during which the sensors delivered.
    pub fn observed(&self, from: i64, to: i64) -> i64 {
        let inside = to.min(self.end) - from.max(self.start);
        (inside - self.blind(from, to)).max(0)
    }

    /// Microseconds in [`from`, `to`), as far as it lies in the slice, during which the sensors delivered nothing.
    pub fn blind(&self, from: i64, to: i64) -> i64 {
        let (from, to) = (from.max(self.start), to.min(self.end));
        self.gaps.iter().map(|gap| (gap.end.min(to) - gap.start.max(from)).max(0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, Slice};

    #[test]
    fn gaps_are_not_observed() {
        let gaps = [Gap { start: 10, end: 20 }, Gap { start: 50, end: 100 }];
        let slice = Slice { start: 0, end: 100, gaps: &gaps };
        for (from, to, observed) in
            [(0, 100, 40), (0, 10, 10), (12, 18, 0), (15, 25, 5), (-50, 5, 5), (90, 200, 0), (120, 150, 0)]
        {
            assert_eq!(slice.observed(from, to), observed, "{from}..{to}");
            let inside = (to.min(100) - from.max(0)).max(0);
            assert_eq!(slice.blind(from, to), inside - observed, "{from}..{to}");
        }
    }
}
