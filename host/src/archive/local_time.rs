//! Times as a clock on a wall shows them, without an offset: `2013/10/21 13:22:59.340835`.

use std::cell::Cell;

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use crate::time::{MINUTE, SECOND};

/// Reads times of one zone. The hour that clocks show twice when summer ends counts as the first of the two; a time
/// that they leap over when it begins counts on from before (as RFC 5545, 3.3.5 has it).
#[derive(Debug)]
pub(super) struct LocalClock {
    zone: TimeZone,
    /// The hour read last and the instant at which it begins: nearly every time lies in the hour of the one before.
    last: Cell<(Hour, i64)>,
}

/// A date and hour as text, `2013/10/21 13`.
type Hour = [u8; 13];

impl LocalClock {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, last: Cell::new(([0; 13], 0)) }
    }

    /// The instant in microseconds UTC of a time with any separators between its numbers, and any number of decimals.
    #[inline]
    pub(super) fn micros(&self, text: &[u8]) -> Option<i64> {
        let (hour, rest) = text.split_first_chunk()?;
        let within = within_hour(rest)?;
        let (last, start) = self.last.get();
        if *hour == last { Some(start + within) } else { self.in_new_hour(hour, within) }
    }

    /// The same for the end of what began at `start`: of a time that clocks show twice the second counts where the first was
    /// before the start.
    pub(super) fn end_micros(&self, text: &[u8], start: i64) -> Option<i64> {
        let first = self.micros(text)?;
        if first >= start {
            Some(first)
        } else {
            Some(self.last_micros(text).filter(|end| *end >= start).unwrap_or(first))
        }
    }

    /// The last instant at which clocks show a time.
    #[cold]
    fn last_micros(&self, text: &[u8]) -> Option<i64> {
        let (hour, rest) = text.split_first_chunk()?;
        let civil = begin(hour)?.checked_add(SignedDuration::from_micros(within_hour(rest)?)).ok()?;
        Some(self.zone.to_ambiguous_timestamp(civil).later().ok()?.as_microsecond())
    }

    #[cold]
    fn in_new_hour(&self, hour: &Hour, within: i64) -> Option<i64> {
        let civil = begin(hour)?;
        let instant = |micros: i64| {
            let civil = civil.checked_add(SignedDuration::from_micros(micros)).ok()?;
            Some(self.zone.to_timestamp(civil).ok()?.as_microsecond())
        };
        let start = instant(0)?;
        // In an hour at whose end the clocks are others, each time is looked up.
        let last_second = 3_599 * SECOND;
        if instant(last_second) == Some(start + last_second) {
            self.last.set((*hour, start));
        }
        instant(within)
    }
}

/// What clocks show when an hour begins.
fn begin(hour: &Hour) -> Option<DateTime> {
    let [y1, y2, y3, y4, b'-' | b'/', m1, m2, b'-' | b'/', d1, d2, b' ' | b'T', h1, h2] = *hour else {
        return None;
    };
    let year = i16::from(two(y1, y2)?) * 100 + i16::from(two(y3, y4)?);
    let date = Date::new(year, two(m1, m2)?, two(d1, d2)?).ok().filter(|_| year > 0)?;
    Some(date.to_datetime(Time::new(two(h1, h2)?, 0, 0, 0).ok()?))
}

/// The microseconds of `:22:59.340835`.
#[inline]
fn within_hour(text: &[u8]) -> Option<i64> {
    let [b':', m1, m2, b':', s1, s2, decimals @ ..] = text else {
        return None;
    };
    let (minutes, seconds) = (i64::from(two(*m1, *m2)?), i64::from(two(*s1, *s2)?));
    if minutes > 59 || seconds > 59 {
        return None;
    }
    Some(minutes * MINUTE + seconds * SECOND + fraction(decimals)?)
}

