//! Brute force: a workstation guesses the password of an imaging modality, and gets in. ATT&CK T1110.001, then T1021.
//!
//! Easy: 300 guesses over SSH, one every few seconds, then two long logins. Stealthy: one guess over VNC every 8 to 20
//! minutes in the working hours of two days, then one login. Shown by: a peer that is new to the modality, on a port
//! that it never serves, by contacts that are aborted and then one that is not.

use super::scene::{Scene, call};
use crate::{
    cadence::Days,
    calendar::{HOUR_US, MINUTE_US},
    exchange::{Ending, Exchange},
    site::Party,
};

const WRONG: Exchange =
    Exchange::tcp("ssh", 22).bytes(1_900.0, 2_300.0, 0.3).millis(3_000.0, 1.0).ends(Ending::Aborted);
const RIGHT: Exchange = Exchange::tcp("ssh", 22).bytes(60_000.0, 900_000.0, 1.0).millis(600_000.0, 1.0);
const WRONG_VNC: Exchange =
    Exchange::tcp("rfb", 5900).bytes(60.0, 70.0, 0.2).millis(2_500.0, 1.0).ends(Ending::Aborted);
const RIGHT_VNC: Exchange = Exchange::tcp("rfb", 5900).bytes(40_000.0, 6_000_000.0, 1.0).millis(400_000.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let (modality, workstation) = (scene.actor(0), scene.actor(1));
    let easy = vec![scene.times((0.55, 0.88), 20 * MINUTE_US)];
    let stealthy = scene.shifts(Days::Weekdays, 2, (8.0 * 60.0, 16.0 * 60.0));
    let stretches = scene.pick(easy, stealthy);
    let guesses = scene.series(&stretches, scene.pick((1.0, 7.0), (480.0, 1_200.0)));
    let (wrong, right, logins) = scene.pick((&WRONG, &RIGHT, 2), (&WRONG_VNC, &RIGHT_VNC, 1));
    let to = Party::Device(modality);
    let in_us = guesses.last().map_or(stretches[0].0, |&last_us| last_us + 2 * MINUTE_US);
    let calls = guesses.into_iter().map(|at_us| call(workstation, to, at_us, wrong));
    scene.part(modality, "is tried with one password after the other by a workstation", calls);
    let calls = (0..logins).map(|turn| call(workstation, to, in_us + turn * HOUR_US / 2, right));
    scene.part(modality, "is logged on to by the workstation that guessed its password", calls);
}
