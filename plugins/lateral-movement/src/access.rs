//! Flows by which one end administers the other, and how they went.

use std::fmt;

use serde::{Deserialize, Serialize};
use wardflow_common::{Ends, TCP, is_incomplete};
use wardflow_sdk::{ConnState, Flows, PeerRole, PeerScope, UNKNOWN};

/// Payload towards the initiator that an opened session has, in bytes: more than the negotiation and the refusal of
/// SMB, SSH or RDP, which take up to two or three kilobytes.
const SESSION: u64 = 4_000;

/// A protocol by which one logs on to another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Protocol {
    Ftp,
    Ssh,
    Telnet,
    Rpc,
    Smb,
    Rdp,
    Vnc,
    WinRm,
}

/// How a flow went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No connection.
    Refused,
    /// A connection that was broken off, with little payload: what a wrong password leaves.
    Aborted,
    /// A connection with payload.
    Exchanged,
}

/// An access of one end to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) protocol: Protocol,
    /// Whether the device came to the peer.
    pub(crate) by_device: bool,
    pub(crate) outcome: Outcome,
}

impl Access {
    /// The access in a row, if it is one between two internal hosts of which nobody declared that they do so.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Option<Self> {
        if flows.protocol()[row] != TCP {
            return None;
        }
        let ends = Ends::of(flows, row);
        let (protocol, by_device) = (Protocol::of(ends.port)?, !ends.of_device);
        let is_internal = matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal);
        let is_declared = !matches!(flows.peer_role()[row], PeerRole::None | PeerRole::Proxy)
            || flows.local_role()[row] != PeerRole::None;
        (is_internal && !is_declared).then(|| Self { protocol, by_device, outcome: outcome(flows, row, by_device) })
    }
}

fn outcome(flows: &Flows<'_>, row: usize, by_device: bool) -> Outcome {
    let state = flows.conn_state()[row];
    let sides = [(flows.packets_sent(), flows.bytes_sent()), (flows.packets_received(), flows.bytes_received())];
    let sides = sides.map(|(packets, bytes)| (packets[row], bytes[row]));
    let (_, answer) = sides[usize::from(by_device)];
    let has_payload = sides.iter().any(|(_, bytes)| *bytes > 0);
    match state {
        _ if is_incomplete(state) => Outcome::Refused,
        // A piece of a connection, or the one side of it that a sensor saw.
        ConnState::Unknown | ConnState::Oth if sides.iter().all(|(packets, bytes)| *packets < 3 || *bytes == 0) => {
            Outcome::Refused
        }
        _ if !has_payload => Outcome::Refused,
        ConnState::Rsto | ConnState::Rstr if answer != UNKNOWN && answer < SESSION => Outcome::Aborted,
        _ => Outcome::Exchanged,
    }
}

impl Protocol {
    /// By the port of the end that offers it (IANA service names; VNC takes 5900 and a display number).
    fn of(port: u16) -> Option<Self> {
        Some(match port {
            21 => Self::Ftp,
            22 => Self::Ssh,
            23 => Self::Telnet,
            135 => Self::Rpc,
            139 | 445 => Self::Smb,
            3_389 => Self::Rdp,
            5_900..=5_906 => Self::Vnc,
            5_985 | 5_986 => Self::WinRm,
            _ => return None,
        })
    }

    /// Protocols that one tool uses together are of one family.
    pub(crate) fn family(self) -> Self {
        if self == Self::Rpc { Self::Smb } else { self }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ftp => "FTP",
            Self::Ssh => "SSH",
            Self::Telnet => "Telnet",
            Self::Rpc => "RPC",
            Self::Smb => "SMB",
            Self::Rdp => "RDP",
            Self::Vnc => "VNC",
            Self::WinRm => "WinRM",
        })
    }
}
