//! A shard's rows as the contract has them: grouped by device, in order, column by column.
//!
//! Columns are made from the rows as they came, some rows at a time, when they are asked for: whole ones would take more
//! than the rows themselves, and leave the processor's cache before a guest had them.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use datafusion::execution::memory_pool::MemoryReservation;
use foldhash::fast::FixedState;
use wardflow_manifest::{Column, PeerRole, PeerScope};

use super::{
    PluginRun,
    chunks::Chunks,
    directory::role_at,
    exchange::Held,
    group::{DeviceRows, Grouped, group},
    layout::{Carried, Layout},
    slice_facts::{PeerFacts, SliceFacts},
};
use crate::{
    detector::{BATCH_ROWS, Fault, FaultKind, FlowBatch, Values},
    zone::IpScope,
};

/// The flows of a shard's devices in a slice.
#[derive(Debug)]
pub(super) struct ShardRows {
    /// Devices that have rows, by id, and where those are.
    pub(super) devices: Vec<DeviceRows>,
    /// Numbers of rows in `carried`, in order.
    order: Vec<u32>,
    /// The rows as they came, with the layout's columns.
    carried: Chunks,
    layout: Layout,
    facts: Arc<SliceFacts>,
    /// What they take of the memory, and where more is asked for.
    memory: Held,
}

impl ShardRows {
    /// From the shard's rows in any order, with the layout's columns. The memory is that of the rows and of their order.
    pub(super) fn new(mut carried: Chunks, layout: &Layout, facts: &Arc<SliceFacts>, memory: Held) -> Self {
        // Rows that nearly are in order are soon sorted.
        layout.position(Carried::End).into_iter().for_each(|position| carried.order_by_time(position));
        let Grouped { devices, order } = group(&mut carried, layout, facts);
        Self { devices, order, carried, layout: layout.clone(), facts: Arc::clone(facts), memory }
    }

    /// A column's values in rows of a device; nothing of a column that was not read.
    fn values(&self, column: Column, device: u32, rows: &[u32]) -> Option<Values> {
        Some(match column {
            Column::Peer => Values::U64(self.of_peers(rows, |peer| peer.pseudonym)),
            Column::PeerClass => Values::U32(self.of_peers(rows, |peer| peer.class)),
            Column::PeerZone => Values::U32(self.of_peers(rows, |peer| peer.zone)),
            Column::PeerScope => Values::U8(self.scopes(device, rows)),
            Column::PeerRole => Values::U8(self.roles(rows)),
            Column::LocalRole => Values::U8(self.local_roles(device, rows)),
            Column::MinuteOfWeek => Values::U16(self.minutes(rows)),
            _ => self.carried.gather(self.layout.position(carried(column)?)?, rows),
        })
    }

    /// The number of each row's peer in the directory.
    fn peers(&self, rows: &[u32]) -> Vec<u32> {
        match self.layout.position(Carried::Peer).map(|position| self.carried.gather(position, rows)) {
            Some(Values::U32(peers)) => peers,
            _ => Vec::new(),
        }
    }

    fn of_peers<T>(&self, rows: &[u32], of: impl Fn(PeerFacts) -> T) -> Vec<T> {
        self.peers(rows).into_iter().map(|peer| of(self.facts.peer(peer))).collect()
    }

    fn scopes(&self, device: u32, rows: &[u32]) -> Vec<u8> {
        let tables = self.facts.directory.read();
        let own = self.facts.device(device).zone;
        let scope = |peer| peer_scope(tables.endpoint_of_peer(peer).scope, own, self.facts.peer(peer).zone) as u8;
        self.peers(rows).into_iter().map(scope).collect()
    }

    fn roles(&self, rows: &[u32]) -> Vec<u8> {
        let tables = self.facts.directory.read();
        let role = |(peer, minute): (u32, u16)| tables.endpoint_of_peer(peer).role(minute) as u8;
        self.peers(rows).into_iter().zip(self.minutes(rows)).map(role).collect()
    }

    /// What the device itself is declared to be; its flows need not be looked at where it is nothing.
    fn local_roles(&self, device: u32, rows: &[u32]) -> Vec<u8> {
        match self.facts.roles(device) {
            [] => vec![PeerRole::None as u8; rows.len()],
            roles => self.minutes(rows).into_iter().map(|minute| role_at(roles, minute) as u8).collect(),
        }
    }

    fn minutes(&self, rows: &[u32]) -> Vec<u16> {
        let starts = self.layout.position(Carried::Start).map(|position| self.carried.gather(position, rows));
        self.facts.minutes(starts.as_ref().and_then(Values::as_i64).unwrap_or_default())
    }

    fn end(&self, row: u32) -> i64 {
        self.layout.position(Carried::End).map_or(0, |position| self.carried.time(position, row))
    }
}

