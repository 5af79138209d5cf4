//! Numbers out of bytes.

/// Two bytes in network order; none past the end.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// Four bytes in network order; none past the end.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// So many bytes as they are; none past the end.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A number of one to eight bytes in network order, as reduced-size encoding has them (RFC 7011, 6.2).
#[inline]
pub(super) fn number(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_be_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::{be16, be32, number};

    #[test]
    fn reads_in_network_order() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(
            [1, 2, 3, 4, 8].map(|length| number(&bytes[..length])),
            [1, 0x0102, 0x0001_0203, 0x0102_0304, 0x0102_0304_0506_0708]
        );
        assert_eq!((be16(&bytes, 6), be16(&bytes, 7), be16(&bytes, 99)), (Some(0x0708), None, None));
        assert_eq!((be32(&bytes, 4), be32(&bytes, 5)), (Some(0x0506_0708), None));
    }
}
