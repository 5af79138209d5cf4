//! Dead command server: a ventilator's malware calls servers outside that are long gone. ATT&CK T1008, T1071.
//!
//! Easy: three of them in turn, every two minutes, for up to two days. Stealthy: one, every hour or two, for up to five
//! days. Shown by: a peer outside of a device that has none, and contacts none of which is answered.

use super::scene::{Scene, call};
use crate::{
    calendar::HOUR_US,
    exchange::{Ending, Exchange},
    site::{Party, hosts},
};

const IN_VAIN: Exchange = Exchange::tcp("", 443).millis(7_000.0, 0.3).ends(Ending::Unanswered);

pub(super) fn play(scene: &mut Scene<'_>) {
    let ventilator = scene.actor(0);
    let lasts_us = scene.pick(48, 120) * HOUR_US;
    let times = scene.times(scene.pick((0.52, 0.75), (0.52, 0.58)), lasts_us);
    let instants = scene.series(&[times], scene.pick((90.0, 150.0), (3_600.0, 7_200.0)));
    let servers = scene.pick(&hosts::DEAD[..], &hosts::DEAD[..1]);
    let calls = instants
        .into_iter()
        .zip(servers.iter().cycle())
        .map(|(at_us, server)| call(ventilator, Party::Outside(server), at_us, &IN_VAIN));
    scene.part(ventilator, "calls a host outside again and again, and is never answered", calls);
}
