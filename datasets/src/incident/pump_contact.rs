//! Pump contact: a workstation that has no business with infusion pumps opens the settings of one. ATT&CK T1021, T1078.
//!
//! Easy: it tries five ports, reads pages over HTTP, guesses a password and logs on by SSH. Stealthy: it opens some
//! settings pages over HTTPS on two days, in working hours, and does nothing else. Shown by: a contact that comes to
//! the pump, which ordinarily only calls others, from a peer that is none of its servers.

use super::scene::{Scene, call};
use crate::{
    cadence::Days,
    calendar::HOUR_US,
    exchange::{Ending, Exchange},
    site::Party,
    tap::Call,
};

const PROBE: Exchange = Exchange::tcp("", 0).millis(20.0, 1.5).ends(Ending::Refused);
const WRONG_PASSWORD: Exchange =
    Exchange::tcp("ssh", 22).bytes(1_900.0, 2_300.0, 0.3).millis(4_000.0, 1.0).ends(Ending::Aborted);
const LOGGED_ON: Exchange = Exchange::tcp("ssh", 22).bytes(14_000.0, 38_000.0, 1.0).millis(240_000.0, 1.0);
const SETTINGS_PAGE: Exchange = Exchange::tcp("http", 80).bytes(900.0, 12_000.0, 1.0).millis(300.0, 1.0);
const SECURE_SETTINGS_PAGE: Exchange = Exchange::tcp("ssl", 443).bytes(1_300.0, 9_000.0, 1.0).millis(400.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    scene.pick(easy as fn(&mut Scene<'_>), stealthy)(scene);
}

fn easy(scene: &mut Scene<'_>) {
    let (pump, workstation) = (scene.actor(0), scene.actor(1));
    let to = Party::Device(pump);
    let (from_us, _) = scene.times((0.55, 0.9), 2 * HOUR_US);
    let second = |seconds: i64| from_us + seconds * 1_000_000;

    let ports = [21, 23, 443, 4010, 8080].into_iter().zip(0..);
    let probes = ports.map(|(port, number)| Call { port: Some(port), ..call(workstation, to, second(number), &PROBE) });
    scene.part(pump, "is tried on several ports by a workstation", probes);

    let pages = (0..6).map(|number| call(workstation, to, second(30 + 5 * number), &SETTINGS_PAGE));
    scene.part(pump, "shows its settings pages to a workstation", pages);

    let wrong = (0..8).map(|number| call(workstation, to, second(90 + 9 * number), &WRONG_PASSWORD));
    let right = (0..3).map(|number| call(workstation, to, second(200 + 700 * number), &LOGGED_ON));
    scene.part(pump, "is logged on to by a workstation after wrong passwords", wrong.chain(right));
}

fn stealthy(scene: &mut Scene<'_>) {
    let (pump, workstation) = (scene.actor(0), scene.actor(1));
    let shifts = scene.shifts(Days::Weekdays, 2, (9.0 * 60.0, 16.0 * 60.0));
    let instants = scene.series(&shifts, (2_400.0, 6_000.0));
    let pages = instants.into_iter().map(|at_us| call(workstation, Party::Device(pump), at_us, &SECURE_SETTINGS_PAGE));
    scene.part(pump, "shows its settings pages to a workstation now and then", pages);
}
