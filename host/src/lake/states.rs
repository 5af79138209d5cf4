//! The states of one plugin's sessions after a slice, with a digest that keeps up with every change.
//!
//! The digest of the entries is the sum, modulo 2^256, of the BLAKE3 hash of each (Bellare and Micciancio, 1997: AdHash).
//! A sum does not depend on the order, and changing one entry takes away one hash and adds another, so that ten thousand
//! devices need not be hashed again after each slice. It must tell sets apart that differ by chance or by damage; it is no
//! signature, and a plugin that worked out a collision would mislead itself alone. A plain XOR would be as quick, but there
//! a collision is linear algebra, and an entry counted twice vanishes.

use std::collections::{BTreeMap, btree_map::Entry as MapEntry};

use blake3::Hasher;
use serde::{Deserialize, Serialize};
use wardflow_manifest::PluginId;

use crate::error::{Context, Error, Result};

/// Whose state it is. With other firmware a device learns anew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StateKey {
    /// The device's id in the inventory.
    pub device_id: String,
    /// Its firmware as the inventory has it, empty if unknown.
    pub firmware: String,
}

/// The state of one device's session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// In the guest's own format.
    pub bytes: Vec<u8>,
    /// How far learning is, in [0, 1].
    pub learned: f64,
    /// Whether what was learned suffices to report from it.
    pub ready: bool,
    /// The fault for which the device was set aside, if it was.
    pub lost: Option<String>,
    /// Flows that went into it.
    pub flows: u64,
    /// Start of the first slice that went into it, microseconds UTC.
    pub since: i64,
    /// End of the last slice in which the device had a flow, microseconds UTC.
    pub last_flow: i64,
}

/// All states of one plugin after the slice that ends at `slice_end`.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSet {
    /// The plugin.
    pub plugin: PluginId,
    /// The manifest's state version.
    pub state_version: u32,
    /// Digest of the configuration that the states depend on.
    pub config_digest: String,
    /// End of the last slice that went in, microseconds UTC.
    pub slice_end: i64,
    /// What else is kept beside the states, such as peer prevalence; opaque here.
    pub extra: Vec<u8>,
    entries: BTreeMap<StateKey, (State, Sum)>,
    sum: Sum,
}

/// First bytes of a file, before compression: a name and the version of the format.
const MAGIC: &[u8] = b"wardflow states 1\n";

/// What every version's begins with.
const NAME: &[u8] = b"wardflow states ";

/// What follows them, in postcard's format.
#[derive(Serialize, Deserialize)]
struct Contents<K, S> {
    plugin: PluginId,
    state_version: u32,
    config_digest: String,
    slice_end: i64,
    extra: Vec<u8>,
    states: Vec<(K, S)>,
}

impl StateSet {
    /// A set without states.
    pub fn new(plugin: PluginId, state_version: u32, config_digest: impl Into<String>, slice_end: i64) -> Self {
        Self {
            plugin,
            state_version,
            config_digest: config_digest.into(),
            slice_end,
            extra: Vec::new(),
            entries: BTreeMap::new(),
            sum: Sum::default(),
        }
    }

    /// The state of a device.
    pub fn get(&self, key: &StateKey) -> Option<&State> {
        self.entries.get(key).map(|(state, _)| state)
    }

    /// The state of a device, whatever the firmware it was learned under.
    pub fn of_device(&self, device_id: &str) -> Option<(&StateKey, &State)> {
        let first = StateKey { device_id: device_id.to_owned(), firmware: String::new() };
        let (key, (state, _)) = self.entries.range(first..).next()?;
        (key.device_id == device_id).then_some((key, state))
    }

    /// Puts a state in, in place of the one that was there.
    pub fn insert(&mut self, key: StateKey, state: State) {
        let hash = Sum::of(&key, &state);
        self.sum = self.sum.plus(hash);
        match self.entries.entry(key) {
            MapEntry::Occupied(mut entry) => {
                let (_, old) = entry.insert((state, hash));
                self.sum = self.sum.minus(old);
            }
            MapEntry::Vacant(entry) => {
                entry.insert((state, hash));
            }
        }
    }

    /// Takes a state out.
    pub fn remove(&mut self, key: &StateKey) -> Option<State> {
        let (state, hash) = self.entries.remove(key)?;
        self.sum = self.sum.minus(hash);
        Some(state)
    }