/// What a column is carried as; nothing for one that is made of others.
const fn carried(column: Column) -> Option<Carried> {
    match column {
        Column::StartTime => Some(Carried::Start),
        Column::EndTime => Some(Carried::End),
        Column::Direction => Some(Carried::Direction),
        Column::LocalPort => Some(Carried::LocalPort),
        Column::PeerPort => Some(Carried::PeerPort),
        Column::Protocol => Some(Carried::Protocol),
        Column::Service => Some(Carried::Service),
        Column::BytesSent => Some(Carried::BytesSent),
        Column::BytesReceived => Some(Carried::BytesReceived),
        Column::PacketsSent => Some(Carried::PacketsSent),
        Column::PacketsReceived => Some(Carried::PacketsReceived),
        Column::ConnState => Some(Carried::ConnState),
        Column::Peer | Column::PeerClass | Column::PeerZone | Column::PeerScope | Column::PeerRole => None,
        // Groups and prevalence differ from plugin to plugin.
        Column::MinuteOfWeek | Column::LocalRole | Column::PeerGroup | Column::PeerPrevalence => None,
    }
}

/// Where a peer is, seen from a device in zone `own`; zone zero is none.
const fn peer_scope(scope: IpScope, own: u32, zone: u32) -> PeerScope {
    match scope {
        IpScope::Internal if own != 0 && own == zone => PeerScope::SameZone,
        IpScope::Internal => PeerScope::OtherInternal,
        IpScope::External => PeerScope::External,
        IpScope::Multicast => PeerScope::Multicast,
        IpScope::Broadcast => PeerScope::Broadcast,
        IpScope::Unspecified => PeerScope::Unspecified,
    }
}

/// A shard's rows as one plugin sees them.
#[derive(Debug)]
pub(super) struct PluginRows {
    shard: Arc<ShardRows>,
    plugin: PluginRun,
    groups: Mutex<GroupCodes>,
}

/// Codes of peer groups that were looked up, by the numbers of peers and of names; `u16::MAX` for none.
#[derive(Debug, Default)]
struct GroupCodes {
    of_peers: HashMap<u32, u16, FixedState>,
    of_names: HashMap<u32, u16, FixedState>,
}

impl PluginRows {
    /// With the columns that are the plugin's own.
    pub(super) fn new(shard: &Arc<ShardRows>, plugin: &PluginRun) -> Self {
        Self { shard: Arc::clone(shard), plugin: plugin.clone(), groups: Mutex::default() }
    }

    /// A device's flows in the order of the contract.
    ///
    /// Flows that end together are ordered by the columns that the plugin declares, and then by the peer's address, which
    /// an example flow shows: what another plugin declares makes no difference.
    ///
    /// # Errors
    /// So many end together that memory has no room to order them.
    pub(super) fn of_device(self: &Arc<Self>, device: Option<&DeviceRows>) -> Result<Flows, Fault> {
        let Some(DeviceRows { device, rows }) = device else {
            return Ok(Flows { rows: Arc::clone(self), device: u32::MAX, order: Vec::new() });
        };
        let mut flows =
            Flows { rows: Arc::clone(self), device: *device, order: self.shard.order[rows.clone()].to_vec() };
        let mut from = 0;
        while from < flows.order.len() {
            let until = self.until_whole_ties(&flows.order, from);
            self.order_ties(*device, &mut flows.order[from..until])?;
            from = until;
        }
        Ok(flows)
    }

    /// The end of some rows from here on of which no later one ends together with them.
    fn until_whole_ties(&self, rows: &[u32], from: usize) -> usize {
        let end = |place: usize| self.shard.end(rows[place]);
        let mut until = (from + BATCH_ROWS).min(rows.len());
        while until < rows.len() && end(until) == end(until - 1) {
            until += 1;
        }
        until
    }

    fn order_ties(&self, device: u32, rows: &mut [u32]) -> Result<(), Fault> {
        let ties = || rows.chunk_by(|a, b| self.shard.end(*a) == self.shard.end(*b));
        let lengths: Vec<_> = ties().map(<[u32]>::len).collect();
        if lengths.len() == rows.len() {
            return Ok(());
        }
        let tied: Vec<u32> = ties().filter(|tie| tie.len() > 1).flatten().copied().collect();
        let columns = &self.plugin.detector.manifest().columns;
        let _held = self.room(tied.len() * columns.len() * size_of::<u64>())?;
        let columns: Vec<_> = columns.iter().filter_map(|column| self.values(*column, device, &tied)).collect();
        let peers = self.shard.peers(&tied);
        let tables = self.shard.facts.directory.read();
        let address = |place: usize| tables.endpoint_of_peer(peers[place]).ip;
        let compare = |a: usize, b: usize| {
            let order = columns.iter().map(|column| column.compare(a, b)).find(|order| order.is_ne());
            order.unwrap_or_else(|| address(a).cmp(&address(b)))
        };
        let (mut from, mut first) = (0, 0);
        let mut places = Vec::new();
        for length in lengths {
            if length > 1 {
                places.clear();
                places.extend(first..first + length);
                places.sort_by(|a, b| compare(*a, *b));
                let rows = rows[from..].iter_mut().zip(&places);
                rows.for_each(|(row, place)| *row = tied[*place]);
                first += length;
            }
            from += length;
        }
        Ok(())
    }

