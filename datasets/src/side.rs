//! A side: the packets that one end of a flow sent, laid out in time, and what their TCP flags tell.

use crate::{ConnState, Flow};
use std::ops::Range;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// One side's packets: evenly over the time of the flow, with the payload evenly over them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// The flags of the first packet, of those between, and of the last.
    flags: [u8; 3],
    start_us: i64,
    lasts_us: i64,
    /// Whether its first packet is the first of the flow.
    leads: bool,
}

impl Side {
    /// The initiator's and the responder's.
    pub(crate) fn both(flow: &Flow) -> [Self; 2] {
        let (sent, received) = if flow.protocol == TCP { told(flow.conn_state) } else { ([0; 3], [0; 3]) };
        let side = |packets, bytes, flags: [u8; 3], leads| Self {
            packets,
            bytes,
            flags: flags.map(|flags| if flags == ACK && bytes > 0 { ACK | PSH } else { flags }),
            start_us: flow.start_us,
            lasts_us: flow.end_us - flow.start_us,
            leads,
        };
        [
            side(flow.src_packets, flow.src_bytes, sent, true),
            side(flow.dst_packets, flow.dst_bytes, received, flow.src_packets == 0),
        ]
    }

    /// When a packet was sent. Who leads begins when the flow does, and who follows does so later; the last packet of
    /// either is at the end.
    pub(crate) fn at_us(&self, packet: u64) -> i64 {
        let (step, steps) =
            if self.leads { (packet, self.packets.saturating_sub(1)) } else { (packet + 1, self.packets) };
        let since = i128::from(self.lasts_us) * i128::from(step) / i128::from(steps.max(1));
        self.start_us + since as i64
    }

    /// Payload bytes in the packets before this one.
    pub(crate) fn bytes_before(&self, packet: u64) -> u64 {
        let packets = self.packets.max(1);
        packet * (self.bytes / packets) + packet.min(self.bytes % packets)
    }

    /// All flags of a run of packets.
    pub(crate) fn flags_of(&self, run: Range<u64>) -> u8 {
        let last = self.packets.saturating_sub(1);
        let among = [run.contains(&0), run.start.max(1) < run.end.min(last), run.contains(&last)];
        self.flags.iter().zip(among).filter(|&(_, is_among)| is_among).fold(0, |all, (flags, _)| all | flags)
    }

    /// All flags.
    pub(crate) fn flags(&self) -> u8 {
        self.flags_of(0..self.packets)
    }

    /// How many packets were sent before an instant.
    pub(crate) fn before(&self, at_us: i64) -> u64 {
        let (mut sent, mut rest) = (0, self.packets);
        while sent < rest {
            let middle = sent + (rest - sent) / 2;
            if self.at_us(middle) < at_us {
                sent = middle + 1;
            } else {
                rest = middle;
            }
        }
        sent
    }

    /// Runs of packets, each with those that come before the timeout counted from its first is over.
    pub(crate) fn pieces(self, timeout_us: i64) -> impl Iterator<Item = Range<u64>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            if start == self.packets {
                return None;
            }
            // A packet is in its own run, even if no time is allowed.
            let end = self.before(self.at_us(start).saturating_add(timeout_us)).max(start + 1);
            Some(std::mem::replace(&mut start, end)..end)
        })
    }
}

