//! Lateral movement: a workstation tries its credentials on others over SMB, then opens desktops over RDP.
//! ATT&CK T1021.001, T1021.002.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    calendar::{MINUTE_US, SECOND_US},
    exchange::{Ending, Exchange},
    site::Party,
};

const TRY: Exchange = Exchange::tcp("smb", 445).bytes(1_600.0, 1_400.0, 0.3).millis(250.0, 1.0).ends(Ending::Aborted);
const COPY: Exchange = Exchange::tcp("smb", 445).bytes(2_800_000.0, 30_000.0, 1.0).millis(8_000.0, 1.0);
const DESKTOP: Exchange = Exchange::tcp("rdp", 3389).bytes(700_000.0, 9_000_000.0, 1.5).millis(600_000.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let intruder = scene.one(DeviceClass::Workstation, 4);
    let others: Vec<Party> = scene
        .site
        .of(DeviceClass::Workstation)
        .iter()
        .filter(|&&device| device != intruder)
        .take(12)
        .map(|&device| Party::Device(device))
        .collect();
    let (from_us, _) = scene.times(0.75, 0);

    let mut at_us = from_us;
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
