//! Which flows are judged at all.

use wardflow_common::{UDP, is_dhcp, is_for_many};
use wardflow_sdk::{Direction, Flows, PeerRole, PeerScope, UNKNOWN, name_id};

/// Position of peer groups in `plugin.toml`.
pub(crate) const EXPECTED_CLOUD: u16 = 1;
pub(crate) const TIME_SERVERS: u16 = 2;
pub(crate) const NAME_SERVERS: u16 = 3;

/// Whether a flow is contact that the device chose, with a peer of whom it is not declared or plain what it is for.
pub(crate) fn is_judged(flows: &Flows<'_>, row: usize, internal: bool) -> bool {
    let in_scope = match flows.peer_scope()[row] {
        PeerScope::External => true,
        PeerScope::SameZone | PeerScope::OtherInternal => internal,
        PeerScope::Multicast | PeerScope::Broadcast | PeerScope::Unspecified => false,
    };
    in_scope
        && flows.direction()[row] == Direction::Outbound
        && !is_own_role(flows.local_role()[row], flows.peer_port()[row])
        && !is_declared(flows, row)
        && !is_helper(flows, row)
}

/// Whether the contact is what the device itself is declared for.
fn is_own_role(role: PeerRole, port: u16) -> bool {
    match role {
        PeerRole::NameServer => is_name(port),
        PeerRole::TimeServer => is_time(port),
        _ => is_for_many(role) || role == PeerRole::Backup,
    }
}

/// Whether the hospital declared the contact.
fn is_declared(flows: &Flows<'_>, row: usize) -> bool {
    let port = flows.peer_port()[row];
    let by_group = match flows.peer_group()[row] {
        EXPECTED_CLOUD => true,
        TIME_SERVERS => is_time(port),
        NAME_SERVERS => is_name(port),
        _ => false,
    };
    by_group
        || match flows.peer_role()[row] {
            PeerRole::None | PeerRole::Proxy | PeerRole::Nat | PeerRole::DhcpServer => false,
            PeerRole::TimeServer => is_time(port),
            PeerRole::NameServer => is_name(port),
            PeerRole::Scanner
            | PeerRole::NetworkManagement
            | PeerRole::Backup
            | PeerRole::RemoteService
            | PeerRole::DomainController => true,
        }
}

/// Whether a flow plainly is DHCP, name service or time service.
fn is_helper(flows: &Flows<'_>, row: usize) -> bool {
    let (protocol, port, service) = (flows.protocol()[row], flows.peer_port()[row], flows.service()[row]);
    let payload = payload(flows.bytes_sent()[row], flows.packets_sent()[row]);
    let looks_like = |name, port_of_it, least, most| {
        let fits = payload.is_none_or(|bytes| (least..=most).contains(&bytes));
        port == port_of_it && (service == name_id(name) || (service == 0 && protocol == UDP && fits))
    };
    is_dhcp(flows, row) || looks_like("dns", 53, 17, 512) || looks_like("ntp", 123, 48, 120)
}

const fn is_time(port: u16) -> bool {
    matches!(port, 123 | 4460)
}

const fn is_name(port: u16) -> bool {
    matches!(port, 53 | 443 | 853)
}

/// Payload bytes a packet, where known and not zero.
fn payload(bytes: u64, packets: u64) -> Option<u64> {
    (bytes != UNKNOWN && packets != UNKNOWN && bytes > 0).then(|| bytes / packets.max(1))
}
