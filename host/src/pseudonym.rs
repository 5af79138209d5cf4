//! Keyed pseudonyms: what a guest sees in place of addresses and names.

use std::{fmt, net::IpAddr};

/// The hospital's secret. With it alone can a pseudonym be made, so that no guest can guess an address back.
#[derive(Clone)]
pub struct Key([u8; Key::LEN]);

impl Key {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// A key from its bytes.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The pseudonym of a known device, whatever its address.
    pub fn device(&self, device_id: &str) -> u64 {
        self.number("device", device_id.as_bytes())
    }

    /// The pseudonym of an address that is no known device's.
    pub fn address(&self, ip: IpAddr) -> u64 {
        match ip {
            IpAddr::V4(ip) => self.number("address", &ip.octets()),
            IpAddr::V6(ip) => self.number("address", &ip.octets()),
        }
    }

    /// The number of a zone; never zero, which stands for no zone.
    pub fn zone(&self, zone: &str) -> u32 {
        let [a, b, c, d, ..] = self.number("zone", zone.as_bytes()).to_le_bytes();
        u32::from_le_bytes([a, b, c, d]).max(1)
    }

    /// The first 64 bits of keyed BLAKE3, a pseudorandom function.
    fn number(&self, domain: &str, value: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(domain.as_bytes()).update(&[0]).update(value);
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}
