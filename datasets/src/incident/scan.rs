//! Scan: a workstation looks for open ports in the imaging zone. ATT&CK T1046.
//!
//! Easy: port 445 on a whole subnet, then a thousand ports of one modality. Stealthy: the DICOM port on 40 hosts in no
//! order, one every minute or two, then six ports of a modality, in working hours. Shown by: new peers in another zone,
//! most of which do not answer or refuse.

use super::scene::{Scene, call};
use crate::{
    DeviceClass,
    cadence::Days,
    calendar::SECOND_US,
    exchange::{Ending, Exchange},
    site::{Party, Site, Zone},
    tap::Call,
};
use std::net::{IpAddr, Ipv4Addr};

const SHARE_PROBE: Exchange = Exchange::tcp("", 445).millis(40.0, 2.0).ends(Ending::Probed);
const DICOM_PROBE: Exchange = Exchange::tcp("", 104).millis(40.0, 2.0).ends(Ending::Probed);
const PORT_PROBE: Exchange = Exchange::tcp("", 0).millis(8.0, 2.0).ends(Ending::Probed);
const NO_SHARE: Exchange = Exchange::tcp("", 445).millis(3_000.0, 0.1).ends(Ending::Unanswered);
const NO_DICOM: Exchange = Exchange::tcp("", 104).millis(3_000.0, 0.1).ends(Ending::Unanswered);
const FEW_PORTS: [u16; 6] = [22, 80, 443, 3389, 5900, 11_112];
/// The hosts of a /24.
const HOSTS: u32 = 254;
/// Has no divisor in common with [`HOSTS`], so that steps of it meet every host.
const STEP: u32 = 101;

pub(super) fn play(scene: &mut Scene<'_>) {
    let (scanner, modality) = (scene.actor(0), scene.actor(1));
    let zone = scene.site.zone(modality);
    let shift = scene.shifts(Days::Weekdays, 1, (9.0 * 60.0, 16.0 * 60.0))[0].0;
    let (loud_us, _) = scene.times((0.55, 0.9), 0);
    let quiet_us = shift + i64::from(scene.draw.below(3_600)) * SECOND_US;
    let mut at_us = scene.pick(loud_us, quiet_us);

    let (present, absent) = scene.pick((&SHARE_PROBE, &NO_SHARE), (&DICOM_PROBE, &NO_DICOM));
    let hosts: Vec<u8> = match scene.pick(true, false) {
        true => (1..=scene.many(HOSTS, 60)).map(|host| host as u8).collect(),
        false => {
            let first = scene.draw.below(HOSTS);
            (0..40).map(|turn| (1 + (first + turn * STEP) % HOSTS) as u8).collect()
        }
    };
    let gap = scene.pick((0.2, 2.0), (55.0, 130.0));
    let mut sweep = Vec::new();
    for host in hosts {
        let (to, exchange) = match owner(scene.site, zone, host) {
            Some(to) => (to, present),
            None => (Party::Vacant(address(zone, host), zone), absent),
        };
        sweep.push(call(scanner, to, at_us, exchange));
        at_us += (scene.draw.between(gap.0, gap.1) * SECOND_US as f64) as i64;
    }
    scene.part(scanner, scene.pick("tries port 445 on a whole subnet", "tries the DICOM port on 40 hosts"), sweep);

    let ports: Vec<u16> = scene.pick((1..=scene.many(1_000, 150) as u16).collect(), FEW_PORTS.into_iter().collect());
    let gap = scene.pick((0.05, 0.45), (120.0, 400.0));
    let mut probes = Vec::new();
    for port in ports {
        probes.push(Call { port: Some(port), ..call(scanner, Party::Device(modality), at_us, &PORT_PROBE) });
        at_us += (scene.draw.between(gap.0, gap.1) * SECOND_US as f64) as i64;
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
