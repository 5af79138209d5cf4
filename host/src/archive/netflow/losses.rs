//! Datagrams that never came, by their sequence numbers.
//!
//! | version | the number counts | a gap is |
//! |---|---|---|
//! | 5 | flows sent before | flows |
//! | 9 | datagrams sent before (RFC 3954, 5.1) | datagrams, of which nobody knows how many records they had |
//! | 10 | data records sent before (RFC 7011, 3.1) | records |
//!
//! A datagram that comes out of order fills the gap that it left. One that fills none and was sent no later than what
//! came last is a second copy. One that was sent later comes from an exporter that began anew, and so does one that is
//! far ahead.
//!
//! Some exporters, softflowd's IPFIX among them, count what is in the datagram along. Both readings are followed, and
//! the one that has had fewer surprises is believed. Some leave options data uncounted, so that a datagram begins
//! before the last one ended: that is no loss.

/// Largest gap that is taken for a loss: an hour of 4,000 records a second. A larger one is a new beginning.
const MOST_MISSING: u32 = 1 << 24;

/// Gaps that may still be filled. Networks reorder what is sent at about the same time.
const MOST_GAPS: usize = 64;

/// The sequence of one domain.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// Of numbers that count what was sent before.
    before: Run,
    /// Of numbers that count the datagram's own too.
    with_own: Run,
}

/// Numbers that follow each other.
#[derive(Debug, Default)]
struct Run {
    /// What comes next; none at the beginning.
    next: Option<u32>,
    /// Whether as much or more comes next, for what came last could not be counted.
    is_open: bool,
    gaps: Vec<Gap>,
    latest_export: i64,
    /// Datagrams that were not the next.
    surprises: u64,
}

/// Numbers that have not come: from the first on, so many.
#[derive(Clone, Copy, Debug)]
struct Gap {
    first: u32,
    length: u32,
}

/// What a datagram tells of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) missing: u64,
    /// Those that were missing and have come.
    pub(super) found: u64,
}

impl Sequence {
    /// Notes a datagram with its number, how much of what the number counts is in it, if that is known, and when it was
    /// sent.
    pub(super) fn note(&mut self, number: u32, count: Option<u32>, export: i64) -> Change {
        let before = self.before.note(number, count, export);
        let with_own = match count {
            Some(own) => self.with_own.note(number.wrapping_sub(own), count, export),
            None => self.with_own.pass_over(number),
        };
        if self.with_own.surprises < self.before.surprises { with_own } else { before }
    }
}

impl Run {
    fn note(&mut self, first: u32, count: Option<u32>, export: i64) -> Change {
        let length = count.unwrap_or(0);
        let ahead = self.next.map_or(0, |next| first.wrapping_sub(next));
        let overlaps = ahead.wrapping_neg() < length;
        self.surprises += u64::from(ahead > 0 && !self.is_open);
        let mut change = Change::default();
        if ahead <= MOST_MISSING || overlaps {
            if ahead > 0 && !overlaps && !self.is_open {
                change.missing = ahead.into();
                self.add_gap(Gap { first: first.wrapping_sub(ahead), length: ahead });
            }
        } else {
            change.found = self.fill(first, length);
            if change.found > 0 || export <= self.latest_export {
                return change;
            }
            self.gaps.clear();
        }
        self.next = Some(first.wrapping_add(length));
        self.is_open = count.is_none();
        self.latest_export = self.latest_export.max(export);
        change
    }

    /// Goes on at a number, however many were before it.
    fn pass_over(&mut self, number: u32) -> Change {
        if self.next.is_none_or(|next| number.wrapping_sub(next) <= MOST_MISSING) {
            self.next = Some(number);
        }
        Change::default()
    }

    fn add_gap(&mut self, gap: Gap) {
        if self.gaps.len() == MOST_GAPS {
            self.gaps.remove(0);
        }
        self.gaps.push(gap);
    }

