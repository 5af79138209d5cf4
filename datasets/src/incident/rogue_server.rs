//! Rogue server: patient monitors send to a host of somebody else's what they send to their own servers.
//! ATT&CK for industrial control systems T0830; Enterprise T1557.
//!
//! Easy: three monitors stream waveforms and vital signs to an unknown host in their own zone, for up to half a day.
//! Stealthy: one sends vital signs, no more often than to its own server, to an unknown host among the servers, through
//! the working hours of two days. Shown by: a new internal peer that is in no inventory, on a service that has a
//! server.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    cadence::Days,
    calendar::HOUR_US,
    exchange::{Ending, Exchange},
    site::{Party, address},
};

const WAVEFORMS: Exchange = Exchange::tcp("", 4601).bytes(22_000_000.0, 400_000.0, 0.2).ends(Ending::Cut);
const VITAL_SIGNS: Exchange = Exchange::tcp("", 2575).bytes(1_400.0, 160.0, 0.4).millis(90.0, 1.0);
/// Numbers in a zone that no device has: from the first, as many as the second.
const UNUSED: (u32, u32) = (30_000, 9_000);

pub(super) fn play(scene: &mut Scene<'_>) {
    let monitors: Vec<_> = (0..scene.pick(3, 1)).map(|place| scene.actor(place)).collect();
    let near = scene.pick(monitors[0], scene.site.of(DeviceClass::EhrServer)[0]);
    let zone = scene.site.zone(near);
    let rogue = Party::Vacant(address(zone, UNUSED.0 + scene.draw.below(UNUSED.1)), zone);
    let easy = vec![scene.times((0.53, 0.82), 12 * HOUR_US)];
    let stealthy = scene.shifts(Days::Weekdays, 2, (8.0 * 60.0, 17.0 * 60.0));
    let stretches = scene.pick(easy, stealthy);
    for monitor in monitors {
        let instants = scene.series(&stretches, scene.pick((54.0, 66.0), (60.0, 180.0)));
        let vital_signs = instants.into_iter().map(|at_us| call(monitor, rogue, at_us, &VITAL_SIGNS));
        scene.part(monitor, "sends vital signs to a host that is none of the hospital's servers", vital_signs);
        if scene.pick(true, false) {
            let waveforms = scene.connection(monitor, rogue, stretches[0], &WAVEFORMS);
            scene.part(monitor, "streams waveforms to a host that is none of the hospital's servers", waveforms);
        }
    }
}
