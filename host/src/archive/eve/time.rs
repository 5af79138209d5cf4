//! Suricata's times.

use jiff::{civil::DateTime, tz::Offset};

use crate::archive::values;

/// What a time must be.
pub(super) const RULE: &str = "a time in ISO 8601 with an offset";

/// A time in microseconds UTC. Suricata writes ISO 8601 with six decimals and an offset without colon, in the time zone
/// of its host; what passed through other tools may have other forms.
#[inline]
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    suricatas(text).or_else(|| values::time(text))
}

/// `2021-06-07T07:34:12.260567+0200`, in years that no offset takes out of bounds.
#[inline]
fn suricatas(text: &[u8]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', ref time @ ..] = text else { return None };
    let &[h1, h2, b':', i1, i2, b':', s1, s2, b'.', f1, f2, f3, f4, f5, f6, ref offset @ ..] = time else {
        return None;
    };
    let &[sign @ (b'+' | b'-'), oh1, oh2, oi1, oi2] = offset else { return None };
    let year = i16::try_from(number([y1, y2, y3, y4])?).ok().filter(|year| (1970..=9998).contains(year))?;
    let micros = number([f1, f2, f3, f4, f5, f6])?;
    let (month, day) = (pair(m1, m2)?, pair(d1, d2)?);
    let (hour, minute, second) = (pair(h1, h2)?, pair(i1, i2)?, pair(s1, s2)?);
    let seconds = number([oh1, oh2])? * 3_600 + number([oi1, oi2])? * 60;
    let offset = Offset::from_seconds(if sign == b'-' { -seconds } else { seconds }).ok()?;
    let local = DateTime::new(year, month, day, hour, minute, second, micros * 1_000).ok()?;
    Some(offset.to_timestamp(local).ok()?.as_microsecond())
}

fn number<const N: usize>(digits: [u8; N]) -> Option<i32> {
    let mut number = 0;
    for digit in digits {
        number = number * 10 + i32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(number)
}

fn pair(tens: u8, ones: u8) -> Option<i8> {
    i8::try_from(number([tens, ones])?).ok()
}

#[cfg(test)]
mod tests {
    use super::{micros, suricatas};

    #[test]
    fn times() {
        for (text, is_suricatas, expected) in [
            ("2021-06-07T07:34:12.260567+0200", true, Some(1_623_044_052_260_567)),
            ("2021-06-07T05:34:12.260567+0000", true, Some(1_623_044_052_260_567)),
            ("2021-06-06T22:04:12.260567-0730", true, Some(1_623_044_052_260_567)),
            ("2024-02-29T00:00:00.000000+0000", true, Some(1_709_164_800_000_000)),
            ("2021-06-07T05:34:12.260567Z", false, Some(1_623_044_052_260_567)),
            ("2021-06-07T07:34:12.260+02:00", false, Some(1_623_044_052_260_000)),
            ("2021-06-07T07:34:12+0200", false, Some(1_623_044_052_000_000)),
            ("1969-12-31T16:04:21.000000-0800", false, Some(261_000_000)),
            ("9999-12-30T21:59:59.999999+0000", false, Some(253_402_207_199_999_999)),
            ("2021-06-07T07:34:12.260567", false, None),
            ("2023-02-29T00:00:00.000000+0000", false, None),
            ("2021-06-07T25:34:12.260567+0200", false, None),
            ("2021-06-07T07:34:12.260567+9900", false, None),
            ("2021-06-07T07:34:12.26a567+0200", false, None),
            ("9999-12-31T23:59:59.999999-0100", false, None),
            ("", false, None),
            ("now", false, None),
        ] {
            assert_eq!(micros(text.as_bytes()), expected, "{text}");
            assert_eq!(suricatas(text.as_bytes()), expected.filter(|_| is_suricatas), "{text}");
        }
    }
}
