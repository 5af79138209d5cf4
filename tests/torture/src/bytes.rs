//! Bytes, damaged by chance.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Numbers at the edges of what a field may hold.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Damages bytes at one place, or at up to four. `other` lends its own where two are spliced.
pub(crate) fn damage(bytes: &mut Vec<u8>, other: &[u8], chance: &mut ChaCha8Rng) {
    let places = if chance.random() { 1 } else { chance.random_range(2..=4) };
    for _ in 0..places {
        once(bytes, other, chance);
    }
}

fn once(bytes: &mut Vec<u8>, other: &[u8], chance: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        bytes.push(chance.random());
        return;
    }
    let at = chance.random_range(0..bytes.len());
    let to = at + chance.random_range(0..=(bytes.len() - at).min(64));
    match chance.random_range(0..11) {
        0 | 1 => bytes[at] ^= 1 << chance.random_range(0..8),
        2 => bytes[at] = *EDGES[..5].choose(chance).unwrap_or(&0) as u8,
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..to)),
        5 => {
            let copied = bytes[at..to].to_vec();
            let place = chance.random_range(0..=bytes.len());
            bytes.splice(place..place, copied);
        }
        6 => bytes[at..to].fill(chance.random()),
        7 => chance.fill(&mut bytes[at..to]),
        8 => splice(bytes, at, other, chance),
        9 => {
            let inserted: Vec<u8> = (0..chance.random_range(1..64)).map(|_| chance.random()).collect();
            bytes.splice(at..at, inserted);
        }
        _ => number(bytes, at, chance),
    }
}

/// The beginning of one and the end of another.
fn splice(bytes: &mut Vec<u8>, at: usize, other: &[u8], chance: &mut ChaCha8Rng) {
    let from = if other.is_empty() { 0 } else { chance.random_range(0..other.len()) };
    bytes.truncate(at);
    bytes.extend_from_slice(&other[from..]);
}

/// A number of one to eight bytes becomes one at an edge, in either byte order: a length, a count, an offset.
fn number(bytes: &mut [u8], at: usize, chance: &mut ChaCha8Rng) {
    let width = *[1, 2, 4, 8].choose(chance).unwrap_or(&1);
    let edge = *EDGES.choose(chance).unwrap_or(&0);
    let number = edge.wrapping_add_signed(chance.random_range(-2..=2));
    let field = &mut bytes[at..];
    let field_len = field.len().min(width);
    if chance.random() {
        field[..field_len].copy_from_slice(&number.to_le_bytes()[..field_len]);
    } else {
        field[..field_len].copy_from_slice(&number.to_be_bytes()[8 - width..][..field_len]);
    }
}
