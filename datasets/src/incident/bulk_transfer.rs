//! Bulk transfer: late at night a workstation, not the drug library server, sends an infusion pump 60 MB at a time.
//! ATT&CK T1570.

use super::scene::{Scene, call};
use crate::{DeviceClass, calendar::MINUTE_US, exchange::Exchange, site::Party};

const TRANSFER: Exchange = Exchange::tcp("ssl", 443).bytes(60_000_000.0, 40_000.0, 0.4).millis(150_000.0, 0.4);
/// Local minute: after visits, and outside the drug library's hours.
const BEGINS: f64 = 23.2 * 60.0;

pub(super) fn play(scene: &mut Scene<'_>) {
    let workstation = scene.one(DeviceClass::Workstation, 1);
    let pump = scene.one(DeviceClass::InfusionPump, 2);
    let from_us = scene.night(BEGINS);
    let calls =
        (0..6).map(|number| call(workstation, Party::Device(pump), from_us + number * 5 * MINUTE_US, &TRANSFER));
    scene.part(pump, "is sent hundreds of megabytes by a workstation at night", calls);
}
