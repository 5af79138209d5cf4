//! How often the device meets something new.

use serde::{Deserialize, Serialize};
use wardflow_sdk::math;

use crate::service::Service;

/// Hours of traffic in which everything is new.
const WARM_UP: u32 = 24;
/// What an hour with something new weighs while the device is being learned: that is a gap of the baseline more often
/// than a habit. Of a device that always meets new peers a quarter still makes a habit.
const WEIGHT_LEARNING: f64 = 0.25;
/// Hours of traffic after which all counts are halved: eight weeks of a device that never sleeps.
const MEMORY: f64 = 1_344.0;

/// What can be new.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Novelty {
    Peer(Service),
    Service(Service),
}

/// What became of the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    Kept,
    Halved,
}

/// Hours with traffic, and those of them in which something new was met, by kind and direction of what is new.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Habits {
    /// Hours with traffic so far.
    warm: u32,
    hours: f64,
    novel: [f64; Novelty::KINDS],
    last_novel: [i64; Novelty::KINDS],
}

impl Habits {
    /// Counts an hour with traffic. Tells whether all counts were halved.
    pub(crate) fn count_hour(&mut self) -> Memory {
        self.warm = self.warm.saturating_add(1);
        if self.warm <= WARM_UP {
            return Memory::Kept;
        }
        self.hours += 1.0;
        if self.hours < MEMORY {
            return Memory::Kept;
        }
        self.hours /= 2.0;
        self.novel.iter_mut().for_each(|novel| *novel /= 2.0);
        Memory::Halved
    }

    /// Counts that something new was met in `hour`, in hours since 1970.
    pub(crate) fn count_new(&mut self, novelty: Novelty, hour: i64, is_learning: bool) {
        let kind = novelty.kind();
        if self.warm > WARM_UP && self.last_novel[kind] != hour {
            self.last_novel[kind] = hour;
            self.novel[kind] += if is_learning { WEIGHT_LEARNING } else { 1.0 };
        }
    }

    /// Surprise of an hour in which something of this kind is new: Laplace's rule of succession over the hours so far.
    pub(crate) fn bits(&self, novelty: Novelty) -> f64 {
        math::log2((self.hours + 2.0) / (self.novel[novelty.kind()] + 1.0))
    }

    /// Hours with something of this kind that is new, in a thousand hours with traffic.
    pub(crate) fn rate(&self, novelty: Novelty) -> f64 {
        1_000.0 * self.novel[novelty.kind()] / self.hours.max(1.0)
    }
}

impl Novelty {
    const KINDS: usize = 6;

    /// Peers are apart by direction and scope; services by direction.
    fn kind(self) -> usize {
        match self {
            Self::Peer(of) => usize::from(of.of_device) * 2 + usize::from(of.is_external),
            Self::Service(of) => 4 + usize::from(of.of_device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Habits, Novelty};
    use crate::service::Service;

    const PEER: Novelty = Novelty::Peer(Service { of_device: false, is_external: true, protocol: 6, port: 443 });

    /// Bits of one more, after so many hours with something new every so many hours.
    fn bits(hours: i64, every: i64) -> f64 {
        let mut habits = Habits::default();
        for hour in 0..hours {
            habits.count_hour();
            if hour % every == 0 {
                habits.count_new(PEER, hour, hour < 96);
            }
        }
        habits.bits(PEER)
    }

    #[test]
    fn what_is_met_often_is_no_surprise() {
        for (hours, every, low, high) in [
            (20, 1_000, 0.0, 1.1),
            (336, 1_000, 8.0, 8.5),
            (336, 24, 4.0, 5.5),
            (336, 2, 1.0, 2.0),
            (9_000, 100_000, 9.0, 10.5),
        ] {
            let bits = bits(hours, every);
            assert!((low..high).contains(&bits), "{hours} h, every {every} h: {bits}");
        }
    }
}
