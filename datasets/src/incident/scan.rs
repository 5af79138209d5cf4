//! Scan: a workstation tries port 445 on a whole subnet of the imaging zone, then a thousand ports of one modality.
//! ATT&CK T1046.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    exchange::{Ending, Exchange},
    site::{Party, Site, Zone},
    tap::Call,
};
use std::net::{IpAddr, Ipv4Addr};

const SHARE_PROBE: Exchange = Exchange::tcp("", 445).millis(40.0, 2.0).ends(Ending::Probed);
const PORT_PROBE: Exchange = Exchange::tcp("", 0).millis(8.0, 2.0).ends(Ending::Probed);
const NOBODY: Exchange = Exchange::tcp("", 445).millis(3_000.0, 0.1).ends(Ending::Unanswered);

pub(super) fn play(scene: &mut Scene<'_>) {
    let scanner = scene.one(DeviceClass::Workstation, 2);
    let modality = scene.one(DeviceClass::ImagingModality, 1);
    let zone = scene.site.zone(modality);
    let (from_us, _) = scene.times(0.7, 0);

    let mut at_us = from_us;
    let mut sweep = Vec::new();
    for host in 1..=scene.many(254, 60).min(254) as u8 {
        let (to, exchange) = match owner(scene.site, zone, host) {
            Some(to) => (to, &SHARE_PROBE),
            None => (Party::Vacant(address(zone, host), zone), &NOBODY),
        };
        sweep.push(call(scanner, to, at_us, exchange));
        at_us += 1_000 * i64::from(200 + scene.draw.below(1_800));
    }
    scene.part(scanner, "tries port 445 on a whole subnet", sweep);

    let mut probes = Vec::new();
    for port in 1..=scene.many(1_000, 150) as u16 {
        let to = Party::Device(modality);
        probes.push(Call { port: Some(port), ..call(scanner, to, at_us, &PORT_PROBE) });
        at_us += 1_000 * i64::from(50 + scene.draw.below(400));
    }
    scene.part(scanner, "tries the ports of one imaging modality one after the other", probes);
}

fn address(zone: &Zone, host: u8) -> IpAddr {
    Ipv4Addr::new(10, zone.vlan, 0, host).into()
}

fn owner(site: &Site, zone: &Zone, host: u8) -> Option<Party> {
    let ip = address(zone, host);
    let has = |&&device: &&usize| site.devices[device].bindings.iter().any(|binding| binding.ip == ip);
    site.of(DeviceClass::ImagingModality).iter().find(has).map(|&device| Party::Device(device))
}
