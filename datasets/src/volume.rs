//! Volume: the bytes, packets and TCP flags that a conversation leaves, given how it ended.

use crate::{
    ConnState,
    draw::Draw,
    exchange::{Ending, Exchange, Transport},
};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The most payload of one TCP segment.
const SEGMENT: u64 = 1_400;

/// What both sides of a conversation sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) src_bytes: u64,
    pub(crate) dst_bytes: u64,
    pub(crate) src_packets: u64,
    pub(crate) dst_packets: u64,
    pub(crate) tcp_flags: u8,
}

impl Volume {
    pub(crate) fn new(exchange: &Exchange, state: ConnState, draw: &mut Draw) -> Self {
        match exchange.transport {
            Transport::Tcp => Self::tcp(exchange, state, draw),
            Transport::Udp | Transport::Icmp => Self::datagrams(exchange, state, draw),
        }
    }

    fn tcp(exchange: &Exchange, state: ConnState, draw: &mut Draw) -> Self {
        let silent = |src_packets, dst_packets, tcp_flags| Self {
            src_bytes: 0,
            dst_bytes: 0,
            src_packets,
            dst_packets,
            tcp_flags,
        };
        // An aborted conversation got some of the way.
        let (done, closing, flags) = match state {
            ConnState::S0 => return silent(u64::from(1 + draw.below(3)), 0, SYN),
            ConnState::Rej => return silent(1, 1, SYN | RST | ACK),
            ConnState::Rstos0 => return silent(2, 0, SYN | RST),
            ConnState::Sh => return silent(2, 0, SYN | FIN),
            ConnState::Rstrh => return silent(0, 2, SYN | ACK | RST),
            ConnState::Shr => return silent(0, 2, SYN | ACK | FIN),
            ConnState::Sf => (1.0, 2, FIN | SYN),
            ConnState::S1 => (0.7, 0, SYN),
            ConnState::S2 | ConnState::S3 => (1.0, 1, FIN | SYN),
            ConnState::Rsto | ConnState::Rstr => (0.5, 1, RST | SYN),
            ConnState::Oth => (1.0, 0, 0),
        };
        let src_bytes = (exchange.sends.draw(draw) * done) as u64;
        let dst_bytes = (exchange.receives.draw(draw) * done) as u64;
        let opening = u64::from(state != ConnState::Oth);
        let (there, back) = (src_bytes.div_ceil(SEGMENT), dst_bytes.div_ceil(SEGMENT));
        let said = if src_bytes + dst_bytes > 0 { PSH } else { 0 };
        Self {
            src_bytes,
            dst_bytes,
            src_packets: 2 * opening + there + back.div_ceil(2) + closing,
            dst_packets: opening + back + there.div_ceil(2) + closing,
            tcp_flags: ACK | said | flags,
        }
    }

    fn datagrams(exchange: &Exchange, state: ConnState, draw: &mut Draw) -> Self {
        let src_bytes = exchange.sends.draw(draw) as u64;
        // ICMP has no state that tells of an answer.
        let silent = state == ConnState::S0 || exchange.ends == Ending::Unanswered;
        let dst_bytes = if silent { 0 } else { exchange.receives.draw(draw) as u64 };
        Self {
            src_bytes,
            dst_bytes,
            src_packets: src_bytes.div_ceil(SEGMENT).max(1),
            dst_packets: dst_bytes.div_ceil(SEGMENT),
            tcp_flags: 0,
        }
    }
}
