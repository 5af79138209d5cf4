//! A data record: the elements of a flow, of one side of it, or of a piece of that, and their values.

use super::super::{community::answer, headers, is_icmp};
use crate::{
    ConnState, Flow,
    side::{Side, TCP},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IDLE: u8 = 1;
const ACTIVE_TIMEOUT: u8 = 2;
const END_SEEN: u8 = 3;

/// The enterprise number of reverse elements (RFC 5103, 6.1).
const REVERSE: u32 = 29_305;
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: i64 = 2_208_988_800;

/// An information element, by its number with IANA.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    number: u16,
    is_reverse: bool,
}

impl Element {
    /// Adds its field specifier.
    pub(super) fn describe(self, length: u16, out: &mut Vec<u8>) {
        let enterprise_bit = if self.is_reverse { 0x8000 } else { 0 };
        out.extend((self.number | enterprise_bit).to_be_bytes());
        out.extend(length.to_be_bytes());
        if self.is_reverse {
            out.extend(REVERSE.to_be_bytes());
        }
    }
}

/// What went in one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Volume {
    octets: u64,
    packets: u64,
    flags: u8,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) end_us: i64,
    start_us: i64,
    ips: [IpAddr; 2],
    ports: [u16; 2],
    macs: [[u8; 6]; 2],
    protocol: u8,
    /// Type and code.
    icmp: [u8; 2],
    vlan: u16,
    sent: Volume,
    /// Of biflows.
    received: Option<Volume>,
    end_reason: u8,
}

impl Record {
    /// A flow.
    pub(super) fn biflow(flow: &Flow) -> Self {
        let [sent, received] = Side::both(flow).map(|side| volume(flow, &side, 0..side.packets));
        Self { sent, received: Some(received), ..Self::of(flow) }
    }

    /// The pieces of both sides, each as long as the timeout lets it be.
    pub(super) fn halves(flow: &Flow, timeout_us: i64) -> impl Iterator<Item = Self> {
        let there = Self::of(flow);
        let back = Self {
            ips: [flow.dst_ip, flow.src_ip],
            ports: [there.ports[1], there.ports[0]],
            macs: [there.macs[1], there.macs[0]],
            icmp: if is_icmp(flow) { answering(flow) } else { [0; 2] },
            ..there
        };
        [there, back].into_iter().zip(Side::both(flow)).flat_map(move |(record, side)| {
            side.pieces(timeout_us).map(move |piece| Self {
                start_us: side.at_us(piece.start),
                end_us: side.at_us(piece.end - 1),
                sent: volume(flow, &side, piece.clone()),
                end_reason: if piece.end < side.packets { ACTIVE_TIMEOUT } else { record.end_reason },
                ..record
            })
        })
    }

    /// One that stands for all of its template.
    pub(super) fn empty(is_v6: bool, is_biflow: bool) -> Self {
        let ip = if is_v6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
        Self {
            end_us: 0,
            start_us: 0,
            ips: [ip; 2],
            ports: [0; 2],
            macs: [[0; 6]; 2],
            protocol: 0,
            icmp: [0; 2],
            vlan: 0,
            sent: Volume::default(),
            received: is_biflow.then(Volume::default),
            end_reason: 0,
        }
    }

    /// The number of its template.
    pub(super) const fn template(&self) -> u16 {
        if self.ips[0].is_ipv4() { 256 } else { 257 }
    }

    /// Calls with each element and its value: the one order that templates and records share.
    pub(super) fn each(&self, mut put: impl FnMut(Element, &[u8])) {
        let mut own = |number, value: &[u8]| put(Element { number, is_reverse: false }, value);
        own(154, &ntp(self.start_us).to_be_bytes());
        own(155, &ntp(self.end_us).to_be_bytes());
        for (numbers, ip) in [(8, 27), (12, 28)].into_iter().zip(self.ips) {
            match ip {
                IpAddr::V4(ip) => own(numbers.0, &ip.octets()),
                IpAddr::V6(ip) => own(numbers.1, &ip.octets()),
            }
        }
        own(7, &self.ports[0].to_be_bytes());
        own(11, &self.ports[1].to_be_bytes());
        own(4, &[self.protocol]);
        own(if self.ips[0].is_ipv4() { 32 } else { 139 }, &self.icmp);
        own(56, &self.macs[0]);
        own(80, &self.macs[1]);
        own(58, &self.vlan.to_be_bytes());
        own(136, &[self.end_reason]);
        if self.received.is_some() {
            own(239, &[1]);
        }
        for (volume, is_reverse) in [(Some(self.sent), false), (self.received, true)] {
            if let Some(volume) = volume {
                put(Element { number: 1, is_reverse }, &volume.octets.to_be_bytes());
                put(Element { number: 2, is_reverse }, &volume.packets.to_be_bytes());
                put(Element { number: 6, is_reverse }, &u16::from(volume.flags).to_be_bytes());
            }
        }
    }

    fn of(flow: &Flow) -> Self {
        let icmp = is_icmp(flow);
        Self {
            end_us: flow.end_us,
            start_us: flow.start_us,
            ips: [flow.src_ip, flow.dst_ip],
            ports: if icmp { [0; 2] } else { [flow.src_port, flow.dst_port] },
            macs: [flow.src_mac.unwrap_or_default(), flow.dst_mac.unwrap_or_default()],
            protocol: flow.protocol,
            icmp: if icmp { [flow.src_port as u8, flow.dst_port as u8] } else { [0; 2] },
            vlan: flow.vlan.unwrap_or_default(),
            end_reason: end_reason(flow),
            ..Self::empty(false, false)
        }
    }
}

fn volume(flow: &Flow, side: &Side, run: std::ops::Range<u64>) -> Volume {
    let packets = run.end - run.start;
    let bytes = side.bytes_before(run.end) - side.bytes_before(run.start);
    Volume { octets: bytes + headers(flow) * packets, packets, flags: side.flags_of(run) }
}

/// Type and code of the answer to an ICMP flow.
fn answering(flow: &Flow) -> [u8; 2] {
    answer(flow.protocol, flow.src_port).map_or([flow.src_port as u8, flow.dst_port as u8], |kind| [kind as u8, 0])
}

const fn end_reason(flow: &Flow) -> u8 {
    if flow.protocol != TCP {
        return IDLE;
    }
    match flow.conn_state {
        ConnState::Oth => ACTIVE_TIMEOUT,
        ConnState::S0 | ConnState::S1 | ConnState::S2 | ConnState::S3 | ConnState::Sh | ConnState::Shr => IDLE,
        _ => END_SEEN,
    }
}

/// The NTP format of `dateTimeMicroseconds` (RFC 7011, 6.1.9), of whose fraction the lowest 11 bits are 0.
pub(super) fn ntp(us: i64) -> u64 {
    let seconds = us.div_euclid(1_000_000) + NTP_EPOCH;
    let fraction = (us.rem_euclid(1_000_000) as u64) << 21;
    u64::from(seconds as u32) << 32 | fraction.div_ceil(1_000_000) << 11
}
