//! A scene: where an incident plays, and where its flows and their truth are taken down together.

mod timing;

use super::{Incident, Played};
use crate::{
    DeviceClass, Flow, Truth, Variant,
    calendar::HOUR_US,
    draw::Draw,
    exchange::Exchange,
    site::{DeviceIndex, Party, Site},
    tap::{Call, Tap},
};
use std::{collections::BTreeSet, net::IpAddr};

/// Owners of taps from here up are incidents, below it are devices.
const FIRST_OWNER: u64 = 1 << 19;
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
