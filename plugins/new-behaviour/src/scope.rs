//! Which flows are judged at all.

use wardflow_common::{TCP, UDP, is_dhcp, is_incomplete, serves_everybody};
use wardflow_sdk::{ConnState, Flows, PeerRole, PeerScope, UNKNOWN};

/// Whether something was exchanged with one peer, and nobody declared that this is what either end is for.
pub(crate) fn is_judged(flows: &Flows<'_>, row: usize) -> bool {
    let is_one_peer =
        matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
    is_one_peer
        && matches!(flows.protocol()[row], TCP | UDP)
        && has_exchanged(flows, row)
        && !is_declared(flows, row)
        && !is_dhcp(flows, row)
}

/// Whether a connection came about and carried payload. What was only tried is the business of detectors of scans.
fn has_exchanged(flows: &Flows<'_>, row: usize) -> bool {
    let sides = [(flows.packets_sent(), flows.bytes_sent()), (flows.packets_received(), flows.bytes_received())];
    let sides = sides.map(|(packets, bytes)| (packets[row], bytes[row]));
    match flows.conn_state()[row] {
        // A piece of a connection, or the one side of it that a sensor saw: more than an attempt and its answer.
        ConnState::Unknown | ConnState::Oth => sides.iter().any(|(packets, bytes)| *packets >= 2 && *bytes > 0),
        state if is_incomplete(state) => false,
        _ => sides.iter().all(|(_, bytes)| *bytes > 0) || sides.iter().any(|(_, bytes)| is_much(*bytes)),
    }
}

/// More payload than fits into a packet: it was taken, even if the answers were not seen.
fn is_much(bytes: u64) -> bool {
    bytes != UNKNOWN && bytes > 1_460
}

fn is_declared(flows: &Flows<'_>, row: usize) -> bool {
    let by_peer = !matches!(flows.peer_role()[row], PeerRole::None | PeerRole::Proxy);
    let by_device = match flows.local_role()[row] {
        PeerRole::None => false,
        // Nobody outside is meant.
        role if serves_everybody(role) => flows.peer_scope()[row] != PeerScope::External,
        _ => true,
    };
    by_peer || by_device
}
