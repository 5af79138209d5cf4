//! Finds a byte where it comes every few bytes, as a separator does. There a call for each costs more than the search.

/// Calls `found` with every place of `byte` in `text`, in order.
pub(super) fn each_place(text: &[u8], byte: u8, mut found: impl FnMut(usize)) {
    let pattern = u64::from_le_bytes([byte; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (word, bytes) in words.iter().enumerate() {
        let mut zeros = zero_bytes(u64::from_le_bytes(*bytes) ^ pattern);
        while zeros != 0 {
            found(word * 8 + zeros.trailing_zeros() as usize / 8);
            zeros &= zeros - 1;
        }
    }
    for (place, _) in rest.iter().enumerate().filter(|(_, other)| **other == byte) {
        found(words.len() * 8 + place);
    }
}

/// The highest bit of every byte that is zero, and no other: adding to the low seven bits of a byte carries into none.
const fn zero_bytes(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    !(((word & LOW) + LOW) | word | LOW)
}

#[cfg(test)]
mod tests {
    use super::each_place;

    #[test]
    fn finds_what_a_plain_search_finds() {
        let bytes: Vec<u8> = (0_u8..=255).flat_map(|byte| [byte, 9, 8, byte ^ 0x80, 9, 9, 10]).collect();
        for text in (0..40).flat_map(|start| (0..40).map(move |end| (start, end))) {
            let text = &bytes[text.0..bytes.len() - text.1];
            for byte in [0, 8, 9, 10, 0x80, 0x89, 0xff] {
                let mut seen = Vec::new();
                each_place(text, byte, |place| seen.push(place));
                assert_eq!(seen, memchr::memchr_iter(byte, text).collect::<Vec<_>>());
            }
        }
    }
}
