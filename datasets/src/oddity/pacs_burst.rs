//! PACS burst: the archive moves to new disks, and in one night every modality sends its studies again, which the PACS
//! passes on to the file server.

use super::{Oddity, moment::moment};
use crate::{
    DeviceClass,
    cadence::{Cadence, Days},
    calendar::HOUR_US,
    exchange::Exchange,
    habit::Habit,
    site::{DeviceIndex, Party, Site},
};

const STUDY: Exchange = Exchange::tcp("dicom", 104).bytes(14_000_000.0, 9_000.0, 2.0).millis(5_000.0, 1.5);
const PASSED_ON: Exchange = Exchange::tcp("smb", 445).bytes(25_000_000.0, 20_000.0, 1.5).millis(12_000.0, 1.5);
const LASTS_US: i64 = 6 * HOUR_US;

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let Some(from_us) = moment(site, Oddity::PacsBurst, Days::All, 22.0 * 60.0) else {
        return Vec::new();
    };
    let every = |seconds| Cadence::During { from_us, to_us: from_us + LASTS_US, seconds };
    let pacs = site.of(DeviceClass::Pacs)[0];
    let archive = Party::Device(pacs);
    let send = |&device: &DeviceIndex| (device, Habit::new(Party::Device(device), archive, every(60.0), STUDY));
    let pass_on = Habit::new(archive, site.one(DeviceClass::FileServer, 0), every(60.0), PASSED_ON);
    site.of(DeviceClass::ImagingModality).iter().map(send).chain([(pacs, pass_on)]).collect()
}
