//! A shard's rows as the contract has them: grouped by device, in order, column by column.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::Range,
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use wardflow_manifest::{Column, PeerScope, name_id};

use super::{
    Directory, Groups, PluginRun, SHARDS, Slice,
    layout::{Carried, Layout},
    prevalence::Contact,
    resolve::NONE,
};
use crate::{
    detector::{FlowBatch, Values},
    device::UNKNOWN_CLASS,
    zone::IpScope,
};

/// The flows of a shard's devices in a slice.
#[derive(Debug)]
pub(super) struct ShardRows {
    /// Devices that have rows, by id, and where those are.
    pub(super) devices: Vec<DeviceRows>,
    /// Values by column of the contract; empty if no plugin declares it.
    columns: Vec<Option<Values>>,
    /// Numbers of the peers' endpoints.
    endpoints: Vec<u32>,
    names: Option<Vec<u32>>,
}

/// The rows of one device.
#[derive(Clone, Debug)]
pub(super) struct DeviceRows {
    pub(super) device: u32,
    pub(super) rows: Range<usize>,
    /// Runs of rows that nothing but a plugin's own columns can tell apart.
    ties: Vec<Range<usize>>,
}

/// A device as its peers' sessions see it in this slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerFacts {
    pub(super) pseudonym: u64,
    pub(super) class: u32,
    pub(super) zone: u32,
}

/// The columns that order a device's flows, before the plugin's own.
const ORDER: [Carried; 6] =
    [Carried::End, Carried::Start, Carried::Peer, Carried::LocalPort, Carried::PeerPort, Carried::Protocol];

impl ShardRows {
    /// From the shard's rows in any order, column by column as in the layout.
    pub(super) fn new(columns: &[Values], layout: &Layout, wanted: &BTreeSet<Column>, context: &SliceFacts) -> Self {
        let column = |carried| layout.position(carried).and_then(|position| columns.get(position));
        let peers = Peers::of(column, context);
        let (order, devices) = group(column, &peers.pseudonyms, context);
        let gathered = |carried| column(carried).map(|values: &Values| values.gather(&order));
        let endpoints = as_u32(gathered(Carried::Peer));
        let names = gathered(Carried::Name).map(|names| as_u32(Some(names)));
        let mut rows = Self { devices, columns: vec![None; Column::ALL.len()], endpoints, names };
        let minutes = context.minutes(gathered(Carried::Start).as_ref());
        for &wanted in wanted {
            let carried = match wanted {
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
                Column::Peer
                | Column::PeerScope
                | Column::PeerClass
                | Column::PeerRole
                | Column::PeerZone
                | Column::PeerGroup
                | Column::PeerPrevalence
                | Column::MinuteOfWeek => {
                    rows.columns[wanted as usize] = rows.derive(wanted, &peers, &order, &minutes, context);
                    continue;
                }
            };
            rows.columns[wanted as usize] = gathered(carried);
        }
        // Findings name peers by pseudonym and examples by ports and times, so these are there whatever is declared.
        rows.columns[Column::Peer as usize] = Some(Values::U64(peers.gather(&order, |p| p.pseudonym)));
        for (kept, carried) in [
            (Column::StartTime, Carried::Start),
            (Column::EndTime, Carried::End),
            (Column::LocalPort, Carried::LocalPort),
            (Column::PeerPort, Carried::PeerPort),
            (Column::Protocol, Carried::Protocol),
        ] {
            if rows.columns[kept as usize].is_none() {
                rows.columns[kept as usize] = gathered(carried);
            }
        }
        rows
    }

    /// A column's values; empty if it was not asked for.
    pub(super) fn column(&self, column: Column) -> Option<&Values> {
        self.columns[column as usize].as_ref()
    }

    /// The number of a row's peer among the directory's endpoints.
    pub(super) fn endpoint(&self, row: usize) -> u32 {
        self.endpoints[row]
    }