    /// Takes numbers out of the gap that they lie in, and returns how many.
    fn fill(&mut self, first: u32, count: u32) -> u64 {
        // The part of a gap that is filled, from the gap's beginning on.
        let part = |gap: &Gap| {
            let start = first.wrapping_sub(gap.first).cast_signed();
            let end = start.saturating_add_unsigned(count).max(0).cast_unsigned().min(gap.length);
            let start = start.max(0).cast_unsigned();
            (start < end).then_some((start, end))
        };
        let Some((place, (start, end))) =
            self.gaps.iter().map(part).enumerate().find_map(|(at, part)| Some((at, part?)))
        else {
            return 0;
        };
        let Gap { first, length } = self.gaps.swap_remove(place);
        for rest in [Gap { first, length: start }, Gap { first: first.wrapping_add(end), length: length - end }] {
            if rest.length > 0 {
                self.add_gap(rest);
            }
        }
        (end - start).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Sequence};

    /// Datagrams with number, count and time of sending, and what is missing after all.
    fn check(datagrams: &[(u32, Option<u32>, i64)], expected: u64) {
        let mut sequence = Sequence::default();
        let mut missing = 0;
        for &(first, count, export) in datagrams {
            let Change { missing: more, found } = sequence.note(first, count, export);
            missing = missing + more - found;
        }
        assert_eq!(missing, expected, "{datagrams:?}");
    }

    #[test]
    fn gaps_are_losses() {
        check(&[(7, Some(30), 1), (37, Some(30), 1), (67, Some(1), 2)], 0);
        check(&[(7, Some(30), 1), (40, Some(30), 1), (75, Some(1), 2)], 3 + 5);
        check(&[(u32::MAX - 1, Some(3), 1), (1, Some(1), 1), (4, Some(1), 1)], 2);
    }

    #[test]
    fn late_datagrams_are_none() {
        check(&[(0, Some(10), 1), (20, Some(10), 1), (10, Some(10), 1), (30, Some(1), 1)], 0);
        check(&[(0, Some(1), 1), (4, Some(1), 1), (2, Some(1), 1), (3, Some(1), 1)], 1);
        check(&[(u32::MAX, Some(1), 1), (1, Some(1), 1), (0, Some(1), 1)], 0);
        // Second copies fill no gap.
        check(&[(0, Some(1), 1), (2, Some(1), 1), (2, Some(1), 1), (0, Some(1), 1), (3, Some(1), 1)], 1);
        check(&[(0, Some(1), 1), (2, Some(1), 1), (1, Some(1), 1), (1, Some(1), 1)], 0);
        // One that begins before its gap, with options data that are not counted.
        check(&[(0, Some(10), 1), (30, Some(10), 1), (9, Some(21), 1), (40, Some(1), 1)], 0);
    }

    #[test]
    fn exporters_begin_anew() {
        check(&[(5_000, Some(10), 1), (0, Some(10), 2), (10, Some(10), 3)], 0);
        check(&[(3_000_000_000, Some(10), 1), (0, Some(10), 2), (12, Some(10), 3)], 2);
    }

    #[test]
    fn numbers_may_count_what_comes_with_them() {
        check(&[(30, Some(30), 1), (50, Some(20), 1), (81, Some(31), 1), (90, Some(9), 2)], 0);
        check(&[(30, Some(30), 1), (50, Some(20), 1), (88, Some(31), 1), (90, Some(2), 2)], 7);
        check(&[(30, Some(30), 1), (50, None, 1), (81, Some(31), 1), (90, Some(8), 2)], 1);
        // One of the twenty is not counted, nor is one of the thirty.
        check(&[(30, Some(30), 1), (49, Some(20), 1), (58, Some(9), 1), (87, Some(30), 2), (90, Some(3), 2)], 0);
        check(&[(0, Some(30), 1), (30, Some(20), 1), (49, Some(9), 1), (58, Some(30), 2), (88, Some(3), 2)], 0);
    }

    #[test]
    fn what_cannot_be_counted_leaves_no_gap() {
        check(&[(0, Some(10), 1), (10, None, 1), (40, Some(1), 2), (42, Some(1), 2)], 1);
    }
}
