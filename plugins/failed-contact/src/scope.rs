//! Which flows are judged at all.

use wardflow_sdk::{Direction, Flows, PeerRole, PeerScope};

pub(crate) const TCP: u8 = 6;
const UDP: u8 = 17;

/// Position of the peer group in `plugin.toml`.
const EXPECTED_CLOUD: u16 = 1;

/// Ports that programs commonly poll: web, mail, MQTT, AMQP and push services.
const POLLING_PORTS: [u16; 15] = [80, 443, 465, 587, 993, 995, 1883, 3128, 5223, 5228, 5671, 8080, 8443, 8883, 9443];

/// Whether a flow is an attempt that the device made for itself, at a peer of which it is not declared what it is for.
pub(crate) fn is_judged(flows: &Flows<'_>, row: usize) -> bool {
    let is_one_peer =
        matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
    if !is_one_peer || flows.direction()[row] != Direction::Outbound {
        return false;
    }
    let (port, protocol) = (flows.peer_port()[row], flows.protocol()[row]);
    let is_helper = protocol == UDP && matches!(port, 53 | 67 | 68 | 123 | 546 | 547);
    let for_others = matches!(
        flows.local_role()[row],
        PeerRole::Scanner | PeerRole::NetworkManagement | PeerRole::Backup | PeerRole::Proxy | PeerRole::Nat
    );
    let is_declared = !matches!(flows.peer_role()[row], PeerRole::None | PeerRole::Proxy | PeerRole::Nat)
        || flows.peer_group()[row] == EXPECTED_CLOUD;
    matches!(protocol, TCP | UDP) && !is_helper && !for_others && !is_declared
}

/// Whether a port is a usual one for polling.
pub(crate) fn is_polling_port(port: u16, protocol: u8) -> bool {
    matches!(protocol, TCP | UDP) && POLLING_PORTS.contains(&port)
}

/// `port 443/tcp`.
pub(crate) fn port_name(port: u16, protocol: u8) -> String {
    format!("port {port}/{}", if protocol == TCP { "tcp" } else { "udp" })
}