    /// The code of each row's peer group.
    pub(super) fn groups(&self, groups: &Groups, directory: &Directory) -> Vec<u16> {
        let tables = directory.read();
        let mut by_endpoint = std::collections::HashMap::<u32, u16, foldhash::fast::FixedState>::default();
        let mut by_name = by_endpoint.clone();
        let code = |row: usize, endpoint: &u32| {
            let of_ip =
                *by_endpoint.entry(*endpoint).or_insert_with(|| groups.of_ip(tables.endpoints[*endpoint as usize].ip));
            let of_name = self.names.as_ref().map_or(u16::MAX, |names| {
                *by_name.entry(names[row]).or_insert_with(|| groups.of_name(&tables.names[names[row] as usize]))
            });
            match of_ip.min(of_name) {
                u16::MAX => 0,
                code => code,
            }
        };
        let mut code = code;
        self.endpoints.iter().enumerate().map(|(row, endpoint)| code(row, endpoint)).collect()
    }

    /// The contact of a row, as prevalence counts it.
    pub(super) fn contact(&self, row: usize, class: u32, device: u64) -> Contact {
        let number = |column| self.column(column).map_or(0, |values| values.get(row));
        let port = u16::try_from(number(Column::PeerPort)).unwrap_or(0);
        Contact { class, peer: number(Column::Peer), port, device }
    }

    fn derive(
        &self,
        column: Column,
        peers: &Peers,
        order: &[u32],
        minutes: &[u16],
        context: &SliceFacts,
    ) -> Option<Values> {
        Some(match column {
            Column::PeerClass => Values::U32(peers.gather(order, |peer| peer.class)),
            Column::PeerZone => Values::U32(peers.gather(order, |peer| peer.zone)),
            Column::MinuteOfWeek => Values::U16(minutes.to_vec()),
            Column::PeerRole => {
                let tables = context.directory.read();
                let role = |(endpoint, minute): (&u32, &u16)| tables.endpoints[*endpoint as usize].role(*minute) as u8;
                Values::U8(self.endpoints.iter().zip(minutes).map(role).collect())
            }
            Column::PeerScope => {
                let tables = context.directory.read();
                let zones = peers.gather(order, |peer| peer.zone);
                let mut scopes = vec![0; zones.len()];
                for device in &self.devices {
                    let own = context.device(device.device).zone;
                    for row in device.rows.clone() {
                        let scope = tables.endpoints[self.endpoints[row] as usize].scope;
                        scopes[row] = peer_scope(scope, own, zones[row]) as u8;
                    }
                }
                Values::U8(scopes)
            }
            // Groups and prevalence differ from plugin to plugin.
            _ => return None,
        })
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

/// Orders rows by device id, then as a device's flows are ordered. Counting sort by device; the rows of one device are
/// sorted only if they are out of order, which they are not if they came in order of time.
fn group<'a>(
    column: impl Fn(Carried) -> Option<&'a Values>,
    pseudonyms: &[u64],
    context: &SliceFacts,
) -> (Vec<u32>, Vec<DeviceRows>) {
    let devices = as_u32(column(Carried::Device).cloned());
    let mut present: Vec<u32> =
        devices.iter().copied().filter(|device| *device != NONE).collect::<BTreeSet<_>>().into_iter().collect();
    {
        let tables = context.directory.read();
        present.sort_by(|a, b| tables.devices[*a as usize].id.cmp(&tables.devices[*b as usize].id));
    }
    let place: std::collections::HashMap<u32, usize, foldhash::fast::FixedState> =
        present.iter().enumerate().map(|(place, device)| (*device, place)).collect();
    let mut ends = vec![0_usize; present.len() + 1];
    for device in &devices {
        if let Some(place) = place.get(device) {
            ends[place + 1] += 1;
        }
    }
    for place in 1..ends.len() {
        ends[place] += ends[place - 1];
    }
    let starts = ends.clone();
    let mut order = vec![0_u32; ends.last().copied().unwrap_or(0)];
    for (row, device) in (0_u32..).zip(&devices) {
        if let Some(&place) = place.get(device) {
            order[ends[place]] = row;
            ends[place] += 1;
        }
    }
    let keys: Vec<_> = ORDER.into_iter().filter(|key| *key != Carried::Peer).filter_map(&column).collect();
    let compare = |a: u32, b: u32| {
        let (a, b) = (a as usize, b as usize);
        let (times, rest) = keys.split_at(2);
        let by = |keys: &[&Values]| keys.iter().map(|key| key.compare(a, b)).find(|order| order.is_ne());
        by(times).unwrap_or_else(|| pseudonyms[a].cmp(&pseudonyms[b]).then_with(|| by(rest).unwrap_or(Ordering::Equal)))
    };
    let rows = present.iter().zip(starts.windows(2)).map(|(device, bounds)| {
        let range = bounds[0]..bounds[1];
        let rows = &mut order[range.clone()];
        if !rows.is_sorted_by(|a, b| compare(*a, *b).is_le()) {
            rows.sort_unstable_by(|a, b| compare(*a, *b));
        }
        DeviceRows { device: *device, ties: ties(rows, range.start, compare), rows: range }
    });
    let rows = rows.collect();
    (order, rows)
}

/// Runs of rows that compare equal; positions count from `first`.
fn ties(rows: &[u32], first: usize, compare: impl Fn(u32, u32) -> Ordering) -> Vec<Range<usize>> {
    let mut ties = Vec::new();
    let mut from = 0;
    for row in 1..=rows.len() {
        if row == rows.len() || compare(rows[row - 1], rows[row]).is_ne() {
            if row - from > 1 {
                ties.push(first + from..first + row);
            }
            from = row;
        }
    }
    ties
}

/// What is true in a slice of every device in the directory.
#[derive(Debug)]
pub(super) struct SliceFacts {
    pub(super) directory: Arc<Directory>,
    devices: Vec<PeerFacts>,
    ids: Vec<String>,
    numbers: BTreeMap<String, u32>,
    /// By shard, ids of the devices that the inventory has in this slice.
    present: Vec<Vec<String>>,
    offsets: Vec<(i64, i64)>,
}

impl SliceFacts {
    /// As of the slice's start. The directory must be complete: every flow resolved.
    pub(super) fn new(directory: &Arc<Directory>, slice: Slice) -> Self {
        let world = directory.world();
        let facts = |device: &super::directory::Device| {
            let facts = directory.facts(&device.id, slice.start);
            let zone = if facts.zone.is_empty() { 0 } else { world.key.zone(&facts.zone) };
            PeerFacts { pseudonym: device.pseudonym, class: name_id(&facts.class), zone }
        };
        let tables = directory.read();
        let devices = tables.devices.iter().map(facts).collect();
        let ids: Vec<_> = tables.devices.iter().map(|device| device.id.clone()).collect();
        let mut present = vec![Vec::new(); usize::from(SHARDS)];
        for device in tables.devices.iter().filter(|device| device.is_known) {
            if world.inventory.is_present(&device.id, slice.start, slice.end) {
                present[usize::from(device.shard)].push(device.id.clone());
            }
        }
        drop(tables);
        let numbers = (0..).zip(&ids).map(|(number, id)| (id.clone(), number)).collect();
        let offsets = offsets(&world.timezone, slice);
        Self { devices, ids, numbers, present, offsets, directory: Arc::clone(directory) }
    }

