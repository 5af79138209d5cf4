//! A record of `nfdump` as a flow.

use std::net::IpAddr;

use jiff::Timestamp;

use super::elements::{
    DST_IPV4, DST_IPV6, DST_PORT, DST_VLAN, END, EXPORTER_IPV4, EXPORTER_IPV6, Elements, Field, IN_BYTES, IN_DST_MAC,
    IN_PACKETS, IN_SRC_MAC, OUT_BYTES, OUT_DST_MAC, OUT_PACKETS, PROTOCOL_AND_FLAGS, SRC_IPV4, SRC_IPV6, SRC_PORT,
    SRC_VLAN, START,
};
use crate::archive::{
    record::FlowRecord,
    tcp::{ICMP, ICMPV6, TCP},
    values::LAST_TIME,
};

/// How far the end may come before the start, in microseconds: packets out of order have it so, of which the one that
/// was seen first is the later. A larger difference is one of a clock that was set.
const DISORDER: i64 = 60_000_000;

/// What was counted of a direction.
#[derive(Clone, Copy, Debug)]
struct Counts {
    packets: u64,
    bytes: u64,
}

impl<'a> Elements<'a> {
    /// The flow; none where nothing is counted.
    pub(super) fn flow(&self, sensor: Option<&'a str>) -> Result<Option<FlowRecord<'a>>, String> {
        let counted_in = Counts { packets: self.number(IN_PACKETS), bytes: self.number(IN_BYTES) };
        let counted_out = Counts { packets: self.number(OUT_PACKETS), bytes: self.number(OUT_BYTES) };
        let (src, dst) = if counted_in.is_none() { (counted_out, counted_in) } else { (counted_in, counted_out) };
        if src.is_none() {
            return Ok(None);
        }
        let [protocol, flags] = self.get(PROTOCOL_AND_FLAGS);
        let (src_ip, dst_ip) = self.addresses();
        let (src_port, dst_port) = self.ports(protocol);
        let is_answered = !dst.is_none();
        Ok(Some(FlowRecord {
            src_bytes: Some(src.bytes),
            dst_bytes: is_answered.then_some(dst.bytes),
            src_packets: src.known_packets(),
            dst_packets: dst.known_packets(),
            tcp_flags: Some(u16::from(flags)).filter(|flags| protocol == TCP && *flags != 0),
            src_mac: self.mac(IN_SRC_MAC),
            dst_mac: self.mac(IN_DST_MAC).or(self.mac(OUT_DST_MAC)),
            vlan: self.vlan()?,
            sensor,
            observed_sides: is_answered.then_some(2),
            ..FlowRecord::new(self.times()?, (src_ip, src_port), (dst_ip, dst_port), protocol)
        }))
    }

    /// The address of who exported it.
    pub(super) fn exporter(&self) -> Option<IpAddr> {
        let address = if self.has(EXPORTER_IPV6) { self.ipv6(EXPORTER_IPV6) } else { self.ipv4(EXPORTER_IPV4) };
        Some(address).filter(|address| !address.is_unspecified())
    }

    fn times(&self) -> Result<(i64, i64), String> {
        match (self.time(START, "start")?, self.time(END, "end")?) {
            (0, 0) => Err("the record has neither a start nor an end".into()),
            (start, 0) => Ok((start, start)),
            (start, end) if end < start && start - end <= DISORDER => Ok((end, start)),
            (start, end) if end < start => {
                let shown = [end, start].map(|time| Timestamp::from_microsecond(time).unwrap_or_default());
                Err(format!("the end is {}; it must be after the start, {}", shown[0], shown[1]))
            }
            times => Ok(times),
        }
    }

    /// A time in microseconds; 0 where there is none.
    fn time(&self, field: Field, name: &str) -> Result<i64, String> {
        let millis = self.number(field);
        let time = i64::try_from(millis).ok().and_then(|millis| millis.checked_mul(1_000));
        time.filter(|time| *time < LAST_TIME)
            .ok_or_else(|| format!("the {name} is {millis} ms after 1970-01-01; it must be before the year 10000"))
    }

    fn addresses(&self) -> (IpAddr, IpAddr) {
        if self.has(SRC_IPV6) {
            (self.ipv6(SRC_IPV6), self.ipv6(DST_IPV6))
        } else {
            (self.ipv4(SRC_IPV4), self.ipv4(DST_IPV4))
        }
    }

    fn ports(&self, protocol: u8) -> (u16, u16) {
        let [src, dst] = [SRC_PORT, DST_PORT].map(|field| u16::from_ne_bytes(self.get(field)));
        if matches!(protocol, ICMP | ICMPV6) { (dst >> 8, dst & 0xff) } else { (src, dst) }
    }

    fn mac(&self, field: Field) -> Option<[u8; 6]> {
        let [_, _, mac @ ..] = self.number(field).to_be_bytes();
        Some(mac).filter(|mac| *mac != [0; 6])
    }

    fn vlan(&self) -> Result<Option<u16>, String> {
        let [src, dst] = [SRC_VLAN, DST_VLAN].map(|field| u32::from_ne_bytes(self.get(field)));
        let vlan = if src == 0 { dst } else { src };
        let id = u16::try_from(vlan).map_err(|_| format!("the VLAN is {vlan}; it must be an id from 0 to 65535"))?;
        Ok(Some(id).filter(|id| *id != 0))
    }
}

impl Counts {
    const fn is_none(self) -> bool {
        self.packets == 0 && self.bytes == 0
    }

