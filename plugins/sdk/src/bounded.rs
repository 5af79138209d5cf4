use std::{
    borrow::Borrow,
    collections::{BTreeSet, HashMap, hash_map::Entry},
    hash::Hash,
};

use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An ordered map of at most `N` entries. A new entry pushes out the one whose last use, in traffic time, is oldest; of
/// several, the one with the least key. Which entries remain depends on the traffic alone.
///
/// ```
/// let mut peers = wardflow_sdk::Bounded::<u64, u32, 2>::new();
/// for (time, peer) in [(1, 7), (2, 8), (3, 7), (4, 9)] {
///     *peers.touch(peer, time, || 0) += 1;
/// }
/// assert_eq!(peers.iter().collect::<Vec<_>>(), [(&7, &2), (&9, &1)]);
/// assert_eq!(peers.evicted(), 1);
/// ```
///
/// Looking an entry up takes constant time; to go through all of them in order, they are sorted. Pushing one out costs
/// O(log N), on average.
#[derive(Clone, Debug)]
pub struct Bounded<K, V, const N: usize> {
    /// Hashed without a seed: in no order that may show, but alike in every run.
    entries: HashMap<K, (i64, V), FxBuildHasher>,
    evicted: u64,
    /// The next to go with their last use, the very next at the end: all that are as old as the first. One that was used
    /// since then stays.
    doomed: Vec<(i64, K)>,
}

impl<K: Ord + Hash + Clone, V, const N: usize> Bounded<K, V, N> {
    /// An empty map. `N` is at least 1, checked by the compiler.
    pub const fn new() -> Self {
        const { assert!(N > 0) }
        Self { entries: HashMap::with_hasher(FxBuildHasher), evicted: 0, doomed: Vec::new() }
    }

    /// The entry of a key, made if it is absent, used at `time`.
    pub fn touch(&mut self, key: K, time: i64, default: impl FnOnce() -> V) -> &mut V {
        self.make_room(&key);
        match self.entries.entry(key) {
            Entry::Occupied(known) => {
                let (last, value) = known.into_mut();
                *last = time.max(*last);
                value
            }
            Entry::Vacant(new) => {
                queue::<K, N>(&mut self.doomed, time, new.key());
                &mut new.insert((time, default())).1
            }
        }
    }

    /// The value of a key that is there, used at `time`.
    pub fn touch_known(&mut self, key: &K, time: i64) -> Option<&mut V> {
        let (last, value) = self.entries.get_mut(key)?;
        *last = time.max(*last);
        Some(value)
    }

    /// Pushes an entry out, and returns it, if the map is full and `key` is not in it.
    /// [`touch`](Self::touch) does so itself; this is for who wants to keep something of the entry.
    pub fn make_room(&mut self, key: &K) -> Option<(K, V)> {
        if self.entries.len() < N || self.entries.contains_key(key) {
            return None;
        }
        let oldest = self.oldest()?;
        self.evicted += 1;
        let (_, value) = self.entries.remove(&oldest)?;
        Some((oldest, value))
    }

    /// The value of a key, without counting as a use.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of a key, without counting as a use.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// When a key was last used.
    pub fn last_use<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<i64>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|(time, _)| *time)
    }

    /// Takes an entry out.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key).map(|(_, value)| value)
    }

    /// Keeps the entries for which `keep` of key, last use and value holds. Those dropped do not count as evicted.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, i64, &mut V) -> bool) {
        for key in self.entries.keys().cloned().collect::<BTreeSet<_>>() {
            if self.entries.get_mut(&key).is_some_and(|(time, value)| !keep(&key, *time, value)) {
                self.entries.remove(&key);
            }
        }
    }

    /// Keys and values, in order of the key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut entries: Vec<_> = self.entries.iter().map(|(key, (_, value))| (key, value)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.into_iter()
    }

    /// Keys and values to change, in order of the key, without counting as uses.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let mut entries: Vec<_> = self.entries.iter_mut().map(|(key, (_, value))| (key, value)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.into_iter()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many entries were pushed out so far: above zero, the map does not tell of everything.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// One pass finds the next eighth to go, so that a flood of new keys does not cost a pass each.
    fn oldest(&mut self) -> Option<K> {
        loop {
            while let Some((time, key)) = self.doomed.pop() {
                if self.last_use(&key) == Some(time) {
                    return Some(key);
                }
            }
            let mut uses: Vec<_> = self.entries.iter().map(|(key, (time, _))| (*time, key)).collect();
            uses.sort_unstable();
            uses.truncate((N / 8).max(1));
            self.doomed = uses.into_iter().rev().map(|(time, key)| (time, key.clone())).collect();
            if self.doomed.is_empty() {
                return None;
            }
        }
    }
}

