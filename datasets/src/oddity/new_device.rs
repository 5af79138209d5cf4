//! New device: after two thirds of the span a pump, a monitor, an analyser and a workstation are delivered. They do
//! what others of their class do, and nobody has seen them before.

use super::{Oddity, moment::chance};
use crate::{DeviceClass, site::Site};

const CLASSES: [DeviceClass; 4] =
    [DeviceClass::InfusionPump, DeviceClass::PatientMonitor, DeviceClass::LabAnalyser, DeviceClass::Workstation];
/// The shares of the span between which one of them is switched on.
const ARRIVES: (f64, f64) = (0.66, 0.75);

pub(super) fn arrange(site: &mut Site) {
    let mut draw = chance(site, Oddity::NewDevice);
    for class in CLASSES {
        let from_us = site.calendar.at_share(draw.between(ARRIVES.0, ARRIVES.1));
        let untouched = site.casting.bystanders(class).filter(|&device| site.is_plain(device)).last();
        let Some(device) = untouched else { continue };
        site.send_away(device, (site.calendar.start_us, from_us));
        site.devices[device].bindings.iter_mut().for_each(|binding| binding.valid_from_us = Some(from_us));
    }
}
