//! UDP datagrams out of captured frames.
//!
//! Link types are those of tcpdump.org's list. IP datagrams that came in fragments are not put together: exporters keep
//! theirs below the MTU (RFC 3954, 9; RFC 7011, 10.3.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{array, be16};

const UDP: u8 = 17;

/// VLAN tags that a frame may have. Two are usual where providers nest them.
const MOST_TAGS: usize = 4;

/// IPv6 extension headers that a packet may have. RFC 8200 (4.1) names seven.
const MOST_EXTENSIONS: usize = 8;

/// How frames begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    /// BSD's loopback: four bytes with the address family.
    Loopback,
    /// An IP packet at once.
    RawIp,
    LinuxCooked,
    LinuxCooked2,
}

impl Link {
    /// The link of a number of the list of link types; none if its frames are not read.
    pub(super) const fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            0 | 108 => Self::Loopback,
            // 12 and 14 are what BSDs write for it.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            _ => return None,
        })
    }
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Udp(Datagram),
    /// A part of an IP datagram.
    Fragment,
    Other,
}

/// A UDP datagram in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) source: (IpAddr, u16),
    /// Where its payload begins in the frame, and how much of it was captured.
    pub(super) start: usize,
    pub(super) length: usize,
    /// How long the payload was when sent.
    pub(super) sent: usize,
}

/// What a frame carries.
pub(super) fn packet(link: Link, frame: &[u8]) -> Packet {
    let network = match link {
        Link::Ethernet => be16(frame, 12).and_then(|kind| after_tags(frame, kind, 14)),
        Link::LinuxCooked => be16(frame, 14).and_then(|kind| after_tags(frame, kind, 16)),
        Link::LinuxCooked2 => be16(frame, 0).and_then(|kind| after_tags(frame, kind, 20)),
        Link::Loopback => Some(4),
        Link::RawIp => Some(0),
    };
    network.and_then(|start| ip(frame, start)).unwrap_or(Packet::Other)
}

/// Where the IP packet begins, after any VLAN tags; none if there is none.
fn after_tags(frame: &[u8], mut kind: u16, mut start: usize) -> Option<usize> {
    for _ in 0..=MOST_TAGS {
        match kind {
            0x0800 | 0x86dd => return Some(start),
            0x8100 | 0x88a8 | 0x9100 => {
                kind = be16(frame, start + 2)?;
                start += 4;
            }
            _ => return None,
        }
    }
    None
}

fn ip(frame: &[u8], start: usize) -> Option<Packet> {
    match frame.get(start)? >> 4 {
        4 => ipv4(frame, start),
        6 => ipv6(frame, start),
        _ => None,
    }
}

fn ipv4(frame: &[u8], start: usize) -> Option<Packet> {
    let header: [u8; 20] = array(frame, start)?;
    let length = usize::from(header[0] & 0x0f) * 4;
    // More fragments, or an offset other than zero.
    if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
        return Some(Packet::Fragment);
    }
    if length < 20 || header[9] != UDP {
        return None;
    }
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    udp(frame, start + length, source.into())
}

fn ipv6(frame: &[u8], start: usize) -> Option<Packet> {
    let source = Ipv6Addr::from(array::<16>(frame, start + 8)?);
    let mut next = *frame.get(start + 6)?;
    let mut at = start + 40;
    for _ in 0..=MOST_EXTENSIONS {
        let [following, length] = array(frame, at)?;
        match next {
            UDP => return udp(frame, at, source.into()),
            // Hop-by-hop options, routing, destination options.
            0 | 43 | 60 => at += 8 + usize::from(length) * 8,
            51 => at += 8 + usize::from(length) * 4,
            // A fragment header without offset and with nothing to follow is of a whole datagram.
            44 if be16(frame, at + 2)? & 0xfff9 == 0 => at += 8,
            44 => return Some(Packet::Fragment),
            _ => return None,
        }
        next = following;
    }
    None
}

fn udp(frame: &[u8], start: usize, source: IpAddr) -> Option<Packet> {
    let port = be16(frame, start)?;
    let sent = usize::from(be16(frame, start + 4)?).checked_sub(8)?;
    let start = start + 8;
    let length = frame.len().checked_sub(start)?.min(sent);
    Some(Packet::Udp(Datagram { source: (source, port), start, length, sent }))
}