    /// Memory beyond what a batch takes.
    fn room(&self, bytes: usize) -> Result<Option<MemoryReservation>, Fault> {
        if bytes <= BATCH_ROWS * Column::ALL.len() * size_of::<u64>() {
            return Ok(None);
        }
        self.shard.memory.more(bytes).map(Some).map_err(|error| {
            let rule = "the flows of a device that end at one moment must fit into memory at once";
            let message = format!("{rule}; give more with --memory or fewer --threads ({error})");
            Fault::new("observe", FaultKind::Room, message)
        })
    }

    fn values(&self, column: Column, device: u32, rows: &[u32]) -> Option<Values> {
        match column {
            Column::PeerGroup => Some(Values::U16(self.groups(rows))),
            Column::PeerPrevalence => Some(Values::U32(self.prevalence(device, rows))),
            _ => self.shard.values(column, device, rows),
        }
    }

    /// The code of each row's peer group.
    fn groups(&self, rows: &[u32]) -> Vec<u16> {
        let ShardRows { carried, layout, facts, .. } = &*self.shard;
        let groups = &self.plugin.groups;
        let tables = facts.directory.read();
        let names = layout.position(Carried::Name).map(|position| carried.gather(position, rows));
        let mut codes = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let GroupCodes { of_peers, of_names } = &mut *codes;
        let code = |(place, peer): (usize, u32)| {
            let of_ip = *of_peers.entry(peer).or_insert_with(|| groups.of_ip(tables.endpoint_of_peer(peer).ip));
            let of_name = names.as_ref().map_or(u16::MAX, |names| {
                let name = names.get(place) as u32;
                *of_names.entry(name).or_insert_with(|| groups.of_name(&tables.names[name as usize]))
            });
            match of_ip.min(of_name) {
                u16::MAX => 0,
                code => code,
            }
        };
        self.shard.peers(rows).into_iter().enumerate().map(code).collect()
    }

    /// How many devices of the class have used each row's peer and port.
    fn prevalence(&self, device: u32, rows: &[u32]) -> Vec<u32> {
        let class = self.shard.facts.device(device).class;
        let users = |(peer, port)| self.plugin.prevalence.users(class, peer, port);
        self.contacted(device, rows).map(users).collect()
    }

    /// Each row's peer and port.
    fn contacted(&self, device: u32, rows: &[u32]) -> impl Iterator<Item = (u64, u16)> {
        let peers = self.shard.of_peers(rows, |peer| peer.pseudonym);
        let ports = self.shard.values(Column::PeerPort, device, rows);
        let port = move |place| ports.as_ref().map_or(0, |ports| u16::try_from(ports.get(place)).unwrap_or(0));
        peers.into_iter().enumerate().map(move |(place, peer)| (peer, port(place)))
    }
}

/// A device's flows as one plugin sees them, in the order of the contract.
#[derive(Debug)]
pub(super) struct Flows {
    rows: Arc<PluginRows>,
    device: u32,
    /// Numbers of the rows.
    order: Vec<u32>,
}

impl Flows {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.order.len()
    }

    /// A column's values of some of them, by their places; nothing of a column that was not read.
    pub(super) fn values(&self, column: Column, places: &[u32]) -> Option<Values> {
        let rows: Vec<_> = places.iter().map(|place| self.order[*place as usize]).collect();
        self.rows.values(column, self.device, &rows)
    }

    /// The numbers in the directory of the peers of some of them, by their places.
    pub(super) fn peers(&self, places: &[u32]) -> Vec<u32> {
        let rows: Vec<_> = places.iter().map(|place| self.order[*place as usize]).collect();
        self.rows.shard.peers(&rows)
    }

    /// The end of each and the number of its peer, from the last flow back.
    pub(super) fn met(&self) -> impl Iterator<Item = (i64, u32)> {
        self.order.rchunks(BATCH_ROWS).flat_map(|rows| {
            let peers = self.rows.shard.peers(rows);
            rows.iter().map(|row| self.rows.shard.end(*row)).zip(peers).rev().collect::<Vec<_>>()
        })
    }

    /// Peers and ports, of some flows at a time.
    pub(super) fn contacted(&self) -> impl Iterator<Item = impl Iterator<Item = (u64, u16)>> {
        self.order.chunks(BATCH_ROWS).map(|rows| self.rows.contacted(self.device, rows))
    }
}

/// Some of a device's flows, as a guest pulls them.
pub(super) struct Batch {
    pub(super) flows: Arc<Flows>,
    pub(super) places: Range<usize>,
}

impl FlowBatch for Batch {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn first_row(&self) -> u32 {
        u32::try_from(self.places.start).unwrap_or(u32::MAX)
    }

    fn column(&self, column: Column) -> Values {
        let Flows { rows, device, order } = &*self.flows;
        rows.values(column, *device, &order[self.places.clone()]).unwrap_or(Values::U8(Vec::new()))
    }
}
