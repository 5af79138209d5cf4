//! Spans of time in microseconds, as times are.

/// A second.
pub const SECOND: i64 = 1_000_000;

/// A minute.
pub const MINUTE: i64 = 60 * SECOND;

/// An hour.
pub const HOUR: i64 = 60 * MINUTE;

/// A day of the calendar in UTC.
pub const DAY: i64 = 24 * HOUR;

/// How far the clocks of two machines may be apart: a time that is later than now by more is taken for a mistake.
pub const CLOCKS_APART: i64 = DAY;
