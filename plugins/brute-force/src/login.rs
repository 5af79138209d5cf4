//! Connections to services that ask who one is.

use std::fmt;

use wardflow_common::{Ends, TCP, is_for_many, is_incomplete};
use wardflow_sdk::{ConnState, Flows, PeerRole, PeerScope, SECOND, UNKNOWN};

/// Payload of a refused log-on, both directions: SSH, SMB and RDP negotiate keys and versions in two to six kilobytes,
/// LDAP and databases refuse in some hundred bytes, or with a certificate in three thousand.
const SMALL: u64 = 10_000;
const SMALL_QUERY: u64 = 4_000;
/// How long one takes: servers wait two to five seconds before they say no, and let people type, OpenSSH for two
/// minutes (`LoginGraceTime`).
const SHORT: i64 = 150 * SECOND;

/// A connection to a login service, or a piece of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login {
    pub(crate) service: Service,
    /// Whether the device came to the peer.
    pub(crate) by_device: bool,
    /// The initiator's port, which tells connections apart.
    pub(crate) port: u16,
    /// Whether no handshake was seen, as of the pieces of a connection.
    pub(crate) is_midstream: bool,
    /// Payload, both directions, in bytes.
    pub(crate) bytes: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// A service, by its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Service(pub(crate) u16);

impl Login {
    /// The connection in a row, if one came about and nobody declared what it is for.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Option<Self> {
        if flows.protocol()[row] != TCP {
            return None;
        }
        let Ends { of_device, port, initiator_port, is_midstream } = Ends::of(flows, row);
        let (service, by_device) = (Service::of(port)?, !of_device);
        if !is_judged(flows, row, by_device) {
            return None;
        }
        let bytes = payload(flows, row, flows.conn_state()[row])?;
        let (start, end) = (flows.start_time()[row], flows.end_time()[row]);
        Some(Self { service, by_device, port: initiator_port, is_midstream, bytes, start, end })
    }

    /// Whether it is as small and short as a refused log-on.
    pub(crate) const fn is_try(&self) -> bool {
        !self.is_session() && self.end - self.start <= SHORT
    }

    /// Whether more was said than a refused log-on takes. One that is held open and says little is neither.
    pub(crate) const fn is_session(&self) -> bool {
        self.bytes > if self.service.is_queried() { SMALL_QUERY } else { SMALL }
    }
}

/// Payload of both directions, where a connection came about. A piece of one has more packets than a refusal.
fn payload(flows: &Flows<'_>, row: usize, state: ConnState) -> Option<u64> {
    let came_about = match state {
        ConnState::Unknown | ConnState::Oth => {
            [flows.packets_sent()[row], flows.packets_received()[row]].into_iter().any(|packets| packets >= 3)
        }
        state => !is_incomplete(state),
    };
    let known = |bytes: u64| if bytes == UNKNOWN { 0 } else { bytes };
    let bytes = known(flows.bytes_sent()[row]).saturating_add(known(flows.bytes_received()[row]));
    (came_about && bytes > 0).then_some(bytes)
}

/// Whether it is one peer, and neither end is declared to knock at many doors. Who serves everybody may be attacked.
fn is_judged(flows: &Flows<'_>, row: usize, by_device: bool) -> bool {
    let knocks = |role| is_for_many(role) || matches!(role, PeerRole::Backup | PeerRole::RemoteService);
    let is_one_peer =
        matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
    is_one_peer && !knocks(if by_device { flows.local_role()[row] } else { flows.peer_role()[row] })
}

impl Service {
    /// By the port of the end that offers it (IANA service names).
    fn of(port: u16) -> Option<Self> {
        let is_login = matches!(
            port,
            21..=23 | 139 | 389 | 445 | 636 | 1433 | 1521 | 3306 | 3389 | 5432 | 5900..=5906 | 5985 | 5986
        );
        is_login.then_some(Self(port))
    }

    /// LDAP and databases, which programs ask often and shortly.
    const fn is_queried(self) -> bool {
        matches!(self.0, 389 | 636 | 1433 | 1521 | 3306 | 5432)
    }

    /// Whether people log on to it. To the others programs do, often and shortly.
    pub(crate) const fn is_for_people(self) -> bool {
        matches!(self.0, 21..=23 | 3389 | 5900..=5906 | 5985 | 5986)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            21 => "FTP",
            22 => "SSH",
            23 => "Telnet",
            139 | 445 => "SMB",
            389 | 636 => "LDAP",
            1433 => "SQL Server",
            1521 => "Oracle",
            3306 => "MySQL",
            3389 => "RDP",
            5432 => "PostgreSQL",
            5985 | 5986 => "WinRM",
            _ => "VNC",
        };
        write!(f, "{name} ({}/tcp)", self.0)
    }
}
