//! Questions and answers of ICMP, which have types and codes in place of ports.

use crate::archive::tcp::{ICMP, ICMPV6};

/// Whether a protocol is ICMP.
pub(super) const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, ICMP | ICMPV6)
}

/// The type of the request that an ICMP message answers (RFC 792, RFC 950, RFC 1256; RFC 4443, RFC 4861).
pub(super) const fn request(protocol: u8, kind: u16) -> Option<u16> {
    match (protocol, kind) {
        (ICMP, 0) => Some(8),
        (ICMP, 14) => Some(13),
        (ICMP, 16) => Some(15),
        (ICMP, 18) => Some(17),
        (ICMP, 9) => Some(10),
        (ICMPV6, 129) => Some(128),
        (ICMPV6, 134) => Some(133),
        (ICMPV6, 136) => Some(135),
        _ => None,
    }
}
