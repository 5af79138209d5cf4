//! Sections of a component lost, doubled, moved, exchanged with those of another, or of a wrong length.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::sections::sections;

/// Changes how a component is made of sections.
pub(super) fn change(component: &mut Vec<u8>, other: &[u8], chance: &mut ChaCha8Rng) {
    let own = sections(component);
    let (Some(one), Some(two)) = (own.choose(chance).cloned(), own.choose(chance).cloned()) else { return };
    let bytes = component[one.whole.clone()].to_vec();
    match chance.random_range(0..7) {
        0 => drop(component.drain(one.whole)),
        1 => drop(component.splice(two.whole.start..two.whole.start, bytes)),
        2 => {
            // The later first, so that the earlier still lies where it lay.
            let (first, last) = if one.whole.start < two.whole.start { (one, two) } else { (two, one) };
            let (first_bytes, last_bytes) =
                (component[first.whole.clone()].to_vec(), component[last.whole.clone()].to_vec());
            component.splice(last.whole.clone(), first_bytes);
            if first.whole != last.whole {
                component.splice(first.whole, last_bytes);
            }
        }
        3 => {
            if let Some(foreign) = sections(other).choose(chance) {
                component.splice(one.whole, other[foreign.whole.clone()].to_vec());
            }
        }
        4 => component[one.whole.start] = chance.random_range(0..14),
        5 => {
            // As many bytes, of which the last still ends the number.
            let (last, rest) = (one.length.end - 1, one.length.start..one.length.end - 1);
            component[last] = chance.random_range(0..0x80);
            component[rest].fill_with(|| chance.random::<u8>() | 0x80);
        }
        _ => {
            let place = chance.random_range(one.whole.clone());
            component.truncate(place);
        }
    }
}
