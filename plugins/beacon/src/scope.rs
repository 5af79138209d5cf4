//! Which flows are judged at all.

use wardflow_sdk::{Direction, Flows, PeerRole, PeerScope, UNKNOWN, name_id};

pub(crate) const TCP: u8 = 6;
const UDP: u8 = 17;

/// Position of peer groups in `plugin.toml`.
pub(crate) const EXPECTED_CLOUD: u16 = 1;
pub(crate) const TIME_SERVERS: u16 = 2;
pub(crate) const NAME_SERVERS: u16 = 3;

/// Ports that programs commonly poll: web, mail, MQTT, AMQP and push services.
const POLLING_PORTS: [u16; 15] = [80, 443, 465, 587, 993, 995, 1883, 3128, 5223, 5228, 5671, 8080, 8443, 8883, 9443];

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
const fn is_own_role(role: PeerRole, port: u16) -> bool {
    match role {
        PeerRole::Scanner | PeerRole::NetworkManagement | PeerRole::Backup | PeerRole::Proxy | PeerRole::Nat => true,
        PeerRole::NameServer => is_name(port),
        PeerRole::TimeServer => is_time(port),
        PeerRole::None | PeerRole::RemoteService | PeerRole::DomainController | PeerRole::DhcpServer => false,
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
    let is_dhcp = protocol == UDP && matches!(port, 67 | 68 | 546 | 547);
    is_dhcp || looks_like("dns", 53, 17, 512) || looks_like("ntp", 123, 48, 120)
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

/// Whether a port is a usual one for polling.
pub(crate) fn is_polling_port(port: u16, protocol: u8) -> bool {
    matches!(protocol, TCP | UDP) && POLLING_PORTS.contains(&port)
}

/// `port 443/tcp`, or the protocol where there are no ports.
pub(crate) fn port_name(port: u16, protocol: u8) -> String {
    match protocol {
        TCP => format!("port {port}/tcp"),
        UDP => format!("port {port}/udp"),
        1 | 58 => "ICMP".to_owned(),
        other => format!("protocol {other}"),
    }
}
