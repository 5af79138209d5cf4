//! What a flow was for: the end that offers something, and its port.

use std::fmt;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{ConnState, Direction, Flows, PeerScope};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
/// First of the ports that initiators and remote procedure calls commonly take (RFC 6335 recommends 49152, Linux begins
/// at 32768). Which of them it is tells nothing, so they are one service.
const DYNAMIC: u16 = 32_768;

/// A service that the device offers to a peer, or uses of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Service {
    /// Whether the device offers it and the peer came to it.
    pub(crate) of_device: bool,
    pub(crate) is_external: bool,
    pub(crate) protocol: u8,
    /// Zero for any dynamic port.
    pub(crate) port: u16,
}

impl Service {
    /// The service of a flow. Where no handshake was seen, the end with the lower port offers it if the other's port is
    /// a dynamic one: exporters that join midstream often turn such flows around.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Self {
        let (local, remote) = (flows.local_port()[row], flows.peer_port()[row]);
        let is_inbound = flows.direction()[row] == Direction::Inbound;
        let (own, other) = if is_inbound { (local, remote) } else { (remote, local) };
        let is_midstream = matches!(flows.conn_state()[row], ConnState::Unknown | ConnState::Oth);
        let is_turned = is_midstream && own >= DYNAMIC && (1..DYNAMIC).contains(&other);
        let port = if is_turned { other } else { own };
        Self {
            of_device: is_inbound != is_turned,
            is_external: flows.peer_scope()[row] == PeerScope::External,
            protocol: flows.protocol()[row],
            port: if port >= DYNAMIC { 0 } else { port },
        }
    }

    /// Whether who uses it administers the other end: FTP, SSH, Telnet, RPC, SMB, RDP, VNC, WinRM.
    pub(crate) fn is_administration(self) -> bool {
        self.protocol == TCP
            && matches!(self.port, 21..=23 | 135 | 139 | 445 | 3389 | 5800..=5806 | 5900..=5906 | 5985 | 5986)
    }

    /// Whether programs commonly use it across the internet: web, mail, time, names, MQTT.
    pub(crate) fn is_common(self) -> bool {
        matches!(self.port, 53 | 80 | 123 | 443 | 465 | 587 | 853 | 993 | 8080 | 8443 | 8883)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.protocol == TCP { "tcp" } else { "udp" };
        match self.port {
            0 => write!(f, "dynamic ports/{name}"),
            port => write!(f, "{port}/{name}"),
        }
    }
}
