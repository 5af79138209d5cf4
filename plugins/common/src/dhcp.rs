use wardflow_sdk::{Direction, Flows, PeerScope};

use crate::UDP;

/// Whether a flow is DHCP (RFC 2131) or DHCPv6 (RFC 8415): with a peer that is not outside, and on the ports of both ends,
/// since any program can choose one of them.
pub fn is_dhcp(flows: &Flows<'_>, row: usize) -> bool {
    let is_outside = flows.peer_scope()[row] == PeerScope::External;
    flows.protocol()[row] == UDP
        && !is_outside
        && match (flows.local_port()[row], flows.peer_port()[row]) {
            // Client and server, relay and server.
            (68, 67) | (67, 67 | 68) | (546, 547) | (547, 546 | 547) => true,
            // A server of DHCPv6 may answer from any port.
            (546, _) => flows.direction()[row] == Direction::Inbound,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::is_dhcp;
    use wardflow_sdk::{
        Direction::{self, Inbound, Outbound},
        Flows, PeerScope,
        native::{Batch, Flow},
    };

    #[track_caller]
    fn check(flow: Flow, expected: bool) {
        let batch = Batch::new(0, std::slice::from_ref(&flow));
        assert_eq!(is_dhcp(&Flows::new(&batch), 0), expected, "{flow:?}");
    }

    fn between(local_port: u16, peer_port: u16, direction: Direction) -> Flow {
        Flow { protocol: 17, local_port, peer_port, direction, ..Flow::at(0) }
    }

    #[test]
    fn both_ends_are_on_its_ports() {
        for (local, peer) in [(68, 67), (67, 68), (67, 67), (546, 547), (547, 546), (547, 547)] {
            check(between(local, peer, Outbound), true);
            check(between(local, peer, Inbound), true);
            check(Flow { protocol: 6, ..between(local, peer, Outbound) }, false);
        }
        for port in [67, 68, 546, 547] {
            check(between(50_000, port, Outbound), false);
            check(between(50_000, port, Inbound), false);
        }
        check(between(546, 50_000, Inbound), true);
        check(between(546, 50_000, Outbound), false);
        check(between(68, 50_000, Inbound), false);
    }

    #[test]
    fn the_peer_is_not_outside() {
        let with = |peer_scope| Flow { peer_scope, ..between(68, 67, Outbound) };
        for scope in [PeerScope::SameZone, PeerScope::Broadcast, PeerScope::Multicast, PeerScope::Unspecified] {
            check(with(scope), true);
        }
        check(with(PeerScope::External), false);
    }
}
