//! Reverse tunnel: a central station keeps a connection to a host outside, by which somebody comes in.
//! ATT&CK T1572, T1219.
//!
//! Easy: one SSH connection that is open for up to 36 hours, with some hundreds of kB in half an hour. Stealthy: a TLS
//! connection on port 443 that is made anew every three to six hours and carries little more than signs of life, for up
//! to four days. Shown by: a new peer outside, and conversations that last for hours.

use super::scene::Scene;
use crate::{
    calendar::HOUR_US,
    exchange::{Ending, Exchange},
    site::{Party, hosts},
};

const OPEN: Exchange = Exchange::tcp("ssh", 22).bytes(220_000.0, 500_000.0, 1.5).ends(Ending::Cut);
const KEPT_ALIVE: Exchange = Exchange::tcp("ssl", 443).bytes(5_000.0, 6_000.0, 0.8).ends(Ending::Cut);

pub(super) fn play(scene: &mut Scene<'_>) {
    let station = scene.actor(0);
    let relay = Party::Outside(&hosts::RELAY);
    let lasts_us = scene.pick(36, 96) * HOUR_US;
    let (from_us, to_us) = scene.times(scene.pick((0.53, 0.8), (0.53, 0.6)), lasts_us);
    let exchange = scene.pick(&OPEN, &KEPT_ALIVE);
    let mut begins = vec![from_us];
    if scene.pick(false, true) {
        begins = scene.series(&[(from_us, to_us)], (3.0 * 3_600.0, 6.0 * 3_600.0));
    }
    let mut calls = Vec::new();
    for (turn, &begin_us) in begins.iter().enumerate() {
        // It is down for a moment before it is made anew.
        let end_us = begins.get(turn + 1).map_or(to_us, |next_us| next_us - HOUR_US / 60);
        calls.extend(scene.connection(station, relay, (begin_us, end_us), exchange));
    }
    let description = scene.pick(
        "keeps one connection to a host outside open for a day and more",
        "keeps a connection to a host outside that is made anew every few hours",
    );
    scene.part(station, description, calls);
}
