//! DNS tunnel: a workstation carries data out in long random names under one domain, for up to four hours.
//! ATT&CK T1071.004, T1048.

use super::scene::{Scene, call};
use crate::{DeviceClass, calendar::HOUR_US, exchange::Exchange, site::Party, tap::Call};

const QUERY: Exchange = Exchange::udp("dns", 53).bytes(110.0, 260.0, 0.3).millis(45.0, 1.5);

pub(super) fn play(scene: &mut Scene<'_>) {
    let workstation = scene.one(DeviceClass::Workstation, 5);
    let server = Party::Device(scene.one(DeviceClass::DnsServer, 0));
    let (mut at_us, to_us) = scene.times(0.82, 4 * HOUR_US);
    let mut calls = Vec::new();
    while at_us < to_us {
        let name = format!("{}.t.pebble-sync.example", scene.draw.label(50));
        calls.push(Call { name: Some(name.into()), ..call(workstation, server, at_us, &QUERY) });
        at_us += (scene.draw.between(0.5, 4.5) * 1_000_000.0) as i64;
    }
    scene.part(workstation, "looks up thousands of long random names under one domain", calls);
}
