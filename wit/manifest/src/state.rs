//! Codes that columns hold. Numbers are part of the contract and never change their meaning.

/// How a connection went, after Zeek's `conn_state` (Zeek documentation, `base/protocols/conn/main.zeek`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ConnState {
    /// Not recorded.
    Unknown = 0,
    /// Attempt seen, no reply.
    S0 = 1,
    /// Established, not terminated.
    S1 = 2,
    /// Normal establishment and termination.
    Sf = 3,
    /// Attempt rejected.
    Rej = 4,
    /// Established, close attempt by the initiator seen, no reply.
    S2 = 5,
    /// Established, close attempt by the responder seen, no reply.
    S3 = 6,
    /// Established, the initiator aborted.
    Rsto = 7,
    /// The responder aborted.
    Rstr = 8,
    /// The initiator sent a SYN followed by a RST; no SYN-ACK seen.
    Rstos0 = 9,
    /// The responder sent a SYN-ACK followed by a RST; no SYN seen.
    Rstrh = 10,
    /// The initiator sent a SYN followed by a FIN; no SYN-ACK seen.
    Sh = 11,
    /// The responder sent a SYN-ACK followed by a FIN; no SYN seen.
    Shr = 12,
    /// No SYN seen: midstream traffic.
    Oth = 13,
}

impl ConnState {
    /// Every state, in the order of its code.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Unknown, ""),
        (Self::S0, "S0"),
        (Self::S1, "S1"),
        (Self::Sf, "SF"),
        (Self::Rej, "REJ"),
        (Self::S2, "S2"),
        (Self::S3, "S3"),
        (Self::Rsto, "RSTO"),
        (Self::Rstr, "RSTR"),
        (Self::Rstos0, "RSTOS0"),
        (Self::Rstrh, "RSTRH"),
        (Self::Sh, "SH"),
        (Self::Shr, "SHR"),
        (Self::Oth, "OTH"),
    ];

    /// The state behind Zeek's name for it; `Unknown` for any other text.
    pub fn from_zeek(name: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(state, _)| *state)
    }
}

/// Which end initiated a flow, seen from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// The device initiated it.
    Outbound = 0,
    /// The peer initiated it.
    Inbound = 1,
}

/// Where a peer is, seen from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PeerScope {
    /// Internal and in the device's zone.
    SameZone = 0,
    /// Internal, in another zone or in none.
    OtherInternal = 1,
    /// Not the hospital's own address space.
    External = 2,
    /// A multicast group.
    Multicast = 3,
    /// The limited or a subnet's broadcast address.
    Broadcast = 4,
    /// `0.0.0.0` or `::`.
    Unspecified = 5,
}

/// What the hospital declared a peer to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it; the contract lists them")]
pub enum PeerRole {
    None = 0,
    Scanner = 1,
    NetworkManagement = 2,
    Backup = 3,
    Proxy = 4,
    Nat = 5,
    RemoteService = 6,
    NameServer = 7,
    TimeServer = 8,
    DomainController = 9,
    DhcpServer = 10,
}

impl PeerRole {
    /// Every role that a hospital can declare, with its name in the configuration.
    pub const DECLARED: [(Self, &'static str); 10] = [
        (Self::Scanner, "scanner"),
        (Self::NetworkManagement, "network-management"),
        (Self::Backup, "backup"),
        (Self::Proxy, "proxy"),
        (Self::Nat, "nat"),
        (Self::RemoteService, "remote-service"),
        (Self::NameServer, "name-server"),
        (Self::TimeServer, "time-server"),
        (Self::DomainController, "domain-controller"),
        (Self::DhcpServer, "dhcp-server"),
    ];
}
