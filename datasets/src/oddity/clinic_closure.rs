//! Clinic closure: a ward is closed for a holiday, and four in five of its devices are switched off for the day.

use super::{
    Oddity,
    moment::{chance, moment},
};
use crate::{
    DeviceClass,
    cadence::Days,
    calendar::DAY_US,
    site::{DeviceIndex, Site, WARDS},
};

const CLASSES: [DeviceClass; 3] = [DeviceClass::InfusionPump, DeviceClass::PatientMonitor, DeviceClass::Workstation];
/// Intensive care and the emergency ward, the first ones, never close.
const NEVER: usize = 3;
/// One in so many devices stays on.
const ONE_IN: usize = 5;

pub(super) fn arrange(site: &mut Site) {
    let Some(midnight_us) = moment(site, Oddity::ClinicClosure, Days::Weekdays, 0.0) else { return };
    let mut draw = chance(site, Oddity::ClinicClosure);
    let Some(&ward) = draw.one_of(&WARDS[NEVER..]) else { return };
    let bystanders = CLASSES.into_iter().flat_map(|class| site.casting.bystanders(class));
    let of_ward: Vec<DeviceIndex> = bystanders.filter(|&device| site.devices[device].location == ward).collect();
    let off = of_ward.into_iter().enumerate().filter(|(turn, _)| turn % ONE_IN != ONE_IN - 1);
    off.for_each(|(_, device)| site.send_away(device, (midnight_us, midnight_us + DAY_US)));
}
