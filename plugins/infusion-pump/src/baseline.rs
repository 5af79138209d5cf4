use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, HOUR};

use crate::peers::Service;

/// What was learned of one pump. Only internal peers outside the declared groups are learned.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Whether learning is over. From then on what was learned does not change any more.
    pub(crate) is_done: bool,
    /// Whether a drug library server is known as such.
    pub(crate) has_library: bool,
    /// Hours with traffic, and the last of them, in hours since 1970.
    hours: u32,
    last_hour: i64,
    flows: u64,
    /// Services that the pump had with a peer.
    services: Bounded<(u64, Service), Days, 96>,
    /// Most payload that a peer sent the pump in a slice, in bytes.
    volumes: Bounded<u64, u64, 64>,
    /// On how many days each local hour had contact with servers.
    active: [Days; 24],
}

/// Days on which something was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Days {
    count: u16,
    /// Day of the local week, from 1.
    last: u8,
}

impl Baseline {
    /// Counts a flow that ended at `time`.
    pub(crate) fn count(&mut self, time: i64) {
        if self.is_done {
            return;
        }
        self.flows += 1;
        let hour = time.div_euclid(HOUR);
        if hour != self.last_hour {
            (self.hours, self.last_hour) = (self.hours + 1, hour);
        }
    }

    /// Learns that a peer and the pump have a service.
    pub(crate) fn learn_service(&mut self, peer: u64, service: Service, time: i64, minute_of_week: u16) {
        if !self.is_done {
            self.services.touch((peer, service), time, Days::default).add(minute_of_week);
        }
    }

    /// Learns that there is contact with servers at a time of day.
    pub(crate) fn learn_activity(&mut self, minute_of_week: u16) {
        if !self.is_done {
            self.active[hour_of_day(minute_of_week)].add(minute_of_week);
        }
    }

    /// Learns what a peer sent in a slice.
    pub(crate) fn learn_volume(&mut self, peer: u64, bytes: u64, time: i64) {
        if !self.is_done {
            let most = self.volumes.touch(peer, time, || 0);
            *most = bytes.max(*most);
        }
    }

    /// How far learning is, in [0, 1].
    pub(crate) fn progress(&self, hours: u32, flows: u64) -> f64 {
        if self.is_done {
            return 1.0;
        }
        (f64::from(self.hours) / f64::from(hours)).min(self.flows as f64 / flows as f64).min(1.0)
    }

    /// Ends learning if it has enough. What was seen on one day only was not a habit.
    pub(crate) fn settle(&mut self, hours: u32, flows: u64) {
        if !self.is_done && self.progress(hours, flows) >= 1.0 {
            self.is_done = true;
            self.services.retain(|_, _, days| days.count >= 2);
        }
    }

    pub(crate) fn knows(&self, peer: u64, service: Service) -> bool {
        self.services.get(&(peer, service)).is_some()
    }

    pub(crate) fn knows_peer(&self, peer: u64) -> bool {
        self.services.iter().any(|((known, _), _)| *known == peer)
    }

    /// Most payload of a peer in a slice, in bytes.
    pub(crate) fn volume(&self, peer: u64) -> u64 {
        self.volumes.get(&peer).copied().unwrap_or_default()
    }

    /// Whether the pump had contact with servers in this local hour on at least half as many days as in its busiest.
    pub(crate) fn is_usual(&self, minute_of_week: u16) -> bool {
        let most = self.active.iter().map(|days| days.count).max().unwrap_or_default();
        most > 0 && self.active[hour_of_day(minute_of_week)].count * 2 >= most
    }
}

impl Days {
    fn add(&mut self, minute_of_week: u16) {
        let day = (minute_of_week / 1_440) as u8 + 1;
        if day != self.last {
            (self.count, self.last) = (self.count.saturating_add(1), day);
        }
    }
}

pub(crate) fn hour_of_day(minute_of_week: u16) -> usize {
    usize::from(minute_of_week / 60 % 24)
}
