/// A name as the number that crosses the boundary: 32-bit FNV-1a (draft-eastlake-fnv) over the lowercase UTF-8 bytes,
/// zero for an empty name.
///
/// ```
/// assert_eq!(wardflow_manifest::name_id(""), 0);
/// assert_eq!(wardflow_manifest::name_id("DNS"), wardflow_manifest::name_id("dns"));
/// ```
pub fn name_id(name: &str) -> u32 {
    if name.is_empty() {
        return 0;
    }
    name.chars().flat_map(char::to_lowercase).fold(2_166_136_261, |hash, letter| {
        let mut bytes = [0; 4];
        letter
            .encode_utf8(&mut bytes)
            .bytes()
            .fold(hash, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
    })
}

#[cfg(test)]
mod tests {
    use super::name_id;

    /// Vectors from draft-eastlake-fnv, appendix C.
    #[test]
    fn matches_the_published_vectors() {
        for (name, hash) in [("a", 0xe40c_292c_u32), ("foobar", 0xbf9c_f968)] {
            assert_eq!(name_id(name), hash, "{name}");
        }
    }
}
