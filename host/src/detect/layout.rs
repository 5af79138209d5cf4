//! Which numbers a resolved flow carries, and which columns of the archive they need.

use std::{collections::BTreeSet, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use wardflow_manifest::Column;

/// A column between `ResolveExec` and `DetectExec`. One row is one flow as one device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Carried {
    /// The device's number in the directory.
    Device,
    /// The peer's number in the directory.
    Peer,
    End,
    Start,
    Direction,
    LocalPort,
    PeerPort,
    Protocol,
    Service,
    /// The number of the peer's DNS or SNI name in the directory; zero for none.
    Name,
    BytesSent,
    BytesReceived,
    PacketsSent,
    PacketsReceived,
    ConnState,
    /// The device's shard. It is last, since rows that are kept by shard do without.
    Shard,
}

use Carried::{
    BytesReceived, BytesSent, ConnState, Device, Direction, End, LocalPort, Name, PacketsReceived, PacketsSent, Peer,
    PeerPort, Protocol, Service, Shard, Start,
};

impl Carried {
    /// What every row carries: whose it is, with whom, and when.
    const ALWAYS: [Self; 4] = [Device, Peer, End, Shard];

    const fn name(self) -> &'static str {
        match self {
            Shard => "shard",
            Device => "device",
            Peer => "peer",
            Start => "start",
            End => "end",
            Direction => "direction",
            LocalPort => "local_port",
            PeerPort => "peer_port",
            Protocol => "protocol",
            Service => "service",
            Name => "name",
            BytesSent => "bytes_sent",
            BytesReceived => "bytes_received",
            PacketsSent => "packets_sent",
            PacketsReceived => "packets_received",
            ConnState => "conn_state",
        }
    }

    const fn data_type(self) -> DataType {
        match self {
            Shard | Direction | Protocol | ConnState => DataType::UInt8,
            LocalPort | PeerPort => DataType::UInt16,
            Device | Peer | Service | Name => DataType::UInt32,
            BytesSent | BytesReceived | PacketsSent | PacketsReceived => DataType::UInt64,
            Start | End => DataType::Int64,
        }
    }

    /// The columns of the archive that it is made of.
    const fn sources(self) -> &'static [&'static str] {
        match self {
            Shard | Device | Peer | Direction => &["src_ip", "dst_ip"],
            End => &["end_time"],
            Start => &["start_time", "end_time"],
            // What stands there depends on the protocol.
            LocalPort | PeerPort => &["src_port", "dst_port", "protocol"],
            Protocol => &["protocol"],
            Service => &["service"],
            // The name of a flow to a name server is another's.
            Name => &["dst_name", "dst_port"],
            BytesSent | BytesReceived => &["src_bytes", "dst_bytes"],
            PacketsSent | PacketsReceived => &["src_packets", "dst_packets"],
            ConnState => &["conn_state"],
        }
    }

    /// What a column of the contract is made of, beyond what every row carries.
    const fn of(column: Column) -> Option<Self> {
        match column {
            Column::StartTime | Column::MinuteOfWeek | Column::PeerRole | Column::LocalRole => Some(Start),
            Column::Direction => Some(Direction),
            Column::LocalPort => Some(LocalPort),
            Column::PeerPort | Column::PeerPrevalence => Some(PeerPort),
            Column::Protocol => Some(Protocol),
            Column::Service => Some(Service),
            Column::BytesSent => Some(BytesSent),
            Column::BytesReceived => Some(BytesReceived),
            Column::PacketsSent => Some(PacketsSent),
            Column::PacketsReceived => Some(PacketsReceived),
            Column::ConnState => Some(ConnState),
            _ => None,
        }
    }
}

/// The columns that a slice's rows carry: the union of what its plugins declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    carried: Vec<Carried>,
    sources: BTreeSet<&'static str>,
}

impl Layout {
    /// A layout for these columns of the contract; `names` if peer groups are matched by name; `further` columns of
    /// the archive that are read but not carried.
    pub(super) fn new(columns: &BTreeSet<Column>, names: bool, further: &[&'static str]) -> Self {
        let wanted = columns.iter().filter_map(|column| Carried::of(*column)).chain(names.then_some(Name));
        let carried: BTreeSet<_> = Carried::ALWAYS.into_iter().chain(wanted).collect();
        let sources = carried.iter().flat_map(|carried| carried.sources()).chain(further).copied().collect();
        Self { carried: carried.into_iter().collect(), sources }
    }

    /// What is carried, in order.
    pub(super) fn carried(&self) -> &[Carried] {
        &self.carried
    }

    /// The position of a carried column.
    pub(super) fn position(&self, carried: Carried) -> Option<usize> {
        self.carried.binary_search(&carried).ok()
    }

    /// The columns of the archive to read.
    pub(super) const fn sources(&self) -> &BTreeSet<&'static str> {
        &self.sources
    }

    /// The schema of the resolved rows.
    pub(super) fn schema(&self) -> SchemaRef {
        schema(&self.carried)
    }

    /// The schema of the rows of one shard: the same columns but for the last.
    pub(super) fn schema_in_shard(&self) -> SchemaRef {
        schema(self.carried.split_last().map_or(&[], |(_, kept)| kept))
    }
}

fn schema(carried: &[Carried]) -> SchemaRef {
    let field = |carried: &Carried| Field::new(carried.name(), carried.data_type(), false);
    Arc::new(Schema::new(carried.iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::Layout;
    use wardflow_manifest::Column;

    fn check(columns: &[Column], names: bool, expected: &[&str]) {
        let layout = Layout::new(&columns.iter().copied().collect(), names, &[]);
        let read: Vec<_> = layout.sources().iter().copied().collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn reads_only_what_is_declared() {
        check(&[Column::EndTime, Column::Peer], false, &["dst_ip", "end_time", "src_ip"]);
        check(&[Column::BytesSent], false, &["dst_bytes", "dst_ip", "end_time", "src_bytes", "src_ip"]);
        check(&[Column::PeerGroup], true, &["dst_ip", "dst_name", "dst_port", "end_time", "src_ip"]);
        check(&[Column::PeerRole], false, &["dst_ip", "end_time", "src_ip", "start_time"]);
        check(&[Column::ConnState], false, &["conn_state", "dst_ip", "end_time", "src_ip"]);
        check(&[Column::PeerPort], false, &["dst_ip", "dst_port", "end_time", "protocol", "src_ip", "src_port"]);
    }
}
