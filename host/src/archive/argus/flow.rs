//! A line of a text of Argus, as a flow.

use super::{
    columns::{
        DIR, DPORT, DST_ADDR, DST_BYTES, DST_MAC, DST_PKTS, DUR, Fields, LAST_TIME, NAMES, PROTO, S_VID, S_VLAN, SPORT,
        SRC_ADDR, SRC_BYTES, SRC_ID, SRC_MAC, SRC_PKTS, START_TIME, STATE, TOT_BYTES, TOT_PKTS,
    },
    protocols::Protocol,
    side::{self, Arrow},
};
use crate::archive::{
    local_time::LocalClock,
    record::FlowRecord,
    tcp::{self, Direction},
    values,
};

/// A line, and what it takes to read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowLine<'a> {
    pub(super) text: &'a [u8],
    pub(super) fields: &'a Fields,
    /// The clock of whoever ran `ra`.
    pub(super) clock: &'a LocalClock,
    pub(super) sensor: Option<&'a str>,
}

/// What a line tells of.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly every line is a flow, lent for a moment and never stored")]
pub(super) enum Told<'a> {
    /// A connection from its first packet to its last.
    Whole(FlowRecord<'a>),
    /// A flow, or what there was of it when the status timer ran out.
    Part(FlowRecord<'a>),
    /// What is no flow of IP.
    Other(&'static str),
}

/// A count of each end; none where it is not known.
type Counts = (Option<u64>, Option<u64>);

const SCTP: u8 = 132;
const DCCP: u8 = 33;
const UDP_LITE: u8 = 136;

/// The error types of ICMP (RFC 792): destination unreachable, source quench, redirect, time exceeded, parameter
/// problem.
const ICMP_ERRORS: [u16; 5] = [3, 4, 5, 11, 12];

/// The largest code that such a type has (RFC 1812, 5.2.7.1).
const LARGEST_CODE: u16 = 15;

impl<'a> FlowLine<'a> {
    pub(super) fn read(&self) -> Result<Told<'a>, String> {
        let rule = "a protocol's name or number";
        let protocol = match self.required(PROTO, Protocol::of, rule)? {
            Protocol::Other(kind) => return Ok(Told::Other(kind)),
            // The addresses of a frame of some other EtherType.
            Protocol::Ip(_) if values::mac(self.get(SRC_ADDR)).is_some() => return Ok(Told::Other("ether")),
            Protocol::Ip(number) => number,
        };
        let is_tcp = protocol == tcp::TCP;
        let arrow = Arrow::of(self.get(DIR), is_tcp);
        let flags = side::flags(self.get(STATE)).filter(|_| is_tcp);
        let swap = |counts: Counts| if arrow.is_reversed { (counts.1, counts.0) } else { counts };
        let flags = flags.map(|(src, dst)| if arrow.is_reversed { (dst, src) } else { (src, dst) });
        let packets = swap(self.counts(TOT_PKTS, SRC_PKTS, DST_PKTS)?);
        let bytes = swap(self.counts(TOT_BYTES, SRC_BYTES, DST_BYTES)?);
        let counted = packets.1.or(bytes.1).map(|count| count > 0);
        let is_answered = counted.or(flags.map(|(_, dst)| dst != 0)).or(arrow.is_answered);
        let (src_packets, dst_packets) = self.told(packets, TOT_PKTS, is_answered)?;
        let (src_bytes, dst_bytes) = self.told(bytes, TOT_BYTES, is_answered)?;
        let (src, dst) = self.ends(protocol, arrow.is_reversed)?;
        let (src_mac, dst_mac) = if arrow.is_reversed { (DST_MAC, SRC_MAC) } else { (SRC_MAC, DST_MAC) };
        let flow = FlowRecord {
            src_bytes,
            dst_bytes,
            src_packets,
            dst_packets,
            conn_state: self.state(protocol, flags, src_packets, is_answered),
            tcp_flags: flags.map(|(src, dst)| src | dst),
            src_mac: self.optional(src_mac, values::mac, "a MAC address")?,
            dst_mac: self.optional(dst_mac, values::mac, "a MAC address")?,
            vlan: self.vlan()?,
            sensor: self.sensor()?,
            observed_sides: is_answered.filter(|is_answered| *is_answered).map(|_| 2),
            ..FlowRecord::new(self.times()?, src, dst, protocol)
        };
        Ok(if flags.is_some_and(side::is_whole) { Told::Whole(flow) } else { Told::Part(flow) })
    }

    /// Whether the line is a header: `ra -L` repeats it.
    pub(super) fn is_header(&self) -> bool {
        self.get(START_TIME).eq_ignore_ascii_case(NAMES[START_TIME].as_bytes())
    }

    fn times(&self) -> Result<(i64, i64), String> {
        let time = |text: &[u8]| self.clock.micros(text).or_else(|| values::time(text));
        let rule = "a date with its time as 2013/10/21 13:22:59.340835, or seconds since 1970, which ra -u writes";
        let start = self.required(START_TIME, time, rule)?;
        let end = match self.optional(DUR, values::micros, "a number of seconds")? {
            Some(duration) => start.checked_add(duration),
            None => {
                let time = |text: &[u8]| self.clock.end_micros(text, start).or_else(|| values::time(text));
                Some(self.optional(LAST_TIME, time, rule)?.unwrap_or(start))
            }
        };
        match end.filter(|end| (start..values::LAST_TIME).contains(end)) {
            Some(end) => Ok((start, end)),
            None => {
                let field = if self.get(DUR).is_empty() { LAST_TIME } else { DUR };
                Err(self.wrong(field, "such that the end is not before the start or after the year 9999"))
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the two ends, as a flow has them")]
    fn ends(
        &self,
        protocol: u8,
        is_reversed: bool,
    ) -> Result<((std::net::IpAddr, u16), (std::net::IpAddr, u16)), String> {
        let rule = "an IP address";
        let (src, dst) = (self.required(SRC_ADDR, values::ip, rule)?, self.required(DST_ADDR, values::ip, rule)?);
        let (src, dst) = if is_reversed { (dst, src) } else { (src, dst) };
        let ports = match protocol {
            tcp::ICMP | tcp::ICMPV6 => self.icmp_message(protocol)?,
            tcp::TCP | tcp::UDP | SCTP | DCCP | UDP_LITE => {
                let rule = "a port from 0 to 65535, and no service's name: run ra with -n";
                let port = |field| Ok::<_, String>(self.optional(field, number, rule)?.unwrap_or(0));
                let (src, dst) = (port(SPORT)?, port(DPORT)?);
                if is_reversed { (dst, src) } else { (src, dst) }
            }
            _ => (0, 0),
        };
        Ok(((src, ports.0), (dst, ports.1)))
    }

    /// Type and code, in the first column whatever the direction. See the module for the three ways of writing them.
    fn icmp_message(&self, protocol: u8) -> Result<(u16, u16), String> {
        let rule = "type and code of ICMP as 0x0303";
        let first = self.optional(SPORT, number, rule)?.unwrap_or(0);
        let second = || Ok::<_, String>(self.optional(DPORT, number, rule)?.unwrap_or(0));
        if protocol == tcp::ICMPV6 {
            return Ok((first, second()?));
        }
        let (kind, code) = (first & 0xff, first >> 8);
        if code > 0 || !ICMP_ERRORS.contains(&kind) {
            return Ok((kind, code));
        }
        Ok((kind, Some(second()?).filter(|code| *code <= LARGEST_CODE).unwrap_or(0)))
    }

    /// The count of each end, as it stands or by the total.
    fn counts(&self, total: usize, src: usize, dst: usize) -> Result<Counts, String> {
        let count = |field| self.optional(field, values::number::<u64>, "a whole number");
        let rest = |of: usize, part: u64| match count(total)?.map(|total| total.checked_sub(part)) {
            Some(None) => Err(self.wrong(total, &format!("at least as much as {} alone, {part}", NAMES[of]))),
            rest => Ok(rest.flatten()),
        };
        Ok(match (count(src)?, count(dst)?) {
            (Some(src_count), None) => (Some(src_count), rest(src, src_count)?),
            (None, Some(dst_count)) => (rest(dst, dst_count)?, Some(dst_count)),
            both => both,
        })
    }

    /// The count of each end where there is a total alone, as far as it follows: all is the source's if no one
    /// answered.
    fn told(&self, counts: Counts, total: usize, is_answered: Option<bool>) -> Result<Counts, String> {
        if counts != (None, None) {
            return Ok(counts);
        }
        let total_count = self.optional(total, values::number::<u64>, "a whole number")?;
        Ok(match (total_count, is_answered) {
            (Some(total_count), Some(false)) => (Some(total_count), Some(0)),
            // Each sent one.
            (Some(2), Some(true)) if total == TOT_PKTS => (Some(1), Some(1)),
            _ => (None, None),
        })
    }

    fn state(
        &self,
        protocol: u8,
        flags: Option<(u16, u16)>,
        src_packets: Option<u64>,
        is_answered: Option<bool>,
    ) -> Option<&'static str> {
        if protocol == tcp::TCP && flags.is_none() {
            return side::worded_state(self.get(STATE), is_answered);
        }
        let is_known = is_answered.is_some() || matches!(protocol, tcp::ICMP | tcp::ICMPV6);
        let (src_flags, dst_flags) = flags.unzip();
        let src = Direction { packets: src_packets.unwrap_or(1), flags: src_flags };
        let dst = Direction { packets: u64::from(is_answered == Some(true)), flags: dst_flags };
        tcp::conn_state(protocol, src, dst).filter(|_| is_known)
    }

    /// `sVlan` is the tag, with the priority in its upper four bits (IEEE 802.1Q, 9.6).
    fn vlan(&self) -> Result<Option<u16>, String> {
        let tag = self.optional(S_VLAN, number, "a VLAN tag as 0x000c")?.map(|tag| tag & 0x0fff);
        Ok(tag.or(self.optional(S_VID, values::number, "a VLAN id")?))
    }

    fn sensor(&self) -> Result<Option<&'a str>, String> {
        if self.sensor.is_some() {
            return Ok(self.sensor);
        }
        let name = std::str::from_utf8(self.get(SRC_ID)).map_err(|_| self.wrong(SRC_ID, "text in UTF-8"))?;
        Ok(Some(name).filter(|name| !matches!(*name, "" | "0.0.0.0")))
    }

    #[inline]
    fn get(&self, field: usize) -> &'a [u8] {
        let (start, end) = self.fields[field];
        self.text[start..end].trim_ascii()
    }

    // Left to itself the compiler calls these for each field, with results that go through memory.
    #[inline(always)]
    fn required<T>(&self, field: usize, parse: impl Fn(&[u8]) -> Option<T>, rule: &str) -> Result<T, String> {
        parse(self.get(field)).ok_or_else(|| self.wrong(field, rule))
    }

    #[inline(always)]
    fn optional<T>(&self, field: usize, parse: impl Fn(&[u8]) -> Option<T>, rule: &str) -> Result<Option<T>, String> {
        if self.get(field).is_empty() { Ok(None) } else { self.required(field, parse, rule).map(Some) }
    }

    #[cold]
    fn wrong(&self, field: usize, rule: &str) -> String {
        let text = self.get(field);
        format!("{} is \"{}\"; it must be {rule}", NAMES[field], text[..text.len().min(80)].escape_ascii())
    }
}

/// A number, or one in hexadecimal after `0x`.
fn number(text: &[u8]) -> Option<u16> {
    match text {
        [b'0', b'x', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit) => {
            u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        }
        _ => values::number(text),
    }
}
