//! Addresses: which a device has by its number, and how leases move from one device to the next.

use super::{DeviceIndex, Site, Zone};
use crate::Binding;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses are given out per /24 from .10 up, this many of them.
const PER_SUBNET: u32 = 200;

/// The IPv4 address of the device with this number in a zone.
pub(crate) fn address(zone: &Zone, number: u32) -> IpAddr {
    let subnet = (number / PER_SUBNET) as u8;
    let host = (number % PER_SUBNET) as u8 + 10;
    Ipv4Addr::new(10, zone.vlan, subnet, host).into()
}

/// The addresses of the device with this number in a zone, for all time.
pub(super) fn bindings(zone: &Zone, number: u32, source: &'static str) -> Vec<Binding> {
    let always = |ip| Binding { ip, valid_from_us: None, valid_to_us: None, source };
    let v6 = Ipv6Addr::new(0xfd77, 0xa4d, 0x10ce, zone.vlan.into(), 0, 0, (number >> 16) as u16, number as u16 + 10);
    [Some(always(address(zone, number))), zone.v6.then(|| always(v6.into()))].into_iter().flatten().collect()
}

/// Passes the IPv4 addresses of these devices around among them, one place on at each of these instants.
pub(crate) fn swap_leases(site: &mut Site, devices: &[DeviceIndex], instants_us: &[i64]) {
    let v4 = |&device: &DeviceIndex| site.devices[device].bindings.iter().find(|it| it.ip.is_ipv4()).map(|it| it.ip);
    let addresses: Vec<IpAddr> = devices.iter().filter_map(v4).collect();
    for (place, &device) in devices.iter().enumerate() {
        let leases = (0..=instants_us.len()).map(|turn| Binding {
            ip: addresses[(place + turn) % addresses.len()],
            valid_from_us: turn.checked_sub(1).map(|last| instants_us[last]),
            valid_to_us: instants_us.get(turn).copied(),
            source: "dhcp",
        });
        let kept = site.devices[device].bindings.iter().filter(|it| it.ip.is_ipv6()).cloned();
        site.devices[device].bindings = leases.chain(kept).collect();
    }
}
