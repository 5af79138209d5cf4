//! Beacon: an imaging modality asks a command-and-control server for orders. ATT&CK T1071.001, T1573.
//!
//! Easy: every 60 s, give or take 20 %, for up to two days. Stealthy: every two hours, give or take 50 %, with sizes
//! that vary, for up to six days. Shown by: a new peer outside that is come back to day and night.

use super::scene::{Scene, call};
use crate::{
    calendar::HOUR_US,
    exchange::Exchange,
    site::{Party, hosts},
};

const CHECK_IN: Exchange = Exchange::tcp("ssl", 443).bytes(540.0, 1_250.0, 0.15).millis(350.0, 1.0);
const VARIED: Exchange = Exchange::tcp("ssl", 443).bytes(1_400.0, 3_200.0, 2.0).millis(700.0, 1.5);

pub(super) fn play(scene: &mut Scene<'_>) {
    let modality = scene.actor(0);
    let when = scene.pick((0.52, 0.75), (0.52, 0.56));
    let lasts_us = scene.pick(48, 144) * HOUR_US;
    let gaps = scene.pick((48.0, 72.0), (3_600.0, 10_800.0));
    let exchange = scene.pick(&CHECK_IN, &VARIED);
    let times = scene.times(when, lasts_us);
    let instants = scene.series(&[times], gaps);
    let server = Party::Outside(&hosts::COMMAND_AND_CONTROL);
    let calls = instants.into_iter().map(|at_us| call(modality, server, at_us, exchange));
    let description = scene.pick(
        "checks in with a host outside every minute, give or take 20 %",
        "checks in with a host outside every two hours, give or take 50 %",
    );
    scene.part(modality, description, calls);
}
