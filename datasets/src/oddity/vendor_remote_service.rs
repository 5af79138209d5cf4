//! Vendor remote service: an imaging vendor's engineers log on from outside, on Wednesday mornings.

use crate::{
    DeviceClass,
    cadence::{Cadence, Days},
    exchange::Exchange,
    habit::{Fan, Habit},
    site::{DeviceIndex, Party, Site, hosts},
};

const SESSION: Exchange = Exchange::tcp("ssh", 22).bytes(90_000.0, 2_400_000.0, 2.0).millis(300_000.0, 1.5);
const WEDNESDAY: Days = Days::Only(2);

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let when = Cadence::Daily { days: WEDNESDAY, from_minute: 10.0 * 60.0, to_minute: 11.5 * 60.0 };
    let engineer = Party::Outside(&hosts::IMAGING_SERVICE);
    site.of(DeviceClass::ImagingModality)
        .iter()
        .map(|&device| (device, Habit::new(engineer, Party::Device(device), when, SESSION).fan(Fan::Between(1, 4))))
        .collect()
}
