//! Firmware roll-out: one model of infusion pump fetches new firmware from the drug library server, over three nights
//! that begin after a third of the span.

use crate::{
    DeviceClass, Firmware,
    behaviour::DRUG_LIBRARY_HOURS,
    cadence::Cadence,
    calendar::MINUTE_US,
    exchange::Exchange,
    habit::Habit,
    site::{DeviceIndex, Party, Site, maker},
};

/// The second model of infusion pump, of which every other pump is.
const MODEL: u32 = 1;
const NIGHTS: usize = 3;
/// The roll-out begins with the first night after this share of the span.
const BEGINS: f64 = 0.33;
/// From the start of the download to the first start of the new firmware.
const INSTALLATION_US: i64 = 8 * MINUTE_US;
const DOWNLOAD: Exchange = Exchange::tcp("ssl", 443).bytes(60_000.0, 64_000_000.0, 0.1).millis(180_000.0, 0.5);

pub(super) fn arrange(site: &mut Site) {
    let model = maker(DeviceClass::InfusionPump, MODEL);
    let begins_us = site.calendar.at_share(BEGINS);
    let nights: Vec<i64> = site
        .calendar
        .days()
        .iter()
        .map(|day| site.calendar.instant(day, DRUG_LIBRARY_HOURS.0))
        .filter(|&night_us| (begins_us..site.calendar.end_us).contains(&night_us))
        .take(NIGHTS)
        .collect();
    let pumps = site.of(DeviceClass::InfusionPump).to_vec();
    let chosen = pumps.into_iter().filter(|&pump| site.devices[pump].model == model.model).collect::<Vec<_>>();
    for (turn, pump) in chosen.into_iter().enumerate() {
        let Some(night_us) = (!nights.is_empty()).then(|| nights[turn % nights.len()]) else {
            return;
        };
        let minute = (turn / nights.len() * 4) as i64 % 150;
        let installed_us = night_us + minute * MINUTE_US + INSTALLATION_US;
        site.devices[pump].firmware = vec![
            Firmware { version: model.firmware, valid_from_us: None, valid_to_us: Some(installed_us) },
            Firmware { version: model.next_firmware, valid_from_us: Some(installed_us), valid_to_us: None },
        ];
    }
}

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let library = site.one(DeviceClass::DrugLibraryServer, 0);
    let download = |&pump: &DeviceIndex| {
        let installed_us = site.devices[pump].firmware.last()?.valid_from_us?;
        let when = Cadence::Once { at_us: installed_us - INSTALLATION_US };
        Some((pump, Habit::new(Party::Device(pump), library, when, DOWNLOAD)))
    };
    site.of(DeviceClass::InfusionPump).iter().filter_map(download).collect()
}
