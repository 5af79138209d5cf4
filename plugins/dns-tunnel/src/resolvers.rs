//! The name servers that the device asks.

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, DAY, SECOND};

use crate::seen::Seen;

/// Days on which a name server must have been asked to be a usual one.
const USUAL: u16 = 3;
/// Name servers outside that answer in a slice, on so many days, and not long ago, from which the device resolves names
/// by itself.
const BY_ITSELF: usize = 8;
const BY_ITSELF_DAYS: u16 = 2;
const LONG_AGO: i64 = 14;
/// Queries in a slice of a name server that is worth a line though nothing is known yet: one a minute in six hours.
const BUSY: u64 = 360;
/// How long a name server is new.
const NEW: i64 = 14 * DAY;

/// The name servers that are remembered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Resolvers {
    servers: Bounded<u64, Resolver, 16>,
    /// Days on which it asked as many outside as who resolves names by itself, and the last of them.
    many_days: u16,
    many_day: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Resolver {
    /// First asked, in seconds since 1970, and whether that was before learning was done.
    since: i64,
    /// Days on which it was asked, and the last of them, in days since 1970.
    days: u16,
    last_day: i64,
    /// Slices in which it was asked, up to 255.
    slices: u8,
    is_external: bool,
    /// Whether it was asked before the device was learned.
    is_old: Option<bool>,
}

/// What a device is known by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) is_learned: bool,
    pub(crate) is_class_known: bool,
    pub(crate) shared_by: u32,
}

/// A name server that is reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign {
    /// Other devices of the class that had asked it.
    pub(crate) others: u32,
    /// Whether it was asked in an earlier slice, so that the class had the time to follow.
    pub(crate) is_settled: bool,
    /// Whether nothing is known yet that it could be compared with.
    pub(crate) is_first_seen: bool,
}

impl Resolvers {
    /// Takes what a slice shows of a name server.
    pub(crate) fn take(&mut self, server: u64, seen: &Seen) {
        let day = seen.last.div_euclid(DAY);
        let since = seen.first / SECOND;
        let new = || Resolver { since, last_day: day - 1, is_external: seen.is_external, ..Resolver::default() };
        let resolver = self.servers.touch(server, seen.last / SECOND, new);
        resolver.slices = resolver.slices.saturating_add(1);
        if resolver.last_day != day {
            (resolver.last_day, resolver.days) = (day, resolver.days.saturating_add(1));
        }
    }

    /// Tells those that were asked while the device was learned from later ones.
    pub(crate) fn settle(&mut self, is_learned: bool) {
        self.servers.iter_mut().for_each(|(_, resolver)| {
            resolver.is_old.get_or_insert(!is_learned);
        });
    }

    /// Takes how many name servers a slice shows, at its end.
    pub(crate) fn count<const N: usize>(&mut self, all: &Bounded<u64, Seen, N>, day: i64) {
        if day - self.many_day > LONG_AGO {
            self.many_days = 0;
        }
        let answered = all.iter().filter(|(_, seen)| seen.is_external && seen.answered > 0).count();
        if answered >= BY_ITSELF && (self.many_days == 0 || self.many_day != day) {
            (self.many_days, self.many_day) = (self.many_days.saturating_add(1), day);
        }
    }

    /// Whether the device asks as many servers outside as one that resolves names by itself. The first day on which it
    /// does is none yet.
    pub(crate) const fn resolves_by_itself(&self) -> bool {
        self.many_days >= BY_ITSELF_DAYS
    }

    /// Whether a name server is foreign.
    pub(crate) fn foreign(&self, server: u64, seen: &Seen, standing: Standing, now: i64) -> Option<Foreign> {
        let resolver = self.servers.get(&server).filter(|resolver| resolver.is_external)?;
        let is_settled = resolver.slices > 1;
        let others = seen.prevalence.saturating_sub(u32::from(is_settled));
        let is_first_seen = !standing.is_learned && !standing.is_class_known && seen.queries >= BUSY;
        let is_new = match standing.is_learned {
            true => resolver.is_old == Some(false) && now - resolver.since * SECOND < NEW,
            false => is_first_seen || (standing.is_class_known && others == 0),
        };
        (is_new && others < standing.shared_by).then_some(Foreign { others, is_settled, is_first_seen })
    }

    /// Whether a declared name server, or one of those that were usual, is asked in a slice; or there is none.
    pub(crate) fn asks_usual<const N: usize>(&self, all: &Bounded<u64, Seen, N>) -> bool {
        let is_usual = |resolver: &Resolver| resolver.is_old == Some(true) || !resolver.is_external;
        let mut usual =
            self.servers.iter().filter(|(_, resolver)| resolver.days >= USUAL && is_usual(resolver)).peekable();
        usual.peek().is_none()
            || all.iter().any(|(_, seen)| seen.is_declared && seen.answered > 0)
            || usual.any(|(server, _)| all.get(server).is_some_and(|seen| seen.answered > 0))
    }
}
