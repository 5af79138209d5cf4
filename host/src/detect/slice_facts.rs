//! What is true in a slice of devices and their peers.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use wardflow_manifest::{PeerRole, name_id};

use super::{Directory, PluginRun, SHARDS, Slice, directory::Device};
use crate::{
    device::{Facts, UNKNOWN_CLASS},
    time::{DAY, MINUTE},
    zone::Hours,
};

/// A device as its peers' sessions see it in this slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerFacts {
    pub(super) pseudonym: u64,
    pub(super) class: u32,
    pub(super) zone: u32,
}

/// What a device is declared to be, and when.
type Roles = Vec<(PeerRole, Option<Hours>)>;

/// What is true in a slice of every device in the directory.
#[derive(Debug)]
pub(super) struct SliceFacts {
    pub(super) directory: Arc<Directory>,
    ids: Vec<Arc<str>>,
    /// Places of the devices in the order of their ids.
    ranks: Vec<u32>,
    facts: Vec<Arc<Facts>>,
    devices: Vec<PeerFacts>,
    /// What devices are declared to be, and when; those that are nothing are not in it.
    roles: HashMap<u32, Roles>,
    /// By the number of the peer.
    peers: Vec<PeerFacts>,
    /// Pseudonyms that two addresses have.
    shared: HashSet<u64>,
    /// By shard, the devices that the inventory has in this slice.
    present: Vec<Vec<u32>>,
    /// By plugin and shard, the devices that have a state and are not forgotten.
    remembered: Vec<Vec<Vec<u32>>>,
    offsets: Vec<(i64, i64)>,
}

impl SliceFacts {
    /// As of the slice's start. The directory must be complete: every flow resolved.
    pub(super) fn new(directory: &Arc<Directory>, slice: Slice, plugins: &[PluginRun]) -> Self {
        let world = directory.world();
        let remembered = plugins.iter().map(|plugin| remembered(plugin, directory, slice)).collect();
        let tables = directory.read();
        let ids: Vec<_> = tables.devices.iter().map(|device| Arc::clone(&device.id)).collect();
        // Most devices of a large site may be in no inventory: what is true of one is true of all.
        let unlisted = Arc::new(Facts { class: UNKNOWN_CLASS.to_owned(), ..Facts::default() });
        let facts = |id| match directory.facts(id, slice.start) {
            facts if *facts == *unlisted => Arc::clone(&unlisted),
            facts => Arc::new(facts.into_owned()),
        };
        let facts: Vec<_> = ids.iter().map(|id| facts(id)).collect();
        let shown = |(device, facts): (&Device, &Arc<Facts>)| {
            let zone = if facts.zone.is_empty() { 0 } else { directory.key().zone(&facts.zone) };
            PeerFacts { pseudonym: device.pseudonym, class: name_id(&facts.class), zone }
        };
        let devices: Vec<_> = tables.devices.iter().zip(&facts).map(shown).collect();
        let peer = |&(endpoint, device): &(u32, u32)| match tables.devices.get(device as usize) {
            Some(known) if known.is_known => devices[device as usize],
            _ => PeerFacts { pseudonym: tables.endpoints[endpoint as usize].pseudonym, class: 0, zone: 0 },
        };
        let peers = tables.peers.iter().map(peer).collect();
        let mut met = HashSet::with_capacity(tables.endpoints.len());
        let pseudonyms = tables.endpoints.iter().map(|endpoint| endpoint.pseudonym);
        let shared = pseudonyms.filter(|pseudonym| !met.insert(*pseudonym)).collect();
        let mut present = vec![Vec::new(); usize::from(SHARDS)];
        for (number, device) in (0..).zip(&tables.devices) {
            if device.is_known && world.inventory.is_present(&device.id, slice.start, slice.end) {
                present[usize::from(device.shard)].push(number);
            }
        }
        drop(tables);
        let offsets = offsets(&world.timezone, slice);
        let roles = roles(directory, &ids, slice.start);
        let directory = Arc::clone(directory);
        Self { ranks: ranks(&ids), ids, facts, devices, roles, peers, shared, present, remembered, offsets, directory }
    }

    /// A device as its peers see it.
    pub(super) fn device(&self, device: u32) -> PeerFacts {
        self.devices[device as usize]
    }

