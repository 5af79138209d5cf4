//! Bulk transfer: a workstation, not the drug library server, sends an infusion pump a library or firmware of its own.
//! ATT&CK T1570; in what it does to the pump T0843 of those for industrial control systems.
//!
//! Easy: late at night, 60 MB at a time. Stealthy: in the hours in which pumps fetch their libraries, some 8 MB at a
//! time, as much as a library has, over up to three nights. Shown by: a contact that comes to the pump, from a peer
//! that is none of its servers, with the volume of a library.

use super::scene::{Scene, call};
use crate::{
    behaviour::DRUG_LIBRARY_HOURS,
    cadence::Days,
    calendar::{HOUR_US, MINUTE_US},
    exchange::Exchange,
    site::Party,
};

const TRANSFER: Exchange = Exchange::tcp("ssl", 443).bytes(60_000_000.0, 40_000.0, 0.4).millis(150_000.0, 0.4);
const LIBRARY: Exchange = Exchange::tcp("ssl", 443).bytes(8_000_000.0, 9_000.0, 0.3).millis(40_000.0, 1.0);
/// Local minutes: after visits, and outside the drug library's hours.
const NIGHT: (f64, f64) = (22.8 * 60.0, 25.0 * 60.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let (pump, workstation) = (scene.actor(0), scene.actor(1));
    let hours = scene.pick(NIGHT, DRUG_LIBRARY_HOURS);
    let nights = scene.shifts(Days::All, scene.pick(1, 3), hours);
    let (exchange, a_night, apart_us) = scene.pick((&TRANSFER, 6, 5 * MINUTE_US), (&LIBRARY, 3, 17 * MINUTE_US));
    let mut calls = Vec::new();
    for (from_us, to_us) in nights {
        let spare_us = (to_us - from_us - HOUR_US).max(1);
        let mut at_us = from_us + (scene.draw.unit() * spare_us as f64) as i64;
        for _ in 0..a_night {
            calls.push(call(workstation, Party::Device(pump), at_us, exchange));
            at_us += (scene.draw.between(0.8, 1.1) * apart_us as f64) as i64;
        }
    }
    let description = scene.pick(
        "is sent hundreds of megabytes by a workstation at night",
        "is sent what could be drug libraries by a workstation in the hours of the library server",
    );
    scene.part(pump, description, calls);
}
