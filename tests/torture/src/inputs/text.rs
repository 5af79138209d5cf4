//! Text damaged as text: lines, fields and numbers, so that more of it reaches what reads a field.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// What separates fields in one format or another.
const SEPARATORS: &[u8] = b"\t,:\" {}[]\n";

/// Fields that stand at an edge of what is allowed, or beyond.
const FIELDS: [&[u8]; 30] = [
    b"",
    b"-",
    b"0",
    b"-1",
    b"1e308",
    b"1e999",
    b"-0.0000001",
    b"NaN",
    b"inf",
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"999999999999999999999999999999999999999999",
    b"0x7fffffff",
    b"65536",
    b"256.1.1.1",
    b"::ffff:1.2.3.4",
    b"fe80::1%eth0",
    b"1970-01-01T00:00:00Z",
    b"+262142-12-31T23:59:59.999999Z",
    b"2026-03-29T02:30:00",
    b"\xff\xfe\xc3\x28",
    b"\x00",
    b"\x1b[2J\x07",
    b"=1+1",
    b"\"",
    b"\\u0000\\ud800",
    b"(empty)",
    b"\xe2\x80\xae",
];

/// Damages a text at one to six places.
pub(super) fn damage(text: &mut Vec<u8>, chance: &mut ChaCha8Rng) {
    for _ in 0..chance.random_range(1..=6) {
        match chance.random_range(0..10) {
            0..6 => field(text, chance),
            6 | 7 => line(text, chance),
            8 => separator(text, chance),
            _ => much(text, chance),
        }
    }
}

/// Puts another field in place of one.
fn field(text: &mut Vec<u8>, chance: &mut ChaCha8Rng) {
    let at = chance.random_range(0..=text.len());
    let is_separator = |byte: &u8| SEPARATORS.contains(byte);
    let start = text[..at].iter().rposition(is_separator).map_or(0, |place| place + 1);
    let end = text[at..].iter().position(is_separator).map_or(text.len(), |place| at + place);
    let other = FIELDS.choose(chance).copied().unwrap_or_default();
    text.splice(start..end, other.iter().copied());
}

/// Drops, doubles or moves a line; the first ones say what the others are.
fn line(text: &mut Vec<u8>, chance: &mut ChaCha8Rng) {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.is_empty() {
        return;
    }
    let most = if chance.random() { lines.len() } else { lines.len().min(10) };
    let (one, two) = (chance.random_range(0..most), chance.random_range(0..lines.len()));
    match chance.random_range(0..3) {
        0 => drop(lines.remove(one)),
        1 => lines.insert(two, lines[one]),
        _ => lines.swap(one, two),
    }
    *text = lines.concat();
}

/// Drops a separator, or puts one where there was none.
fn separator(text: &mut Vec<u8>, chance: &mut ChaCha8Rng) {
    let at = chance.random_range(0..=text.len());
    match text[at..].iter().position(|byte| SEPARATORS.contains(byte)) {
        Some(place) if chance.random() => drop(text.remove(at + place)),
        _ => text.insert(at, *SEPARATORS.choose(chance).unwrap_or(&b'\n')),
    }
}

/// Puts in a lot: a long field, many fields, deep nesting.
fn much(text: &mut Vec<u8>, chance: &mut ChaCha8Rng) {
    let what: &[u8] =
        [b"x".as_slice(), b"\t", b",", b"[", b"{\"a\":", b"9", b"\n", b"\""].choose(chance).unwrap_or(&b"x".as_slice());
    let times = *[100, 10_000, 200_000].choose(chance).unwrap_or(&100);
    let at = chance.random_range(0..=text.len());
    text.splice(at..at, what.repeat(times));
}