    /// By number.
    pub(super) fn device(&self, device: u32) -> PeerFacts {
        self.devices[device as usize]
    }

    /// The id of a device.
    pub(super) fn id(&self, device: u32) -> &str {
        &self.ids[device as usize]
    }

    /// By id; of a device that was not met in this run, from its id.
    pub(super) fn peer_facts(&self, id: &str) -> PeerFacts {
        match self.numbers.get(id) {
            Some(number) => self.device(*number),
            None => PeerFacts { pseudonym: self.directory.pseudonym(id), class: name_id(UNKNOWN_CLASS), zone: 0 },
        }
    }

    /// Ids of a shard's devices that the inventory has in this slice.
    pub(super) fn present(&self, shard: u8) -> &[String] {
        &self.present[usize::from(shard)]
    }

    /// The addresses of a device at a time, by the inventory; of a device outside of it, its id.
    pub(super) fn addresses(&self, id: &str, at: i64) -> Vec<IpAddr> {
        let inventory = &self.directory.world().inventory;
        match id.parse() {
            Ok(ip) if !inventory.has(id) => vec![ip],
            _ => inventory.addresses(id, at),
        }
    }

    /// Minutes of the local week, from Monday 00:00.
    fn minutes(&self, starts: Option<&Values>) -> Vec<u16> {
        let Some(Values::I64(starts)) = starts else { return Vec::new() };
        let minute = |start: &i64| {
            let passed = self.offsets.partition_point(|(from, _)| from <= start);
            let offset = self.offsets[passed.saturating_sub(1)].1;
            // 1970-01-01 was a Thursday, the fourth day of the week.
            let minutes = (start + offset).div_euclid(60_000_000) + 3 * 1_440;
            u16::try_from(minutes.rem_euclid(7 * 1_440)).unwrap_or(0)
        };
        starts.iter().map(minute).collect()
    }
}

/// Offsets of local time from UTC in microseconds, each with the time from which it holds, for flows that end in the
/// slice. Flows that began earlier than a week before get the first.
fn offsets(timezone: &TimeZone, slice: Slice) -> Vec<(i64, i64)> {
    let offset = |at: i64| {
        let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        i64::from(timezone.to_offset(at).seconds()) * 1_000_000
    };
    let first = slice.start - 7 * 86_400_000_000;
    let mut offsets = vec![(i64::MIN, offset(first))];
    let transitions = Timestamp::from_microsecond(first).map(|first| timezone.following(first));
    for transition in transitions.into_iter().flatten() {
        let at = transition.timestamp().as_microsecond();
        if at >= slice.end {
            break;
        }
        offsets.push((at, offset(at)));
    }
    offsets
}

/// The peers of a shard's rows, in the rows' first order.
struct Peers {
    facts: Vec<PeerFacts>,
    pseudonyms: Vec<u64>,
}

impl Peers {
    fn of<'a>(column: impl Fn(Carried) -> Option<&'a Values>, context: &SliceFacts) -> Self {
        let tables = context.directory.read();
        let peers = as_u32(column(Carried::Peer).cloned());
        let devices = as_u32(column(Carried::PeerDevice).cloned());
        let owners = as_u32(column(Carried::Device).cloned());
        let facts: Vec<_> = peers
            .iter()
            .zip(&devices)
            .zip(&owners)
            .map(|((peer, device), owner)| {
                if *owner == NONE {
                    return PeerFacts { pseudonym: 0, class: 0, zone: 0 };
                }
                if *device != NONE && tables.devices[*device as usize].is_known {
                    return context.device(*device);
                }
                PeerFacts { pseudonym: tables.endpoints[*peer as usize].pseudonym, class: 0, zone: 0 }
            })
            .collect();
        let pseudonyms = facts.iter().map(|peer| peer.pseudonym).collect();
        Self { facts, pseudonyms }
    }

