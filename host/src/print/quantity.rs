//! Numbers for a person.

use std::time::Duration;

/// Flows in a second, for a person.
pub(crate) fn rate(flows: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.001 { "- flows/s".to_owned() } else { format!("{} flows/s", count((flows as f64 / seconds) as u64)) }
}

/// A number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (!head.is_empty()).then(|| head.to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

/// So many of a thing whose plural ends in s.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", count(number))
}

/// Bytes in the largest unit that leaves at least one.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let power = (1..=UNITS.len() as u32).rev().find(|power| bytes >= 1 << (10 * power));
    match power {
        Some(power) => format!("{:.1} {}", bytes as f64 / 1024_f64.powi(power as i32), UNITS[power as usize - 1]),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{count, counted, size};

    #[test]
    fn counts() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), expected);
        }
        assert_eq!([0, 1, 1_000].map(|n| counted(n, "slice")), ["0 slices", "1 slice", "1,000 slices"]);
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in
            [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (5 << 40, "5.0 TiB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
