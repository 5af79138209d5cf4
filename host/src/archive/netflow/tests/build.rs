//! Datagrams and captures, made by hand.

use std::net::IpAddr;

/// Bytes of numbers in network order.
pub(super) trait Put {
    fn put(self, number: u64, length: usize) -> Self;
}

impl Put for Vec<u8> {
    fn put(mut self, number: u64, length: usize) -> Self {
        self.extend_from_slice(&number.to_be_bytes()[8 - length..]);
        self
    }
}

/// When datagrams are sent, in seconds.
pub(super) const EXPORT: u64 = 1_700_000_000;

/// The exporter's uptime then, in milliseconds.
pub(super) const UPTIME: u64 = 100_000;

/// A record of version 5.
#[derive(Clone, Copy)]
pub(super) struct V5 {
    pub(super) src: ([u8; 4], u16),
    pub(super) dst: ([u8; 4], u16),
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) flags: u8,
    pub(super) protocol: u8,
}

pub(super) const RECORD: V5 = V5 {
    src: ([10, 0, 0, 1], 40_000),
    dst: ([10, 0, 0, 2], 443),
    packets: 7,
    octets: 900,
    first: 90_000,
    last: 91_500,
    flags: 0x1b,
    protocol: 6,
};

/// A version 5 datagram.
pub(super) fn v5(sequence: u64, sampling: u64, records: &[V5]) -> Vec<u8> {
    let mut bytes = vec![].put(5, 2).put(records.len() as u64, 2).put(UPTIME, 4).put(EXPORT, 4).put(250_000_000, 4);
    bytes = bytes.put(sequence, 4).put(0x0102, 2).put(sampling, 2);
    for record in records {
        bytes.extend([record.src.0, record.dst.0, [1, 1, 1, 1], [0, 3, 0, 4]].concat());
        bytes = bytes.put(record.packets, 4).put(record.octets, 4).put(record.first, 4).put(record.last, 4);
        bytes = bytes.put(record.src.1.into(), 2).put(record.dst.1.into(), 2);
        bytes.extend([0, record.flags, record.protocol]);
        bytes.extend([0xff; 9]);
    }
    bytes
}

/// A version 9 datagram of one source id.
pub(super) fn v9(sequence: u64, sets: &[Vec<u8>]) -> Vec<u8> {
    let header = vec![].put(9, 2).put(1, 2).put(UPTIME, 4).put(EXPORT, 4).put(sequence, 4).put(77, 4);
    [header, sets.concat()].concat()
}

/// An IPFIX message of a domain.
pub(super) fn ipfix_of(domain: u64, sequence: u64, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let header = vec![].put(10, 2).put(16 + sets.len() as u64, 2).put(EXPORT, 4).put(sequence, 4).put(domain, 4);
    [header, sets].concat()
}

pub(super) fn ipfix(sequence: u64, sets: &[Vec<u8>]) -> Vec<u8> {
    ipfix_of(0, sequence, sets)
}

/// A set, padded to four bytes.
pub(super) fn set(id: u64, content: &[Vec<u8>]) -> Vec<u8> {
    let mut content = content.concat();
    content.resize(content.len().next_multiple_of(4), 0);
    [vec![].put(id, 2).put(4 + content.len() as u64, 2), content].concat()
}

/// A template of elements of IANA's, with their lengths.
pub(super) fn template(id: u64, fields: &[(u64, u64)]) -> Vec<u8> {
    let bytes = vec![].put(id, 2).put(fields.len() as u64, 2);
    fields.iter().fold(bytes, |bytes, (element, length)| bytes.put(*element, 2).put(*length, 2))
}

/// A template of IPFIX, with enterprises (0: IANA).
pub(super) fn enterprise_template(id: u64, fields: &[(u64, u64, u64)]) -> Vec<u8> {
    let bytes = vec![].put(id, 2).put(fields.len() as u64, 2);
    fields.iter().fold(bytes, |bytes, (enterprise, element, length)| match enterprise {
        0 => bytes.put(*element, 2).put(*length, 2),
        _ => bytes.put(element | 0x8000, 2).put(*length, 2).put(*enterprise, 4),
    })
}

/// A record of fixed fields: each value with its length.
pub(super) fn record(values: &[(u64, usize)]) -> Vec<u8> {
    values.iter().fold(Vec::new(), |bytes, (value, length)| bytes.put(*value, *length))
}

/// A UDP datagram in an IP packet, without checksums.
pub(super) fn ip(source: &str, port: u16, payload: &[u8]) -> Vec<u8> {
    let udp = [vec![].put(port.into(), 2).put(2055, 2).put(8 + payload.len() as u64, 2).put(0, 2), payload.to_vec()];
    let udp = udp.concat();
    match source.parse().unwrap() {
        IpAddr::V4(source) => {
            let header = vec![0x45, 0].put(20 + udp.len() as u64, 2).put(0, 4);
            [header, vec![64, 17, 0, 0], source.octets().to_vec(), vec![10, 9, 9, 9], udp].concat()
        }
        IpAddr::V6(source) => {
            let header = vec![0x60, 0, 0, 0].put(udp.len() as u64, 2);
            [header, vec![17, 64], source.octets().to_vec(), vec![0xfd; 16], udp].concat()
        }
    }
}

/// An Ethernet frame.
pub(super) fn ethernet(packet: &[u8]) -> Vec<u8> {
    let kind = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
    [vec![2; 12].put(kind, 2), packet.to_vec()].concat()
}

/// A pcap file in little-endian order.
pub(super) fn pcap(link: u8, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    bytes.extend([[0; 8], [0, 0, 4, 0, link, 0, 0, 0]].concat());
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        bytes.extend([&[0; 8], &length[..], &length].concat());
        bytes.extend(frame);
    }
    bytes
}
