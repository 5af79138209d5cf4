//! The elements of a record of `nfdump`. A record is a header and elements, of which those that are read have a fixed
//! layout.
//!
//! Layout and constants are those of nfxV3.h of nfdump 1.7.1. Elements that are not there count as full of zeros, which
//! is how `nfdump` prints them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::output::{array_at, u16_at};

/// Bytes of a record's header (`recordHeaderV3_t`).
const HEADER: usize = 12;

/// Where it has the number of elements.
const ELEMENT_COUNT: usize = 4;

/// Bytes of an element's header (`elementHeader_t`): its type, and its bytes with this header.
const ELEMENT_HEADER: usize = 4;

/// `EXgenericFlow`.
const GENERIC: usize = 1;
/// In milliseconds since 1970, 64 bits each, as the counts are.
pub(super) const START: Field = Field(GENERIC, 0);
pub(super) const END: Field = Field(GENERIC, 8);
pub(super) const IN_PACKETS: Field = Field(GENERIC, 24);
pub(super) const IN_BYTES: Field = Field(GENERIC, 32);
/// In 16 bits.
pub(super) const SRC_PORT: Field = Field(GENERIC, 40);
/// In 16 bits; for ICMP the type in the high ones, and the code.
pub(super) const DST_PORT: Field = Field(GENERIC, 42);
/// In 8 bits, as the TCP flags that follow.
pub(super) const PROTOCOL_AND_FLAGS: Field = Field(GENERIC, 44);

/// `EXipv4Flow`, in 32 bits each.
const IPV4: usize = 2;
pub(super) const SRC_IPV4: Field = Field(IPV4, 0);
pub(super) const DST_IPV4: Field = Field(IPV4, 4);

/// `EXipv6Flow`, as two numbers of 64 bits each, the high one first.
const IPV6: usize = 3;
pub(super) const SRC_IPV6: Field = Field(IPV6, 0);
pub(super) const DST_IPV6: Field = Field(IPV6, 16);

/// `EXcntFlow`, which begins with a number of flows, in 64 bits each.
const OUT: usize = 5;
pub(super) const OUT_PACKETS: Field = Field(OUT, 8);
pub(super) const OUT_BYTES: Field = Field(OUT, 16);

/// `EXvLan`, in 32 bits each.
const VLANS: usize = 6;
pub(super) const SRC_VLAN: Field = Field(VLANS, 0);
pub(super) const DST_VLAN: Field = Field(VLANS, 4);

/// `EXipReceivedV4` and `EXipReceivedV6`, as the addresses of flows.
pub(super) const EXPORTER_IPV4: Field = Field(12, 0);
pub(super) const EXPORTER_IPV6: Field = Field(13, 0);

/// `EXmacAddr`, in 64 bits each.
const MACS: usize = 15;
pub(super) const IN_SRC_MAC: Field = Field(MACS, 0);
pub(super) const OUT_DST_MAC: Field = Field(MACS, 8);
pub(super) const IN_DST_MAC: Field = Field(MACS, 16);

/// `EXtunIPv4` and `EXtunIPv6`: the outer addresses of a tunnel.
const TUNNELS: [usize; 2] = [31, 32];

/// Bytes of the elements that are read, by their types.
const BYTES: [usize; 33] = {
    let mut bytes = [0; 33];
    bytes[GENERIC] = 48;
    bytes[IPV4] = 8;
    bytes[IPV6] = 32;
    bytes[OUT] = 24;
    bytes[VLANS] = 8;
    bytes[EXPORTER_IPV4.0] = 4;
    bytes[EXPORTER_IPV6.0] = 16;
    bytes[MACS] = 32;
    bytes
};

/// The type of an element, and where the field is in its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(usize, usize);

/// Where the elements of a record are, by their types; 0 for those that it has not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places([u16; BYTES.len()]);

/// The elements of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a> {
    pub(super) record: &'a [u8],
    pub(super) places: &'a Places,
}

impl Places {
    /// Of a record that has none.
    pub(super) const NONE: Self = Self([0; BYTES.len()]);

