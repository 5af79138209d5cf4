use serde::{Deserialize, Serialize};
use wardflow_common::{Days, Experience, Habits, hour_of_day};
use wardflow_sdk::{Bounded, Level, math};

/// Days with visits before an hour without any is unusual.
const LEAST_VISITS: u16 = 5;

/// What is remembered of a modality.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub(crate) experience: Experience,
    /// Whether any PACS or worklist server is known as such.
    pub(crate) has_archive: bool,
    /// Services with peers inside that nobody declared.
    pub(crate) habits: Habits,
    /// Services of peers outside; apart, so that a cloud of many addresses does not push out the others.
    pub(crate) clouds: Habits,
    pub(crate) newcomers: Newcomers,
    /// Peers that were once declared as remote service.
    pub(crate) engineers: Bounded<u64, (), 8>,
    pub(crate) visits: Visits,
    /// Bytes that a peer took in a slice, as their binary logarithm.
    pub(crate) taken: Bounded<u64, Level, 32>,
}

/// In how many slices the modality called somebody outside for the first time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Newcomers {
    slices: u32,
    with_new: u32,
    last: Bounded<u64, (), 32>,
}

/// In which hours of the day somebody visits the modality: logs in, or opens an association.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Visits {
    all: Days,
    by_hour: [Days; 24],
}

impl Newcomers {
    /// Whether a peer is none of the last newcomers. From then on it is one.
    pub(crate) fn is_new(&mut self, peer: u64, time: i64) -> bool {
        let is_new = self.last.get(&peer).is_none();
        self.last.touch(peer, time, || ());
        is_new
    }

    /// Takes a slice in.
    pub(crate) fn learn(&mut self, has_new: bool) {
        self.slices = self.slices.saturating_add(1);
        self.with_new += u32::from(has_new);
    }

    /// Bits of surprise of a slice with somebody new outside, by Laplace's rule of succession.
    pub(crate) fn surprise(&self) -> f64 {
        math::log2((f64::from(self.slices) + 2.0) / (f64::from(self.with_new) + 1.0))
    }
}

impl Visits {
    /// Takes a visit in.
    pub(crate) fn learn(&mut self, time: i64, minute_of_week: u16) {
        self.all.add(time, minute_of_week);
        self.by_hour[hour_of_day(minute_of_week)].add(time, minute_of_week);
    }

    /// Days with visits.
    pub(crate) fn days(&self) -> u16 {
        self.all.count()
    }

    /// Whether there are enough visits to tell, and none of them came within an hour of this one.
    pub(crate) fn miss(&self, minute_of_week: u16) -> bool {
        let hour = hour_of_day(minute_of_week);
        let near = [hour + 23, hour, hour + 1].map(|hour| self.by_hour[hour % 24].count());
        self.all.count() >= LEAST_VISITS && near == [0; 3]
    }
}
