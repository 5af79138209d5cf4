//! Zones: subnets of one purpose, each with its VLAN, its router and the sensor that watches it.

use std::net::IpAddr;

/// A zone and the subnet that it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    /// The VLAN, and the second octet of the zone's IPv4 addresses.
    pub(crate) vlan: u8,
    pub(crate) sensor: &'static str,
    /// Whether its devices have IPv6 addresses as well.
    pub(crate) v6: bool,
}

pub(crate) static DATA_CENTRE: Zone = Zone { name: "data-centre", vlan: 10, sensor: "data-centre", v6: true };
pub(crate) static MANAGEMENT: Zone = Zone { name: "management", vlan: 20, sensor: "data-centre", v6: false };
pub(crate) static INFUSION: Zone = Zone { name: "infusion", vlan: 110, sensor: "clinical-a", v6: false };
pub(crate) static MONITORING: Zone = Zone { name: "monitoring", vlan: 120, sensor: "clinical-a", v6: false };
pub(crate) static IMAGING: Zone = Zone { name: "imaging", vlan: 130, sensor: "clinical-b", v6: false };
pub(crate) static LABORATORY: Zone = Zone { name: "laboratory", vlan: 140, sensor: "clinical-b", v6: false };
pub(crate) static LIFE_SUPPORT: Zone = Zone { name: "life-support", vlan: 150, sensor: "clinical-a", v6: false };
pub(crate) static WEARABLES: Zone = Zone { name: "wearables", vlan: 160, sensor: "clinical-b", v6: true };
pub(crate) static OFFICE: Zone = Zone { name: "office", vlan: 200, sensor: "office", v6: true };

static ALL: [&Zone; 9] =
    [&DATA_CENTRE, &MANAGEMENT, &INFUSION, &MONITORING, &IMAGING, &LABORATORY, &LIFE_SUPPORT, &WEARABLES, &OFFICE];

/// The zone that an address of the hospital lies in.
pub(super) fn of(ip: IpAddr) -> Option<&'static Zone> {
    let vlan = match ip {
        IpAddr::V4(ip) => u16::from(ip.octets()[1]),
        IpAddr::V6(ip) => ip.segments()[3],
    };
    ALL.into_iter().find(|zone| u16::from(zone.vlan) == vlan)
}

impl Zone {
    /// The hardware address of the zone's router, as the zone's sensor sees it.
    pub(crate) fn router(&self) -> [u8; 6] {
        [0x02, 0x52, 0x54, 0, 0, self.vlan]
    }
}
