//! Patient transport: some monitors and pumps go with a patient to radiology and back. On the way they are not heard
//! of; there they have another address, in the imaging zone, and call the servers that they always call.

use super::{
    Oddity,
    moment::{chance, moment},
};
use crate::{
    Binding, DeviceClass,
    cadence::Days,
    calendar::{HOUR_US, MINUTE_US},
    site::{DeviceIndex, Site, address},
};

/// One in so many of a class goes, at least one and at most so many.
const ONE_IN: usize = 8;
const AT_MOST: usize = 30;
/// The first number in the imaging zone that is lent to guests.
const GUESTS: u32 = 40_000;
/// The local minute at which the first of them leaves.
const MORNING: f64 = 8.0 * 60.0;

pub(super) fn arrange(site: &mut Site) {
    let mut draw = chance(site, Oddity::PatientTransport);
    let Some(morning_us) = moment(site, Oddity::PatientTransport, Days::All, MORNING) else { return };
    let zone = site.zone(site.of(DeviceClass::ImagingModality)[0]);
    let travelling = |class| {
        let count = (site.of(class).len() / ONE_IN).clamp(1, AT_MOST);
        site.casting.bystanders(class).filter(|&device| site.is_plain(device)).take(count).collect::<Vec<_>>()
    };
    let devices = [DeviceClass::PatientMonitor, DeviceClass::InfusionPump].map(travelling).concat();
    for (turn, device) in (0..).zip(devices) {
        let mut minutes = |least, most| (draw.between(least, most) * MINUTE_US as f64) as i64;
        let leaves_us = morning_us + minutes(0.0, 300.0);
        let arrives_us = leaves_us + minutes(6.0, 20.0);
        let returns_us = arrives_us + 2 * HOUR_US + minutes(0.0, 180.0);
        let back_us = returns_us + minutes(6.0, 20.0);
        site.send_away(device, (leaves_us, arrives_us));
        site.send_away(device, (returns_us, back_us));
        lend(
            site,
            device,
            Binding {
                ip: address(zone, GUESTS + turn),
                valid_from_us: Some(arrives_us),
                valid_to_us: Some(returns_us),
                source: "dhcp",
            },
        );
    }
}

/// Gives a device another address for a time; its own it has before and after.
fn lend(site: &mut Site, device: DeviceIndex, lent: Binding) {
    let own = site.devices[device].bindings[0].clone();
    let before = Binding { valid_to_us: lent.valid_from_us, ..own.clone() };
    let after = Binding { valid_from_us: lent.valid_to_us, ..own };
    site.devices[device].bindings = vec![before, lent, after];
}
