//! The headers of the three versions.
//!
//! | version | header | facts |
//! |---|---|---|
//! | 5 | version, count, sysuptime, seconds, nanoseconds, flow sequence, engine, sampling | Cisco's format |
//! | 9 | version, count, sysuptime, seconds, datagram sequence, source id | RFC 3954, 5.1 |
//! | 10 | version, length, seconds, record sequence, observation domain id | RFC 7011, 3.1 |

use super::{
    bare::{IPFIX_HEADER, V5_HEADER, V5_RECORD, V9_HEADER},
    bytes::{be16, be32},
};

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Version {
    V5,
    V9,
    Ipfix,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: Version,
    /// Its own length.
    pub(super) length: usize,
    /// What it says of the length of all. Version 9 says nothing, and what was sent counts.
    pub(super) whole: usize,
    /// When it was sent, microseconds UTC.
    pub(super) export: i64,
    /// The exporter's uptime then, in milliseconds.
    pub(super) uptime: Option<u32>,
    pub(super) sequence: u32,
    /// Source id, observation domain id, or engine type and id.
    pub(super) domain: u32,
    /// Version 5: records in it.
    pub(super) count: u16,
    /// Version 5: one packet in so many was seen, if it says.
    pub(super) sampling: Option<u32>,
}

impl Header {
    /// Reads the header of a datagram of which so many bytes were sent; none if it is cut off.
    pub(super) fn read(bytes: &[u8], sent: usize) -> Option<Self> {
        let word = |at| be32(bytes, at);
        let second = be16(bytes, 2)?;
        Some(match be16(bytes, 0)? {
            5 => Self {
                version: Version::V5,
                length: V5_HEADER,
                whole: V5_HEADER + usize::from(second) * V5_RECORD,
                export: micros(word(8)?) + i64::from(word(12)? / 1_000),
                uptime: word(4),
                sequence: word(16)?,
                domain: be16(bytes, 20)?.into(),
                count: second,
                // The two bits above are the mode, which not every exporter sets.
                sampling: Some(u32::from(be16(bytes, 22)? & 0x3fff)).filter(|interval| *interval > 0),
            },
            9 => Self {
                version: Version::V9,
                length: V9_HEADER,
                whole: sent,
                export: micros(word(8)?),
                uptime: word(4),
                sequence: word(12)?,
                domain: word(16)?,
                count: second,
                sampling: None,
            },
            10 => Self {
                version: Version::Ipfix,
                length: IPFIX_HEADER,
                whole: second.into(),
                export: micros(word(4)?),
                uptime: None,
                sequence: word(8)?,
                domain: word(12)?,
                count: 0,
                sampling: None,
            },
            _ => return None,
        })
    }
}

fn micros(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000_000
}
