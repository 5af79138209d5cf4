use std::fmt;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{
    Flows,
    manifest::{Initiator, Manifest, ManifestError, Transport},
};

use crate::{Ends, is_login_port};

/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;

/// A service: who offers it, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Service {
    /// Whether the device offers it and the peer comes to it.
    pub of_device: bool,
    /// IANA protocol number.
    pub protocol: u8,
    /// The port of who offers it.
    pub port: u16,
}

impl Service {
    /// A service that peers offer.
    pub const fn of_peer(protocol: u8, port: u16) -> Self {
        Self { of_device: false, protocol, port }
    }

    /// A service that the device offers.
    pub const fn of_device(protocol: u8, port: u16) -> Self {
        Self { of_device: true, protocol, port }
    }

    /// The service of a flow.
    pub fn of(flows: &Flows<'_>, row: usize) -> Self {
        let ends = Ends::of(flows, row);
        Self { of_device: ends.of_device, protocol: flows.protocol()[row], port: ends.port }
    }

    /// Whether it is ICMP, by which hosts test each other.
    pub const fn is_icmp(self) -> bool {
        matches!(self.protocol, 1 | 58)
    }

    /// Whether somebody logs in to the device by it, or fetches or leaves files there.
    pub fn is_login(self) -> bool {
        self.of_device && self.protocol == TCP && is_login_port(self.port)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            TCP => write!(f, "{}/tcp", self.port),
            UDP => write!(f, "{}/udp", self.port),
            1 | 58 => write!(f, "ICMP"),
            other => write!(f, "protocol {other}"),
        }
    }
}

/// The `expected_flows` of a `plugin.toml`, each with the code of its group: what a model's own table must be like.
///
/// # Errors
/// The manifest is refused.
pub fn declared(manifest: &str) -> Result<Vec<(u16, Service)>, ManifestError> {
    let manifest = Manifest::from_toml(manifest)?;
    let flows = manifest.expected_flows.iter().filter_map(|flow| {
        let protocol = if flow.protocol == Transport::Tcp { TCP } else { UDP };
        let of_device = flow.initiator == Initiator::Peer;
        Some((manifest.group_code(&flow.group)?, Service { of_device, protocol, port: flow.port }))
    });
    Ok(flows.collect())
}
