//! The directory: addresses and devices as numbers, given out as they are met.
//!
//! Numbers depend on the order in which threads meet addresses, so nothing that leaves the operator may depend on
//! them: sessions are ordered by device ids, and flows by time and what they show.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use jiff::tz::TimeZone;
use wardflow_manifest::{PeerRole, Scope};

use super::{SHARDS, plugin::is_in, recycled::Recycled};
use crate::{
    config::KeyFile,
    device::{Facts, Inventory, UNKNOWN_CLASS},
    error::Result,
    pseudonym::Key,
    reset::Resets,
    zone::{AddressSpace, Hours, Infrastructure, IpScope},
};

/// What is known of the hospital beforehand.
#[derive(Debug)]
#[expect(missing_docs, reason = "the types say it")]
pub struct World {
    pub inventory: Inventory,
    pub space: AddressSpace,
    pub infrastructure: Vec<Infrastructure>,
    pub timezone: TimeZone,
    pub key: KeyFile,
    pub resets: Resets,
}

impl World {
    /// Tells worlds apart: 32 hex digits of BLAKE3.
    ///
    /// # Errors
    /// There is no pseudonym key, or none that may be read.
    pub fn digest(&self) -> Result<String> {
        // A reset is for what is analysed next: what was analysed before stays as it is.
        let Self { inventory, space, infrastructure, timezone, key, resets: _ } = self;
        // Leases come every day; a slice's own are in its input digest.
        let entries: Vec<_> = inventory.entries().iter().filter(|entry| entry.is_listed()).collect();
        let all = format!(
            "{entries:?}\n{space:?}\n{infrastructure:?}\n{:?}\n{}",
            timezone.iana_name(),
            key.get()?.device("")
        );
        Ok(blake3::hash(all.as_bytes()).to_hex()[..32].to_owned())
    }
}

/// Addresses, devices and names as numbers; what the slices of a run share.
#[derive(Debug)]
pub struct Directory {
    world: Arc<World>,
    key: Key,
    tables: RwLock<Tables>,
    recycled: Arc<Recycled>,
    /// Of plugins that may not run now: nobody is to call their devices unwatched.
    scopes: Vec<Scope>,
}

/// The tables behind a [`Directory`].
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) devices: Vec<Device>,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// What a device can meet: an endpoint, and the number of the device behind it at the time, `NONE` for none.
    pub(super) peers: Vec<(u32, u32)>,
    pub(super) names: Vec<String>,
    device_numbers: HashMap<Arc<str>, u32>,
    endpoint_numbers: HashMap<IpAddr, u32>,
    peer_numbers: HashMap<(u32, u32), u32>,
    name_numbers: HashMap<String, u32>,
}

/// A device that was met or is in the inventory.
#[derive(Clone, Debug)]
pub(super) struct Device {
    /// Its id in the inventory, else its address.
    pub(super) id: Arc<str>,
    pub(super) pseudonym: u64,
    pub(super) shard: u8,
    /// Whether the inventory has it.
    pub(super) is_known: bool,
}

/// An address that was met.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) ip: IpAddr,
    pub(super) scope: IpScope,
    /// The pseudonym of the address, where no device is behind it.
    pub(super) pseudonym: u64,
    pub(super) roles: Vec<(PeerRole, Option<Hours>)>,
    bindings: Vec<Binding>,
    /// The device that an internal address is where nothing is bound to it.
    unbound: Option<u32>,
}

/// A device that an address was for a time.
#[derive(Clone, Copy, Debug)]
struct Binding {
    from: i64,
    to: i64,
    device: u32,
}

impl Endpoint {
    /// The device behind the address at a time, by the inventory alone.
    pub(super) fn bound(&self, at: i64) -> Option<u32> {
        self.bindings.iter().find(|binding| binding.from <= at && at < binding.to).map(|binding| binding.device)
    }

    /// The device that the address itself stands for: internal, and no inventory entry at that time.
    pub(super) const fn unbound(&self) -> Option<u32> {
        self.unbound
    }

