//! What a flow was for: the end that offers something, and its port.

use std::fmt;

use serde::{Deserialize, Serialize};
use wardflow_common::{DYNAMIC, Ends, TCP, is_login_port};
use wardflow_sdk::{Flows, PeerScope};

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
    /// The service of a flow. All dynamic ports are one.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Self {
        let Ends { of_device, port, .. } = Ends::of(flows, row);
        Self {
            of_device,
            is_external: flows.peer_scope()[row] == PeerScope::External,
            protocol: flows.protocol()[row],
            port: if port >= DYNAMIC { 0 } else { port },
        }
    }

    /// Whether who uses it administers the other end.
    pub(crate) fn is_administration(self) -> bool {
        self.protocol == TCP && is_login_port(self.port)
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
