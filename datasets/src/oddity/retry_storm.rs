//! Retry storm: the server of patients' records is down for half an hour. Those who want something of it try again
//! every few seconds, in vain, and once more when it is back.

use super::{Oddity, moment::moment};
use crate::{
    DeviceClass,
    cadence::{Cadence, Days},
    calendar::MINUTE_US,
    exchange::Exchange,
    habit::Habit,
    site::{DeviceIndex, Party, Site},
};

const RECORDS: Exchange = Exchange::tcp("ssl", 443).bytes(5_000.0, 60_000.0, 2.0).millis(2_000.0, 2.0);
const HL7: Exchange = Exchange::tcp("", 2575).bytes(5_000.0, 240.0, 1.0).millis(120.0, 1.0);
/// Who calls the server, what about, and how many seconds they wait before they try again.
const CLIENTS: [(DeviceClass, Exchange, f64); 3] = [
    (DeviceClass::Workstation, RECORDS, 20.0),
    (DeviceClass::IntegrationEngine, HL7, 2.0),
    (DeviceClass::CentralStation, HL7, 5.0),
];
const DOWN_US: i64 = 30 * MINUTE_US;
const CATCHING_UP_US: i64 = 4 * MINUTE_US;
/// The local minute at which it goes down.
const MINUTE: f64 = 10.7 * 60.0;

pub(super) fn arrange(site: &mut Site) {
    if let Some(down_us) = down_us(site) {
        site.send_away(site.of(DeviceClass::EhrServer)[0], (down_us, down_us + DOWN_US));
    }
}

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let Some(from_us) = down_us(site) else { return Vec::new() };
    let server = site.one(DeviceClass::EhrServer, 0);
    let retries = CLIENTS.into_iter().flat_map(|(class, what, seconds)| {
        let when = Cadence::During { from_us, to_us: from_us + DOWN_US + CATCHING_UP_US, seconds };
        site.of(class).iter().map(move |&device| (device, Habit::new(Party::Device(device), server, when, what)))
    });
    retries.collect()
}

fn down_us(site: &Site) -> Option<i64> {
    moment(site, Oddity::RetryStorm, Days::Weekdays, MINUTE)
}