    /// Finds the elements of a record.
    pub(super) fn of(record: &[u8]) -> Result<Self, String> {
        let Some(count) = u16_at(record, ELEMENT_COUNT).filter(|_| record.len() >= HEADER) else {
            return Err(format!("the record has {} bytes; it must have {HEADER} and more", record.len()));
        };
        let mut places = Self::NONE;
        let mut at = HEADER;
        for _ in 0..count {
            let (Some(kind), Some(bytes)) = (u16_at(record, at), u16_at(record, at + 2)) else {
                return Err(format!("the record ends before the last of its {count} elements"));
            };
            let (kind, bytes) = (usize::from(kind), usize::from(bytes));
            let least = ELEMENT_HEADER + BYTES.get(kind).copied().unwrap_or(0);
            let left = record.len() - at;
            if bytes < least || bytes > left {
                return Err(format!("element {kind} has {bytes} bytes; it must have {least} to {left}"));
            }
            if let Some(place) = places.0.get_mut(kind) {
                // A record has no more than 64 KiB.
                *place = (at + ELEMENT_HEADER) as u16;
            }
            at += bytes;
        }
        if at < record.len() {
            return Err(format!("the record has {} bytes after the last of its {count} elements", record.len() - at));
        }
        Ok(places)
    }

    /// Whether the flow came through a tunnel.
    pub(super) fn has_tunnel(&self) -> bool {
        TUNNELS.iter().any(|kind| self.0[*kind] > 0)
    }
}

impl Elements<'_> {
    /// Whether the record has the field.
    pub(super) const fn has(&self, field: Field) -> bool {
        self.places.0[field.0] > 0
    }

    /// The bytes of a field; zeros where the record does not have it.
    #[inline]
    pub(super) fn get<const N: usize>(&self, Field(element, at): Field) -> [u8; N] {
        let place = usize::from(self.places.0[element]);
        if place == 0 { [0; N] } else { array_at(self.record, place + at).unwrap_or([0; N]) }
    }

    /// A number of 64 bits.
    #[inline]
    pub(super) fn number(&self, field: Field) -> u64 {
        u64::from_ne_bytes(self.get(field))
    }

    pub(super) fn ipv4(&self, field: Field) -> IpAddr {
        Ipv4Addr::from_bits(u32::from_ne_bytes(self.get(field))).into()
    }

    pub(super) fn ipv6(&self, Field(element, at): Field) -> IpAddr {
        let [high, low] = [at, at + 8].map(|at| u128::from(self.number(Field(element, at))));
        Ipv6Addr::from_bits(high << 64 | low).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::build::{SSH, ipv4, record_of},
        Elements, IN_BYTES, Places, SRC_IPV4, SRC_IPV6, START,
    };

    #[test]
    fn elements_by_their_types() {
        let (kind, body) = SSH.element();
        let longer = (kind, [body, vec![0xff; 8]].concat());
        // Of types that are not known, and of some that are known and not read.
        let others = [(0, vec![]), (31, vec![9; 12]), (33, vec![8; 1]), (65_535, vec![7; 300])];
        let record = record_of(&[&others[..], &[longer, ipv4([10, 0, 0, 1], [10, 0, 0, 2])]].concat());
        let places = Places::of(&record).unwrap();
        let elements = Elements { record: &record, places: &places };
        assert_eq!((elements.number(START), elements.number(IN_BYTES)), (SSH.times.0, SSH.bytes));
        assert_eq!(elements.ipv4(SRC_IPV4).to_string(), "10.0.0.1");
        assert_eq!((elements.has(SRC_IPV6), elements.ipv6(SRC_IPV6).to_string().as_str()), (false, "::"));
        assert!(places.has_tunnel());
        assert!(!Places::of(&record_of(&[SSH.element()])).unwrap().has_tunnel());
    }

    #[test]
    fn lengths_that_lie() {
        // Of 12 bytes of header, 52 of one element, and 12 of the other.
        let good = record_of(&[SSH.element(), ipv4([10, 0, 0, 1], [10, 0, 0, 2])]);
        let with = |at: usize, number: u16| {
            let mut bad = good.clone();
            bad[at..at + 2].copy_from_slice(&number.to_ne_bytes());
            Places::of(&bad).unwrap_err()
        };
        assert_eq!(with(4, 1), "the record has 12 bytes after the last of its 1 elements");
        assert_eq!(with(4, 3), "the record ends before the last of its 3 elements");
        assert_eq!(with(14, 0), "element 1 has 0 bytes; it must have 52 to 64");
        assert_eq!(with(66, 13), "element 2 has 13 bytes; it must have 12 to 12");
        let short = record_of(&[SSH.element(), (15, vec![0; 31])]);
        assert_eq!(Places::of(&short).unwrap_err(), "element 15 has 35 bytes; it must have 36 to 35");
        for length in 0..good.len() {
            assert!(Places::of(&good[..length]).is_err(), "{length}");
        }
    }
}
