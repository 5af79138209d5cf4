//! A flow on its way into the archive.

use std::net::{IpAddr, Ipv6Addr};

use super::digest::FlowsDigest;
pub(super) use crate::device::mac_text;

/// One canonical row, with the columns of [`flow::COLUMNS`](crate::flow::COLUMNS) in their units. Text is lent, so that
/// a reader need not allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of `flow::COLUMNS`, which says what each holds")]
pub struct FlowRecord<'a> {
    pub start_time: i64,
    pub end_time: i64,
    pub src_ip: IpAddr,
    pub dst_ip: IpAddr,
    pub src_port: u16,
    pub dst_port: u16,
    pub protocol: u8,
    pub service: Option<&'a str>,
    pub src_bytes: Option<u64>,
    pub dst_bytes: Option<u64>,
    pub src_packets: Option<u64>,
    pub dst_packets: Option<u64>,
    pub conn_state: Option<&'a str>,
    pub tcp_flags: Option<u16>,
    pub src_mac: Option<[u8; 6]>,
    pub dst_mac: Option<[u8; 6]>,
    pub vlan: Option<u16>,
    pub flow_uid: Option<&'a str>,
    pub community_id: Option<&'a str>,
    pub dst_name: Option<&'a str>,
    pub sensor: Option<&'a str>,
    pub sampling_interval: Option<u32>,
    pub observed_sides: Option<u8>,
}

impl FlowRecord<'_> {
    /// A flow of which nothing is known but what every flow has.
    pub const fn new(times: (i64, i64), src: (IpAddr, u16), dst: (IpAddr, u16), protocol: u8) -> Self {
        Self {
            start_time: times.0,
            end_time: times.1,
            src_ip: src.0,
            dst_ip: dst.0,
            src_port: src.1,
            dst_port: dst.1,
            protocol,
            service: None,
            src_bytes: None,
            dst_bytes: None,
            src_packets: None,
            dst_packets: None,
            conn_state: None,
            tcp_flags: None,
            src_mac: None,
            dst_mac: None,
            vlan: None,
            flow_uid: None,
            community_id: None,
            dst_name: None,
            sensor: None,
            sampling_interval: None,
            observed_sides: None,
        }
    }

    /// The row's digest. `scratch` is overwritten.
    ///
    /// The canonical encoding is the columns in order, little-endian: addresses as 128 bits with IPv4 mapped (RFC 4291,
    /// 2.5.5.2), an optional column as one byte that says whether it follows, text as its length in 32 bits and its
    /// bytes. No two rows share an encoding.
    pub fn digest(&self, scratch: &mut Vec<u8>) -> FlowsDigest {
        let texts = [self.service, self.conn_state, self.flow_uid, self.community_id, self.dst_name, self.sensor];
        let most = MOST_NUMBERS + texts.iter().flatten().map(|text| text.len()).sum::<usize>();
        if scratch.len() < most {
            scratch.resize(most, 0);
        }
        let mut out = Encoding { bytes: scratch, length: 0 };
        out.put(self.start_time.to_le_bytes());
        out.put(self.end_time.to_le_bytes());
        out.put(ip_number(self.src_ip).to_le_bytes());
        out.put(ip_number(self.dst_ip).to_le_bytes());
        out.put(self.src_port.to_le_bytes());
        out.put(self.dst_port.to_le_bytes());
        out.put([self.protocol]);
        out.text(self.service);
        out.option(self.src_bytes.map(u64::to_le_bytes));
        out.option(self.dst_bytes.map(u64::to_le_bytes));
        out.option(self.src_packets.map(u64::to_le_bytes));
        out.option(self.dst_packets.map(u64::to_le_bytes));
        out.text(self.conn_state);
        out.option(self.tcp_flags.map(u16::to_le_bytes));
        out.option(self.src_mac);
        out.option(self.dst_mac);
        out.option(self.vlan.map(u16::to_le_bytes));
        out.text(self.flow_uid);
        out.text(self.community_id);
        out.text(self.dst_name);
        out.text(self.sensor);
        out.option(self.sampling_interval.map(u32::to_le_bytes));
        out.option(self.observed_sides.map(u8::to_le_bytes));
        FlowsDigest::of(&out.bytes[..out.length])
    }
}

/// Most bytes of an encoding without its text, and more than that.
const MOST_NUMBERS: usize = 256;

/// A canonical encoding in the making, in memory that is large enough: growing it byte by byte takes longer than hashing.
struct Encoding<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl Encoding<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes[self.length..self.length + N].copy_from_slice(&bytes);
        self.length += N;
    }

    #[inline]
    fn option<const N: usize>(&mut self, value: Option<[u8; N]>) {
        match value {
            None => self.put([0]),
            Some(bytes) => {
                self.put([1]);
                self.put(bytes);
            }
        }
    }

    #[inline]
    fn text(&mut self, value: Option<&str>) {
        self.option(value.map(|value| (value.len() as u32).to_le_bytes()));
        let text = value.unwrap_or_default().as_bytes();
        self.bytes[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
    }
}

/// An address as 128 bits, IPv4 mapped. An IPv4-mapped IPv6 address is that IPv4 address.
pub(super) fn ip_number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The address of a number of [`ip_number`].
pub(super) fn number_ip(number: u128) -> IpAddr {
    Ipv6Addr::from(number).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::{FlowRecord, ip_number, number_ip};

    fn record() -> FlowRecord<'static> {
        let end = |ip: &str, port| (ip.parse().unwrap(), port);
        FlowRecord::new((1, 2), end("10.0.0.1", 40_000), end("2001:db8::1", 443), 6)
    }

    #[test]
    fn every_column_counts() {
        let digest = |record: FlowRecord<'_>| record.digest(&mut Vec::new());
        let base = record();
        let variants = [
            FlowRecord { start_time: 0, ..base },
            FlowRecord { end_time: 3, ..base },
            FlowRecord { src_ip: base.dst_ip, ..base },
            FlowRecord { dst_ip: base.src_ip, ..base },
            FlowRecord { src_port: 1, ..base },
            FlowRecord { dst_port: 1, ..base },
            FlowRecord { protocol: 17, ..base },
            FlowRecord { service: Some("ssl"), ..base },
            FlowRecord { service: Some(""), ..base },
            FlowRecord { src_bytes: Some(0), ..base },
            FlowRecord { dst_bytes: Some(0), ..base },
            FlowRecord { src_packets: Some(0), ..base },
            FlowRecord { dst_packets: Some(0), ..base },
            FlowRecord { conn_state: Some("SF"), ..base },
            FlowRecord { tcp_flags: Some(0), ..base },
            FlowRecord { src_mac: Some([0; 6]), ..base },
            FlowRecord { dst_mac: Some([0; 6]), ..base },
            FlowRecord { vlan: Some(0), ..base },
            FlowRecord { flow_uid: Some("C1"), ..base },
            FlowRecord { community_id: Some("C1"), ..base },
            FlowRecord { dst_name: Some("C1"), ..base },
            FlowRecord { sensor: Some("C1"), ..base },
            FlowRecord { sampling_interval: Some(1), ..base },
            FlowRecord { observed_sides: Some(1), ..base },
        ];
        let mut seen = vec![digest(base)];
        for variant in variants {
            let digest = digest(variant);
            assert!(!seen.contains(&digest), "{variant:?}");
            seen.push(digest);
        }
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        for (ip, canonical) in [("::ffff:10.0.0.1", "10.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("fe80::1", "fe80::1")] {
            assert_eq!(number_ip(ip_number(ip.parse().unwrap())).to_string(), canonical);
        }
    }
}
