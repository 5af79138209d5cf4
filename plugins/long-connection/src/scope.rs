//! Which flows are connections with an outside peer.

use serde::{Deserialize, Serialize};
use wardflow_common::{TCP, UDP, has_failed};
use wardflow_sdk::{Direction, Flows, PeerRole, PeerScope};

/// Position of the peer group in `plugin.toml`.
const EXPECTED_CLOUD: u16 = 1;

/// Ports on which programs commonly keep a connection open: web, mail, MQTT, AMQP, and push services of makers.
const PUSH_PORTS: [u16; 14] = [80, 443, 993, 1883, 5222, 5223, 5228, 5229, 5230, 5671, 8080, 8443, 8883, 9443];

/// Who offers what to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Service {
    /// Whether the device opens the connections.
    pub(crate) is_outbound: bool,
    pub(crate) peer: u64,
    /// Of the end that is contacted; zero for protocols without ports.
    pub(crate) port: u16,
    pub(crate) protocol: u8,
}

impl Service {
    /// The service of a flow, if it is a connection with an outside peer that is not declared.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Option<Self> {
        if flows.peer_scope()[row] != PeerScope::External || !came_about(flows, row) {
            return None;
        }
        let is_declared =
            matches!(flows.peer_role()[row], PeerRole::RemoteService | PeerRole::NetworkManagement | PeerRole::Backup)
                || flows.peer_group()[row] == EXPECTED_CLOUD;
        let is_for_others = !matches!(
            flows.local_role()[row],
            PeerRole::None | PeerRole::TimeServer | PeerRole::DomainController | PeerRole::DhcpServer
        );
        if is_declared || is_for_others {
            return None;
        }
        let is_outbound = flows.direction()[row] == Direction::Outbound;
        let port = if is_outbound { flows.peer_port()[row] } else { flows.local_port()[row] };
        Some(Self { is_outbound, peer: flows.peer()[row], port, protocol: flows.protocol()[row] })
    }

    /// Whether it is usual that a device keeps a connection to such a service open.
    pub(crate) fn is_push(&self) -> bool {
        self.is_outbound && matches!(self.protocol, TCP | UDP) && PUSH_PORTS.contains(&self.port)
    }
}

/// Whether a connection came about: both sides were seen, or the record does not say that one was missing.
fn came_about(flows: &Flows<'_>, row: usize) -> bool {
    let (sent, received) = (flows.packets_sent()[row], flows.packets_received()[row]);
    // Echo requests go on for days and mean nothing.
    !has_failed(flows.conn_state()[row]) && sent > 0 && received > 0 && !matches!(flows.protocol()[row], 1 | 58)
}
