//! The outside peers of one slice. They are not saved.

use std::collections::BTreeMap;

use wardflow_sdk::{Bounded, Flows};

use crate::seen::Seen;

/// Peers that are told apart: those of the latest flows, and of the rest those that got most.
const RECENT: usize = 1_024;
const LARGE: usize = 64;

#[derive(Default)]
pub(crate) struct InSlice {
    recent: Bounded<u64, Seen, RECENT>,
    large: BTreeMap<u64, Seen>,
}

impl InSlice {
    /// Adds a flow. Returns the peer that made room, if one had to: of those that were not used for longest, the one that
    /// got least, so that nobody hides one by sending to many more.
    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize) -> Option<(u64, Seen)> {
        let peer = flows.peer()[row];
        let pushed_out = self.recent.make_room(&peer);
        let known = self.large.remove(&peer);
        let begin = || known.unwrap_or_else(|| Seen::new(flows, row));
        self.recent.touch(peer, flows.end_time()[row], begin).add(flows, row);
        pushed_out.and_then(|(peer, seen)| self.put_aside(peer, seen))
    }

    fn put_aside(&mut self, peer: u64, seen: Seen) -> Option<(u64, Seen)> {
        self.large.insert(peer, seen);
        if self.large.len() <= LARGE {
            return None;
        }
        let least = self.large.iter().min_by_key(|(_, seen)| seen.sent).map(|(peer, _)| *peer)?;
        self.large.remove_entry(&least)
    }

    /// All of them, each part in order of the pseudonym.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&u64, &Seen)> {
        self.recent.iter().chain(&self.large)
    }

    pub(crate) fn len(&self) -> usize {
        self.recent.len() + self.large.len()
    }
}
