//! What Zeek's fields mean: text into numbers, addresses and times.

use std::net::{IpAddr, Ipv4Addr};

pub(super) use crate::device::parse_parted_mac as mac;

/// A time or interval in seconds, in microseconds, rounded to the nearest.
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    // Zeek's own form, with as many decimals as there are microseconds; eighteen digits fit.
    if let [whole @ .., b'.', _, _, _, _, _, _] = text
        && whole.len() <= 12
        && let (Some(whole), Some(fraction)) = (number::<i64>(whole), number::<i64>(&text[whole.len() + 1..]))
    {
        return Some(whole * 1_000_000 + fraction);
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut whole = 0_i64;
    let mut at = 0;
    while let Some(digit @ b'0'..=b'9') = digits.get(at) {
        whole = whole.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        at += 1;
    }
    if at == 0 {
        return None;
    }
    let mut fraction = 0_i64;
    if digits.get(at) == Some(&b'.') {
        let decimals = &digits[at + 1..];
        let length = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = decimals[..length].iter().map(|digit| digit - b'0').chain(std::iter::repeat(0));
        for digit in digits.take(6) {
            fraction = fraction * 10 + i64::from(digit);
        }
        fraction += i64::from(length > 6 && decimals[6] >= b'5');
        at += 1 + length;
    }
    if at < digits.len() {
        return scientific(text);
    }
    let micros = whole.checked_mul(1_000_000)?.checked_add(fraction)?;
    Some(if negative { -micros } else { micros })
}

fn scientific(text: &[u8]) -> Option<i64> {
    let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let micros = (seconds * 1e6).round();
    (micros.abs() < 9e18).then_some(micros as i64)
}

/// From which number on one is taken for milliseconds since 1970, as `JSON::TS_MILLIS` has them, microseconds and nanoseconds:
/// as seconds the first is in the year 5138, and as the unit before it each of the others.
const FIRST_MILLIS: u64 = 100_000_000_000;
const FIRST_MICROS: u64 = 1_000 * FIRST_MILLIS;
const FIRST_NANOS: u64 = 1_000 * FIRST_MICROS;

/// End of the year 9999 in microseconds: the times that SQL and Parquet readers agree on are before.
pub(super) const LAST_TIME: i64 = 253_402_300_800_000_000;

/// Times from the year 1 on.
const TIMES: std::ops::Range<i64> = -62_135_596_800_000_000..LAST_TIME;

/// A time: seconds, milliseconds, microseconds or nanoseconds since 1970, or RFC 3339.
pub(super) fn time(text: &[u8]) -> Option<i64> {
    let micros = match whole_units(text) {
        Some(micros) => micros,
        None => match micros(text) {
            Some(micros) if micros / 1_000_000 >= FIRST_MILLIS.cast_signed() => micros / 1_000,
            Some(micros) => micros,
            None => std::str::from_utf8(text).ok()?.parse::<jiff::Timestamp>().ok()?.as_microsecond(),
        },
    };
    TIMES.contains(&micros).then_some(micros)
}

/// Microseconds of a whole number that is too large for seconds.
fn whole_units(text: &[u8]) -> Option<i64> {
    const FEWEST_DIGITS: usize = 12;
    if text.len() < FEWEST_DIGITS || text.contains(&b'.') {
        return None;
    }
    match number::<u64>(text)? {
        nanos @ FIRST_NANOS.. => i64::try_from(nanos / 1_000).ok(),
        micros @ FIRST_MICROS.. => i64::try_from(micros).ok(),
        millis => i64::try_from(millis).ok()?.checked_mul(1_000),
    }
}

/// Digits that no number of 64 bits is too small for.
const SAFE_DIGITS: usize = 19;

fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

/// An unsigned number.
#[inline]
pub(super) fn number<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    let (first, rest) = text.split_at(text.len().min(SAFE_DIGITS));
    let mut number = 0_u64;
    for byte in first {
        number = number * 10 + digit(*byte)?;
    }
    for byte in rest {
        number = number.checked_mul(10)?.checked_add(digit(*byte)?)?;
    }
    T::try_from(number).ok()
}

/// An IP address.
#[inline]
pub(super) fn ip(text: &[u8]) -> Option<IpAddr> {
    match ipv4(text) {
        Some(v4) => Some(IpAddr::V4(v4)),
        None => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

#[inline]
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut address, mut octet) = (0_u32, 0_u32);
    let (mut dots, mut digits) = (0, 0);
    for &byte in text {
        if byte == b'.' {
            if digits == 0 {
                return None;
            }
            address = address << 8 | octet;
            (octet, digits) = (0, 0);
            dots += 1;
        } else {
            octet = octet * 10 + digit(byte)? as u32;
            digits += 1;
            if digits > 3 || octet > 255 {
                return None;
            }
        }
    }
    (dots == 3 && digits > 0).then(|| Ipv4Addr::from_bits(address << 8 | octet))
}

