//! DNS tunnel: a workstation carries data out in random names under one domain. ATT&CK T1071.004, T1048.
//!
//! Easy: long names, every few seconds, for up to four hours. Stealthy: names of 18 letters, every 10 to 60 s, in the
//! working hours of two days. Shown by: lookups that go on whatever the user does, of names none of which comes twice.

use super::scene::{Scene, call};
use crate::{DeviceClass, cadence::Days, calendar::HOUR_US, exchange::Exchange, tap::Call};

const QUERY: Exchange = Exchange::udp("dns", 53).bytes(110.0, 260.0, 0.3).millis(45.0, 1.5);
const SHORT_QUERY: Exchange = Exchange::udp("dns", 53).bytes(68.0, 150.0, 0.3).millis(30.0, 1.5);

pub(super) fn play(scene: &mut Scene<'_>) {
    let workstation = scene.actor(0);
    let server = scene.site.one(DeviceClass::DnsServer, 0);
    let easy = vec![scene.times((0.55, 0.9), 4 * HOUR_US)];
    let stealthy = scene.shifts(Days::Weekdays, 2, (8.0 * 60.0, 17.0 * 60.0));
    let stretches = scene.pick(easy, stealthy);
    let instants = scene.series(&stretches, scene.pick((0.5, 4.5), (10.0, 60.0)));
    let (exchange, length) = scene.pick((&QUERY, 50), (&SHORT_QUERY, 18));
    let mut calls = Vec::new();
    for at_us in instants {
        let name = format!("{}.t.pebble-sync.example", scene.draw.label(length));
        calls.push(Call { name: Some(name.into()), ..call(workstation, server, at_us, exchange) });
    }
    let description = scene.pick(
        "looks up thousands of long random names under one domain",
        "looks up a random name under one domain every half minute",
    );
    scene.part(workstation, description, calls);
}