    /// The device, or none, that the inventory has behind the address at all times; absent if it depends on the time.
    pub(super) fn always(&self) -> Option<Option<u32>> {
        match self.bindings.as_slice() {
            [] => Some(self.unbound),
            [Binding { from: i64::MIN, to: i64::MAX, device }] => Some(Some(*device)),
            _ => None,
        }
    }

    /// What the hospital declared the address to be at a minute of the local week.
    pub(super) fn role(&self, minute: u16) -> PeerRole {
        role_at(&self.roles, minute)
    }
}

/// The first of some roles that holds at a minute of the local week.
pub(super) fn role_at(roles: &[(PeerRole, Option<Hours>)], minute: u16) -> PeerRole {
    let holds = |hours: &Option<Hours>| hours.is_none_or(|hours| hours.contain(minute));
    roles.iter().find(|(_, hours)| holds(hours)).map_or(PeerRole::None, |(role, _)| *role)
}

impl Directory {
    /// A directory that knows the inventory's devices.
    ///
    /// # Errors
    /// There is no pseudonym key, or none that may be read.
    pub fn new(world: Arc<World>) -> Result<Self> {
        let key = world.key.get()?.clone();
        let mut tables = Tables::default();
        tables.names.push(String::new());
        for id in world.inventory.device_ids() {
            tables.add_device(id, key.device(id), true);
        }
        Ok(Self { world, key, tables: RwLock::new(tables), recycled: Arc::default(), scopes: Vec::new() })
    }

    /// The same, where there are plugins of these scopes, whether they run or not.
    pub fn with_plugins_for(self, scopes: Vec<Scope>) -> Self {
        Self { scopes, ..self }
    }

    /// Whether one of those plugins is for a device, as it is at a time.
    pub(super) fn has_plugin_for(&self, device_id: &str, at: i64) -> bool {
        let facts = self.facts(device_id, at);
        self.scopes.iter().any(|scope| is_in(scope, &facts))
    }