/// The microseconds of `.340835`; what is finer is cut off.
#[inline]
fn fraction(text: &[u8]) -> Option<i64> {
    let Some((point, digits)) = text.split_first() else {
        return Some(0);
    };
    if *point != b'.' || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (mut micros, mut unit) = (0, SECOND / 10);
    for digit in digits.iter().take(6) {
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    Some(micros)
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| i8::try_from(byte.wrapping_sub(b'0')).ok().filter(|digit| (0..=9).contains(digit));
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::LocalClock;

    fn check(zone: &str, times: &[(&str, Option<&str>)]) {
        let clock = LocalClock::new(TimeZone::get(zone).unwrap());
        for (text, expected) in times {
            let expected = expected.map(|time| time.parse::<jiff::Timestamp>().unwrap().as_microsecond());
            assert_eq!(clock.micros(text.as_bytes()), expected, "{text} {zone}");
            assert_eq!(clock.micros(text.as_bytes()), expected, "{text} {zone} again");
        }
    }

    #[test]
    fn forms() {
        check(
            "UTC",
            &[
                ("2013/10/21 13:22:59.340835", Some("2013-10-21T13:22:59.340835Z")),
                ("2013-10-21T13:22:59", Some("2013-10-21T13:22:59Z")),
                ("2013-10-21 13:22:59.5", Some("2013-10-21T13:22:59.5Z")),
                ("2013-10-21 13:59:59.123456999", Some("2013-10-21T13:59:59.123456Z")),
                ("0001-01-01 00:00:00.000", Some("0001-01-01T00:00:00Z")),
                ("0000-00-00 00:00:00.000", None),
                ("2013/02/29 13:22:59", None),
                ("2013/10/21 24:00:00", None),
                ("2013/10/21 13:60:00", None),
                ("2013/10/21 13:00:60", None),
                ("2013/10/21 13:22:59.", None),
                ("2013/10/21 13:22:59,5", None),
                ("2013/10/21 13:22:59 +0100", None),
                ("2013.10.21 13:22:59", None),
                ("2013/1/2 13:22:59.000", None),
                ("13:22:59.340835", None),
                ("1382361779.340835", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn zones_and_their_summers() {
        check(
            "Europe/Prague",
            &[
                ("1970/01/01 01:00:00.000001", Some("1970-01-01T00:00:00.000001Z")),
                ("2013/07/01 12:00:00", Some("2013-07-01T10:00:00Z")),
                ("2013/12/01 12:00:00", Some("2013-12-01T11:00:00Z")),
                // Twice, and never.
                ("2013/10/27 02:30:00", Some("2013-10-27T00:30:00Z")),
                ("2013/10/27 03:00:00", Some("2013-10-27T02:00:00Z")),
                ("2013/03/31 02:30:00", Some("2013-03-31T01:30:00Z")),
                ("2013/03/31 03:30:00", Some("2013-03-31T01:30:00Z")),
            ],
        );
        // The end of what began in the hour that comes twice.
        let clock = LocalClock::new(TimeZone::get("Europe/Prague").unwrap());
        let micros = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        for (start, end, expected) in [
            ("2013-10-27T00:30:00Z", "2013/10/27 02:40:00", "2013-10-27T00:40:00Z"),
            ("2013-10-27T00:50:00Z", "2013/10/27 02:10:00.5", "2013-10-27T01:10:00.5Z"),
            ("2013-10-27T00:50:00Z", "2013/10/27 01:50:00", "2013-10-26T23:50:00Z"),
            ("2013-10-27T01:50:00Z", "2013/10/27 02:10:00", "2013-10-27T00:10:00Z"),
        ] {
            assert_eq!(clock.end_micros(end.as_bytes(), micros(start)), Some(micros(expected)), "{start} {end}");
        }
        // Half an hour forward at two o'clock, in the midst of an hour.
        check(
            "Australia/Lord_Howe",
            &[
                ("2023/10/01 02:45:00", Some("2023-09-30T15:45:00Z")),
                ("2023/10/01 01:45:00", Some("2023-09-30T15:15:00Z")),
            ],
        );
    }
}
