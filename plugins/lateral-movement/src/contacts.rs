//! The hosts that a device logs on to, or that log on to it, and how many of them are new on a day.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, math, surprise};

use crate::access::Protocol;

/// Minutes for which somebody new stays new, so that a fan-out is seen over a day.
const FRESH: i64 = 24 * 60;
/// Days with traffic after which the habit is halved.
const MEMORY: f64 = 56.0;
/// The most of a day wears off by this factor each day: half of it in two weeks.
const WEAR: f64 = 0.95;

/// Who is known at most.
pub(crate) const KNOWN: usize = 128;

/// A peer, as 32 well-mixed bits, and a protocol.
pub(crate) type Key = (u32, Protocol);

/// Who is known, and how many new ones come on a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contacts {
    known: Bounded<Key, Met, KNOWN>,
    /// Days with traffic, without the first, and the new ones on them.
    days: f64,
    new: f64,
    /// The most on one day.
    most: f64,
    today: u32,
    yesterday: Option<u32>,
}

/// Somebody who is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Met {
    /// Minutes since 1970.
    pub(crate) since: i64,
    /// What it counts for in a fan-out, in halves; zero for what is not judged.
    pub(crate) weight: u8,
    /// Whether it is of the device's own class.
    pub(crate) is_alike: bool,
    /// Failed tries before the first that did not.
    pub(crate) failed: u8,
}

/// The new ones of the last day, over all protocols.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FanOut {
    /// Distinct peers, in halves as they weigh.
    pub(crate) halves: u32,
    pub(crate) peers: u32,
    /// Families of protocols.
    pub(crate) families: u32,
    pub(crate) alike: u32,
    pub(crate) failed: u32,
    /// By family of protocols, and by the peer: those of the device's own class.
    alike_by: BTreeSet<(Protocol, u32)>,
}

impl FanOut {
    /// How many of the device's own class it logs on to by protocols of a family.
    pub(crate) fn alike_by(&self, family: Protocol) -> usize {
        self.alike_by.range((family, 0)..=(family, u32::MAX)).count()
    }
}

impl Contacts {
    /// Who is known; of the new ones what was found when they came.
    pub(crate) fn see(&mut self, key: &Key, minute: i64) -> Option<Met> {
        self.known.touch_known(key, minute).copied()
    }

    /// Peers and protocols that are known.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Learns somebody new.
    pub(crate) fn meet(&mut self, key: Key, met: Met, is_shared: bool) {
        self.known.touch(key, met.since, || met);
        self.today += u32::from(!is_shared);
    }

    /// Ends a day with traffic, and learns the one before, so that who goes on over midnight is not judged by himself.
    /// The first, on which everything is new, does not count.
    pub(crate) fn end_day(&mut self, is_first: bool) {
        let today = std::mem::take(&mut self.today);
        let ended = if is_first { None } else { self.yesterday.replace(today) };
        let Some(new) = ended.map(f64::from) else { return };
        self.days += 1.0;
        self.new += new;
        self.most = new.max(self.most * WEAR);
        if self.days >= MEMORY {
            self.days /= 2.0;
            self.new /= 2.0;
        }
    }

    /// New ones on an ordinary day: the mean under Jeffreys' prior for a Poisson rate ("An invariant form for the prior
    /// probability in estimation problems", Proceedings of the Royal Society A 186, 1946), and, since they come in
    /// bunches, no less than half of the most on a day.
    pub(crate) fn usual(&self) -> f64 {
        ((self.new + 0.5) / (self.days + 1.0)).max(self.most / 2.0)
    }

    /// The new ones of the day that ends at `minute`, by the numbers of the days before.
    pub(crate) fn fan_out(&self, minute: i64) -> FanOut {
        let fresh = |met: &Met| met.weight > 0 && minute - met.since < FRESH;
        let mut fan = FanOut::default();
        let mut families = Vec::new();
        let mut last = None;
        for ((peer, protocol), met) in self.known.iter().filter(|(_, met)| fresh(met)) {
            if !families.contains(&protocol.family()) {
                families.push(protocol.family());
            }
            fan.failed += u32::from(met.failed);
            if met.is_alike {
                fan.alike_by.insert((protocol.family(), *peer));
            }
            // In order of the peer, so that each counts once.
            if last != Some(*peer) {
                fan.peers += 1;
                fan.halves += u32::from(met.weight);
                fan.alike += u32::from(met.is_alike);
            }
            last = Some(*peer);
        }
        fan.families = u32::try_from(families.len()).unwrap_or(u32::MAX);
        fan
    }
}

impl Met {
    pub(crate) fn is_new(&self, minute: i64) -> bool {
        self.weight > 0 && minute - self.since < FRESH
    }
}

/// Surprise of so many new ones, in bits: of the count, or exactly of there being any.
pub(crate) fn bits(count: f64, usual: f64) -> f64 {
    let any = -math::log2(-math::expm1(-usual));
    surprise::of_count(count, usual).max(if count >= 1.0 { any } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::{Contacts, Met, bits};
    use crate::access::Protocol;

    fn after(days: u32, new_a_day: u32) -> Contacts {
        let mut contacts = Contacts::default();
        for day in 0..days {
            for peer in 0..new_a_day {
                let met = Met { since: 0, weight: 0, is_alike: false, failed: 0 };
                contacts.meet((day * 100 + peer, Protocol::Ssh), met, false);
            }
            contacts.end_day(day == 0);
        }
        contacts
    }

    #[test]
    fn a_fan_out_is_measured_by_the_habit() {
        let check = |days, new_a_day, count, low, high| {
            let bits = bits(count, after(days, new_a_day).usual());
            assert!((low..high).contains(&bits), "{count} after {days} days of {new_a_day}: {bits}");
        };
        check(15, 0, 1.0, 4.0, 5.5);
        check(15, 0, 3.0, 14.0, 18.0);
        check(15, 0, 5.0, 25.0, 35.0);
        check(15, 5, 6.0, 0.0, 1.0);
        check(15, 5, 40.0, 60.0, 100.0);
    }
}