    /// All states, in order of device and firmware.
    pub fn iter(&self) -> impl Iterator<Item = (&StateKey, &State)> {
        self.entries.iter().map(|(key, (state, _))| (key, state))
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The digest of everything in the set, 64 hex digits. Costs a hash of the header and of `extra` alone.
    pub fn digest(&self) -> String {
        let mut hasher = Hasher::new();
        field(&mut hasher, self.plugin.as_str().as_bytes());
        field(&mut hasher, &self.state_version.to_le_bytes());
        // Whatever the key: who compares two workspaces compares what their plugins learned.
        field(&mut hasher, self.config_digest.split(KEY_MARK).next().unwrap_or_default().as_bytes());
        field(&mut hasher, &self.slice_end.to_le_bytes());
        field(&mut hasher, &self.extra);
        field(&mut hasher, &(self.entries.len() as u64).to_le_bytes());
        field(&mut hasher, &self.sum.to_le_bytes());
        hasher.finalize().to_hex().to_string()
    }

    /// The set as the contents of a file, not yet compressed.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let contents = Contents {
            plugin: self.plugin.clone(),
            state_version: self.state_version,
            config_digest: self.config_digest.clone(),
            slice_end: self.slice_end,
            extra: self.extra.clone(),
            states: self.iter().collect(),
        };
        // Room for all: growing would take as much again where there are a million.
        let fixed = size_of::<State>() + size_of::<StateKey>();
        let sizes =
            self.iter().map(|(key, state)| fixed + key.device_id.len() + key.firmware.len() + state.bytes.len());
        let mut encoded = Vec::with_capacity(MAGIC.len() + self.extra.len() + sizes.sum::<usize>());
        encoded.extend_from_slice(MAGIC);
        postcard::to_extend(&contents, encoded).context(|| format!("cannot encode the states of {}", self.plugin))
    }

    /// The set from the contents of a file.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let body = bytes.strip_prefix(MAGIC).ok_or_else(|| Error::failed(stranger(bytes)))?;
        let contents: Contents<StateKey, State> =
            postcard::from_bytes(body).context(|| "its contents make no sense".to_owned())?;
        let Contents { plugin, state_version, config_digest, slice_end, extra, states } = contents;
        let mut set = Self { extra, ..Self::new(plugin, state_version, config_digest, slice_end) };
        for (key, state) in states {
            set.insert(key, state);
        }
        Ok(set)
    }
}

/// What a file is that does not begin as those that are written here.
fn stranger(bytes: &[u8]) -> String {
    let version = |magic: &[u8]| {
        Some(String::from_utf8_lossy(magic.strip_prefix(NAME)?.split(|b| *b == b'\n').next()?).into_owned())
    };
    match version(bytes) {
        Some(other) if other.len() <= MAGIC.len() => {
            let ours = version(MAGIC).unwrap_or_default();
            format!("it has layout {other:?}, of another version of wardflow; this one reads layout {ours}")
        }
        _ => "it does not begin as state files do".to_owned(),
    }
}

/// A 256-bit number, lowest limb first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum([u64; 4]);

impl Sum {
    fn of(key: &StateKey, state: &State) -> Self {
        let mut hasher = Hasher::new();
        field(&mut hasher, key.device_id.as_bytes());
        field(&mut hasher, key.firmware.as_bytes());
        field(&mut hasher, &state.bytes);
        field(&mut hasher, &state.learned.to_bits().to_le_bytes());
        field(&mut hasher, &[u8::from(state.ready), u8::from(state.lost.is_some())]);
        field(&mut hasher, state.lost.as_deref().unwrap_or_default().as_bytes());
        field(&mut hasher, &state.flows.to_le_bytes());
        field(&mut hasher, &state.since.to_le_bytes());
        field(&mut hasher, &state.last_flow.to_le_bytes());
        let hash = *hasher.finalize().as_bytes();
        let (limbs, _) = hash.as_chunks::<8>();
        Self(std::array::from_fn(|limb| u64::from_le_bytes(limbs[limb])))
    }

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        Self(std::array::from_fn(|limb| {
            let (sum, over) = self.0[limb].overflowing_add(other.0[limb]);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            carry = over || again;
            sum
        }))
    }

    fn minus(self, other: Self) -> Self {
        let mut borrow = false;
        Self(std::array::from_fn(|limb| {
            let (difference, under) = self.0[limb].overflowing_sub(other.0[limb]);
            let (difference, again) = difference.overflowing_sub(u64::from(borrow));
            borrow = under || again;
            difference
        }))
    }

    fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *to = limb.to_le_bytes();
        }
        bytes
    }
}

