//! A line that `nfdump` printed, as a flow.

use crate::archive::{local_time::LocalClock, record::FlowRecord, tcp, values};

/// What `nfdump` is asked to print.
pub(super) const FORMAT: &str =
    "fmt:%ts|%te|%pr|%sa|%sp|%da|%dp|%flg|%ipkt|%ibyt|%opkt|%obyt|%ra|%svln|%dvln|%ismc|%idmc|%odmc";

const START: usize = 0;
const END: usize = 1;
const PROTOCOL: usize = 2;
const SRC_IP: usize = 3;
const SRC_PORT: usize = 4;
const DST_IP: usize = 5;
const DST_PORT: usize = 6;
const FLAGS: usize = 7;
const IN_PACKETS: usize = 8;
const IN_BYTES: usize = 9;
const OUT_PACKETS: usize = 10;
const OUT_BYTES: usize = 11;
const EXPORTER: usize = 12;
const SRC_VLAN: usize = 13;
const DST_VLAN: usize = 14;
const IN_SRC_MAC: usize = 15;
const IN_DST_MAC: usize = 16;
const OUT_DST_MAC: usize = 17;

/// What the fields are called where they are refused.
const NAMES: [&str; 18] = [
    "the start",
    "the end",
    "the protocol",
    "the source address",
    "the source port",
    "the destination address",
    "the destination port",
    "the TCP flags",
    "the packets in",
    "the bytes in",
    "the packets out",
    "the bytes out",
    "the exporter",
    "the source VLAN",
    "the destination VLAN",
    "the source MAC address",
    "the destination MAC address",
    "the outgoing destination MAC address",
];

/// How far the end may come before the start, in microseconds: packets out of order have it so, of which the one that
/// was seen first is the later. A larger difference is one of a clock that was set.
const DISORDER: i64 = 60_000_000;

/// Where the fields of a line begin and end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields([(usize, usize); NAMES.len()]);

/// A line, and what it takes to read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowLine<'a> {
    pub(super) text: &'a [u8],
    pub(super) fields: &'a Fields,
    /// A clock that shows UTC.
    pub(super) clock: &'a LocalClock,
    pub(super) sensor: Option<&'a str>,
}

/// What was counted of a direction.
#[derive(Clone, Copy, Debug)]
struct Counts {
    packets: u64,
    bytes: u64,
}

impl Fields {
    /// Finds the fields of a line.
    pub(super) fn split(&mut self, line: &[u8]) -> Result<(), String> {
        let (mut count, mut start) = (0, 0);
        for end in memchr::memchr_iter(b'|', line).chain([line.len()]) {
            if let Some(field) = self.0.get_mut(count) {
                *field = (start, end);
            }
            (count, start) = (count + 1, end + 1);
        }
        if count != NAMES.len() {
            return Err(format!("nfdump printed a line of {count} fields, and was asked for {}", NAMES.len()));
        }
        Ok(())
    }
}

