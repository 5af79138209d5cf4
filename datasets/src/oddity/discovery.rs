//! Discovery: workstations and imaging modalities look for printers, shares and each other by broadcast and multicast:
//! mDNS (RFC 6762), LLMNR (RFC 4795), SSDP, WS-Discovery and NetBIOS (RFC 1001). Nobody answers a group.

use crate::{
    DeviceClass,
    cadence::Cadence,
    exchange::{Ending, Exchange},
    habit::Habit,
    rhythm::Rhythm,
    site::{DeviceIndex, Group, Party, Site, groups},
};

const fn ask(service: &'static str, port: u16, bytes: f64) -> Exchange {
    Exchange::udp(service, port).bytes(bytes, 0.0, 0.3).ends(Ending::Unanswered)
}

const MDNS: Exchange = ask("dns", 5353, 120.0).source_port(5353).names(&["_dicom._tcp.local", "_ipp._tcp.local"]);
const LLMNR: Exchange = ask("dns", 5355, 34.0).names(&["wpad", "files"]);
const SSDP: Exchange = ask("", 1900, 170.0);
const WS_DISCOVERY: Exchange = ask("", 3702, 660.0);
const NETBIOS_NAME: Exchange = ask("dns", 137, 50.0).source_port(137).names(&["WORKGROUP"]);
const NETBIOS_DATAGRAM: Exchange = ask("", 138, 201.0).source_port(138);

/// Times an hour in which people work. WS-Discovery has the group of SSDP.
const QUESTIONS: [(f64, &Group, Exchange); 6] = [
    (1.0, &groups::MDNS, MDNS),
    (2.0, &groups::LLMNR, LLMNR),
    (1.0, &groups::SSDP, SSDP),
    (1.0, &groups::SSDP, WS_DISCOVERY),
    (1.0, &groups::EVERYONE, NETBIOS_NAME),
    (3.0, &groups::EVERYONE, NETBIOS_DATAGRAM),
];

pub(super) fn habits(site: &Site) -> Vec<(DeviceIndex, Habit)> {
    let asking = [DeviceClass::Workstation, DeviceClass::ImagingModality].into_iter().flat_map(|class| site.of(class));
    let ask = |&device: &DeviceIndex| {
        QUESTIONS.map(|(times, group, what)| {
            let when = Cadence::Hourly { times, rhythm: Rhythm::Ward };
            (device, Habit::new(Party::Device(device), Party::Group(group), when, what))
        })
    };
    asking.flat_map(ask).collect()
}
