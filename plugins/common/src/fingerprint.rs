/// 32 well-mixed bits of a peer: 2^64 divided by the golden ratio spreads any numbers (Knuth, *The Art of Computer
/// Programming* 3, section 6.4). One device in a hundred thousand confuses two of its peers.
pub const fn fingerprint(peer: u64) -> u32 {
    (peer.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}
