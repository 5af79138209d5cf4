//! Crypto miner: a laboratory analyser works for a mining pool, which it stays connected to. ATT&CK T1496.
//!
//! Easy: by Stratum's own port, day and night, for up to two days. Stealthy: over TLS on port 443, on up to five
//! nights, with a connection that is made anew every hour or so. Shown by: a new peer outside, a conversation that goes
//! on for hours, and regular small volumes, which no upload and no download has.

use super::scene::Scene;
use crate::{
    cadence::Days,
    calendar::{HOUR_US, MINUTE_US},
    exchange::{Ending, Exchange},
    site::{Party, hosts},
};

const STRATUM: Exchange = Exchange::tcp("", 3333).bytes(26_000.0, 95_000.0, 0.2).ends(Ending::Cut);
const STRATUM_TLS: Exchange = Exchange::tcp("ssl", 443).bytes(11_000.0, 34_000.0, 0.4).ends(Ending::Cut);

pub(super) fn play(scene: &mut Scene<'_>) {
    let analyser = scene.actor(0);
    let pool = Party::Outside(&hosts::MINING_POOL);
    let easy = vec![scene.times((0.52, 0.75), 48 * HOUR_US)];
    let stealthy = scene.shifts(Days::All, 5, (20.0 * 60.0, 30.0 * 60.0));
    let stretches = scene.pick(easy, stealthy);
    let exchange = scene.pick(&STRATUM, &STRATUM_TLS);
    let mut calls = Vec::new();
    for (from_us, to_us) in stretches {
        let mut begin_us = from_us;
        while begin_us < to_us {
            let short = scene.draw.between(40.0, 80.0);
            let minutes = scene.pick(24.0 * 60.0, short);
            let end_us = to_us.min(begin_us + (minutes * MINUTE_US as f64) as i64);
            calls.extend(scene.connection(analyser, pool, (begin_us, end_us), exchange));
            begin_us = end_us + MINUTE_US;
        }
    }
    let description = scene.pick(
        "stays connected to a mining pool for days",
        "is connected to a host outside all night, and says little but regularly",
    );
    scene.part(analyser, description, calls);
}
