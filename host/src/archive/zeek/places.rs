//! Finds a byte where it comes every few bytes, as a separator does. There a call for each costs more than the search, and
//! so does a branch for each that cannot be foreseen: places are collected as bits of 64 bytes at a time.

/// Calls `found` with every place of `byte` in `text`, in order.
#[inline]
pub(super) fn each_place(text: &[u8], byte: u8, mut found: impl FnMut(usize)) {
    let pattern = u64::from_le_bytes([byte; 8]);
    for (block, bytes) in text.chunks(64).enumerate() {
        let (words, rest) = bytes.as_chunks::<8>();
        let places_of = |word: &[u8; 8]| zero_bytes(u64::from_le_bytes(*word) ^ pattern);
        // One word after the other: vectors of today's least processor multiply 64 bits in many steps.
        let mut places = words.iter().fold(0, |places, word| places >> 8 | places_of(word) << 56);
        if words.len() < 8 {
            places = places.checked_shr(64 - 8 * words.len() as u32).unwrap_or_default();
        }
        match bytes.last_chunk() {
            // The last eight bytes, of which all but the rest are seen already.
            Some(last) if !rest.is_empty() => places |= places_of(last) >> (8 - rest.len()) << (words.len() * 8),
            Some(_) => {}
            None => {
                for (place, _) in rest.iter().enumerate().filter(|(_, other)| **other == byte) {
                    places |= 1 << place;
                }
            }
        }
        while places != 0 {
            found(block * 64 + places.trailing_zeros() as usize);
            places &= places - 1;
        }
    }
}

/// A bit for every byte that is zero, the lowest for the lowest.
const fn zero_bytes(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    // Adding to the low seven bits of a byte carries into none: of each byte the highest bit is left if it is zero.
    let highest = !(((word & LOW) + LOW) | word | LOW);
    // Each factor's bit moves one of them to its place in the highest byte, and no two meet below.
    (highest >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::each_place;

    #[test]
    fn finds_what_a_plain_search_finds() {
        let bytes: Vec<u8> = (0_u8..=255).flat_map(|byte| [byte, 9, 8, byte ^ 0x80, 9, 9, 10]).collect();
        for text in (0..40).flat_map(|start| (0..140).map(move |end| (start, end))) {
            let text = &bytes[text.0..bytes.len() - text.1];
            for byte in [0, 8, 9, 10, 0x80, 0x89, 0xff] {
                let mut seen = Vec::new();
                each_place(text, byte, |place| seen.push(place));
                assert_eq!(seen, memchr::memchr_iter(byte, text).collect::<Vec<_>>());
            }
        }
    }
}
