//! Lateral movement: a workstation tries its credentials on others over SMB, then opens desktops over RDP.
//! ATT&CK T1021.001, T1021.002.
//!
//! Easy: twelve others in some minutes, with many wrong passwords, then five desktops. Stealthy: five others over a
//! working day, with a password that is right at once, and two desktops. Shown by: workstations as new peers of one
//! that ordinarily speaks to servers only.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    cadence::Days,
    calendar::{HOUR_US, MINUTE_US, SECOND_US},
    exchange::{Ending, Exchange},
    site::Party,
};

const TRY: Exchange = Exchange::tcp("smb", 445).bytes(1_600.0, 1_400.0, 0.3).millis(250.0, 1.0).ends(Ending::Aborted);
const COPY: Exchange = Exchange::tcp("smb", 445).bytes(2_800_000.0, 30_000.0, 1.0).millis(8_000.0, 1.0);
const DESKTOP: Exchange = Exchange::tcp("rdp", 3389).bytes(700_000.0, 9_000_000.0, 1.5).millis(600_000.0, 1.0);
const SMALL_COPY: Exchange = Exchange::tcp("smb", 445).bytes(160_000.0, 40_000.0, 1.0).millis(2_000.0, 1.0);
const SHORT_DESKTOP: Exchange = Exchange::tcp("rdp", 3389).bytes(150_000.0, 2_000_000.0, 1.0).millis(150_000.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    scene.pick(easy as fn(&mut Scene<'_>), stealthy)(scene);
}

fn easy(scene: &mut Scene<'_>) {
    let intruder = scene.actor(0);
    let others = scene.others(DeviceClass::Workstation, 12);
    let (mut at_us, _) = scene.times((0.55, 0.85), HOUR_US);
    let mut logons = Vec::new();
    for &other in &others {
        for _ in 0..scene.many(10, 4) {
            logons.push(call(intruder, other, at_us, &TRY));
            at_us += i64::from(2 + scene.draw.below(10)) * SECOND_US;
        }
        logons.push(call(intruder, other, at_us, &COPY));
        at_us += MINUTE_US;
    }
    scene.part(intruder, "tries to log on to many workstations over SMB and copies a tool", logons);

    let desktops = others
        .iter()
        .take(5)
        .zip(1..)
        .map(|(&other, turn)| call(intruder, other, at_us + turn * 6 * MINUTE_US, &DESKTOP));
    scene.part(intruder, "opens desktops on other workstations over RDP", desktops);
}

fn stealthy(scene: &mut Scene<'_>) {
    let intruder = scene.actor(0);
    let others = scene.others(DeviceClass::Workstation, 5);
    let (from_us, to_us) = scene.shifts(Days::Weekdays, 1, (8.0 * 60.0, 16.0 * 60.0))[0];
    let turn_us = (to_us - from_us) / others.len().max(1) as i64;
    let turns: Vec<(Party, i64)> = others
        .into_iter()
        .zip(0..)
        .map(|(other, turn)| (other, from_us + turn * turn_us + (scene.draw.unit() * turn_us as f64 * 0.6) as i64))
        .collect();
    let copies = turns.iter().map(|&(other, at_us)| call(intruder, other, at_us, &SMALL_COPY));
    scene.part(intruder, "copies a tool to a few workstations over SMB in the course of a day", copies);
    let last = turns.iter().rev().take(2);
    let desktops = last.map(|&(other, at_us)| call(intruder, other, at_us + turn_us / 4, &SHORT_DESKTOP));
    scene.part(intruder, "opens desktops on two workstations over RDP", desktops);
}
