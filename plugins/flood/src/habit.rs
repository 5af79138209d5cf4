//! What is usual: the busiest minute of each hour, and how many connections are held, by port.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, Level, SECOND, math, surprise};

use crate::seen::Seen;

/// Hours that a level remembers: two weeks.
const MEMORY: u32 = 14 * 24;
/// Hours from which a port is judged by its own: three days of a flood do not become usual before.
const OWN: u32 = 72;
/// A direction in which there was nothing while the device was learned: one flow a minute.
const NOTHING: Usual = Usual { mean: std::f64::consts::LN_2, deviation: 1.5 * LEAST };

/// Least standard deviation of the logarithm of a rate: a factor of 1.65.
const LEAST: f64 = 0.5;

/// The rates of one direction.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Habit {
    ports: Bounded<(u8, u16), Rates, 24>,
    all: Rates,
    packets: Level,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Rates {
    /// Of the busiest minute of an hour.
    flows: Level,
    /// Of an hour.
    held: Level,
}

/// A rate that is usual, and how far it varies, as ln(1 + c) for a count of c a minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    mean: f64,
    deviation: f64,
}

impl Habit {
    /// What is usual for a port, or else in this direction.
    pub(crate) fn flows(&self, port: (u8, u16), is_learned: bool) -> Usual {
        Usual::of(&self.rates(port).flows, is_learned)
    }

    /// What is usual of packets that are not answered.
    pub(crate) fn packets(&self, is_learned: bool) -> Usual {
        Usual::of(&self.packets, is_learned)
    }

    /// What is usual of connections that are held, an hour, for a port, or else in this direction.
    pub(crate) fn held(&self, port: (u8, u16), is_learned: bool) -> Usual {
        Usual::of(&self.rates(port).held, is_learned)
    }

    fn rates(&self, port: (u8, u16)) -> &Rates {
        self.ports.get(&port).filter(|rates| rates.flows.values() >= OWN).unwrap_or(&self.all)
    }

    /// Learns what a slice shows of one service.
    pub(crate) fn learn(&mut self, port: (u8, u16), seen: &Seen) {
        let mut hours: BTreeMap<_, _> =
            seen.minutes.hours().map(|(hour, flows, packets)| (hour, (flows, packets, 0))).collect();
        seen.held.hours().for_each(|(hour, held)| hours.entry(hour).or_default().2 = held);
        for (flows, packets, held) in hours.into_values() {
            let (flows, held) = (math::ln_1p(f64::from(flows)), math::ln_1p(f64::from(held)));
            self.ports.touch(port, seen.last / SECOND, Rates::default).learn(flows, held);
            self.all.learn(flows, held);
            self.packets.learn(math::ln_1p(packets), MEMORY, LEAST);
        }
    }
}

impl Rates {
    fn learn(&mut self, flows: f64, held: f64) {
        self.flows.learn(flows, MEMORY, LEAST);
        self.held.learn(held, MEMORY, LEAST);
    }
}

impl Usual {
    /// As learned; before the first hour, ten a minute and a factor of e.
    fn of(level: &Level, is_learned: bool) -> Self {
        match level.values() {
            0 if is_learned => NOTHING,
            0 => Self { mean: math::ln_1p(10.0), deviation: 2.0 * LEAST },
            values => {
                Self { mean: level.mean(), deviation: level.deviation().max(LEAST) * (1.0 + 2.0 / f64::from(values)) }
            }
        }
    }

    /// The most a minute that would be no surprise: two deviations above the mean.
    pub(crate) fn peak(self) -> f64 {
        math::expm1(self.mean + 2.0 * self.deviation)
    }

    /// Bits of a count a minute, of one of `looks` services.
    pub(crate) fn bits(self, count: f64, looks: f64) -> f64 {
        let deviation = surprise::of_deviation((math::ln_1p(count) - self.mean) / self.deviation);
        deviation.min(surprise::of_count(count, self.peak())) - math::log2(looks.max(1.0))
    }
}
