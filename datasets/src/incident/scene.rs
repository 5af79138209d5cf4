//! A scene: where an incident plays, and where its flows and their truth are taken down together.

use super::{Incident, Played};
use crate::{
    DeviceClass, Flow, Truth,
    calendar::MINUTE_US,
    draw::Draw,
    site::{DeviceIndex, Party, Site},
    tap::{Call, Tap},
};
use std::net::IpAddr;

/// Owners of taps from here up are incidents, below it are devices.
const FIRST_OWNER: u64 = 1 << 19;
/// Every incident is over by this share of the span.
const OVER: f64 = 0.97;

/// What an incident plays on.
pub(super) struct Scene<'a> {
    pub(super) site: &'a Site,
    pub(super) draw: Draw,
    incident: Incident,
    intensity: f64,
    parts: u64,
    played: &'a mut Played,
}

impl<'a> Scene<'a> {
    pub(super) fn new(site: &'a Site, incident: Incident, intensity: f64, played: &'a mut Played) -> Self {
        let draw = Draw::new(site.seed, FIRST_OWNER + incident as u64, u64::MAX);
        Self { site, draw, incident, intensity, parts: 0, played }
    }

    /// One of a class by its number.
    pub(super) fn one(&self, class: DeviceClass, number: usize) -> DeviceIndex {
        let of = self.site.of(class);
        of[number % of.len()]
    }

    /// From this share of the span on, for so long, as far as intensity and span allow; UTC microseconds.
    pub(super) fn times(&self, share: f64, lasts_us: i64) -> (i64, i64) {
        let from_us = self.site.calendar.at_share(share);
        let wanted_us = from_us + (lasts_us as f64 * self.intensity) as i64;
        (from_us, wanted_us.min(self.site.calendar.at_share(OVER)))
    }

    /// So many, as far as intensity allows, but at least `least`.
    pub(super) fn many(&self, wanted: u32, least: u32) -> u32 {
        ((f64::from(wanted) * self.intensity) as u32).max(least)
    }

    /// The first instant of this local minute in the second half of the span, or the middle of that half if it has
    /// none with an hour to spare.
    pub(super) fn night(&self, minute: f64) -> i64 {
        let calendar = &self.site.calendar;
        let span = calendar.at_share(0.5)..calendar.at_share(OVER) - 60 * MINUTE_US;
        let mut nights = calendar.days().iter().map(|day| calendar.instant(day, minute));
        nights.find(|night_us| span.contains(night_us)).unwrap_or_else(|| calendar.at_share(0.75))
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
        for call in calls {
            tap.call(call, &mut self.draw);
        }
        self.parts += 1;
        self.played.truth.extend(truth(self.site, self.incident, device, description, &self.played.flows[first..]));
    }
}

/// A call as an incident makes it.
pub(super) fn call(from: DeviceIndex, to: Party, at_us: i64, exchange: &crate::exchange::Exchange) -> Call<'_> {
    Call::new(Party::Device(from), to, at_us, exchange)
}

fn truth(
    site: &Site,
    incident: Incident,
    device: DeviceIndex,
    description: &'static str,
    flows: &[Flow],
) -> Option<Truth> {
    let device = &site.devices[device];
    let is_own = |ip: IpAddr| device.bindings.iter().any(|binding| binding.ip == ip);
    let peer = |flow: &Flow| {
        if is_own(flow.src_ip) { flow.dst_ip } else { flow.src_ip }
    };
    Some(Truth {
        incident,
        device_id: device.id.clone(),
        first_us: flows.iter().map(|flow| flow.start_us).min()?,
        last_us: flows.iter().map(|flow| flow.end_us).max()?,
        peer_ip: the_same(flows.iter().map(peer)),
        peer_port: the_same(flows.iter().map(|flow| flow.dst_port)),
        protocol: flows.first()?.protocol,
        flows: flows.len() as u64,
        description,
    })
}

/// What all of them are, if they are all the same.
fn the_same<T: PartialEq>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.all(|item| item == first).then_some(first)
}
