//! Ransomware: a workstation encrypts what it can write to. ATT&CK T1486, T1021.002.
//!
//! Easy: it copies itself to up to 40 workstations in some minutes, then reads and writes on the file server every few
//! seconds for an hour. Stealthy: it copies itself to two, and reads and writes every minute or so through one night.
//! Shown by: workstations as new peers; on the file server as much written as read, and an hour in which nobody works.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    cadence::Days,
    calendar::{HOUR_US, MINUTE_US, SECOND_US},
    exchange::Exchange,
};

const COPY: Exchange = Exchange::tcp("smb", 445).bytes(1_900_000.0, 20_000.0, 0.3).millis(4_000.0, 1.0);
const ENCRYPT: Exchange = Exchange::tcp("smb", 445).bytes(3_000_000.0, 3_000_000.0, 1.5).millis(2_500.0, 1.0);
const ENCRYPT_LITTLE: Exchange = Exchange::tcp("smb", 445).bytes(900_000.0, 900_000.0, 1.5).millis(6_000.0, 1.5);

pub(super) fn play(scene: &mut Scene<'_>) {
    let workstation = scene.actor(0);
    let files = scene.site.one(DeviceClass::FileServer, 0);
    let others = scene.others(DeviceClass::Workstation, scene.pick(scene.many(40, 8) as usize, 2));
    let easy = scene.times((0.55, 0.88), HOUR_US + 20 * MINUTE_US);
    let stealthy = scene.shifts(Days::All, 1, (22.0 * 60.0, 28.0 * 60.0))[0];
    let (from_us, to_us) = scene.pick(easy, stealthy);
    let apart_us = scene.pick(20 * SECOND_US, 9 * MINUTE_US);
    let spread_us = from_us + apart_us * others.len() as i64;
    let copies = (0..).zip(others).map(|(turn, other)| call(workstation, other, from_us + turn * apart_us, &COPY));
    scene.part(workstation, "copies itself to other workstations over SMB", copies);

    let instants = scene.series(&[(spread_us, to_us)], scene.pick((1.0, 4.0), (30.0, 120.0)));
    let exchange = scene.pick(&ENCRYPT, &ENCRYPT_LITTLE);
    let writes = instants.into_iter().map(|at_us| call(workstation, files, at_us, exchange));
    scene.part(workstation, "reads and writes one file after the other on the file server", writes);
}