impl<'a> FlowLine<'a> {
    /// The flow; none where nothing is counted.
    pub(super) fn flow(&self) -> Result<Option<FlowRecord<'a>>, String> {
        let (src, dst) = match (self.counts(IN_PACKETS, IN_BYTES)?, self.counts(OUT_PACKETS, OUT_BYTES)?) {
            (counted_in, counted_out) if counted_in.is_none() => (counted_out, counted_in),
            both => both,
        };
        if src.is_none() {
            return Ok(None);
        }
        let protocol = self.parse(PROTOCOL, protocol, "a protocol number")?;
        let ip = |field| self.parse(field, values::ip, "an IP address");
        let (src_port, dst_port) = self.ports(protocol)?;
        let is_answered = !dst.is_none();
        Ok(Some(FlowRecord {
            src_bytes: Some(src.bytes),
            dst_bytes: is_answered.then_some(dst.bytes),
            src_packets: src.known_packets(),
            dst_packets: dst.known_packets(),
            tcp_flags: if protocol == tcp::TCP { self.parse(FLAGS, flags, "TCP flags as .AP.SF")? } else { None },
            src_mac: self.mac(IN_SRC_MAC)?,
            dst_mac: self.mac(IN_DST_MAC)?.or(self.mac(OUT_DST_MAC)?),
            vlan: self.vlan(SRC_VLAN)?.or(self.vlan(DST_VLAN)?),
            sensor: self.sensor()?,
            observed_sides: is_answered.then_some(2),
            ..FlowRecord::new(self.times()?, (ip(SRC_IP)?, src_port), (ip(DST_IP)?, dst_port), protocol)
        }))
    }

    fn times(&self) -> Result<(i64, i64), String> {
        let time = |field| self.parse(field, |text| self.time(text), "a time");
        match (time(START)?, time(END)?) {
            (0, 0) => Err("the record has neither a start nor an end".into()),
            (start, 0) => Ok((start, start)),
            (start, end) if end < start && start - end <= DISORDER => Ok((end, start)),
            (start, end) if end < start => {
                Err(self.wrong(END, &format!("after the start, {}", self.get(START).escape_ascii())))
            }
            times => Ok(times),
        }
    }

    /// A time in microseconds; 0 where there is none, which versions print in different ways.
    fn time(&self, text: &[u8]) -> Option<i64> {
        if text == b"0000-00-00 00:00:00.000" { Some(0) } else { self.clock.micros(text) }
    }

    fn ports(&self, protocol: u8) -> Result<(u16, u16), String> {
        if matches!(protocol, tcp::ICMP | tcp::ICMPV6) {
            return self.parse(DST_PORT, icmp_message, "type and code of ICMP as 8.0");
        }
        let port = |field| self.parse(field, values::number, "a port from 0 to 65535");
        Ok((port(SRC_PORT)?, port(DST_PORT)?))
    }

    fn mac(&self, field: usize) -> Result<Option<[u8; 6]>, String> {
        if self.get(field) == b"00:00:00:00:00:00" {
            return Ok(None);
        }
        self.parse(field, values::mac, "a MAC address").map(Some)
    }

    fn vlan(&self, field: usize) -> Result<Option<u16>, String> {
        let vlan = self.parse(field, values::number, "a VLAN id")?;
        Ok(Some(vlan).filter(|vlan| *vlan != 0))
    }

    fn sensor(&self) -> Result<Option<&'a str>, String> {
        if self.sensor.is_some() {
            return Ok(self.sensor);
        }
        let exporter = std::str::from_utf8(self.get(EXPORTER)).map_err(|_| self.wrong(EXPORTER, "an IP address"))?;
        Ok(Some(exporter).filter(|exporter| !matches!(*exporter, "" | "0.0.0.0" | "::")))
    }

    fn counts(&self, packets: usize, bytes: usize) -> Result<Counts, String> {
        let count = |field| self.parse(field, values::number, "a whole number");
        Ok(Counts { packets: count(packets)?, bytes: count(bytes)? })
    }

    #[inline]
    fn get(&self, field: usize) -> &'a [u8] {
        let (start, end) = self.fields.0[field];
        self.text[start..end].trim_ascii()
    }

    // Left to itself the compiler calls this for each field, with results that go through memory.
    #[inline(always)]
    fn parse<T>(&self, field: usize, parse: impl Fn(&[u8]) -> Option<T>, rule: &str) -> Result<T, String> {
        parse(self.get(field)).ok_or_else(|| self.wrong(field, rule))
    }

    #[cold]
    fn wrong(&self, field: usize, rule: &str) -> String {
        let text = self.get(field);
        format!("{} is \"{}\"; it must be {rule}", NAMES[field], text[..text.len().min(80)].escape_ascii())
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

/// A protocol by its number, or by the name that early versions 1.6 print in spite of `-N`.
fn protocol(text: &[u8]) -> Option<u8> {
    values::number(text).or_else(|| values::protocol(&text.to_ascii_lowercase(), false))
}

/// Type and code.
fn icmp_message(text: &[u8]) -> Option<(u16, u16)> {
    let (kind, code) = text.split_at_checked(memchr::memchr(b'.', text)?)?;
    Some((values::number::<u8>(kind)?.into(), values::number::<u8>(&code[1..])?.into()))
}

/// Flags as `CEUAPRSF`, with points for those that are not set; none where no one is.
fn flags(text: &[u8]) -> Option<Option<u16>> {
    let mut flags = 0;
    for letter in text {
        flags |= match letter {
            b'.' => 0,
            b'F' => tcp::FIN,
            b'S' => tcp::SYN,
            b'R' => tcp::RST,
            b'P' => 0x08,
            b'A' => tcp::ACK,
            b'U' => 0x20,
            b'E' => 0x40,
            b'C' => 0x80,
            _ => return None,
        };
    }
    Some(Some(flags).filter(|flags| *flags != 0))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{Fields, FlowLine};
    use crate::archive::{local_time::LocalClock, record::FlowRecord, values};

    const LINE: &str = "2018-01-12 15:37:30.940|2018-01-12 15:37:30.960|6    |              147.32.82.62|    22|\
        147.32.83.209| 44948|...AP...|       3|     580|       0|       0|      147.32.82.1|    0|    0|\
        00:00:00:00:00:00|00:00:00:00:00:00|00:00:00:00:00:00";

    fn read<T>(line: &str, check: impl FnOnce(Result<Option<FlowRecord<'_>>, String>) -> T) -> T {
        let mut fields = Fields::default();
        let clock = LocalClock::new(TimeZone::UTC);
        let text = line.as_bytes();
        match fields.split(text) {
            Ok(()) => check(FlowLine { text, fields: &fields, clock: &clock, sensor: None }.flow()),
            Err(reason) => check(Err(reason)),
        }
    }

    fn flow(line: &str, check: impl FnOnce(FlowRecord<'_>)) {
        read(line, |flow| check(flow.unwrap().unwrap()));
    }

    fn with(changes: &[(usize, &str)]) -> String {
        let mut fields: Vec<_> = LINE.split('|').collect();
        for (field, text) in changes {
            fields[*field] = text;
        }
        fields.join("|")
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
            sensor: Some("147.32.82.1"),
            ..FlowRecord::new(times.into(), end("147.32.82.62", 22), end("147.32.83.209", 44_948), 6)
        };
        flow(LINE, |flow| assert_eq!(flow, expected));
    }

    #[test]
    fn both_directions_macs_and_vlan() {
        let macs = [(15, "02:00:00:00:00:01"), (16, "02:00:00:00:00:02"), (17, "02:00:00:00:00:03")];
        let line = with(&[&[(10, " 4"), (11, "4000"), (12, "0.0.0.0"), (13, " 12"), (14, "13")], &macs[..]].concat());
        flow(&line, |flow| {
            assert_eq!((flow.src_packets, flow.dst_packets), (Some(3), Some(4)));
            assert_eq!((flow.src_bytes, flow.dst_bytes, flow.observed_sides), (Some(580), Some(4000), Some(2)));
            assert_eq!((flow.src_mac, flow.dst_mac), (Some([2, 0, 0, 0, 0, 1]), Some([2, 0, 0, 0, 0, 2])));
            assert_eq!((flow.vlan, flow.sensor), (Some(12), None));
        });
        flow(&with(&[(14, "13"), macs[2]]), |flow| {
            assert_eq!((flow.vlan, flow.dst_mac), (Some(13), Some([2, 0, 0, 0, 0, 3])));
        });
    }

    #[test]
    fn counts_that_are_missing() {
        let nothing = [(8, "0"), (9, "0")];
        read(&with(&nothing), |flow| assert_eq!(flow, Ok(None)));
        flow(&with(&[&nothing[..], &[(10, "4"), (11, "4000")]].concat()), |flow| {
            let counts = (flow.src_packets, flow.src_bytes, flow.dst_packets, flow.dst_bytes, flow.observed_sides);
            assert_eq!(counts, (Some(4), Some(4000), None, None, None));
        });
        flow(&with(&[(8, "0"), (11, "70")]), |flow| {
            let counts = (flow.src_packets, flow.src_bytes, flow.dst_packets, flow.dst_bytes);
            assert_eq!(counts, (None, Some(580), None, Some(70)));
        });
    }

    #[test]
    fn protocols() {
        flow(&with(&[(2, "1"), (4, "0"), (6, "  3.13")]), |flow| {
            assert_eq!((flow.protocol, flow.src_port, flow.dst_port, flow.tcp_flags), (1, 3, 13, None));
        });
        flow(&with(&[(2, "58"), (3, "fe80::1"), (5, "ff02::2"), (6, "133.0")]), |flow| {
            assert_eq!((flow.src_port, flow.dst_ip.to_string().as_str()), (133, "ff02::2"));
        });
        flow(&with(&[(2, "ICMP6"), (6, "133.0")]), |flow| assert_eq!(flow.protocol, 58));
        flow(&with(&[(7, "CEUAPRSF")]), |flow| assert_eq!(flow.tcp_flags, Some(0xff)));
        flow(&with(&[(7, "........")]), |flow| assert_eq!(flow.tcp_flags, None));
    }

    #[test]
    fn packets_out_of_order() {
        flow(&with(&[(1, "2018-01-12 15:37:29.000")]), |flow| assert_eq!(flow.end_time - flow.start_time, 1_940_000));
    }

    #[test]
    fn times_that_are_missing() {
        for none in ["0000-00-00 00:00:00.000", "1970-01-01 00:00:00.000"] {
            flow(&with(&[(1, none)]), |flow| assert_eq!(flow.start_time, flow.end_time));
            read(&with(&[(0, none), (1, none)]), |flow| {
                assert_eq!(flow, Err("the record has neither a start nor an end".into()));
            });
        }
    }

    #[test]
    fn what_cannot_be_read() {
        for (field, text, reason) in [
            (0, "yesterday", "the start is \"yesterday\"; it must be a time"),
            (1, "2018-01-12 15:36:30.939", "the end is \"2018-01-12 15:36:30.939\"; it must be after the start, 2018"),
            (2, "256", "the protocol is \"256\"; it must be a protocol number"),
            (3, "2001:62..e0:fed5", "the source address is \"2001:62..e0:fed5\"; it must be an IP address"),
            (4, "65536", "the source port is \"65536\"; it must be a port from 0 to 65535"),
            (7, "0xc2", "the TCP flags is \"0xc2\"; it must be TCP flags as .AP.SF"),
            (9, " 1.2 M", "the bytes in is \"1.2 M\"; it must be a whole number"),
            (9, "18446744073709551616", "the bytes in is \"18446744073709551616\"; it must be a whole number"),
            (12, "|", "nfdump printed a line of 19 fields, and was asked for 18"),
            (15, "zz", "the source MAC address is \"zz\"; it must be a MAC address"),
        ] {
            read(&with(&[(field, text)]), |flow| {
                let seen = flow.unwrap_err();
                assert!(seen.starts_with(reason), "{seen}");
            });
        }
        read(&with(&[(2, "1"), (6, "771")]), |flow| {
            assert_eq!(flow.unwrap_err(), "the destination port is \"771\"; it must be type and code of ICMP as 8.0");
        });
    }
}
