//! Inbound flood: a ventilator keeps the integration engine's HL7 port busy, so that others are not served.
//! ATT&CK for industrial control systems T0814; Enterprise T1499.001.
//!
//! Easy: ten SYNs a second, none of which goes on, for up to six minutes. Stealthy: a connection every second or three,
//! each held open for minutes and given up with next to nothing said, for up to 40 minutes. Shown by: a rate from one
//! peer far above what it ever had, and contacts that come to nothing.

use super::scene::{Scene, call};
use crate::{
    calendar::MINUTE_US,
    exchange::{Ending, Exchange},
    site::Party,
};

const HALF_OPEN: Exchange = Exchange::tcp("", 2575).millis(3_000.0, 0.5).ends(Ending::Unanswered);
const HELD: Exchange = Exchange::tcp("", 2575).bytes(80.0, 0.0, 0.8).millis(420_000.0, 0.8).ends(Ending::Aborted);

pub(super) fn play(scene: &mut Scene<'_>) {
    let (engine, ventilator) = (scene.actor(0), scene.actor(1));
    let lasts_us = scene.pick(6, 40) * MINUTE_US;
    let times = scene.times((0.55, 0.9), lasts_us);
    let instants = scene.series(&[times], scene.pick((0.02, 0.18), (1.0, 3.0)));
    let exchange = scene.pick(&HALF_OPEN, &HELD);
    let calls = instants.into_iter().map(|at_us| call(ventilator, Party::Device(engine), at_us, exchange));
    let description = scene.pick(
        "is flooded by a ventilator with connections that are never completed",
        "is kept busy by a ventilator with connections that say next to nothing",
    );
    scene.part(engine, description, calls);
}