/// The IANA number of a transport protocol. `icmp` is 1 between IPv4 addresses and 58 between IPv6 ones; what Zeek could
/// not tell is 0.
pub(super) fn protocol(text: &[u8], is_ipv6: bool) -> Option<u8> {
    match text {
        b"tcp" => Some(6),
        b"udp" => Some(17),
        b"icmp" if is_ipv6 => Some(58),
        b"icmp" => Some(1),
        b"icmp6" => Some(58),
        b"sctp" => Some(132),
        b"igmp" => Some(2),
        b"gre" => Some(47),
        b"esp" => Some(50),
        b"unknown_transport" => Some(0),
        _ => number(text),
    }
}

/// The TCP flags that a `history` shows, whichever side sent them.
///
/// | letter | seen | flags |
/// |---|---|---|
/// | `s` | SYN without ACK | SYN |
/// | `h` | SYN with ACK | SYN, ACK |
/// | `a` | pure ACK | ACK |
/// | `d` | data | ACK, which every segment after the first has |
/// | `f` | FIN | FIN |
/// | `r` | RST | RST |
///
/// The other letters (`c g i q t w x ^`) tell of no flag for sure.
pub(super) fn tcp_flags(history: &[u8]) -> u16 {
    history.iter().fold(0, |flags, letter| {
        flags
            | match letter.to_ascii_lowercase() {
                b's' => 0x02,
                b'h' => 0x12,
                b'a' | b'd' => 0x10,
                b'f' => 0x01,
                b'r' => 0x04,
                _ => 0,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::{ip, mac, micros, number, protocol, tcp_flags, time};

    #[test]
    fn times() {
        for (text, expected) in [
            ("1517336042.090842", Some(1_517_336_042_090_842)),
            ("19.981745", Some(19_981_745)),
            ("0", Some(0)),
            ("0.012166976928710938", Some(12_167)),
            ("0.9999999", Some(1_000_000)),
            ("1.5e-05", Some(15)),
            ("-1.5", Some(-1_500_000)),
            ("1704738946055", Some(1_704_738_946_055_000)),
            ("1704738946055.25", Some(1_704_738_946_055_250)),
            ("1704738946055436", Some(1_704_738_946_055_436)),
            ("1704738946055436999", Some(1_704_738_946_055_436)),
            ("2024-01-09T12:15:46.055436Z", Some(1_704_802_546_055_436)),
            ("2024-01-09T13:15:46.055436+01:00", Some(1_704_802_546_055_436)),
            ("", None),
            ("-", None),
            ("inf", None),
            ("1e300", None),
            ("99999999999999999999", None),
            ("yesterday", None),
        ] {
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(micros(b"1."), Some(1_000_000));
    }

    #[test]
    fn addresses() {
        for text in ["10.0.0.1", "255.255.255.255", "fe80::7809:d6ff:fee3:ff67", "::", "ff02::2"] {
            assert_eq!(ip(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["", "10.0.0", "10.0.0.1.2", "10.0.0.256", "10.0.0.0001", "host", "fe80::1%eth0"] {
            assert_eq!(ip(text.as_bytes()), None, "{text}");
        }
        assert_eq!(mac(b"00:1A:2b:0:ff:10"), Some([0, 0x1a, 0x2b, 0, 0xff, 0x10]));
        for text in ["", "00:1a", "00:1a:2b:00:ff:10:11", "00:1a:2b:00:ff:zz", "00:1a:2b:00:ff:100"] {
            assert_eq!(mac(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number::<u16>(b"65535"), Some(65_535));
        for text in ["", "93145", "-1", "1.0", "18446744073709551616"] {
            assert_eq!(number::<u16>(text.as_bytes()), None, "{text}");
        }
        let protocols = [("tcp", false), ("icmp", false), ("icmp", true), ("unknown_transport", true), ("89", false)];
        let seen = protocols.map(|(text, is_ipv6)| protocol(text.as_bytes(), is_ipv6));
        assert_eq!(seen, [Some(6), Some(1), Some(58), Some(0), Some(89)]);
        assert_eq!(protocol(b"token-ring", false), None);
    }

    #[test]
    fn flags() {
        for (history, flags) in [("", 0), ("S", 0x02), ("ShADadfF", 0x13), ("Sr", 0x06), ("CccG^", 0)] {
            assert_eq!(tcp_flags(history.as_bytes()), flags, "{history}");
        }
    }
}
