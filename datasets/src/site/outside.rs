//! Outside: hosts on the internet (documentation addresses only), and the groups that many listen to at once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host on the internet.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Option<Ipv6Addr>,
    pub(crate) name: &'static str,
}

/// A multicast or broadcast address with its hardware address.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) v4: (IpAddr, [u8; 6]),
    pub(crate) v6: Option<(IpAddr, [u8; 6])>,
}

const fn host(v4: [u8; 4], name: &'static str) -> Outside {
    let v4 = Ipv4Addr::new(v4[0], v4[1], v4[2], v4[3]);
    Outside { v4, v6: None, name }
}

const fn dual(v4: [u8; 4], v6: u16, name: &'static str) -> Outside {
    Outside { v6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, v6)), ..host(v4, name) }
}

const fn group(ip: [u8; 4]) -> Group {
    Group { v4: (IpAddr::V4(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3])), v4_group_mac(ip)), v6: None }
}

const fn v4_group_mac(ip: [u8; 4]) -> [u8; 6] {
    if ip[0] >= 240 { [0xff; 6] } else { [0x01, 0x00, 0x5e, ip[1] & 0x7f, ip[2], ip[3]] }
}

/// The hosts, by what they are to the hospital.
pub(crate) mod hosts {
    use super::{Outside, dual, host};

    pub(crate) static HEART_CLOUD: Outside = dual([198, 51, 100, 20], 0x20, "ingest.pulsewisp.example");
    pub(crate) static HEART_BROKER: Outside = dual([198, 51, 100, 21], 0x21, "broker.pulsewisp.example");
    pub(crate) static INSULIN_CLOUD: Outside = dual([198, 51, 100, 30], 0x30, "eu.sugarfern.example");
    pub(crate) static INSULIN_BROKER: Outside = dual([198, 51, 100, 31], 0x31, "mqtt.sugarfern.example");
    pub(crate) static IMAGING_CLOUD: Outside = host([198, 51, 100, 40], "fleet.lumenfold.example");
    pub(crate) static LAB_CLOUD: Outside = host([198, 51, 100, 50], "reagents.quillab.example");
    pub(crate) static IMAGING_SERVICE: Outside = host([198, 51, 100, 66], "service.lumenfold.example");
    pub(crate) static RESOLVER: Outside = dual([198, 51, 100, 2], 0x2, "resolver.carrier.example");
    pub(crate) static TIME: [Outside; 2] =
        [host([198, 51, 100, 3], "time-a.carrier.example"), host([198, 51, 100, 4], "time-b.carrier.example")];

    pub(crate) static COMMAND_AND_CONTROL: Outside = host([203, 0, 113, 66], "cdn-status.lanternfish.example");
    pub(crate) static DROP_BOX: Outside = host([203, 0, 113, 91], "files.lanternfish.example");
    pub(crate) static CLOUD_STORAGE: Outside = host([192, 0, 2, 70], "eu-1.cloudshelf.example");
    pub(crate) static RELAY: Outside = host([203, 0, 113, 120], "relay.moonjelly.example");
    pub(crate) static DEAD: [Outside; 3] = [
        host([203, 0, 113, 140], "a.sunkenlamp.example"),
        host([203, 0, 113, 141], "b.sunkenlamp.example"),
        host([203, 0, 113, 142], "c.sunkenlamp.example"),
    ];
    pub(crate) static STOLEN_ACCOUNT: Outside = host([203, 0, 113, 77], "dsl-77.carrier.example");
    pub(crate) static MINING_POOL: Outside = host([203, 0, 113, 150], "pool.moonjelly.example");
    pub(crate) static ROGUE_RESOLVER: Outside = host([203, 0, 113, 53], "ns.moonjelly.example");
    pub(crate) static BOTNET: Outside = host([203, 0, 113, 160], "report.moonjelly.example");

    /// What people look at.
    pub(crate) static WEB: [Outside; 20] = [
        dual([192, 0, 2, 10], 0x1010, "www.news.example"),
        dual([192, 0, 2, 11], 0x1011, "search.example"),
        dual([192, 0, 2, 12], 0x1012, "mail.example"),
        host([192, 0, 2, 13], "guidelines.medicine.example"),
        host([192, 0, 2, 14], "formulary.medicine.example"),
        host([192, 0, 2, 15], "journals.medicine.example"),
        dual([192, 0, 2, 16], 0x1016, "meet.example"),
        host([192, 0, 2, 17], "maps.example"),
        dual([192, 0, 2, 18], 0x1018, "cdn.static.example"),
        dual([192, 0, 2, 19], 0x1019, "fonts.static.example"),
        host([192, 0, 2, 20], "weather.example"),
        host([192, 0, 2, 21], "insurer-a.example"),
        host([192, 0, 2, 22], "insurer-b.example"),
        host([192, 0, 2, 23], "travel.example"),
        host([192, 0, 2, 24], "suppliers.example"),
        host([192, 0, 2, 25], "wiki.example"),
        dual([192, 0, 2, 26], 0x1026, "video.example"),
        host([192, 0, 2, 27], "payroll.example"),
        host([192, 0, 2, 28], "translate.example"),
        host([192, 0, 2, 29], "shop.example"),
    ];

    /// Where programs update themselves and report how they do.
    pub(crate) static UPDATES: [Outside; 3] = [
        dual([192, 0, 2, 60], 0x1060, "updates.tinbox.example"),
        dual([192, 0, 2, 61], 0x1061, "telemetry.tinbox.example"),
        host([192, 0, 2, 62], "signatures.guard.example"),
    ];
}

/// The groups.
pub(crate) mod groups {
    use super::{Group, IpAddr, Ipv6Addr, group};

    pub(crate) static MDNS: Group = Group {
        v6: Some((IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)), [0x33, 0x33, 0, 0, 0, 0xfb])),
        ..group([224, 0, 0, 251])
    };
    pub(crate) static LLMNR: Group = group([224, 0, 0, 252]);
    pub(crate) static SSDP: Group = group([239, 255, 255, 250]);
    pub(crate) static MONITOR_DISCOVERY: Group = group([239, 255, 40, 1]);
    pub(crate) static EVERYONE: Group = group([255, 255, 255, 255]);
}
