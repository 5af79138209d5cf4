//! AWS VPC flow logs, version 2, in the default format as text.

use super::{headers, is_icmp};
use crate::{
    ConnState, Flow,
    side::{Side, TCP},
};
use std::{
    io::{self, Write},
    net::IpAddr,
};

/// Both invented: flows of the hospital have neither.
const ACCOUNT_AND_INTERFACE: &str = "123456789012 eni-0123456789abcdef0";

/// Writes flow logs with a header line: a record for each side that sent something, the initiator's first.
///
/// | field | value |
/// |---|---|
/// | `account-id`, `interface-id` | invented, the same for all |
/// | `srcport`, `dstport` | 0 for ICMP: type and code are lost |
/// | `packets`, `bytes` | of that side; bytes as [`ip_bytes`](super::ip_bytes) counts them |
/// | `start`, `end` | of that side's first and last packet, whole seconds |
/// | `action` | `REJECT` for TCP in state `S0`, as if a security group had dropped it; else `ACCEPT` |
/// | `log-status` | `OK` |
///
/// Names, service, flags, state, link layer, uid, sensor and parts of a second are lost. A long flow is one record a
/// side: there are no aggregation intervals.
#[derive(Debug)]
pub struct Vpc<W> {
    out: W,
}

impl<W: Write> Vpc<W> {
    /// Writes the header line.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut out: W) -> io::Result<Self> {
        writeln!(
            out,
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
             log-status"
        )?;
        Ok(Self { out })
    }

    /// Writes up to two records.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, flow: &Flow) -> io::Result<()> {
        let ports = if is_icmp(flow) { (0, 0) } else { (flow.src_port, flow.dst_port) };
        let (src, dst) = ((flow.src_ip, ports.0), (flow.dst_ip, ports.1));
        let [sent, received] = Side::both(flow);
        self.record(flow, src, dst, &sent)?;
        self.record(flow, dst, src, &received)
    }

    /// Flushes, and gives back what was written to.
    ///
    /// # Errors
    /// It cannot be flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn record(&mut self, flow: &Flow, from: (IpAddr, u16), to: (IpAddr, u16), side: &Side) -> io::Result<()> {
        let Some(last) = side.packets.checked_sub(1) else {
            return Ok(());
        };
        let bytes = side.bytes + headers(flow) * side.packets;
        let second = |packet| side.at_us(packet).div_euclid(1_000_000);
        let is_dropped = flow.protocol == TCP && flow.conn_state == ConnState::S0;
        writeln!(
            self.out,
            "2 {ACCOUNT_AND_INTERFACE} {} {} {} {} {} {} {bytes} {} {} {} OK",
            from.0,
            to.0,
            from.1,
            to.1,
            flow.protocol,
            side.packets,
            second(0),
            second(last),
            if is_dropped { "REJECT" } else { "ACCEPT" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{ping, query, visit},
        *,
    };

    /// Records without what is the same in all.
    #[track_caller]
    fn check(flow: &Flow, expected: &[&str]) {
        let mut vpc = Vpc::new(Vec::new()).unwrap();
        vpc.write(flow).unwrap();
        let text = String::from_utf8(vpc.finish().unwrap()).unwrap();
        assert!(text.lines().all(|line| line.split(' ').count() == 14), "{text}");
        let records = text.lines().skip(1);
        let own: Vec<_> =
            records.map(|line| line.strip_prefix("2 123456789012 eni-0123456789abcdef0 ").unwrap_or(line)).collect();
        assert_eq!(own, expected);
    }

    #[test]
    fn the_header_names_the_default_fields() {
        let empty = Vpc::new(Vec::new()).unwrap().finish().unwrap();
        assert_eq!(
            String::from_utf8(empty).unwrap(),
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
             log-status\n"
        );
    }

    #[test]
    fn each_side_has_a_record() {
        check(
            &visit(),
            &[
                "10.110.0.7 198.51.100.20 50000 443 6 7 1280 1772409600 1772409690 ACCEPT OK",
                "198.51.100.20 10.110.0.7 443 50000 6 8 5321 1772409611 1772409690 ACCEPT OK",
            ],
        );
        check(
            &ping(),
            &[
                "10.110.0.7 198.51.100.20 0 0 1 1 84 1772409600 1772409600 ACCEPT OK",
                "198.51.100.20 10.110.0.7 0 0 1 1 84 1772409690 1772409690 ACCEPT OK",
            ],
        );
    }

    #[test]
    fn a_silent_side_has_none_and_an_attempt_without_answer_is_rejected() {
        check(&query(), &["fd00:a::7 2001:db8::2 50000 53 17 1 88 1772409600 1772409600 ACCEPT OK"]);
        let silent = Flow { src_packets: 3, src_bytes: 0, dst_packets: 0, dst_bytes: 0, ..visit() };
        check(
            &Flow { conn_state: ConnState::S0, ..silent },
            &["10.110.0.7 198.51.100.20 50000 443 6 3 120 1772409600 1772409690 REJECT OK"],
        );
    }
}
