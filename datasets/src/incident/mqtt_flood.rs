//! MQTT flood: a wearable heart monitor gateway floods its broker with connections. ATT&CK T1499.002.
//!
//! Easy: ten connections a second, for up to ten minutes. Stealthy: two a second, each as long as an episode's, for up
//! to forty minutes. Shown by: a rate of contacts far above the gateway's own, to the peer and port that it always had.

use super::scene::{Scene, call};
use crate::{
    calendar::MINUTE_US,
    exchange::Exchange,
    site::{Party, hosts},
};

const CONNECTION: Exchange = Exchange::tcp("ssl", 8883).bytes(1_100.0, 3_100.0, 0.4).millis(900.0, 1.5);
const LIKE_AN_EPISODE: Exchange = Exchange::tcp("ssl", 8883).bytes(7_000.0, 1_200.0, 1.0).millis(2_000.0, 2.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let gateway = scene.actor(0);
    let lasts_us = scene.pick(10, 40) * MINUTE_US;
    let times = scene.times((0.55, 0.92), lasts_us);
    let instants = scene.series(&[times], scene.pick((0.01, 0.19), (0.2, 0.8)));
    let exchange = scene.pick(&CONNECTION, &LIKE_AN_EPISODE);
    let broker = Party::Outside(&hosts::HEART_BROKER);
    let calls = instants.into_iter().map(|at_us| call(gateway, broker, at_us, exchange));
    scene.part(gateway, "floods its broker with connections", calls);
}
