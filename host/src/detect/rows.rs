//! A shard's rows as the contract has them: grouped by device, in order, column by column.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

use foldhash::fast::FixedState;
use wardflow_manifest::{Column, PeerScope};

use super::{
    Groups, PluginRun,
    chunks::Chunks,
    group::{DeviceRows, Grouped, group},
    layout::{Carried, Layout},
    order::Order,
    prevalence::Contact,
    slice_facts::{PeerFacts, SliceFacts},
};
use crate::{
    detector::{FlowBatch, Values},
    zone::IpScope,
};

/// The flows of a shard's devices in a slice. Columns are put in order when they are first asked for.
#[derive(Debug)]
pub(super) struct ShardRows {
    /// Devices that have rows, by id, and where those are.
    pub(super) devices: Vec<DeviceRows>,
    /// Positions in `carried`, in order.
    order: Vec<u32>,
    /// The rows as they came, with the layout's columns.
    carried: Chunks,
    layout: Layout,
    facts: Arc<SliceFacts>,
    peers: OnceLock<Vec<u32>>,
    /// Whether several plugins see them.
    is_shared: bool,
    /// Values by column of the contract.
    columns: [OnceLock<Option<Values>>; Column::ALL.len()],
}

impl ShardRows {
    /// From the shard's rows in any order, with the layout's columns.
    pub(super) fn new(mut carried: Chunks, layout: &Layout, facts: &Arc<SliceFacts>, is_shared: bool) -> Self {
        // Rows that nearly are in order are soon sorted.
        layout.position(Carried::End).into_iter().for_each(|position| carried.order_by_time(position));
        let Grouped { devices, order, ends } = group(&carried, layout, facts);
        let columns = [const { OnceLock::new() }; Column::ALL.len()];
        _ = columns[Column::EndTime as usize].set(Some(Values::I64(ends)));
        Self {
            devices,
            order,
            carried,
            layout: layout.clone(),
            facts: Arc::clone(facts),
            peers: OnceLock::new(),
            is_shared,
            columns,
        }
    }

    /// Values of a column at places that follow each other; nothing of a column that was not read.
    ///
    /// They are gathered from the rows as they came: a whole column would leave the cache before a guest had it. A column
    /// that is there, or that more than one plugin asks for, is copied.
    fn part(&self, column: Column, places: Range<usize>) -> Option<Values> {
        match carried(column).and_then(|carried| self.layout.position(carried)) {
            Some(position) if !self.is_shared && self.columns[column as usize].get().is_none() => {
                Some(self.carried.gather(position, &self.order[places]))
            }
            _ => Some(self.column(column)?.slice(places)),
        }
    }

    /// A column's values; nothing of a column that was not read.
    pub(super) fn column(&self, column: Column) -> Option<&Values> {
        self.columns[column as usize].get_or_init(|| self.make(column)).as_ref()
    }

    /// The number of each row's peer in the directory.
    pub(super) fn peers(&self) -> &[u32] {
        self.peers.get_or_init(|| {
            match self.layout.position(Carried::Peer).map(|position| self.carried.gather(position, &self.order)) {
                Some(Values::U32(peers)) => peers,
                _ => Vec::new(),
            }
        })
    }

    /// The contact of a row, as prevalence counts it.
    pub(super) fn contact(&self, row: usize, class: u32, device: u64) -> Contact {
        let number = |column| self.column(column).map_or(0, |values| values.get(row));
        let port = u16::try_from(number(Column::PeerPort)).unwrap_or(0);
        Contact { class, peer: number(Column::Peer), port, device }
    }

    fn make(&self, column: Column) -> Option<Values> {
        match column {
            Column::Peer => Some(Values::U64(self.of_peers(|peer| peer.pseudonym))),
            Column::PeerClass => Some(Values::U32(self.of_peers(|peer| peer.class))),
            Column::PeerZone => Some(Values::U32(self.of_peers(|peer| peer.zone))),
            Column::PeerScope => Some(Values::U8(self.scopes())),
            Column::PeerRole => Some(Values::U8(self.roles())),
            Column::MinuteOfWeek => Some(Values::U16(self.minutes())),
            _ => Some(self.carried.gather(self.layout.position(carried(column)?)?, &self.order)),
        }
    }

    fn of_peers<T>(&self, of: impl Fn(PeerFacts) -> T) -> Vec<T> {
        self.peers().iter().map(|peer| of(self.facts.peer(*peer))).collect()
    }

    fn scopes(&self) -> Vec<u8> {
        let tables = self.facts.directory.read();
        let (peers, zones) = (self.peers(), self.of_peers(|peer| peer.zone));
        let mut scopes = vec![0; zones.len()];
        for device in &self.devices {
            let own = self.facts.device(device.device).zone;
            for row in device.rows.clone() {
                let scope = tables.endpoint_of_peer(peers[row]).scope;
                scopes[row] = peer_scope(scope, own, zones[row]) as u8;
            }
        }
        scopes
    }

