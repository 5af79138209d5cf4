//! A digest that tells whether a set of flows changed.

use std::{
    fmt,
    ops::{Add, AddAssign},
    str::FromStr,
};

use xxhash_rust::xxh3::xxh3_128;

/// A 128-bit digest of a set of flows: the wrapping sum of the XXH3 hashes of their canonical encodings, so that it
/// depends neither on the order of the flows nor on how files hold them, and the digest of a union is a sum.
///
/// It detects change and is no proof against forgery: whoever can write the archive can write its digests too. That is
/// why a fast hash without a key is enough, and why a plain sum may combine them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowsDigest(u128);

impl FlowsDigest {
    /// The digest of one item, by its canonical bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }
}

impl Add for FlowsDigest {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for FlowsDigest {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for FlowsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for FlowsDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match u128::from_str_radix(text, 16) {
            Ok(digest) if text.len() == 32 => Ok(Self(digest)),
            _ => Err(format!("{text:?} is no digest of flows: 32 hexadecimal digits")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FlowsDigest;

    #[test]
    fn a_sum_forgets_order_but_not_number() {
        let [a, b] = [FlowsDigest::of(b"a"), FlowsDigest::of(b"b")];
        assert_eq!(a + b, b + a);
        assert_ne!(a + a, a);
        assert_ne!(a + b, a);
    }

    #[test]
    fn text_and_back() {
        for bytes in [&b""[..], b"flow"] {
            let digest = FlowsDigest::of(bytes);
            assert_eq!(digest.to_string().parse(), Ok(digest));
        }
        assert_eq!(FlowsDigest::default().to_string(), "0".repeat(32));
        assert!("12".parse::<FlowsDigest>().is_err());
    }
}
