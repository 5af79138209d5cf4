//! Rogue name server: an insulin pump gateway got somebody else's name server with its address, and asks that one where
//! its cloud is. ATT&CK T1557.003, T1584.002.
//!
//! Easy: 40 questions an hour, for up to two days. Stealthy: one or two an hour, fewer than it asks its own, for up to
//! five days. Shown by: port 53 of a host outside, from a device that only ever asks the hospital's servers.

use super::scene::{Scene, call};
use crate::{
    calendar::HOUR_US,
    exchange::Exchange,
    site::{Party, hosts},
};

const QUESTION: Exchange = Exchange::udp("dns", 53)
    .bytes(42.0, 110.0, 0.6)
    .millis(22.0, 1.5)
    .names(&["eu.sugarfern.example", "mqtt.sugarfern.example"]);

pub(super) fn play(scene: &mut Scene<'_>) {
    let gateway = scene.actor(0);
    let lasts_us = scene.pick(48, 120) * HOUR_US;
    let times = scene.times(scene.pick((0.52, 0.75), (0.52, 0.58)), lasts_us);
    let instants = scene.series(&[times], scene.pick((60.0, 120.0), (1_500.0, 4_500.0)));
    let server = Party::Outside(&hosts::ROGUE_RESOLVER);
    let calls = instants.into_iter().map(|at_us| call(gateway, server, at_us, &QUESTION));
    scene.part(gateway, "asks a name server outside that is none of the hospital's", calls);
}
