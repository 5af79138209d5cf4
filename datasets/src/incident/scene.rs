//! A scene: where an incident plays, and where its flows and their truth are taken down together.

use super::{Incident, Played};
use crate::{
    DeviceClass, Flow, Truth, Variant,
    cadence::{ACTIVE_TIMEOUT_US, Days},
    calendar::{HOUR_US, SECOND_US},
    draw::Draw,
    exchange::Exchange,
    site::{DeviceIndex, Party, Site},
    tap::{Call, Tap, ephemeral},
};
use std::{collections::BTreeSet, net::IpAddr};

/// Owners of taps from here up are incidents, below it are devices.
const FIRST_OWNER: u64 = 1 << 19;
/// Every incident begins after the first share of the span and is over by the second.
const OPEN: (f64, f64) = (0.51, 0.97);
/// How many occasions are left of a series, however low the intensity.
const OCCASIONS_AT_LEAST: u32 = 10;

/// From and to, UTC microseconds.
pub(super) type Stretch = (i64, i64);

/// What an incident plays on.
pub(super) struct Scene<'a> {
    pub(super) site: &'a Site,
    pub(super) draw: Draw,
    pub(super) variant: Variant,
    incident: Incident,
    intensity: f64,
    parts: u64,
    played: &'a mut Played,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        site: &'a Site,
        incident: Incident,
        variant: Variant,
        intensity: f64,
        played: &'a mut Played,
    ) -> Self {
        let draw = Draw::new(site.seed, FIRST_OWNER + incident as u64, u64::MAX);
        Self { site, draw, variant, incident, intensity, parts: 0, played }
    }

    /// What this variant has of two.
    pub(super) fn pick<T>(&self, easy: T, stealthy: T) -> T {
        match self.variant {
            Variant::Easy => easy,
            Variant::Stealthy => stealthy,
        }
    }

    /// One of the incident's own devices, by its place in the script.
    pub(super) fn actor(&self, place: usize) -> DeviceIndex {
        self.site.casting.actors(self.incident)[place]
    }

    /// Some others of a class, if they can be had such that are in no incident.
    pub(super) fn others(&self, class: DeviceClass, count: usize) -> Vec<Party> {
        let own = self.site.casting.actors(self.incident);
        let others = self.site.casting.extras(class).filter(|device| !own.contains(device));
        others.take(count).map(Party::Device).collect()
    }

    /// So many, as far as intensity allows, but at least `least`.
    pub(super) fn many(&self, wanted: u32, least: u32) -> u32 {
        ((f64::from(wanted) * self.intensity) as u32).max(least)
    }

    /// From some instant between two shares of the span on, for so long, as far as the span allows.
    pub(super) fn times(&mut self, (earliest, latest): (f64, f64), lasts_us: i64) -> Stretch {
        let from_us = self.site.calendar.at_share(self.draw.between(earliest, latest));
        (from_us, (from_us + lasts_us).min(self.site.calendar.at_share(OPEN.1)))
    }

    /// Up to so many stretches, one a day on consecutive ones of these days, between two local minutes, of which up to a
    /// sixth is left out at either end. If the second half of the span has no hour of them, most of that half.
    pub(super) fn shifts(&mut self, days: Days, count: usize, (from_minute, to_minute): (f64, f64)) -> Vec<Stretch> {
        let calendar = &self.site.calendar;
        let (open_us, over_us) = (calendar.at_share(OPEN.0), calendar.at_share(OPEN.1));
        let chosen = calendar.days().iter().filter(|day| days.has(day.weekday));
        let whole = chosen.map(|day| (calendar.instant(day, from_minute), calendar.instant(day, to_minute)));
        let within = whole.map(|(from_us, to_us)| (from_us.max(open_us), to_us.min(over_us)));
        let shifts: Vec<Stretch> = within.filter(|(from_us, to_us)| to_us - from_us >= HOUR_US).collect();
        if shifts.is_empty() {
            return vec![(calendar.at_share(0.6), calendar.at_share(0.95))];
        }
        let skipped = self.draw.below((shifts.len().saturating_sub(count) + 1) as u32) as usize;
        let mut shorten = |(from_us, to_us): Stretch| {
            let most = (to_us - from_us) as f64 / 6.0;
            let [late_us, early_us] = [(); 2].map(|()| (self.draw.unit() * most) as i64);
            (from_us + late_us, to_us - early_us)
        };
        shifts.into_iter().skip(skipped).take(count).map(&mut shorten).collect()
    }

    /// Instants that are between two numbers of seconds apart, through all of these stretches, as far as intensity
    /// allows.
    pub(super) fn series(&mut self, stretches: &[Stretch], (least, most): (f64, f64)) -> Vec<i64> {
        let mut instants = Vec::new();
        for &(from_us, to_us) in stretches {
            let mut at_us = from_us + (self.draw.between(0.0, least) * SECOND_US as f64) as i64;
            while at_us < to_us {
                instants.push(at_us);
                at_us += (self.draw.between(least, most) * SECOND_US as f64) as i64;
            }
        }
        instants.truncate(self.many(instants.len() as u32, OCCASIONS_AT_LEAST) as usize);
        instants
    }

    /// One connection that stays open, in the pieces that the exporter makes of it.
    pub(super) fn connection<'c>(
        &mut self,
        from: DeviceIndex,
        to: Party,
        (from_us, to_us): Stretch,
        exchange: &'c Exchange,
    ) -> Vec<Call<'c>> {
        let port = ephemeral(self.draw.below(u32::from(u16::MAX)));
        let begins = (0..).map(|piece| from_us + piece * ACTIVE_TIMEOUT_US).take_while(|&at_us| at_us < to_us);
        let piece = |at_us: i64| Call {
            source_port: Some(port),
            lasts_us: Some((to_us - at_us).min(ACTIVE_TIMEOUT_US) - 1),
            ..call(from, to, at_us, exchange)
        };
        begins.map(piece).collect()
    }

    /// Plays calls, and takes down the truth about them from the side of a device that is an end of all of them.
    pub(super) fn part<'c>(
        &mut self,
        device: DeviceIndex,
        description: &'static str,
        calls: impl IntoIterator<Item = Call<'c>>,
    ) {
        let first = self.played.flows.len();
        let owner = FIRST_OWNER + self.incident as u64;
        let mut tap = Tap::new(self.site, &mut self.played.flows, owner, self.parts).label(self.incident);
        let mut peers = BTreeSet::new();
        for call in calls {
            let parties = [call.from, call.to];
            if !tap.call(call, &mut self.draw) {
                continue;
            }
            for party in parties {
                if let Party::Device(other) = party
                    && other != device
                {
                    peers.insert(self.site.devices[other].id.clone());
                }
            }
        }
        self.parts += 1;
        let flows = &self.played.flows[first..];
        let times = flows.iter().map(|flow| flow.start_us).min().zip(flows.iter().map(|flow| flow.end_us).max());
        let Some((first_us, last_us)) = times else { return };
        let own = &self.site.devices[device].bindings;
        let is_own = |ip: IpAddr| own.iter().any(|binding| binding.ip == ip);
        let peer = |flow: &Flow| if is_own(flow.src_ip) { flow.dst_ip } else { flow.src_ip };
        let hours_us: BTreeSet<i64> = flows.iter().map(|flow| hour_us(flow.end_us)).collect();
        let truth = Truth {
            peer_device_ids: peers.into_iter().collect(),
            peer_ip: the_same(flows.iter().map(peer)),
            peer_port: the_same(flows.iter().map(|flow| flow.dst_port)),
            protocol: the_same(flows.iter().map(|flow| flow.protocol)),
            flows: flows.len() as u64,
            hours_us: hours_us.into_iter().collect(),
            ..self.truth(device, (first_us, last_us), description)
        };
        self.played.truth.push(truth);
    }

    /// Takes down the truth about a device that says nothing in these stretches.
    pub(super) fn silence(&mut self, device: DeviceIndex, description: &'static str, silences: &[Stretch]) {
        let (Some(first), Some(last)) = (silences.first(), silences.last()) else { return };
        let whole_hours = |&(from_us, to_us): &Stretch| {
            let first_us = hour_us(from_us - 1) + HOUR_US;
            (first_us..).step_by(HOUR_US as usize).take_while(move |at_us| at_us + HOUR_US <= to_us)
        };
        let hours_us = silences.iter().flat_map(whole_hours).collect();
        let truth = Truth { hours_us, ..self.truth(device, (first.0, last.1), description) };
        self.played.truth.push(truth);
    }

    fn truth(&self, device: DeviceIndex, (first_us, last_us): Stretch, description: &'static str) -> Truth {
        Truth {
            incident: self.incident,
            variant: self.variant,
            technique: self.incident.technique(),
            device_id: self.site.devices[device].id.clone(),
            peer_device_ids: Vec::new(),
            first_us,
            last_us,
            peer_ip: None,
            peer_port: None,
            protocol: None,
            flows: 0,
            hours_us: Vec::new(),
            description,
        }
    }
}

/// A call as an incident's own device makes it.
pub(super) fn call(from: DeviceIndex, to: Party, at_us: i64, exchange: &Exchange) -> Call<'_> {
    Call::new(Party::Device(from), to, at_us, exchange)
}

/// The first microsecond of the UTC hour.
fn hour_us(at_us: i64) -> i64 {
    at_us.div_euclid(HOUR_US) * HOUR_US
}

/// What all of them are, if they are all the same.
fn the_same<T: PartialEq>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.all(|item| item == first).then_some(first)
}
