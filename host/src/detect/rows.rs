//! A shard's rows as the contract has them: grouped by device, in order, column by column.

use std::{
    cmp::Ordering,
    collections::HashMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

use foldhash::fast::FixedState;
use wardflow_manifest::{Column, PeerScope};

use super::{
    Groups, PluginRun,
    group::{DeviceRows, group},
    layout::{Carried, Layout},
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
    /// The rows as they came, column by column as in the layout.
    carried: Vec<Values>,
    layout: Layout,
    facts: Arc<SliceFacts>,
    /// Values by column of the contract.
    columns: [OnceLock<Option<Values>>; Column::ALL.len()],
}

impl ShardRows {
    /// From the shard's rows in any order, column by column as in the layout.
    pub(super) fn new(carried: Vec<Values>, layout: &Layout, facts: &Arc<SliceFacts>) -> Self {
        let (order, devices) = group(&carried, layout, facts);
        let columns = [const { OnceLock::new() }; Column::ALL.len()];
        Self { devices, order, carried, layout: layout.clone(), facts: Arc::clone(facts), columns }
    }

    /// A column's values; nothing of a column that was not read.
    pub(super) fn column(&self, column: Column) -> Option<&Values> {
        self.columns[column as usize].get_or_init(|| self.make(column)).as_ref()
    }

    /// The number of a row's peer among the directory's endpoints.
    pub(super) fn endpoint(&self, row: usize) -> u32 {
        self.carried(Carried::Peer).and_then(Values::as_u32).map_or(0, |peers| peers[self.order[row] as usize])
    }

    /// The contact of a row, as prevalence counts it.
    pub(super) fn contact(&self, row: usize, class: u32, device: u64) -> Contact {
        let number = |column| self.column(column).map_or(0, |values| values.get(row));
        let port = u16::try_from(number(Column::PeerPort)).unwrap_or(0);
        Contact { class, peer: number(Column::Peer), port, device }
    }

    fn carried(&self, carried: Carried) -> Option<&Values> {
        self.layout.position(carried).and_then(|position| self.carried.get(position))
    }

    fn make(&self, column: Column) -> Option<Values> {
        let carried = match column {
            Column::StartTime => Carried::Start,
            Column::EndTime => Carried::End,
            Column::Direction => Carried::Direction,
            Column::LocalPort => Carried::LocalPort,
            Column::PeerPort => Carried::PeerPort,
            Column::Protocol => Carried::Protocol,
            Column::Service => Carried::Service,
            Column::BytesSent => Carried::BytesSent,
            Column::BytesReceived => Carried::BytesReceived,
            Column::PacketsSent => Carried::PacketsSent,
            Column::PacketsReceived => Carried::PacketsReceived,
            Column::ConnState => Carried::ConnState,
            Column::Peer => return Some(Values::U64(self.peers(|peer| peer.pseudonym))),
            Column::PeerClass => return Some(Values::U32(self.peers(|peer| peer.class))),
            Column::PeerZone => return Some(Values::U32(self.peers(|peer| peer.zone))),
            Column::PeerScope => return Some(Values::U8(self.scopes())),
            Column::PeerRole => return Some(Values::U8(self.roles())),
            Column::MinuteOfWeek => return Some(Values::U16(self.minutes())),
            // These differ from plugin to plugin.
            Column::PeerGroup | Column::PeerPrevalence => return None,
        };
        Some(self.carried(carried)?.gather(&self.order))
    }

    fn peers<T>(&self, of: impl Fn(PeerFacts) -> T) -> Vec<T> {
        let numbers = |carried| self.carried(carried).and_then(Values::as_u32).unwrap_or_default();
        let (endpoints, devices) = (numbers(Carried::Peer), numbers(Carried::PeerDevice));
        let peer = |row: &u32| self.facts.peer(endpoints[*row as usize], devices[*row as usize]);
        self.order.iter().map(|row| of(peer(row))).collect()
    }

    fn scopes(&self) -> Vec<u8> {
        let tables = self.facts.directory.read();
        let zones = self.peers(|peer| peer.zone);
        let mut scopes = vec![0; zones.len()];
        for device in &self.devices {
            let own = self.facts.device(device.device).zone;
            for row in device.rows.clone() {
                let scope = tables.endpoints[self.endpoint(row) as usize].scope;
                scopes[row] = peer_scope(scope, own, zones[row]) as u8;
            }
        }
        scopes
    }

    fn roles(&self) -> Vec<u8> {
        let tables = self.facts.directory.read();
        let Some(minutes) = self.column(Column::MinuteOfWeek).and_then(Values::as_u16) else { return Vec::new() };
        let role = |(row, minute): (usize, &u16)| tables.endpoints[self.endpoint(row) as usize].role(*minute) as u8;
        minutes.iter().enumerate().map(role).collect()
    }

    fn minutes(&self) -> Vec<u16> {
        let starts = self.column(Column::StartTime).and_then(Values::as_i64);
        self.facts.minutes(starts.unwrap_or_default())
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

    /// The order of a device's rows for this plugin; absent if it is the shard's own. Rows that only the plugin's own
    /// columns tell apart are ordered by those, so that other plugins' columns make no difference.
    pub(super) fn order(&self, device: &DeviceRows) -> Option<Arc<[u32]>> {
        if device.ties.is_empty() {
            return None;
        }
        let declared = self.plugin.detector.manifest().columns.iter();
        let columns: Vec<_> = declared.filter_map(|column| self.values(*column)).collect();
        let mut order: Vec<u32> = device.rows.clone().filter_map(|row| u32::try_from(row).ok()).collect();
        for tie in &device.ties {
            order[tie.start - device.rows.start..tie.end - device.rows.start].sort_by(|a, b| {
                let by = |column: &&Values| column.compare(*a as usize, *b as usize);
                columns.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            });
        }
        Some(order.into())
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
        let names = rows.carried(Carried::Name).and_then(Values::as_u32);
        let mut by_endpoint = HashMap::<u32, u16, FixedState>::default();
        let mut by_name = by_endpoint.clone();
        let mut code = |row: usize| {
            let endpoint = rows.endpoint(row);
            let of_ip =
                *by_endpoint.entry(endpoint).or_insert_with(|| groups.of_ip(tables.endpoints[endpoint as usize].ip));
            let of_name = names.map_or(u16::MAX, |names| {
                let name = names[rows.order[row] as usize];
                *by_name.entry(name).or_insert_with(|| groups.of_name(&tables.names[name as usize]))
            });
            match of_ip.min(of_name) {
                u16::MAX => 0,
                code => code,
            }
        };
        (0..rows.order.len()).map(&mut code).collect()
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
    pub(super) order: Option<Arc<[u32]>>,
}

impl FlowBatch for Batch {
    fn len(&self) -> usize {
        self.range.len()
    }

    fn first_row(&self) -> u32 {
        u32::try_from(self.range.start).unwrap_or(u32::MAX)
    }

    fn column(&self, column: Column) -> Values {
        let Some(values) = self.rows.values(column) else { return Values::U8(Vec::new()) };
        match &self.order {
            Some(order) => values.gather(&order[self.range.clone()]),
            None => values.slice(self.device.start + self.range.start..self.device.start + self.range.end),
        }
    }
}