/// Hashes a part with its length, so that no two sequences of parts run together.
fn field(hasher: &mut Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
}

/// What parts the settings from the key in a digest of them.
pub const KEY_MARK: char = '-';

/// Whether two digests of settings are of the same. One without a key is of an older version, or of someone who may not read
/// the key.
pub fn is_same_config(a: &str, b: &str) -> bool {
    match (a.split_once(KEY_MARK), b.split_once(KEY_MARK)) {
        (Some(a), Some(b)) => a == b,
        (of_a, of_b) => of_a.map_or(a, |(a, _)| a) == of_b.map_or(b, |(b, _)| b),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{State, StateKey, StateSet, Sum};

    pub(in crate::lake) fn key(device: &str, firmware: &str) -> StateKey {
        StateKey { device_id: device.into(), firmware: firmware.into() }
    }

    pub(in crate::lake) fn state(byte: u8) -> State {
        State { bytes: vec![byte; 40], learned: 0.5, since: -7, flows: byte.into(), ..State::default() }
    }

    pub(in crate::lake) fn set(slice_end: i64, states: &[(&str, u8)]) -> StateSet {
        let mut set = StateSet::new("vendor/name".parse().unwrap(), 3, "config", slice_end);
        set.extra = b"prevalence".to_vec();
        for (device, byte) in states {
            set.insert(key(device, "1.0"), state(*byte));
        }
        set
    }

    #[test]
    fn the_digest_follows_what_is_in_the_set_and_not_how_it_came() {
        let expected = set(0, &[("a", 1), ("b", 2), ("c", 3)]);
        let same = |other: StateSet| assert_eq!(other.digest(), expected.digest());
        same(set(0, &[("c", 3), ("a", 1), ("b", 2)]));
        same(set(0, &[("a", 9), ("c", 3), ("b", 2), ("a", 8), ("a", 1)]));
        let mut taken = set(0, &[("a", 1), ("x", 9), ("b", 2), ("c", 3)]);
        assert_eq!(taken.remove(&key("x", "1.0")), Some(state(9)));
        assert_eq!(taken.remove(&key("x", "1.0")), None);
        same(taken);
        same(StateSet::decode(&expected.encode().unwrap()).unwrap());
    }

    #[test]
    fn a_file_of_another_layout_says_which_are_read() {
        let mut bytes = set(0, &[("a", 1)]).encode().unwrap();
        assert!(bytes.starts_with(b"wardflow states 1\n"), "lakes that are there have this layout");
        bytes[16] = b'7';
        let error = StateSet::decode(&bytes).unwrap_err().to_string();
        assert_eq!(error, "it has layout \"7\", of another version of wardflow; this one reads layout 1");
    }

    #[test]
    fn the_digest_covers_everything() {
        let all = |change: fn(&mut StateSet)| {
            let mut changed = set(0, &[("a", 1)]);
            change(&mut changed);
            changed.digest()
        };
        let one = |change: fn(&mut State)| {
            let mut changed = set(0, &[]);
            let mut state = state(1);
            change(&mut state);
            changed.insert(key("a", "1.0"), state);
            changed.digest()
        };
        let digests = [
            all(|_| ()),
            all(|set| set.plugin = "vendor/other".parse().unwrap()),
            all(|set| set.state_version = 4),
            all(|set| set.config_digest.push('x')),
            all(|set| set.slice_end = 1),
            all(|set| set.extra.clear()),
            all(|set| set.insert(key("a1", ".0"), state(1))),
            all(|set| drop(set.remove(&key("a", "1.0")))),
            one(|state| state.bytes.push(1)),
            one(|state| state.learned = 0.25),
            one(|state| state.ready = true),
            one(|state| state.lost = Some(String::new())),
            one(|state| state.lost = Some("trap".into())),
            one(|state| state.flows += 1),
            one(|state| state.since += 1),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn adding_and_taking_away_cancel_through_every_carry() {
        let limbs = [0, 1, u64::MAX - 1, u64::MAX];
        let sums: Vec<_> =
            (0..256).map(|i: usize| Sum([limbs[i % 4], limbs[i / 4 % 4], limbs[i / 16 % 4], limbs[i / 64]])).collect();
        for a in &sums {
            for b in &sums {
                assert_eq!(a.plus(*b).minus(*b), *a);
                assert_eq!(a.plus(*b), b.plus(*a));
            }
        }
        assert_eq!(Sum([u64::MAX, 0, 0, 0]).plus(Sum([1, 0, 0, 0])), Sum([0, 1, 0, 0]));
    }
}
