//! Who a peer is to a pump, and which services are declared.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{ConnState, Direction, Flows, PeerRole, PeerScope, name_id};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
/// First of the ports that initiators commonly take (RFC 6335 recommends 49152, Linux begins at 32768).
const EPHEMERAL: u16 = 32_768;

/// A peer group of `plugin.toml`, by its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Group {
    PumpGateway = 1,
    DrugLibraryServer = 2,
    TimeServer = 3,
    NameServer = 4,
}

/// `expected_flows` of `plugin.toml`: the device opens them all. A test keeps the two alike.
pub(crate) const EXPECTED: [(Group, u8, u16); 6] = [
    (Group::PumpGateway, TCP, 443),
    (Group::PumpGateway, TCP, 4010),
    (Group::DrugLibraryServer, TCP, 443),
    (Group::TimeServer, UDP, 123),
    (Group::NameServer, UDP, 53),
    (Group::NameServer, TCP, 53),
];

/// Who a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Declared to talk to everything, or no peer at all: multicast, broadcast, DHCP.
    Everywhere,
    /// In a peer group of the model.
    Member(Group),
    /// Outside the hospital.
    Internet,
    /// A workstation.
    Workstation,
    /// Any other internal host.
    Inside,
}

/// A service: who offers it, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Service {
    /// Whether the pump offers it and the peer comes to it.
    pub(crate) of_pump: bool,
    pub(crate) protocol: u8,
    pub(crate) port: u16,
}

impl Standing {
    /// Group first, as the host matched it; then the inventory's class of the peer; then its declared role.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Self {
        let scope = flows.peer_scope()[row];
        let port = flows.peer_port()[row];
        let is_dhcp = flows.protocol()[row] == UDP && matches!(port, 67 | 68 | 546 | 547);
        if matches!(scope, PeerScope::Multicast | PeerScope::Broadcast | PeerScope::Unspecified)
            || (is_dhcp && scope != PeerScope::External)
        {
            return Self::Everywhere;
        }
        let (class, role) = (flows.peer_class()[row], flows.peer_role()[row]);
        let group = by_code(flows.peer_group()[row]).or_else(|| by_class(class)).or_else(|| by_role(role));
        match group {
            Some(group) => Self::Member(group),
            None if is_everywhere(role) => Self::Everywhere,
            None if scope == PeerScope::External => Self::Internet,
            None if class != 0 && class == name_id("workstation") => Self::Workstation,
            None => Self::Inside,
        }
    }
}

impl Service {
    /// The service of a flow. Where no handshake was seen, the end with the lower port offers it if the other's port
    /// is one that initiators take: exporters that join midstream often turn such flows around.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Self {
        let (local, remote) = (flows.local_port()[row], flows.peer_port()[row]);
        let is_inbound = flows.direction()[row] == Direction::Inbound;
        let (own, other) = if is_inbound { (local, remote) } else { (remote, local) };
        let is_midstream = matches!(flows.conn_state()[row], ConnState::Unknown | ConnState::Oth);
        let is_turned = is_midstream && own >= EPHEMERAL && (1..EPHEMERAL).contains(&other);
        Self {
            of_pump: is_inbound != is_turned,
            protocol: flows.protocol()[row],
            port: if is_turned { other } else { own },
        }
    }

    /// Whether the model declares it for members of a group. ICMP, by which hosts test each other, is not judged.
    pub(crate) fn is_expected(self, group: Group) -> bool {
        let is_declared =
            |(of, protocol, port): &(Group, u8, u16)| (*of, *protocol, *port) == (group, self.protocol, self.port);
        matches!(self.protocol, 1 | 58) || (!self.of_pump && EXPECTED.iter().any(is_declared))
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.protocol {
            TCP => write!(f, "{}/tcp", self.port),
            UDP => write!(f, "{}/udp", self.port),
            1 | 58 => write!(f, "ICMP"),
            other => write!(f, "protocol {other}"),
        }
    }
}

const fn by_code(code: u16) -> Option<Group> {
    match code {
        1 => Some(Group::PumpGateway),
        2 => Some(Group::DrugLibraryServer),
        3 => Some(Group::TimeServer),
        4 => Some(Group::NameServer),
        _ => None,
    }
}

fn by_class(class: u32) -> Option<Group> {
    let is = |name| class != 0 && class == name_id(name);
    if is("infusion-pump-gateway") {
        Some(Group::PumpGateway)
    } else if is("drug-library-server") {
        Some(Group::DrugLibraryServer)
    } else if is("time-server") || is("ntp-server") {
        Some(Group::TimeServer)
    } else if is("name-server") || is("dns-server") {
        Some(Group::NameServer)
    } else {
        None
    }
}

const fn by_role(role: PeerRole) -> Option<Group> {
    match role {
        PeerRole::TimeServer => Some(Group::TimeServer),
        PeerRole::NameServer => Some(Group::NameServer),
        _ => None,
    }
}

const fn is_everywhere(role: PeerRole) -> bool {
    matches!(
        role,
        PeerRole::Scanner
            | PeerRole::NetworkManagement
            | PeerRole::Backup
            | PeerRole::RemoteService
            | PeerRole::DhcpServer
    )
}