    fn gather<T>(&self, order: &[u32], value: impl Fn(&PeerFacts) -> T) -> Vec<T> {
        order.iter().map(|row| value(&self.facts[*row as usize])).collect()
    }
}

fn as_u32(values: Option<Values>) -> Vec<u32> {
    match values {
        Some(Values::U32(values)) => values,
        _ => Vec::new(),
    }
}

/// A shard's rows as one plugin sees them.
#[derive(Debug)]
pub(super) struct PluginRows {
    pub(super) rows: Arc<ShardRows>,
    groups: Option<Values>,
    prevalence: Option<Values>,
    columns: Vec<Column>,
}

impl PluginRows {
    /// With the columns that are the plugin's own.
    pub(super) fn new(rows: &Arc<ShardRows>, plugin: &PluginRun, context: &SliceFacts) -> Self {
        let groups =
            plugin.sees(Column::PeerGroup).then(|| Values::U16(rows.groups(&plugin.groups, &context.directory)));
        let prevalence = plugin.sees(Column::PeerPrevalence).then(|| {
            let users = rows.devices.iter().flat_map(|device| {
                let class = context.device(device.device).class;
                device.rows.clone().map(move |row| (row, class))
            });
            Values::U32(
                users
                    .map(|(row, class)| {
                        let contact = rows.contact(row, class, 0);
                        plugin.prevalence.users(class, contact.peer, contact.port)
                    })
                    .collect(),
            )
        });
        let columns = plugin.detector.manifest().columns.iter().copied().collect();
        Self { rows: Arc::clone(rows), groups, prevalence, columns }
    }

    /// The order of a device's rows for this plugin; absent if it is the shard's own. Rows that only the plugin's own
    /// columns tell apart are ordered by those, so that other plugins' columns make no difference.
    pub(super) fn order(&self, device: &DeviceRows) -> Option<Arc<[u32]>> {
        if device.ties.is_empty() {
            return None;
        }
        let columns: Vec<_> = self.columns.iter().filter_map(|column| self.values(*column)).collect();
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
            Column::PeerGroup => self.groups.as_ref(),
            Column::PeerPrevalence => self.prevalence.as_ref(),
            _ => self.rows.column(column),
        }
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