    fn roles(&self) -> Vec<u8> {
        let tables = self.facts.directory.read();
        let Some(minutes) = self.column(Column::MinuteOfWeek).and_then(Values::as_u16) else { return Vec::new() };
        let role = |(peer, minute): (&u32, &u16)| tables.endpoint_of_peer(*peer).role(*minute) as u8;
        self.peers().iter().zip(minutes).map(role).collect()
    }

    fn minutes(&self) -> Vec<u16> {
        let starts = self.column(Column::StartTime).and_then(Values::as_i64);
        self.facts.minutes(starts.unwrap_or_default())
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
        Column::MinuteOfWeek | Column::PeerGroup | Column::PeerPrevalence => None,
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
    pub(super) rows: Arc<ShardRows>,
    plugin: PluginRun,
    groups: OnceLock<Values>,
    prevalence: OnceLock<Values>,
}

impl PluginRows {
    /// With the columns that are the plugin's own.
    pub(super) fn new(rows: &Arc<ShardRows>, plugin: &PluginRun) -> Self {
        Self { rows: Arc::clone(rows), plugin: plugin.clone(), groups: OnceLock::new(), prevalence: OnceLock::new() }
    }

    /// The order of a device's rows for this plugin.
    pub(super) fn order(&self, device: &DeviceRows) -> Order {
        if device.ties.is_empty() {
            return Order::default();
        }
        let declared = self.plugin.detector.manifest().columns.iter();
        let columns: Vec<_> = declared.filter_map(|column| self.values(*column)).collect();
        let tables = self.rows.facts.directory.read();
        let address = |row: usize| tables.endpoint_of_peer(self.rows.peers()[row]).ip;
        Order::new(&device.ties, |a, b| {
            let order = columns.iter().map(|column| column.compare(a, b)).find(|order| order.is_ne());
            order.unwrap_or_else(|| address(a).cmp(&address(b)))
        })
    }

    /// Values of a column at places that follow each other in this order.
    fn part(&self, column: Column, places: Range<usize>, order: &Order) -> Option<Values> {
        match column {
            Column::PeerGroup | Column::PeerPrevalence => Some(order.slice(self.values(column)?, places)),
            _ if order.is_the_shards() => self.rows.part(column, places),
            _ => Some(order.slice(self.values(column)?, places)),
        }
    }

    fn values(&self, column: Column) -> Option<&Values> {
        match column {
            Column::PeerGroup => Some(self.groups.get_or_init(|| Values::U16(self.groups(&self.plugin.groups)))),
            Column::PeerPrevalence => Some(self.prevalence.get_or_init(|| Values::U32(self.prevalence()))),
            _ => self.rows.column(column),
        }
    }

    /// The code of each row's peer group.
    fn groups(&self, groups: &Groups) -> Vec<u16> {
        let rows = &self.rows;
        let tables = rows.facts.directory.read();
        let names = rows.layout.position(Carried::Name).map(|position| rows.carried.gather(position, &rows.order));
        let mut by_peer = HashMap::<u32, u16, FixedState>::default();
        let mut by_name = by_peer.clone();
        let code = |(row, peer): (usize, &u32)| {
            let of_ip = *by_peer.entry(*peer).or_insert_with(|| groups.of_ip(tables.endpoint_of_peer(*peer).ip));
            let of_name = names.as_ref().map_or(u16::MAX, |names| {
                let name = names.get(row) as u32;
                *by_name.entry(name).or_insert_with(|| groups.of_name(&tables.names[name as usize]))
            });
            match of_ip.min(of_name) {
                u16::MAX => 0,
                code => code,
            }
        };
        rows.peers().iter().enumerate().map(code).collect()
    }

    /// How many devices of the class have used each row's peer and port.
    fn prevalence(&self) -> Vec<u32> {
        let users = |row: usize, class: u32| {
            let contact = self.rows.contact(row, class, 0);
            self.plugin.prevalence.users(class, contact.peer, contact.port)
        };
        let of_device = |device: &DeviceRows| {
            let class = self.rows.facts.device(device.device).class;
            device.rows.clone().map(move |row| (row, class))
        };
        self.rows.devices.iter().flat_map(of_device).map(|(row, class)| users(row, class)).collect()
    }
}

/// Some of a device's rows, as a guest pulls them.
pub(super) struct Batch {
    pub(super) rows: Arc<PluginRows>,
    pub(super) device: Range<usize>,
    /// Rows of the batch, counted from the device's first.
    pub(super) range: Range<usize>,
    pub(super) order: Arc<Order>,
}

impl FlowBatch for Batch {
    fn len(&self) -> usize {
        self.range.len()
    }

    fn first_row(&self) -> u32 {
        u32::try_from(self.range.start).unwrap_or(u32::MAX)
    }

    fn column(&self, column: Column) -> Values {
        let places = self.device.start + self.range.start..self.device.start + self.range.end;
        self.rows.part(column, places, &self.order).unwrap_or(Values::U8(Vec::new()))
    }
}
