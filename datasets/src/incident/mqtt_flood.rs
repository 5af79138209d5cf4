//! MQTT flood: a wearable heart monitor gateway opens ten connections a second to its broker, for up to ten minutes.
//! ATT&CK T1499.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    calendar::MINUTE_US,
    exchange::Exchange,
    site::{Party, hosts},
};

const CONNECTION: Exchange = Exchange::tcp("ssl", 8883).bytes(1_100.0, 3_100.0, 0.4).millis(900.0, 1.5);

pub(super) fn play(scene: &mut Scene<'_>) {
    let gateway = scene.one(DeviceClass::WearableHeartMonitorGateway, 0);
    let (mut at_us, to_us) = scene.times(0.8, 10 * MINUTE_US);
    let mut calls = Vec::new();
    while at_us < to_us {
        calls.push(call(gateway, Party::Outside(&hosts::HEART_BROKER), at_us, &CONNECTION));
        at_us += i64::from(scene.draw.below(200_000));
    }
    scene.part(gateway, "floods its broker with connections", calls);
}
