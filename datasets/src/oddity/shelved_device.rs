//! Shelved device: a pump and a ventilator are switched off for a week, or most of a shorter span.

use crate::{
    DeviceClass,
    calendar::DAY_US,
    site::{DeviceIndex, Site},
};

/// The share of the span after which the devices are put away, and the share before which they are back.
const AWAY: (f64, f64) = (0.3, 0.9);

pub(super) fn arrange(site: &mut Site) {
    let from_us = site.calendar.at_share(AWAY.0);
    let to_us = site.calendar.at_share(AWAY.1).min(from_us + 7 * DAY_US);
    // No device gets new firmware while it is off.
    let keeps_firmware = |&device: &DeviceIndex| site.devices[device].firmware.len() == 1;
    let one = |class| site.casting.bystanders(class).find(keeps_firmware);
    let devices = [one(DeviceClass::InfusionPump), one(DeviceClass::Ventilator)];
    devices.into_iter().flatten().for_each(|device| site.send_away(device, (from_us, to_us)));
}