    /// Number of devices, met or in the inventory.
    pub(super) fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// A peer, by its number.
    pub(super) fn peer(&self, peer: u32) -> PeerFacts {
        self.peers[peer as usize]
    }

    /// Whether two addresses have this pseudonym.
    pub(super) fn is_shared(&self, pseudonym: u64) -> bool {
        self.shared.contains(&pseudonym)
    }

    /// The id of a device.
    pub(super) fn id(&self, device: u32) -> &str {
        &self.ids[device as usize]
    }

    /// The place of a device in the order of ids.
    pub(super) fn rank(&self, device: u32) -> u32 {
        self.ranks[device as usize]
    }

    /// What a device is declared to be, and when, by its addresses at the slice's start.
    pub(super) fn roles(&self, device: u32) -> &[(PeerRole, Option<Hours>)] {
        self.roles.get(&device).map_or(&[], Vec::as_slice)
    }

    /// What is true of a device.
    pub(super) fn facts(&self, device: u32) -> &Arc<Facts> {
        &self.facts[device as usize]
    }

    /// A shard's devices that the inventory has in this slice.
    pub(super) fn present(&self, shard: u8) -> &[u32] {
        &self.present[usize::from(shard)]
    }

    /// A shard's devices of which a plugin has a state.
    pub(super) fn remembered(&self, plugin: usize, shard: u8) -> &[u32] {
        &self.remembered[plugin][usize::from(shard)]
    }

    /// The addresses of a device at a time, by the inventory; of a device outside of it, its id.
    pub(super) fn addresses(&self, id: &str, at: i64) -> Vec<IpAddr> {
        self.directory.addresses(id, at)
    }

    /// Minutes of the local week, from Monday 00:00.
    pub(super) fn minutes(&self, starts: &[i64]) -> Vec<u16> {
        let minute = |start: &i64| {
            let passed = self.offsets.partition_point(|(from, _)| from <= start);
            let offset = self.offsets[passed.saturating_sub(1)].1;
            // 1970-01-01 was a Thursday, the fourth day of the week.
            let minutes = (start + offset).div_euclid(MINUTE) + 3 * 1_440;
            u16::try_from(minutes.rem_euclid(7 * 1_440)).unwrap_or(0)
        };
        starts.iter().map(minute).collect()
    }
}

/// What devices are declared to be. Where nothing is declared, nobody's addresses are looked up.
fn roles(directory: &Directory, ids: &[Arc<str>], at: i64) -> HashMap<u32, Roles> {
    if directory.world().infrastructure.is_empty() {
        return HashMap::new();
    }
    let roles = |id| directory.roles(&directory.addresses(id, at));
    let all = (0..).zip(ids).map(|(device, id)| (device, roles(id)));
    all.filter(|(_, roles)| !roles.is_empty()).collect()
}

/// How long a device that is not in the inventory keeps its state without a flow.
const FORGET_AFTER: i64 = 30 * DAY;

/// By shard, the devices of which a plugin has a state.
fn remembered(plugin: &PluginRun, directory: &Directory, slice: Slice) -> Vec<Vec<u32>> {
    let inventory = &directory.world().inventory;
    let kept = plugin
        .states
        .iter()
        .filter(|(key, kept)| inventory.has(&key.device_id) || kept.last_flow > slice.start - FORGET_AFTER);
    let numbers: Vec<_> = kept.map(|(key, _)| directory.device(&key.device_id)).collect();
    let tables = directory.read();
    let mut shards = vec![Vec::new(); usize::from(SHARDS)];
    for number in numbers {
        shards[usize::from(tables.devices[number as usize].shard)].push(number);
    }
    shards
}

/// The place of each id in their order.
fn ranks(ids: &[Arc<str>]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by(|a, b| ids[*a as usize].cmp(&ids[*b as usize]));
    let mut ranks = vec![0; ids.len()];
    for (rank, number) in (0..).zip(order) {
        ranks[number as usize] = rank;
    }
    ranks
}

/// Offsets of local time from UTC in microseconds, each with the time from which it holds, for flows that end in the
/// slice. Flows that began earlier than a week before get the first.
fn offsets(timezone: &TimeZone, slice: Slice) -> Vec<(i64, i64)> {
    let offset = |at: i64| {
        let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        i64::from(timezone.to_offset(at).seconds()) * 1_000_000
    };
    let first = slice.start - 7 * DAY;
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
