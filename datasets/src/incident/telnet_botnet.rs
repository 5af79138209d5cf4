//! Telnet botnet: from a workstation somebody logs on to a wearable heart monitor gateway by Telnet, with the password
//! it was delivered with. It then looks for others like it outside, and reports to a server. ATT&CK for industrial
//! control systems T0812; Enterprise T1046, T1071. As Mirai does it (Antonakakis et al., "Understanding the Mirai
//! Botnet", USENIX Security 2017): nine in ten of its probes go to port 23, the tenth to 2323.
//!
//! Easy: 40 passwords in two minutes, then 2,000 probes in 12 minutes, and a report every minute for up to a day.
//! Stealthy: five passwords in an hour, then a probe every two to six minutes for up to a day, and a report over TLS
//! every half hour. Shown by: a contact that comes to the gateway, Telnet, many new peers outside most of which do not
//! answer, and one that does.

use super::scene::{Scene, call};
use crate::{
    calendar::{HOUR_US, MINUTE_US, SECOND_US},
    exchange::{Ending, Exchange},
    site::{Party, hosts},
    tap::Call,
};
use std::net::Ipv4Addr;

const WRONG: Exchange = Exchange::tcp("", 23).bytes(60.0, 180.0, 0.4).millis(2_000.0, 1.0).ends(Ending::Aborted);
const RIGHT: Exchange = Exchange::tcp("", 23).bytes(2_400.0, 9_000.0, 0.5).millis(90_000.0, 0.5);
const PROBE: Exchange = Exchange::tcp("", 23).millis(3_000.0, 0.3).ends(Ending::Unanswered);
const REPORT: Exchange = Exchange::tcp("", 48_101).bytes(90.0, 60.0, 0.4).millis(400.0, 1.0);
const REPORT_TLS: Exchange = Exchange::tcp("ssl", 443).bytes(700.0, 1_500.0, 0.8).millis(500.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let (gateway, workstation) = (scene.actor(0), scene.actor(1));
    let (from_us, over_us) = scene.times((0.55, 0.8), 26 * HOUR_US);
    let (tries, apart_us) = scene.pick((40, 3 * SECOND_US), (5, 12 * MINUTE_US));
    let to = Party::Device(gateway);
    let wrong = (0..tries).map(|turn| call(workstation, to, from_us + turn * apart_us, &WRONG));
    let in_us = from_us + tries * apart_us;
    let right = call(workstation, to, in_us, &RIGHT);
    scene.part(gateway, "is logged on to by Telnet after some passwords", wrong.chain([right]));

    let probing_us = in_us + 5 * MINUTE_US;
    let until_us = scene.pick(over_us.min(probing_us + 12 * MINUTE_US), over_us);
    let instants = scene.series(&[(probing_us, until_us)], scene.pick((0.1, 0.6), (120.0, 360.0)));
    let mut probes = Vec::new();
    for at_us in instants {
        let port = if scene.draw.chance(0.9) { 23 } else { 2_323 };
        let victim = Party::Stranger(stranger(scene));
        probes.push(Call { port: Some(port), ..call(gateway, victim, at_us, &PROBE) });
    }
    scene.part(gateway, "tries Telnet on many hosts outside", probes);

    let instants = scene.series(&[(probing_us, over_us)], scene.pick((50.0, 70.0), (1_200.0, 2_400.0)));
    let report = scene.pick(&REPORT, &REPORT_TLS);
    let server = Party::Outside(&hosts::BOTNET);
    let reports = instants.into_iter().map(|at_us| call(gateway, server, at_us, report));
    scene.part(gateway, "reports to a host outside", reports);
}

/// An address of TEST-NET-1, 2 or 3 (RFC 5737), from the upper half, in which the hospital knows nobody.
fn stranger(scene: &mut Scene<'_>) -> Ipv4Addr {
    const NETWORKS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
    let [a, b, c] = NETWORKS[scene.draw.below(3) as usize];
    Ipv4Addr::new(a, b, c, 170 + scene.draw.below(85) as u8)
}
