//! Which flows are name queries, and how many and how large those are.

use wardflow_common::{TCP, UDP, is_for_many};
use wardflow_sdk::{Direction, Flows, PeerRole, PeerScope, UNKNOWN, name_id};

/// Payload of a query for a name as people make them, at most.
pub(crate) const ORDINARY: u64 = 60;
/// Payload from which a query is long.
const LONG: u64 = 80;

/// Bytes of a message without any name (RFC 1035, 4.1.1).
const HEADER: u64 = 12;

const DNS: u16 = 53;
/// DNS over TLS (RFC 7858), of which only the server is of interest.
const DNS_OVER_TLS: u16 = 853;
/// Names by multicast and broadcast, which sensors call `dns` too: NetBIOS, mDNS (RFC 6762), LLMNR (RFC 4795).
const OF_THE_LINK: [u16; 3] = [137, 5_353, 5_355];

/// The queries of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query {
    pub(crate) count: u64,
    /// Payload of all of them; zero where it is encrypted.
    pub(crate) sent: u64,
    /// Payload of the answers.
    pub(crate) received: u64,
    /// Bytes beyond what ordinary names take.
    pub(crate) carried: u64,
}

impl Query {
    /// The queries in a row, if there are any and the device asks for itself.
    pub(crate) fn of(flows: &Flows<'_>, row: usize) -> Option<Self> {
        let port = flows.peer_port()[row];
        let is_dns = match port {
            DNS | DNS_OVER_TLS => true,
            port if OF_THE_LINK.contains(&port) => false,
            _ => flows.service()[row] != 0 && flows.service()[row] == name_id("dns"),
        };
        if !is_dns || flows.direction()[row] != Direction::Outbound {
            return None;
        }
        let protocol = flows.protocol()[row];
        let is_one_server =
            matches!(flows.peer_scope()[row], PeerScope::SameZone | PeerScope::OtherInternal | PeerScope::External);
        let role = flows.local_role()[row];
        let asks_for_others = is_for_many(role) || role == PeerRole::NameServer;
        let sent = flows.bytes_sent()[row];
        if !matches!(protocol, TCP | UDP) || !is_one_server || asks_for_others || sent == UNKNOWN || sent == 0 {
            return None;
        }
        let received = Some(flows.bytes_received()[row]).filter(|received| *received != UNKNOWN).unwrap_or_default();
        if port == DNS_OVER_TLS {
            return Some(Self { count: 1, sent: 0, received, carried: 0 });
        }
        let packets = Some(flows.packets_sent()[row]).filter(|packets| *packets != UNKNOWN).unwrap_or(1);
        let count = if protocol == TCP { packets.saturating_sub(3) / 2 } else { packets };
        let count = count.min(sent / HEADER).max(1);
        Some(Self { count, sent, received, carried: sent.saturating_sub(ORDINARY.saturating_mul(count)) })
    }

    /// Payload of one of them, on average.
    pub(crate) const fn size(&self) -> u64 {
        self.sent / self.count
    }

    pub(crate) const fn is_long(&self) -> bool {
        self.size() >= LONG
    }
}
