//! Community ID, version 1: one id for a flow in whatever tool saw it, from whichever side.

use super::is_icmp;
use crate::{Flow, side::ICMP};
use std::net::IpAddr;

/// The community id of a flow, with the seed 0 that all tools have unless told otherwise.
///
/// It is SHA-1, in Base64, over addresses, protocol and ports, the lesser end first. In place of the ports of ICMP are
/// its type and the type that answers it, or type and code, in this order, where none does.
pub fn community_id(flow: &Flow) -> String {
    let (port, other, is_one_way) = if !is_icmp(flow) {
        (flow.src_port, flow.dst_port, false)
    } else if let Some(answer) = answer(flow.protocol, flow.src_port) {
        (flow.src_port, answer, false)
    } else {
        (flow.src_port, flow.dst_port, true)
    };
    let (mut low, mut high) = ((flow.src_ip, port), (flow.dst_ip, other));
    if !is_one_way && low > high {
        std::mem::swap(&mut low, &mut high);
    }
    let mut tuple = vec![0, 0];
    for ip in [low.0, high.0] {
        match ip {
            IpAddr::V4(ip) => tuple.extend(ip.octets()),
            IpAddr::V6(ip) => tuple.extend(ip.octets()),
        }
    }
    tuple.extend([flow.protocol, 0]);
    tuple.extend(low.1.to_be_bytes());
    tuple.extend(high.1.to_be_bytes());
    format!("1:{}", base64(&sha1(&tuple)))
}

/// The ICMP type that answers a type, as the specification pairs them.
pub(super) const fn answer(protocol: u8, kind: u16) -> Option<u16> {
    let pairs: &[(u16, u16)] = if protocol == ICMP {
        &[(8, 0), (10, 9), (13, 14), (15, 16), (17, 18)]
    } else {
        &[(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)]
    };
    let mut at = 0;
    while at < pairs.len() {
        match pairs[at] {
            (asks, answers) if asks == kind => return Some(answers),
            (asks, answers) if answers == kind => return Some(asks),
            _ => at += 1,
        }
    }
    None
}

/// SHA-1 (FIPS 180-4, 6.1). The standard has been withdrawn for signatures; an id needs no more.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let length_at = padded.len() - 8;
    padded[length_at..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());

    let mut hash: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
        }
        for t in 16..80 {
            words[t] = (words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = hash;
        for (t, &word) in words.iter().enumerate() {
            let (mixed, constant) = match t {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e).wrapping_add(constant).wrapping_add(word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, part) in hash.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(hash) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// Base64 with padding (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = ALPHABET[bits >> (18 - 6 * at) & 63];
            text.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::tests::visit, *};

    /// Expectations are those that the tools of the specification publish.
    #[track_caller]
    fn check(protocol: u8, src: (&str, u16), dst: (&str, u16), expected: &str) {
        let flow = Flow {
            protocol,
            src_ip: src.0.parse().unwrap(),
            dst_ip: dst.0.parse().unwrap(),
            src_port: src.1,
            dst_port: dst.1,
            ..visit()
        };
        assert_eq!(community_id(&flow), expected);
    }

    #[test]
    fn is_as_published() {
        let tcp = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        check(6, ("128.232.110.120", 34_855), ("66.35.250.204", 80), tcp);
        check(6, ("66.35.250.204", 80), ("128.232.110.120", 34_855), tcp);
        check(17, ("192.168.1.52", 54_585), ("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        check(1, ("192.168.0.89", 8), ("192.168.0.1", 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
        let v6 = ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63_943);
        check(6, v6, ("2607:f8b0:400c:c03::1a", 25), "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=");
        check(58, ("fe80::260:97ff:fe07:69ea", 134), ("ff02::1", 0), "1:pkvHqCL88/tg1k4cPigmZXUtL00=");
    }

    #[test]
    fn sha1_pads_to_one_block_or_two() {
        let hex = |text: &str| sha1(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(two), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(hex(&"a".repeat(64)), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    }
}
