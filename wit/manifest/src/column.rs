use serde::{Deserialize, Serialize};

/// A column of `flow-batch`, in the order of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[expect(missing_docs, reason = "each column is described in wit/detector.wit, under its name")]
pub enum Column {
    StartTime,
    EndTime,
    Direction,
    Peer,
    PeerScope,
    PeerClass,
    PeerRole,
    PeerZone,
    PeerGroup,
    PeerPrevalence,
    LocalPort,
    PeerPort,
    Protocol,
    Service,
    BytesSent,
    BytesReceived,
    PacketsSent,
    PacketsReceived,
    ConnState,
    MinuteOfWeek,
    LocalRole,
}

impl Column {
    /// Every column, in the order of the contract.
    pub const ALL: [Self; 21] = [
        Self::StartTime,
        Self::EndTime,
        Self::Direction,
        Self::Peer,
        Self::PeerScope,
        Self::PeerClass,
        Self::PeerRole,
        Self::PeerZone,
        Self::PeerGroup,
        Self::PeerPrevalence,
        Self::LocalPort,
        Self::PeerPort,
        Self::Protocol,
        Self::Service,
        Self::BytesSent,
        Self::BytesReceived,
        Self::PacketsSent,
        Self::PacketsReceived,
        Self::ConnState,
        Self::MinuteOfWeek,
        Self::LocalRole,
    ];

    /// The name in the manifest and in the contract, such as `end-time`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartTime => "start-time",
            Self::EndTime => "end-time",
            Self::Direction => "direction",
            Self::Peer => "peer",
            Self::PeerScope => "peer-scope",
            Self::PeerClass => "peer-class",
            Self::PeerRole => "peer-role",
            Self::PeerZone => "peer-zone",
            Self::PeerGroup => "peer-group",
            Self::PeerPrevalence => "peer-prevalence",
            Self::LocalPort => "local-port",
            Self::PeerPort => "peer-port",
            Self::Protocol => "protocol",
            Self::Service => "service",
            Self::BytesSent => "bytes-sent",
            Self::BytesReceived => "bytes-received",
            Self::PacketsSent => "packets-sent",
            Self::PacketsReceived => "packets-received",
            Self::ConnState => "conn-state",
            Self::MinuteOfWeek => "minute-of-week",
            Self::LocalRole => "local-role",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Column;

    #[test]
    fn names_are_those_of_the_contract() {
        let wit = include_str!("../../detector.wit");
        for column in Column::ALL {
            assert!(wit.contains(&format!("        {}: func() -> list<", column.name())), "{column:?}");
            assert_eq!(serde_json::to_value(column).unwrap(), column.name());
        }
    }
}
