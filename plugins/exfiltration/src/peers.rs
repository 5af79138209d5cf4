//! What was sent to each outside peer, over days.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, Level, SECOND};

use crate::{amount, seen::Seen};

/// What a sum keeps of itself each night: a half-life of four days.
const KEPT: f64 = 0.84;
/// Bytes from which a peer is kept apart from those that come and go, and how many are.
const MUCH: u64 = 256_000;
const HEAVY: usize = 64;

/// The peers that are remembered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Peers {
    light: Bounded<u64, Peer, 96>,
    heavy: Bounded<u64, Peer, HEAVY>,
}

/// What was sent to a peer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Start of the first flow, in seconds since 1970.
    since: i64,
    /// Slices in which it was seen, up to 255.
    pub(crate) slices: u8,
    /// Bytes sent over days, the older ones in part.
    pub(crate) sent: u64,
    /// As `sent`, received before today.
    received: u64,
    /// Bytes sent since midnight UTC.
    pub(crate) today: u64,
    /// As `today`, received; absent once a record did not tell.
    pub(crate) received_today: Option<u64>,
    /// Other devices of the class that used it when it was last seen.
    pub(crate) others: u32,
    /// The days on which something was sent.
    pub(crate) usual: Level,
}

impl Peers {
    pub(crate) fn get(&self, peer: u64) -> Option<&Peer> {
        self.heavy.get(&peer).or_else(|| self.light.get(&peer))
    }

    /// All of them: those that got little first, each in order of the pseudonym.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.light.iter().chain(self.heavy.iter()).map(|(_, peer)| peer)
    }

    /// Adds what a slice shows of a peer.
    pub(crate) fn add(&mut self, key: u64, seen: &Seen) {
        let (first, last) = (seen.first / SECOND, seen.last / SECOND);
        if let Some(peer) = self.heavy.touch_known(&key, last) {
            return peer.add(seen);
        }
        let peer = self.light.touch(key, last, || Peer { since: first, received_today: Some(0), ..Peer::default() });
        peer.add(seen);
        if peer.sent >= MUCH
            && let Some(peer) = self.light.remove(&key)
        {
            self.keep_apart(key, last, peer);
        }
    }

    /// Keeps a peer with those that got much: of too many, the one that got least goes back to the others, so that
    /// nobody hides one by sending to many more.
    fn keep_apart(&mut self, key: u64, last: i64, peer: Peer) {
        let least = self.heavy.iter().min_by_key(|(_, peer)| peer.sent).map(|(least, peer)| (*least, peer.sent));
        match least.filter(|_| self.heavy.len() == HEAVY) {
            Some((_, sent)) if sent >= peer.sent => {
                self.light.touch(key, last, || peer);
                return;
            }
            Some((least, _)) => {
                let used = self.heavy.last_use(&least).unwrap_or(last);
                if let Some(gone) = self.heavy.remove(&least) {
                    self.light.touch(least, used, || gone);
                }
            }
            None => {}
        }
        self.heavy.touch(key, last, || peer);
    }

    /// Learns the day that ends, and lets sums fade.
    pub(crate) fn end_day(&mut self) {
        self.light.iter_mut().chain(self.heavy.iter_mut()).for_each(|(_, peer)| peer.end_day());
    }
}

impl Peer {
    /// Start of the first flow, in microseconds since 1970.
    pub(crate) fn since(&self) -> i64 {
        self.since * SECOND
    }

    /// Bytes received over days, the older ones in part, where records tell.
    pub(crate) fn received(&self) -> Option<u64> {
        self.received_today.map(|today| self.received.saturating_add(today))
    }

    /// Payload sent over days for each byte received, where records tell.
    pub(crate) fn ratio(&self) -> Option<f64> {
        ratio(self.sent, self.received())
    }

    /// The same, of today.
    pub(crate) fn ratio_today(&self) -> Option<f64> {
        ratio(self.today, self.received_today)
    }

    fn add(&mut self, seen: &Seen) {
        self.slices = self.slices.saturating_add(1);
        self.others = seen.others(self);
        self.sent = self.sent.saturating_add(seen.sent);
        self.today = self.today.saturating_add(seen.sent);
        self.received_today = self.received_today.zip(seen.received).map(|(all, more)| all.saturating_add(more));
    }

    fn end_day(&mut self) {
        if self.today > 0 {
            amount::teach(&mut self.usual, self.today as f64);
        }
        // A day of which records did not tell counts as if as much came back.
        let received = self.received.saturating_add(self.received_today.unwrap_or(self.today));
        self.received = (received as f64 * KEPT) as u64;
        self.sent = (self.sent as f64 * KEPT) as u64;
        (self.today, self.received_today) = (0, Some(0));
    }
}

fn ratio(sent: u64, received: Option<u64>) -> Option<f64> {
    received.map(|received| sent as f64 / (received as f64 + 1.0))
}