/// The flags that a state tells of, by packet as in [`Side::flags`], of the initiator and of the responder.
const fn told(state: ConnState) -> ([u8; 3], [u8; 3]) {
    const OPENED: [u8; 3] = [SYN, ACK, ACK];
    const OPENED_BACK: [u8; 3] = [SYN | ACK, ACK, ACK];
    const fn then([first, rest, _]: [u8; 3], last: u8) -> [u8; 3] {
        [first, rest, last]
    }
    match state {
        ConnState::S0 => ([SYN; 3], [0; 3]),
        ConnState::S1 => (OPENED, OPENED_BACK),
        ConnState::S2 => (then(OPENED, FIN | ACK), OPENED_BACK),
        ConnState::S3 => (OPENED, then(OPENED_BACK, FIN | ACK)),
        ConnState::Sf => (then(OPENED, FIN | ACK), then(OPENED_BACK, FIN | ACK)),
        ConnState::Rej => ([SYN; 3], [RST | ACK; 3]),
        ConnState::Rsto => (then(OPENED, RST | ACK), OPENED_BACK),
        ConnState::Rstr => (OPENED, then(OPENED_BACK, RST | ACK)),
        ConnState::Rstos0 => ([SYN, SYN, RST], [0; 3]),
        ConnState::Rstrh => ([ACK; 3], then(OPENED_BACK, RST | ACK)),
        ConnState::Sh => ([SYN, SYN, FIN], [0; 3]),
        ConnState::Shr => ([ACK; 3], then(OPENED_BACK, FIN | ACK)),
        ConnState::Oth => ([ACK; 3], [ACK; 3]),
    }
}

/// The state that packets and flags of both sides tell of.
pub(crate) fn state(protocol: u8, packets: [u64; 2], [sent, received]: [u8; 2]) -> ConnState {
    let answered = packets[1] > 0;
    match protocol {
        TCP if answered => two_sided(sent, received),
        TCP => one_sided(sent),
        UDP if packets[0] == 0 => ConnState::Shr,
        UDP if answered => ConnState::Sf,
        UDP => ConnState::S0,
        _ => ConnState::Oth,
    }
}

const fn one_sided(sent: u8) -> ConnState {
    match sent & (SYN | RST | FIN | ACK) {
        SYN => ConnState::S0,
        flags if flags & SYN == 0 => ConnState::Oth,
        flags if flags & RST != 0 => ConnState::Rstos0,
        flags if flags & FIN != 0 => ConnState::Sh,
        // It acknowledges something that was not seen.
        _ => ConnState::Oth,
    }
}

const fn two_sided(sent: u8, received: u8) -> ConnState {
    match (sent & SYN, received & SYN) {
        (SYN, SYN) if sent & received & FIN != 0 => ConnState::Sf,
        (SYN, SYN) if sent & RST != 0 => ConnState::Rsto,
        (SYN, SYN) if received & RST != 0 => ConnState::Rstr,
        (SYN, SYN) if sent & FIN != 0 => ConnState::S2,
        (SYN, SYN) if received & FIN != 0 => ConnState::S3,
        (SYN, SYN) => ConnState::S1,
        (SYN, _) if received & RST != 0 => ConnState::Rej,
        (0, SYN) if received & RST != 0 => ConnState::Rstrh,
        (0, SYN) if received & FIN != 0 => ConnState::Shr,
        _ => ConnState::Oth,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hospital, Options};

    #[test]
    fn flags_of_both_sides_give_back_flags_and_state_of_every_flow() {
        let hospital = Hospital::new(Options { flows: Some(200_000), ..Options::default() }).unwrap();
        for flow in hospital.flows() {
            let sides = Side::both(&flow);
            let flags = sides.map(|side| side.flags());
            assert_eq!(flags[0] | flags[1], flow.tcp_flags, "{flow:#?}");
            assert_eq!(state(flow.protocol, sides.map(|side| side.packets), flags), flow.conn_state, "{flow:#?}");
        }
    }

    #[test]
    fn packets_fill_the_time_and_hold_the_payload() {
        let hospital = Hospital::new(Options { days: 1, flows: Some(10_000), ..Options::default() }).unwrap();
        for flow in hospital.flows() {
            let [src, dst] = Side::both(&flow);
            for side in [src, dst].into_iter().filter(|side| side.packets > 0) {
                let times: Vec<i64> = (0..side.packets.min(50)).map(|packet| side.at_us(packet)).collect();
                assert!(times.is_sorted() && side.at_us(side.packets - 1) <= flow.end_us, "{flow:#?}");
                assert_eq!(side.bytes_before(side.packets), side.bytes);
            }
            let last = [src, dst].map(|side| side.packets.checked_sub(1).map(|packet| side.at_us(packet)));
            assert!(last.contains(&Some(flow.end_us)) || flow.src_packets + flow.dst_packets == 1, "{flow:#?}");
        }
    }
}