/// Puts a new entry in its place among the next to go, if it is older than one of them: time may be told of late.
fn queue<K: Ord + Clone, const N: usize>(doomed: &mut Vec<(i64, K)>, time: i64, key: &K) {
    let is_older = |(other, known): &(i64, K)| (time, key) < (*other, known);
    if !doomed.first().is_some_and(is_older) {
        return;
    }
    if doomed.len() >= N {
        // Most of them were used since, or are gone. The next that must go is looked for anew.
        return doomed.clear();
    }
    let place = doomed.partition_point(is_older);
    doomed.insert(place, (time, key.clone()));
}

impl<K: Ord + Hash + Clone, V, const N: usize> Default for Bounded<K, V, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Serialize + Ord, V: Serialize, const N: usize> Serialize for Bounded<K, V, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        (Sorted(entries), self.evicted).serialize(serializer)
    }
}

/// A map's entries in the order in which they are written.
struct Sorted<T>(Vec<T>);

impl<'a, K: Serialize, V: Serialize> Serialize for Sorted<(&'a K, &'a V)> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl<'de, K: Deserialize<'de> + Hash + Eq, V: Deserialize<'de>, const N: usize> Deserialize<'de> for Bounded<K, V, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (entries, evicted) = <(HashMap<K, (i64, V), FxBuildHasher>, u64)>::deserialize(deserializer)?;
        if entries.len() > N {
            return Err(de::Error::invalid_length(entries.len(), &"no more entries than the map is bounded to"));
        }
        Ok(Self { entries, evicted, doomed: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn the_longest_unused_goes_first_and_then_the_least_key() {
        let check = |uses: &[(u8, i64)], left: &[u8]| {
            let mut map = Bounded::<u8, (), 3>::new();
            for (key, time) in uses {
                map.touch(*key, *time, || ());
            }
            assert_eq!(map.iter().map(|(key, ())| *key).collect::<Vec<_>>(), left, "{uses:?}");
        };
        check(&[(1, 1), (2, 2), (3, 3)], &[1, 2, 3]);
        check(&[(1, 1), (2, 2), (3, 3), (4, 4)], &[2, 3, 4]);
        check(&[(1, 1), (2, 2), (3, 3), (1, 4), (4, 5)], &[1, 3, 4]);
        check(&[(3, 1), (2, 1), (1, 1), (4, 1)], &[2, 3, 4]);
        check(&[(1, 9), (2, 2), (3, 3), (1, 1), (4, 4)], &[1, 3, 4]);
    }

    #[test]
    fn a_flood_leaves_the_last_and_what_was_used_meanwhile() {
        let mut map = Bounded::<i64, (), 64>::new();
        for time in 0..1_000 {
            map.touch(-1, time, || ());
            map.touch(time, time, || ());
        }
        let left: Vec<_> = map.iter().map(|(key, ())| *key).collect();
        assert_eq!(left, [-1].into_iter().chain(937..1_000).collect::<Vec<_>>());
        assert_eq!((map.evicted(), map.make_room(&5), map.len()), (937, Some((937, ())), 63));
    }

    #[test]
    fn who_is_told_of_late_goes_first() {
        let mut map = Bounded::<i64, (), 24>::new();
        for key in 0..24 {
            map.touch(key, 100 + key, || ());
        }
        // The first eighth is looked for: 0 goes, 1 and 2 are next.
        let mut next_after = |key, time| {
            let out = map.make_room(&key).map(|(out, ())| out);
            map.touch(key, time, || ());
            out
        };
        assert_eq!(next_after(24, 200), Some(0));
        assert_eq!(next_after(25, 50), Some(1));
        assert_eq!(next_after(26, 50), Some(25));
        assert_eq!(next_after(27, 201), Some(26));
        assert_eq!(next_after(28, 202), Some(2));
    }

    #[test]
    fn late_ones_that_come_and_go_take_no_room() {
        let mut map = Bounded::<i64, (), 24>::new();
        for key in 0..25 {
            map.touch(key, 100 + key, || ());
        }
        for time in 0..100 {
            map.remove(&24);
            map.touch(24, time, || ());
        }
        assert!(map.doomed.len() <= 24, "{}", map.doomed.len());
    }

    #[test]
    fn a_saved_map_goes_on_where_it_was() {
        let mut map = Bounded::<u64, u32, 2>::new();
        for time in 0..5 {
            *map.touch(time as u64, time, || 0) += 1;
        }
        let bytes = postcard::to_allocvec(&map).unwrap();
        let read = postcard::from_bytes::<Bounded<u64, u32, 2>>(&bytes).unwrap();
        assert_eq!((read.entries, read.evicted), (map.entries, 3));
        postcard::from_bytes::<Bounded<u64, u32, 1>>(&bytes).unwrap_err();
    }
}
