//! Exfiltration: a laboratory analyser uploads to a host outside. ATT&CK T1041, T1030; stealthy also T1567.002.
//!
//! Easy: 2 to 15 MB every 10 to 25 minutes, day and night, for up to three days. Stealthy: 100 to 300 kB every 6 to 20
//! minutes in the working hours of a week, to a cloud's storage, some tens of MB in all. Shown by: a new peer outside,
//! and far more sent there than the analyser ever sends out of the hospital.

use super::scene::{Scene, call};
use crate::{
    cadence::Days,
    calendar::HOUR_US,
    exchange::Exchange,
    site::{Party, hosts},
};

const UPLOAD: Exchange = Exchange::tcp("ssl", 443).bytes(6_000_000.0, 14_000.0, 1.3).millis(45_000.0, 1.0);
const SLICE: Exchange = Exchange::tcp("ssl", 443).bytes(175_000.0, 4_000.0, 0.8).millis(3_000.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let analyser = scene.actor(0);
    let easy = vec![scene.times((0.52, 0.7), 72 * HOUR_US)];
    let stealthy = scene.shifts(Days::Weekdays, 5, (8.0 * 60.0, 17.0 * 60.0));
    let stretches = scene.pick(easy, stealthy);
    let gaps = scene.pick((600.0, 1_500.0), (360.0, 1_200.0));
    let (host, exchange) = scene.pick((&hosts::DROP_BOX, &UPLOAD), (&hosts::CLOUD_STORAGE, &SLICE));
    let instants = scene.series(&stretches, gaps);
    let calls = instants.into_iter().map(|at_us| call(analyser, Party::Outside(host), at_us, exchange));
    let description = scene.pick(
        "uploads some megabytes to a host outside again and again",
        "uploads 100 to 300 kB to a cloud's storage again and again in working hours",
    );
    scene.part(analyser, description, calls);
}
