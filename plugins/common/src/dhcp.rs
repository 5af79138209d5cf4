use wardflow_sdk::{Flows, PeerScope, UNKNOWN};

use crate::UDP;

/// Payload of a flow, in bytes, above which it carries something else: that of a hundred leases.
const MOST: u64 = 64 << 10;

/// Whether a flow is DHCP (RFC 2131) or DHCPv6 (RFC 8415): with a peer that is not outside, on the ports of both ends, since
/// any program can choose one of them, and of no more payload than leases have.
pub fn is_dhcp(flows: &Flows<'_>, row: usize) -> bool {
    let is_small = |bytes: u64| bytes <= MOST || bytes == UNKNOWN;
    flows.protocol()[row] == UDP
        && flows.peer_scope()[row] != PeerScope::External
        && matches!(
            (flows.local_port()[row], flows.peer_port()[row]),
            // Client and server, relay and server.
            (68, 67) | (67, 67 | 68) | (546, 547) | (547, 546 | 547)
        )
        && is_small(flows.bytes_sent()[row])
        && is_small(flows.bytes_received()[row])
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
        check(between(546, 50_000, Inbound), false);
        check(between(68, 50_000, Inbound), false);
    }

    #[test]
    fn leases_are_small() {
        let lease = between(68, 67, Outbound);
        check(Flow { bytes_sent: 300, bytes_received: 300, ..lease }, true);
        check(Flow { bytes_sent: 1 << 20, bytes_received: 300, ..lease }, false);
        check(Flow { bytes_sent: 300, bytes_received: 1 << 20, ..lease }, false);
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