    fn known_packets(self) -> Option<u64> {
        Some(self.packets).filter(|packets| *packets > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::{
        build::{Element, Flow, SSH, ipv4, numbers, record_of},
        elements::{Elements, Places},
    };
    use crate::archive::{record::FlowRecord, values};

    fn read<T>(record: &[u8], check: impl FnOnce(Result<Option<FlowRecord<'_>>, String>) -> T) -> T {
        check(Elements { record, places: &Places::of(record).unwrap() }.flow(None))
    }

    /// Gives a flow with more elements than addresses to `check`.
    fn flow(flow: Flow, more: &[Element], check: impl FnOnce(FlowRecord<'_>)) {
        let elements = [&[flow.element(), ipv4([10, 0, 0, 1], [10, 0, 0, 2])], more].concat();
        read(&record_of(&elements), |flow| check(flow.unwrap().unwrap()));
    }

    fn refused(flow: Flow, more: &[Element]) -> String {
        let elements = [&[flow.element()], more].concat();
        read(&record_of(&elements), |flow| flow.unwrap_err())
    }

    fn counts_out(packets: u64, bytes: u64) -> Element {
        (5, numbers(&[(1, 8), (packets, 8), (bytes, 8)]))
    }

    fn vlans(src: u64, dst: u64) -> Element {
        (6, numbers(&[(src, 4), (dst, 4)]))
    }

    fn macs(in_src: u64, out_dst: u64, in_dst: u64) -> Element {
        (15, numbers(&[(in_src, 8), (out_dst, 8), (in_dst, 8), (0x0200_0000_0009, 8)]))
    }

    fn ipv6(ips: &[&str]) -> Vec<u8> {
        let halves = ips.iter().flat_map(|ip| {
            let IpAddr::V6(ip) = ip.parse().unwrap() else { panic!("{ip}") };
            [((ip.to_bits() >> 64) as u64, 8), (ip.to_bits() as u64, 8)]
        });
        numbers(&halves.collect::<Vec<_>>())
    }

    #[test]
    fn one_direction() {
        let end = |ip: &str, port| (ip.parse().unwrap(), port);
        let times =
            ["2018-01-12T15:37:30.940Z", "2018-01-12T15:37:30.960Z"].map(|t| values::time(t.as_bytes()).unwrap());
        let expected = FlowRecord {
            src_bytes: Some(580),
            src_packets: Some(3),
            tcp_flags: Some(0x18),
            ..FlowRecord::new(times.into(), end("10.0.0.1", 22), end("10.0.0.2", 44_948), 6)
        };
        flow(SSH, &[], |flow| assert_eq!(flow, expected));
    }

    #[test]
    fn both_directions_macs_and_vlan() {
        let more = [counts_out(4, 4000), vlans(12, 13), macs(0x0200_0000_0001, 0x0200_0000_0003, 0x0200_0000_0002)];
        flow(SSH, &more, |flow| {
            assert_eq!((flow.src_packets, flow.dst_packets), (Some(3), Some(4)));
            assert_eq!((flow.src_bytes, flow.dst_bytes, flow.observed_sides), (Some(580), Some(4000), Some(2)));
            assert_eq!((flow.src_mac, flow.dst_mac), (Some([2, 0, 0, 0, 0, 1]), Some([2, 0, 0, 0, 0, 2])));
            assert_eq!(flow.vlan, Some(12));
        });
        flow(SSH, &[vlans(0, 13), macs(0, 0x0200_0000_0003, 0)], |flow| {
            assert_eq!((flow.vlan, flow.src_mac, flow.dst_mac), (Some(13), None, Some([2, 0, 0, 0, 0, 3])));
        });
    }

    #[test]
    fn counts_that_are_missing() {
        let nothing = Flow { packets: 0, bytes: 0, ..SSH };
        read(&record_of(&[nothing.element()]), |flow| assert_eq!(flow, Ok(None)));
        read(&record_of(&[ipv4([10, 0, 0, 1], [10, 0, 0, 2])]), |flow| assert_eq!(flow, Ok(None)));
        flow(nothing, &[counts_out(4, 4000)], |flow| {
            let counts = (flow.src_packets, flow.src_bytes, flow.dst_packets, flow.dst_bytes, flow.observed_sides);
            assert_eq!(counts, (Some(4), Some(4000), None, None, None));
        });
        flow(Flow { packets: 0, ..SSH }, &[counts_out(0, 70)], |flow| {
            let counts = (flow.src_packets, flow.src_bytes, flow.dst_packets, flow.dst_bytes);
            assert_eq!(counts, (None, Some(580), None, Some(70)));
        });
    }

    #[test]
    fn protocols() {
        flow(Flow { protocol: 1, ports: (7, 0x030d), ..SSH }, &[], |flow| {
            assert_eq!((flow.protocol, flow.src_port, flow.dst_port, flow.tcp_flags), (1, 3, 13, None));
        });
        let icmpv6 = Flow { protocol: 58, ports: (0, 0x8500), ..SSH };
        read(&record_of(&[icmpv6.element(), (3, ipv6(&["fe80::1", "ff02::2"]))]), |flow| {
            let flow = flow.unwrap().unwrap();
            let ips = (flow.src_ip.to_string(), flow.dst_ip.to_string());
            assert_eq!((flow.src_port, flow.dst_port, ips), (133, 0, ("fe80::1".into(), "ff02::2".into())));
        });
        flow(Flow { flags: 0xff, ..SSH }, &[], |flow| assert_eq!(flow.tcp_flags, Some(0xff)));
        flow(Flow { flags: 0, ..SSH }, &[], |flow| assert_eq!(flow.tcp_flags, None));
        flow(Flow { protocol: 17, ..SSH }, &[], |flow| assert_eq!(flow.tcp_flags, None));
    }

    #[test]
    fn exporters() {
        let exporter = |elements: &[Element]| {
            let record = record_of(elements);
            Elements { record: &record, places: &Places::of(&record).unwrap() }.exporter().map(|ip| ip.to_string())
        };
        let ipv4 = |bits: u64| (12, numbers(&[(bits, 4)]));
        assert_eq!(exporter(&[ipv4(0x9320_5201)]).as_deref(), Some("147.32.82.1"));
        assert_eq!(exporter(&[(13, ipv6(&["2001:db8::9"]))]).as_deref(), Some("2001:db8::9"));
        for none in [&[][..], &[ipv4(0)], &[(13, ipv6(&["::"]))]] {
            assert_eq!(exporter(none), None);
        }
    }

    #[test]
    fn times_that_are_odd() {
        let (first, _) = SSH.times;
        flow(Flow { times: (first, first - 1_940), ..SSH }, &[], |flow| {
            assert_eq!(flow.end_time - flow.start_time, 1_940_000, "packets out of order");
        });
        flow(Flow { times: (first, 0), ..SSH }, &[], |flow| assert_eq!(flow.start_time, flow.end_time));
        assert_eq!(refused(Flow { times: (0, 0), ..SSH }, &[]), "the record has neither a start nor an end");
        assert_eq!(
            refused(Flow { times: (first, first - 60_001), ..SSH }, &[]),
            "the end is 2018-01-12T15:36:30.939Z; it must be after the start, 2018-01-12T15:37:30.94Z"
        );
        for far in [253_402_300_800_000, u64::MAX] {
            let reason = format!("the end is {far} ms after 1970-01-01; it must be before the year 10000");
            assert_eq!(refused(Flow { times: (first, far), ..SSH }, &[]), reason);
        }
    }

    #[test]
    fn what_cannot_be_read() {
        assert_eq!(refused(SSH, &[vlans(70_000, 0)]), "the VLAN is 70000; it must be an id from 0 to 65535");
    }
}
