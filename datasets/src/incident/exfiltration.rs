//! Exfiltration: a laboratory analyser uploads 2 to 15 MB to a host outside every 10 to 25 minutes, for up to three
//! days. ATT&CK T1041, T1030.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    calendar::{HOUR_US, MINUTE_US},
    exchange::Exchange,
    site::{Party, hosts},
};

const UPLOAD: Exchange = Exchange::tcp("ssl", 443).bytes(6_000_000.0, 14_000.0, 1.3).millis(45_000.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let analyser = scene.one(DeviceClass::LabAnalyser, 0);
    let (mut at_us, to_us) = scene.times(0.6, 72 * HOUR_US);
    let mut calls = Vec::new();
    while at_us < to_us {
        calls.push(call(analyser, Party::Outside(&hosts::DROP_BOX), at_us, &UPLOAD));
        at_us += (scene.draw.between(10.0, 25.0) * MINUTE_US as f64) as i64;
    }
    scene.part(analyser, "uploads some megabytes to a host outside again and again", calls);
}
