//! Shelved device: a pump and a ventilator are switched off for a week, or most of a shorter span.

use crate::{DeviceClass, calendar::DAY_US, site::Site};

/// The pump, by its number: of the model that keeps its firmware, and in no incident.
const PUMP: usize = 4;
/// The share of the span after which the devices are put away, and the share before which they are back.
const AWAY: (f64, f64) = (0.3, 0.9);

pub(super) fn arrange(site: &mut Site) {
    let from_us = site.calendar.at_share(AWAY.0);
    let to_us = site.calendar.at_share(AWAY.1).min(from_us + 7 * DAY_US);
    let pump = site.of(DeviceClass::InfusionPump).get(PUMP).copied();
    let ventilator = site.of(DeviceClass::Ventilator).last().copied();
    site.away.extend([pump, ventilator].into_iter().flatten().map(|device| (device, (from_us, to_us))));
}
