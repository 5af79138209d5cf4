//! Study theft: a workstation that never did fetches patients' studies from the PACS. ATT&CK T1213, T1119.
//!
//! Easy: 1,500 studies over DICOM in an hour and a half. Stealthy: a study every 5 to 15 minutes over the PACS's web
//! page, in the working hours of four days. Shown by: the PACS as a new peer, and what is received from it.

use super::scene::{Scene, call};
use crate::{DeviceClass, cadence::Days, calendar::MINUTE_US, exchange::Exchange};

const RETRIEVE: Exchange = Exchange::tcp("dicom", 104).bytes(9_000.0, 8_000_000.0, 1.5).millis(3_000.0, 1.5);
const VIEW: Exchange = Exchange::tcp("ssl", 443).bytes(12_000.0, 6_000_000.0, 1.5).millis(4_000.0, 1.5);

pub(super) fn play(scene: &mut Scene<'_>) {
    let workstation = scene.actor(0);
    let pacs = scene.site.one(DeviceClass::Pacs, 0);
    let easy = vec![scene.times((0.55, 0.9), 90 * MINUTE_US)];
    let stealthy = scene.shifts(Days::Weekdays, 4, (8.0 * 60.0, 17.0 * 60.0));
    let stretches = scene.pick(easy, stealthy);
    let instants = scene.series(&stretches, scene.pick((2.0, 5.0), (300.0, 900.0)));
    let exchange = scene.pick(&RETRIEVE, &VIEW);
    let calls = instants.into_iter().map(|at_us| call(workstation, pacs, at_us, exchange));
    let description = scene.pick(
        "fetches more than a thousand studies from the PACS",
        "looks at study after study on the PACS's web page in working hours",
    );
    scene.part(workstation, description, calls);
}
