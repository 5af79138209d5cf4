//! Software update: in one night every workstation and every modality fetches hundreds of megabytes from the server
//! that it always asks for updates.

use super::{
    Oddity,
    moment::{chance, moment},
};
use crate::{
    DeviceClass,
    cadence::{Cadence, Days},
    calendar::MINUTE_US,
    exchange::Exchange,
    habit::Habit,
    site::{DeviceIndex, Outside, Party, Site, hosts},
};

const DOWNLOAD: Exchange = Exchange::tcp("ssl", 443).bytes(90_000.0, 220_000_000.0, 0.4).millis(240_000.0, 1.0);
/// Downloads begin within so many minutes, so that not all do at once.
const SPREAD: f64 = 150.0;
const SERVERS: [(DeviceClass, &Outside); 2] =
    [(DeviceClass::Workstation, &hosts::UPDATES[0]), (DeviceClass::ImagingModality, &hosts::IMAGING_CLOUD)];

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let Some(night_us) = moment(site, Oddity::SoftwareUpdate, Days::All, 60.0) else {
        return Vec::new();
    };
    let mut draw = chance(site, Oddity::SoftwareUpdate);
    let all = SERVERS.into_iter().flat_map(|(class, server)| site.of(class).iter().map(move |&it| (it, server)));
    all.map(|(device, server)| {
        let at_us = night_us + (draw.between(0.0, SPREAD) * MINUTE_US as f64) as i64;
        (device, Habit::new(Party::Device(device), Party::Outside(server), Cadence::Once { at_us }, DOWNLOAD))
    })
    .collect()
}
