pub(crate) use wardflow_common::{TCP, UDP};
use wardflow_common::{has_failed, is_established};
use wardflow_sdk::{ConnState, Direction, Flows, PeerRole, PeerScope, UNKNOWN};

/// IANA protocol numbers.
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMP6: u8 = 58;

/// Message types of echo requests (RFC 792, RFC 4443).
const ECHO: u16 = 8;
const ECHO6: u16 = 128;

/// Destination ports that traceroute counts through (its base port 33434 and three probes for each of 30 hops).
const TRACEROUTE: std::ops::RangeInclusive<u16> = 33_434..=33_534;

/// A flow that the device opened to one peer, and whether the peer answered.
pub(crate) struct Contact {
    pub(crate) peer: u64,
    pub(crate) protocol: u8,
    /// The peer's port; the message type for ICMP.
    pub(crate) port: u16,
    pub(crate) answered: bool,
}

impl Contact {
    /// The contact in a row, unless it was the peer's, went to a group of receivers, is what the device is declared
    /// for, or its outcome is not known.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Option<Self> {
        let is_one_peer =
            matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
        if flows.direction()[row] != Direction::Outbound || !is_one_peer {
            return None;
        }
        if matches!(flows.local_role()[row], PeerRole::Scanner | PeerRole::NetworkManagement) {
            return None;
        }
        let protocol = flows.protocol()[row];
        let state = flows.conn_state()[row];
        let (packets, bytes) = (flows.packets_received()[row], flows.bytes_received()[row]);
        let (port, answered) = match protocol {
            TCP => (flows.peer_port()[row], tcp_answered(state, packets, bytes)?),
            UDP => (flows.peer_port()[row], reply_seen(state, packets)?),
            ICMP | ICMP6 => (flows.local_port()[row], reply_seen(state, packets)?),
            _ => return None,
        };
        let counts = match protocol {
            ICMP => port == ECHO,
            ICMP6 => port == ECHO6,
            UDP => !TRACEROUTE.contains(&port),
            _ => true,
        };
        counts.then(|| Self { peer: flows.peer()[row], protocol, port, answered })
    }

    /// What makes a contact the first: 32 well-mixed bits of protocol, port and peer (the finalizer of SplitMix64:
    /// Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). Two of some hundred that
    /// coincide, one time in ten thousand devices, hide one first contact.
    pub(crate) fn fingerprint(&self) -> u32 {
        let mut bits = self.peer ^ (u64::from(self.port) << 8 | u64::from(self.protocol)).wrapping_mul(GOLDEN);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits >> 32) as u32
    }
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Whether a handshake came about. Connections of which the start was not seen, or only the peer's side, tell nothing.
fn tcp_answered(state: ConnState, packets: u64, bytes: u64) -> Option<bool> {
    match state {
        // Without a state, a single empty packet back is taken for a reset.
        ConnState::Unknown if packets == UNKNOWN => None,
        ConnState::Unknown => Some(packets > 1 || (packets == 1 && bytes > 0 && bytes != UNKNOWN)),
        _ if is_established(state) => Some(true),
        _ if has_failed(state) => Some(false),
        _ => None,
    }
}

/// Whether anything came back.
fn reply_seen(state: ConnState, packets: u64) -> Option<bool> {
    match (packets, state) {
        (UNKNOWN, ConnState::Sf | ConnState::Shr | ConnState::S1) => Some(true),
        (UNKNOWN, ConnState::S0) => Some(false),
        (UNKNOWN, _) => None,
        (packets, _) => Some(packets > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::{reply_seen, tcp_answered};
    use wardflow_sdk::{ConnState, UNKNOWN};

    #[test]
    fn a_handshake_is_an_answer() {
        let check = |state, packets, bytes, expected| assert_eq!(tcp_answered(state, packets, bytes), expected);
        check(ConnState::Sf, 0, 0, Some(true));
        check(ConnState::Rsto, 1, 0, Some(true));
        check(ConnState::Rej, 1, 0, Some(false));
        check(ConnState::S0, 0, 0, Some(false));
        check(ConnState::Oth, 5, 500, None);
        check(ConnState::Shr, 5, 500, None);
        check(ConnState::Unknown, 0, 0, Some(false));
        check(ConnState::Unknown, 1, 0, Some(false));
        check(ConnState::Unknown, 1, 9, Some(true));
        check(ConnState::Unknown, 4, 0, Some(true));
        check(ConnState::Unknown, UNKNOWN, 0, None);
    }

    #[test]
    fn a_datagram_back_is_an_answer() {
        let check = |state, packets, expected| assert_eq!(reply_seen(state, packets), expected);
        check(ConnState::S0, 0, Some(false));
        check(ConnState::Oth, 2, Some(true));
        check(ConnState::Sf, UNKNOWN, Some(true));
        check(ConnState::S0, UNKNOWN, Some(false));
        check(ConnState::Unknown, UNKNOWN, None);
    }
}
