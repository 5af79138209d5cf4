//! Backup: every night the backup server fetches from servers, and every fourth workstation sends to it.

use crate::{
    DeviceClass,
    cadence::{Cadence, Days},
    exchange::Exchange,
    habit::{Fan, Habit},
    site::{DeviceIndex, Party, Site},
};

const FETCH: Exchange = Exchange::tcp("", 6190).bytes(400_000.0, 900_000_000.0, 1.5).millis(600_000.0, 1.0);
const SEND: Exchange = Exchange::tcp("ssl", 6191).bytes(120_000_000.0, 90_000.0, 2.0).millis(200_000.0, 1.0);

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    use DeviceClass as Class;
    let nightly = Cadence::Daily { days: Days::All, from_minute: 22.0 * 60.0, to_minute: 26.0 * 60.0 };
    let server = site.one(Class::BackupServer, 0);
    let kept = [Class::EhrServer, Class::FileServer, Class::Pacs, Class::LaboratoryInformationSystem];
    let fetches = kept
        .into_iter()
        .flat_map(|class| site.of(class))
        .map(|&device| (device, Habit::new(server, Party::Device(device), nightly, FETCH).fan(Fan::Between(2, 4))));
    let sends = site
        .of(Class::Workstation)
        .iter()
        .step_by(4)
        .map(|&device| (device, Habit::new(Party::Device(device), server, nightly, SEND)));
    fetches.chain(sends).collect()
}