    /// What is known of the hospital.
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// What makes pseudonyms.
    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// Memory of rows of earlier slices.
    pub(super) const fn recycled(&self) -> &Arc<Recycled> {
        &self.recycled
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of an address, and what is known of it.
    pub(super) fn endpoint(&self, ip: IpAddr) -> (u32, Arc<Endpoint>) {
        let ip = ip.to_canonical();
        if let Some(known) = self.read().endpoint_of(ip) {
            return known;
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tables.endpoint_of(ip) {
            return known;
        }
        let endpoint = Arc::new(self.describe(ip, &mut tables));
        let number = next(tables.endpoints.len());
        tables.endpoint_numbers.insert(ip, number);
        tables.endpoints.push(Arc::clone(&endpoint));
        (number, endpoint)
    }

    /// The number of an endpoint with the device behind it.
    pub(super) fn peer(&self, endpoint: u32, device: u32) -> u32 {
        let peer = (endpoint, device);
        if let Some(number) = self.read().peer_numbers.get(&peer) {
            return *number;
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = tables.peer_numbers.get(&peer) {
            return *number;
        }
        let number = next(tables.peers.len());
        tables.peers.push(peer);
        tables.peer_numbers.insert(peer, number);
        number
    }

    /// The device that a MAC address belongs to at a time.
    pub(super) fn device_of_mac(&self, mac: [u8; 6], at: i64) -> Option<u32> {
        let entry = self.world.inventory.bindings_of_mac(mac).find(|entry| entry.is_valid(at))?;
        self.read().device_numbers.get(entry.device_id.as_str()).copied()
    }

    /// The number of a DNS or SNI name; zero for an empty one.
    pub(super) fn name(&self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        if let Some(number) = self.read().name_numbers.get(name) {
            return *number;
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = tables.name_numbers.get(name) {
            return *number;
        }
        let number = next(tables.names.len());
        tables.names.push(name.to_owned());
        tables.name_numbers.insert(name.to_owned(), number);
        number
    }

    /// The number of a device, which is made if it is new: a device outside the inventory that has a state.
    pub(super) fn device(&self, id: &str) -> u32 {
        if let Some(number) = self.read().device_numbers.get(id) {
            return *number;
        }
        let pseudonym = self.pseudonym(id);
        self.tables.write().unwrap_or_else(PoisonError::into_inner).add_device(id, pseudonym, false)
    }

    /// The pseudonym of a device, from its id: of its address, if it is not in the inventory.
    pub(super) fn pseudonym(&self, id: &str) -> u64 {
        match id.parse() {
            Ok(ip) if !self.world.inventory.has(id) => self.key.address(ip),
            _ => self.key.device(id),
        }
    }

    /// The addresses of a device at a time, by the inventory; of a device outside of it, its id.
    pub(super) fn addresses(&self, id: &str, at: i64) -> Vec<IpAddr> {
        let inventory = &self.world.inventory;
        match id.parse() {
            Ok(ip) if !inventory.has(id) => vec![ip],
            _ => inventory.addresses(id, at),
        }
    }

    /// What is true of a device at a time; a class alone for a device outside the inventory.
    pub(super) fn facts(&self, id: &str, at: i64) -> Cow<'_, Facts> {
        match self.world.inventory.facts(id, at) {
            Some(facts) if !facts.class.is_empty() => Cow::Borrowed(facts),
            facts => {
                let facts = facts.cloned().unwrap_or_default();
                Cow::Owned(Facts { class: UNKNOWN_CLASS.to_owned(), ..facts })
            }
        }
    }

    fn describe(&self, ip: IpAddr, tables: &mut Tables) -> Endpoint {
        let world = &self.world;
        let scope = world.space.scope(ip);
        let pseudonym = self.key.address(ip);
        let entries = world.inventory.bindings_of_ip(ip);
        let bindings = entries
            .filter_map(|entry| {
                let device = *tables.device_numbers.get(entry.device_id.as_str())?;
                Some(Binding { from: entry.valid_from, to: entry.valid_to, device })
            })
            .collect();
        let unbound = (scope == IpScope::Internal).then(|| tables.add_device(&ip.to_string(), pseudonym, false));
        let roles = self.roles(&[ip]);
        Endpoint { ip, scope, pseudonym, roles, bindings, unbound }
    }

    /// What the hospital declared one of some addresses to be, and when.
    pub(super) fn roles(&self, addresses: &[IpAddr]) -> Vec<(PeerRole, Option<Hours>)> {
        let is_there = |item: &&Infrastructure| addresses.iter().any(|ip| item.cidr.contains(ip));
        self.world.infrastructure.iter().filter(is_there).map(|item| (item.role, item.hours)).collect()
    }
}

impl Tables {
    /// The address of a peer.
    pub(super) fn endpoint_of_peer(&self, peer: u32) -> &Endpoint {
        &self.endpoints[self.peers[peer as usize].0 as usize]
    }

    fn endpoint_of(&self, ip: IpAddr) -> Option<(u32, Arc<Endpoint>)> {
        let number = *self.endpoint_numbers.get(&ip)?;
        Some((number, Arc::clone(&self.endpoints[number as usize])))
    }

    fn add_device(&mut self, id: &str, pseudonym: u64, is_known: bool) -> u32 {
        if let Some(number) = self.device_numbers.get(id) {
            return *number;
        }
        let number = next(self.devices.len());
        let shard = shard_of(id);
        let id: Arc<str> = id.into();
        self.devices.push(Device { id: Arc::clone(&id), pseudonym, shard, is_known });
        self.device_numbers.insert(id, number);
        number
    }
}

/// The shard of a device, from its id alone.
pub(super) fn shard_of(device_id: &str) -> u8 {
    blake3::hash(device_id.as_bytes()).as_bytes()[0] % SHARDS
}

/// A table's next number. Four billion addresses do not fit into memory.
fn next(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
