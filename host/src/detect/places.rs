//! Where the rows of a device go in a batch that is put in order: shard after shard, and in a shard device after device.

use super::{SHARDS, resolve::Shared};

/// Devices whose rows are put together in a batch. Were there more, hardly two rows of a batch would be of one device, and
/// their order would cost more than it saves; rows are then ordered by shard alone.
const MOST_ORDERED: usize = 8_192;

/// The places of all devices.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By device: its shard, or nothing if no plugin watches it.
    shards: Vec<Option<u8>>,
    /// By device that is watched.
    places: Vec<u16>,
    /// How many are watched.
    watched: usize,
    /// By place.
    shard_of: Vec<u8>,
}

impl Places {
    /// The place of a device, or nothing if no plugin watches it. Places may change when a device is met for the first time.
    pub(super) fn of(&self, device: u32) -> Option<u16> {
        self.shards[device as usize].map(|_| self.places[device as usize])
    }

    /// The shard of each place.
    pub(super) fn shards(&self) -> &[u8] {
        &self.shard_of
    }

    /// Places of these shards, of no device.
    #[cfg(test)]
    pub(super) fn of_shards(shards: &[u8]) -> Self {
        Self { shard_of: shards.to_vec(), ..Self::default() }
    }

    /// Sees to it that every device of the directory has its place.
    pub(super) fn extend(&mut self, shared: &Shared) {
        let tables = shared.directory.read();
        if self.shards.len() == tables.devices.len() {
            return;
        }
        let first = self.shards.len();
        let new = tables.devices[first..].iter();
        self.shards.extend(new.map(|device| shared.watches(&device.id).then_some(device.shard)));
        let was_ordered = self.watched <= MOST_ORDERED;
        self.watched += self.shards[first..].iter().flatten().count();
        if self.watched > MOST_ORDERED {
            self.shard_of = (0..SHARDS).collect();
            // The others have theirs, but for the first time.
            let first = if was_ordered { 0 } else { first };
            self.places.truncate(first);
            self.places.extend(self.shards[first..].iter().map(|shard| u16::from(shard.unwrap_or(0))));
            return;
        }
        self.places.resize(self.shards.len(), 0);
        let watched = (0..).zip(&self.shards).filter_map(|(device, shard)| Some(((*shard)?, device)));
        let mut watched: Vec<(u8, u32)> = watched.collect();
        watched.sort_unstable();
        self.shard_of = watched.iter().map(|(shard, _)| *shard).collect();
        for (place, (_, device)) in (0..).zip(&watched) {
            self.places[*device as usize] = place;
        }
    }
}
