//! Which flows are judged at all.

use wardflow_common::{TCP, UDP, is_dhcp, is_for_many};
use wardflow_sdk::{Direction, Flows, PeerRole, PeerScope};

/// Position of the peer group in `plugin.toml`.
const EXPECTED_CLOUD: u16 = 1;

/// Whether a flow is an attempt that the device made for itself, at a peer of which it is not declared what it is for.
pub(crate) fn is_judged(flows: &Flows<'_>, row: usize) -> bool {
    let is_one_peer =
        matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
    if !is_one_peer || flows.direction()[row] != Direction::Outbound {
        return false;
    }
    let (port, protocol) = (flows.peer_port()[row], flows.protocol()[row]);
    let is_helper = (protocol == UDP && matches!(port, 53 | 123)) || is_dhcp(flows, row);
    let role = flows.local_role()[row];
    let for_others = is_for_many(role) || role == PeerRole::Backup;
    let is_declared = !matches!(flows.peer_role()[row], PeerRole::None | PeerRole::Proxy | PeerRole::Nat)
        || flows.peer_group()[row] == EXPECTED_CLOUD;
    matches!(protocol, TCP | UDP) && !is_helper && !for_others && !is_declared
}
