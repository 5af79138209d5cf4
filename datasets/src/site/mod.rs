//! The site: which devices there are, where they stand, and who they turn to.

mod addresses;
mod cast;
mod makers;
mod outside;
mod zones;

pub(crate) use addresses::{address, swap_leases};
pub(crate) use cast::WARDS;
pub(crate) use makers::maker;
pub(crate) use outside::{Group, Outside, groups, hosts};
pub(crate) use zones::Zone;

use crate::{
    Binding, Device, DeviceClass, Error, Options,
    calendar::Calendar,
    incident::{self, Casting},
    oddity,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

/// A device's place in [`Site::devices`].
pub(crate) type DeviceIndex = usize;

/// All that stays put while flows are made.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) seed: u64,
    pub(crate) calendar: Calendar,
    pub(crate) devices: Vec<Device>,
    /// The zone of each device.
    zones: Vec<&'static Zone>,
    /// When a device is off the network, from and to, UTC microseconds.
    away: BTreeMap<DeviceIndex, Vec<(i64, i64)>>,
    by_class: BTreeMap<DeviceClass, Vec<DeviceIndex>>,
    /// The devices that incidents happen on, and those that they never do.
    pub(crate) casting: Casting,
}

/// One end of a flow to come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Party {
    /// A device of the hospital.
    Device(DeviceIndex),
    /// A device before it has an address.
    Booting(DeviceIndex),
    /// A host on the internet.
    Outside(&'static Outside),
    /// Many at once.
    Group(&'static Group),
    /// Any host on the internet, without a name.
    Stranger(Ipv4Addr),
    /// An internal address that no device has, seen from this zone.
    Vacant(IpAddr, &'static Zone),
}

/// Where a flow leaves or arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) ip: IpAddr,
    pub(crate) mac: Option<[u8; 6]>,
    /// `None` outside the hospital, and for many at once.
    pub(crate) zone: Option<&'static Zone>,
    pub(crate) name: Option<&'static str>,
}

impl Site {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        options.check()?;
        let calendar = Calendar::new(options)?;
        let mut site = Self {
            seed: options.seed,
            calendar,
            devices: Vec::new(),
            zones: Vec::new(),
            away: BTreeMap::new(),
            by_class: BTreeMap::new(),
            casting: Casting::default(),
        };
        for (class, count) in cast::cast(options.devices) {
            for number in 0..count {
                let (device, zone) = cast::device(class, number, options.seed);
                site.by_class.entry(class).or_default().push(site.devices.len());
                site.devices.push(device);
                site.zones.push(zone);
            }
        }
        site.casting = Casting::new(&site.by_class, site.seed);
        oddity::arrange(&mut site, options);
        incident::arrange(&mut site, options);
        Ok(site)
    }

    /// The devices of a class, in the order of their numbers. Every class has at least one.
    pub(crate) fn of(&self, class: DeviceClass) -> &[DeviceIndex] {
        self.by_class.get(&class).map_or(&[], Vec::as_slice)
    }

    /// One of a class, the same one for the same number.
    pub(crate) fn one(&self, class: DeviceClass, number: usize) -> Party {
        let of = self.of(class);
        Party::Device(of[number % of.len()])
    }

    /// The zone that a device stands in.
    pub(crate) fn zone(&self, device: DeviceIndex) -> &'static Zone {
        self.zones[device]
    }

    /// When a device is off the network, from and to, UTC microseconds.
    pub(crate) fn away(&self, device: DeviceIndex) -> &[(i64, i64)] {
        self.away.get(&device).map_or(&[], Vec::as_slice)
    }

    /// Whether a device is always there, at addresses that never change.
    pub(crate) fn is_plain(&self, device: DeviceIndex) -> bool {
        let stays = |binding: &Binding| binding.valid_from_us.is_none() && binding.valid_to_us.is_none();
        self.away(device).is_empty() && self.devices[device].bindings.iter().all(stays)
    }

    /// Takes a device off the network for a time.
    pub(crate) fn send_away(&mut self, device: DeviceIndex, times_us: (i64, i64)) {
        self.away.entry(device).or_default().push(times_us);
    }

    /// Whether a party is off the network at an instant.
    pub(crate) fn is_away(&self, party: Party, at_us: i64) -> bool {
        match party {
            Party::Device(device) | Party::Booting(device) => {
                self.away(device).iter().any(|&(from, to)| (from..to).contains(&at_us))
            }
            _ => false,
        }
    }

    /// Whether a party can speak IPv6.
    pub(crate) fn has_v6(&self, party: Party) -> bool {
        match party {
            Party::Device(device) => self.devices[device].bindings.iter().any(|binding| binding.ip.is_ipv6()),
            Party::Outside(host) => host.v6.is_some(),
            Party::Group(group) => group.v6.is_some(),
            Party::Booting(_) | Party::Stranger(_) | Party::Vacant(..) => false,
        }
    }

    /// Where a party is from `start_us` through `end_us`; `None` if it loses its address in that time or has none of
    /// the family.
    pub(crate) fn end(&self, party: Party, v6: bool, start_us: i64, end_us: i64) -> Option<End> {
        match party {
            Party::Device(index) => {
                let device = &self.devices[index];
                let binding = device
                    .bindings
                    .iter()
                    .find(|binding| binding.ip.is_ipv6() == v6 && binding.covers(start_us, end_us))?;
                Some(End {
                    ip: binding.ip,
                    mac: Some(device.mac),
                    // A device may have been taken along to another zone.
                    zone: Some(zones::of(binding.ip).unwrap_or_else(|| self.zone(index))),
                    name: cast::host_name(device.class),
                })
            }
            Party::Booting(index) => Some(End {
                ip: [0, 0, 0, 0].into(),
                mac: Some(self.devices[index].mac),
                zone: Some(self.zone(index)),
                name: None,
            }),
            Party::Outside(host) => {
                let ip = if v6 { host.v6?.into() } else { host.v4.into() };
                Some(End { ip, mac: None, zone: None, name: Some(host.name) })
            }
            Party::Stranger(ip) => Some(End { ip: ip.into(), mac: None, zone: None, name: None }),
            Party::Group(group) => {
                let (ip, mac) = if v6 { group.v6? } else { group.v4 };
                Some(End { ip, mac: Some(mac), zone: None, name: None })
            }
            Party::Vacant(ip, zone) => Some(End { ip, mac: None, zone: Some(zone), name: None }),
        }
    }
}
