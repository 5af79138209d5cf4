//! The hours of the local week in which a device is busy.

use serde::{Deserialize, Serialize};
use wardflow_common::day_type_and_hour;
use wardflow_sdk::{HOUR, math};

/// Connections in an hour that a person at work makes, at least.
const LEAST: u32 = 20;
/// Distinct peers of these: one program that repeats itself is no person. Told apart by 6 bits.
const LEAST_PEERS: u32 = 3;
/// A quiet hour never had more than this share of what a busy one usually has.
const QUIET: f64 = 0.1;
/// Such an hour is unusual if it has this share of it.
const BUSY: f64 = 0.5;
/// Days with traffic that are remembered: the newest weighs as much as one of so many.
const MEMORY: u16 = 28;

/// What each local hour usually has, for working days and for weekends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Hours {
    slots: [[Slot; 24]; 2],
    /// Days with traffic, of each type.
    days: [u16; 2],
    /// Day of the local week, from 1, and hour, of what was learned last.
    last_day: u16,
    last_hour: i64,
    current: Hour,
}

/// An hour of the day.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Slot {
    /// Days on which it had connections.
    days: u16,
    /// Connections on these, on average, up to 65,535.
    mean: f32,
    /// The most, which fades.
    most: f32,
}

/// The hour that is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Hour {
    /// Hours since 1970.
    number: i64,
    minute_of_week: u16,
    connections: u32,
    peers: u64,
}

/// An hour that is unusually busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unusual {
    pub(crate) connections: u32,
    /// Hours since 1970, and the local hour of the day.
    pub(crate) number: i64,
    pub(crate) local: usize,
    pub(crate) is_weekend: bool,
    /// Days of that type on which the hour was quiet.
    pub(crate) days: u16,
    /// The most connections that the hour had, older ones in part.
    pub(crate) most: f32,
}

impl Hours {
    /// Counts a connection. Returns the hour before if it was unusual and is over.
    pub(crate) fn count(&mut self, hour: i64, minute_of_week: u16, peer: u32, least_days: u16) -> Option<Unusual> {
        let mut ended = None;
        if hour != self.current.number {
            ended = self.close(least_days);
            self.current = Hour { number: hour, minute_of_week, connections: 0, peers: 0 };
        }
        self.current.connections = self.current.connections.saturating_add(1);
        self.current.peers |= 1 << (peer % 64);
        ended
    }

    /// As [`count`](Self::count), once an hour is over by the end of a slice.
    pub(crate) fn end_slice(&mut self, end: i64, least_days: u16) -> Option<Unusual> {
        let is_over = (self.current.number + 1) * HOUR <= end;
        if is_over { self.close(least_days) } else { None }
    }

    /// Judges the hour that is going on, then learns it.
    fn close(&mut self, least_days: u16) -> Option<Unusual> {
        let hour = std::mem::take(&mut self.current);
        if hour.connections == 0 {
            return None;
        }
        let unusual = self.judge(hour, least_days);
        self.learn(hour);
        unusual
    }

    fn judge(&self, hour: Hour, least_days: u16) -> Option<Unusual> {
        let (kind, local) = day_type_and_hour(hour.minute_of_week);
        let days = self.days[kind];
        let busiest = self.busiest();
        let most =
            [local + 23, local, local + 1].map(|near| self.slots[kind][near % 24].most).into_iter().fold(0.0, f32::max);
        let is_unusual = days >= least_days
            && hour.connections >= LEAST
            && hour.peers.count_ones() >= LEAST_PEERS
            && f64::from(most) <= QUIET * busiest
            && f64::from(hour.connections) >= BUSY * busiest;
        let unusual =
            Unusual { connections: hour.connections, number: hour.number, local, is_weekend: kind == 1, days, most };
        is_unusual.then_some(unusual)
    }

    fn learn(&mut self, hour: Hour) {
        let (kind, local) = day_type_and_hour(hour.minute_of_week);
        let day = hour.minute_of_week / 1_440 + 1;
        if day != self.last_day || hour.number - self.last_hour >= 24 {
            self.days[kind] = self.days[kind].saturating_add(1);
            // What was learned before it was known what is busy is held to it as well.
            let most = if self.busiest() > 0.0 { self.busiest() as f32 } else { f32::MAX };
            self.slots[kind]
                .iter_mut()
                .for_each(|slot| slot.most = (slot.most - slot.most / f32::from(MEMORY)).min(most));
        }
        (self.last_day, self.last_hour) = (day, hour.number);
        let busiest = self.busiest() as f32;
        let slot = &mut self.slots[kind][local];
        let connections = f32::from(u16::try_from(hour.connections).unwrap_or(u16::MAX));
        slot.days = slot.days.saturating_add(1);
        slot.mean += (connections - slot.mean) / f32::from(slot.days.min(MEMORY));
        // An hour that is busier than the busiest is no quiet one; how much busier would only be remembered longer.
        slot.most = slot.most.max(if busiest > 0.0 { connections.min(busiest) } else { connections });
    }

    /// Connections in the busiest hour that most days have.
    pub(crate) fn busiest(&self) -> f64 {
        let means = self.slots.iter().zip(self.days).flat_map(|(slots, days)| {
            slots.iter().filter(move |slot| slot.days > 0 && slot.days * 2 >= days).map(|slot| f64::from(slot.mean))
        });
        means.fold(0.0, f64::max)
    }
}

impl Unusual {
    /// Surprise, in bits: never on as many days.
    pub(crate) fn bits(&self) -> f64 {
        math::log2(f64::from(self.days) + 2.0)
    }
}
