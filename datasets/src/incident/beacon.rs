//! Beacon: an imaging modality asks a command-and-control server for orders every 60 s, give or take 20 %, for up to
//! two days. ATT&CK T1071.001, T1573.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    calendar::{HOUR_US, SECOND_US},
    exchange::Exchange,
    site::{Party, hosts},
};

const CHECK_IN: Exchange = Exchange::tcp("ssl", 443).bytes(540.0, 1_250.0, 0.15).millis(350.0, 1.0);
const INTERVAL_US: f64 = 60.0 * SECOND_US as f64;
const JITTER: f64 = 0.2;

pub(super) fn play(scene: &mut Scene<'_>) {
    let modality = scene.one(DeviceClass::ImagingModality, 0);
    let (mut at_us, to_us) = scene.times(0.55, 48 * HOUR_US);
    let mut calls = Vec::new();
    while at_us < to_us {
        calls.push(call(modality, Party::Outside(&hosts::COMMAND_AND_CONTROL), at_us, &CHECK_IN));
        at_us += (INTERVAL_US * scene.draw.between(1.0 - JITTER, 1.0 + JITTER)) as i64;
    }
    scene.part(modality, "checks in with a host outside every minute, give or take 20 %", calls);
}
