//! What stands for what in a captured case.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use serde_json::Value;
use wardflow_manifest::{Manifest, PeerGroup, PeerRole};

use super::{WATCHED, shift::Shift};
use crate::{
    config::GroupMembers,
    detect::{matches, parse_cidr},
    detector::Gap,
    device::{Entry, Facts},
    error::{Error, Result},
    workspace::Workspace,
    zone::IpScope,
};

/// What stands for what.
pub(super) struct Mask<'a> {
    workspace: &'a Workspace,
    /// The peer groups of the plugin's manifest, by name.
    declared: Vec<(&'a str, GroupMembers)>,
    addresses: HashMap<IpAddr, IpAddr>,
    macs: HashMap<[u8; 6], [u8; 6]>,
    names: HashMap<String, String>,
    devices: BTreeMap<String, String>,
    zones: HashMap<String, String>,
    kept: BTreeSet<String>,
    /// Where numbering begins, so that a number says nothing about another capture.
    start: u32,
    shift: Shift,
}

impl<'a> Mask<'a> {
    /// For flows of a device from one time to another, microseconds UTC.
    pub(super) fn new(
        workspace: &'a Workspace,
        manifest: &'a Manifest,
        span: (i64, i64),
        device: &str,
    ) -> Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| Error::failed("no random number can be had").because(error.to_string()))?;
        let [a, b, c, d, rest @ ..] = random;
        let members = |group: &'a PeerGroup| {
            let cidrs = group.cidrs.iter().filter_map(|cidr| parse_cidr(cidr)).collect();
            let names = group.names.iter().map(|name| name.to_ascii_lowercase()).collect();
            (group.name.as_str(), GroupMembers { cidrs, names })
        };
        Ok(Self {
            workspace,
            declared: manifest.peer_groups.iter().map(members).collect(),
            addresses: HashMap::new(),
            macs: HashMap::new(),
            names: HashMap::new(),
            devices: BTreeMap::from([(device.to_owned(), WATCHED.to_owned())]),
            zones: HashMap::new(),
            kept: BTreeSet::new(),
            start: u32::from_be_bytes([a, b, c, d]) % 50_000,
            shift: Shift::new(&workspace.config.timezone, span, u32::from_be_bytes(rest)),
        })
    }

    /// What is added to every time, microseconds.
    pub(super) const fn shift(&self) -> i64 {
        self.shift.by
    }

    /// How many addresses stand for others.
    pub(super) fn addresses(&self) -> u64 {
        self.addresses.iter().filter(|(ip, masked)| ip != masked).count() as u64
    }

    pub(super) fn timezone(&self) -> &str {
        &self.shift.timezone
    }

    /// What was kept, since the plugin's manifest lists it.
    pub(super) fn kept(self) -> BTreeSet<String> {
        self.kept
    }

    pub(super) fn gap(&self, gap: Gap) -> Gap {
        Gap { start: gap.start + self.shift.by, end: gap.end + self.shift.by }
    }

    fn next(&self, taken: usize) -> u32 {
        self.start + 1 + u32::try_from(taken).unwrap_or(u32::MAX / 2)
    }

    /// Another address of the same family and scope. What everyone has, such as the multicast of RFC 5771, stays, and so does
    /// an address outside of the hospital that the plugin's manifest lists.
    pub(super) fn address(&mut self, ip: IpAddr, mac: Option<[u8; 6]>, at: i64) -> IpAddr {
        if let Some(masked) = self.addresses.get(&ip) {
            return *masked;
        }
        let world = &self.workspace.world;
        let scope = world.space.scope(ip);
        let is_listed = |cidr: &IpNet| cidr.contains(&ip) && is_narrow(cidr);
        let is_kept =
            scope == IpScope::External && self.declared.iter().any(|(_, group)| group.cidrs.iter().any(is_listed));
        if is_kept {
            self.kept.insert(ip.to_string());
        }
        let number = self.next(self.addresses.len());
        // In no group that the address itself is not in.
        let fits = |masked: &IpAddr| {
            if *masked == ip {
                return false;
            }
            let mut cidrs = self.declared.iter().flat_map(|(_, group)| &group.cidrs);
            cidrs.all(|cidr| cidr.contains(&ip) || !cidr.contains(masked))
        };
        let candidates = if is_kept { Vec::new() } else { candidates(scope, ip, number) };
        let masked = candidates.iter().copied().find(fits).or_else(|| candidates.first().copied()).unwrap_or(ip);
        self.addresses.insert(ip, masked);
        let id = world.inventory.bindings_of_ip(ip).find(|entry| entry.valid_from <= at && at < entry.valid_to);
        let id = id.or_else(|| mac.and_then(|mac| world.inventory.bindings_of_mac(mac).next()));
        if let Some(id) = id.map(|entry| entry.device_id.clone()) {
            self.device(&id);
        }
        masked
    }

    pub(super) fn mac(&mut self, mac: [u8; 6]) -> [u8; 6] {
        let [_, a, b, c] = self.next(self.macs.len()).to_be_bytes();
        // Locally administered (IEEE 802).
        *self.macs.entry(mac).or_insert([2, 0, 0, a, b, c])
    }

    pub(super) fn name(&mut self, name: &str) -> String {
        let lower = name.trim_end_matches('.').to_ascii_lowercase();
        let is_listed = |pattern: &&String| matches(pattern, &lower) && is_maker_s(pattern);
        let mut patterns = self.declared.iter().flat_map(|(_, group)| &group.names);
        let number = self.names.len() + 1;
        let masked = match patterns.find(is_listed) {
            Some(pattern) => {
                self.kept.insert(pattern.clone());
                // What stands in front of the maker's domain may be the hospital's name there.
                pattern.strip_prefix("*.").map_or_else(|| lower.clone(), |domain| format!("name-{number}.{domain}"))
            }
            None => {
                let is_in_a_group = |name: &String| {
                    let mut patterns = self.declared.iter().flat_map(|(_, group)| &group.names);
                    patterns.any(|pattern| matches(pattern, name) && !matches(pattern, &lower))
                };
                // Reserved for examples (RFC 2606).
                let names =
                    ["example", "test", "invalid", "example.org"].map(|domain| format!("name-{number}.{domain}"));
                let other = names.iter().find(|name| !is_in_a_group(name)).unwrap_or(&names[0]);
                other.clone()
            }
        };
        self.names.entry(lower).or_insert(masked).clone()
    }

    fn device(&mut self, id: &str) -> String {
        let number = self.devices.len() + 1;
        self.devices.entry(id.to_owned()).or_insert_with(|| format!("device-{number}")).clone()
    }

    fn zone(&mut self, zone: &str) -> String {
        if zone.is_empty() {
            return String::new();
        }
        let number = self.zones.len() + 1;
        self.zones.entry(zone.to_owned()).or_insert_with(|| format!("zone-{number}")).clone()
    }

    /// The device list, by the addresses that occur.
    pub(super) fn entries(&mut self, watched: &str, at: i64) -> Vec<Entry> {
        let world = &self.workspace.world;
        let mut entries = Vec::new();
        for (id, masked) in self.devices.clone() {
            let Some(facts) = world.inventory.facts(&id, at).cloned() else { continue };
            let zone = self.zone(&facts.zone);
            let facts = match id == watched {
                true => Facts {
                    class: facts.class,
                    manufacturer: facts.manufacturer,
                    model: facts.model,
                    udi_di: facts.udi_di,
                    firmware: facts.firmware,
                    zone,
                    ..Facts::default()
                },
                false => Facts { class: facts.class, zone, ..Facts::default() },
            };
            let own = world.inventory.entries().iter().filter(|entry| entry.device_id == id);
            for entry in own {
                let shifted = |at: i64| if at == i64::MIN || at == i64::MAX { at } else { at + self.shift.by };
                let ip = entry.ip.and_then(|ip| self.addresses.get(&ip.to_canonical()).copied());
                let mac = entry.mac.and_then(|mac| self.macs.get(&mac).copied());
                if ip.is_none() && mac.is_none() {
                    continue;
                }
                entries.push(Entry {
                    device_id: masked.clone(),
                    ip,
                    mac,
                    valid_from: shifted(entry.valid_from),
                    valid_to: shifted(entry.valid_to),
                    facts: facts.clone(),
                    source: "capture".to_owned(),
                    confidence: entry.confidence,
                });
            }
        }
        entries.sort_by(|a, b| (&a.device_id, a.valid_from, a.ip).cmp(&(&b.device_id, b.valid_from, b.ip)));
        entries.dedup();
        entries
    }

    /// The parameters that the hospital set: those that say nothing of it, which are numbers and what the manifest itself
    /// lists; and the names of the rest.
    pub(super) fn parameters(&self, manifest: &Manifest) -> (Vec<(String, Value)>, Vec<String>) {
        let settings = self.workspace.config.plugin.get(manifest.id.as_str());
        let (mut kept, mut left) = (Vec::new(), Vec::new());
        for (name, value) in settings.iter().flat_map(|settings| &settings.parameters) {
            let schema = &manifest.parameters["properties"][name];
            let listed = schema["enum"].as_array().is_some_and(|values| values.contains(value));
            match value {
                Value::Number(_) | Value::Bool(_) => kept.push((name.clone(), value.clone())),
                Value::Object(_) | Value::Null => left.push(name.clone()),
                _ if listed || schema["default"] == *value => kept.push((name.clone(), value.clone())),
                _ => left.push(name.clone()),
            }
        }
        (kept, left)
    }

    /// The roles that the hospital gave to peers in the case, with their hours.
    pub(super) fn roles(&self) -> BTreeSet<(IpAddr, &'static str, Option<String>)> {
        let mut roles = BTreeSet::new();
        for item in &self.workspace.config.infrastructure {
            let Some((_, role)) = PeerRole::DECLARED.iter().find(|(role, _)| *role == item.role) else { continue };
            let members = self.addresses.iter().filter(|(ip, _)| item.cidr.contains(*ip));
            let hours = item.hours.map(|hours| {
                let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                format!("{}-{}", clock(hours.start), clock(hours.end))
            });
            roles.extend(members.map(|(_, masked)| (*masked, *role, hours.clone())));
        }
        roles
    }

    fn is_kept(&self, ip: &IpAddr) -> bool {
        self.kept.contains(&ip.to_string())
    }

    /// The settings that the plugin had, with the addresses that stand for the hospital's.
    pub(super) fn settings(&self, manifest: &Manifest) -> String {
        let config = &self.workspace.config;
        let mut text = String::from("# Captured from a hospital, with other addresses and times.\n");
        let _ = writeln!(text, "timezone = {:?}\nslice_hours = {}", self.shift.timezone, config.slice_hours);
        for (ip, role, hours) in self.roles() {
            let _ = write!(text, "\n[[infrastructure]]\nrole = {role:?}\ncidr = \"{ip}\"\n");
            if let Some(hours) = hours {
                let _ = writeln!(text, "hours = {hours:?}");
            }
        }
        let id = manifest.id.as_str();
        let settings = config.plugin.get(id);
        let (kept, _) = self.parameters(manifest);
        if !kept.is_empty() {
            let _ = writeln!(text, "\n[plugin.{id:?}.parameters]");
            // A string of JSON is one of TOML.
            kept.iter().for_each(|(name, value)| _ = writeln!(text, "{} = {value}", Value::from(name.as_str())));
        }
        let mut groups = String::new();
        for (name, declared) in &self.declared {
            let mapped = settings.and_then(|settings| settings.peer_groups.get(*name));
            let members: Vec<_> = [Some(declared), mapped].into_iter().flatten().collect();
            let has_ip = |ip: &IpAddr| members.iter().any(|group| group.cidrs.iter().any(|cidr| cidr.contains(ip)));
            let has_name = |name: &str| members.iter().any(|group| group.names.iter().any(|own| matches(own, name)));
            let addresses = self
                .addresses
                .iter()
                .filter(|(ip, masked)| has_ip(ip) && !self.is_kept(masked))
                .map(|(_, masked)| masked.to_string());
            let names = self.names.iter().filter(|(name, _)| has_name(name)).map(|(_, masked)| masked.clone());
            let all: Vec<_> = addresses.chain(names).collect::<BTreeSet<_>>().into_iter().collect();
            if !all.is_empty() {
                let _ = writeln!(groups, "{name} = {all:?}");
            }
        }
        if !groups.is_empty() {
            let _ = write!(text, "\n[plugin.{id:?}.peer_groups]\n{groups}");
        }
        text
    }
}

/// What may stand for an address; nothing where it may stay.
fn candidates(scope: IpScope, ip: IpAddr, number: u32) -> Vec<IpAddr> {
    // No address that ends in 0 or 255: those mean something.
    let plain = |net: [u8; 4], number: u32| {
        IpAddr::from(Ipv4Addr::from(u32::from(Ipv4Addr::from(net)) + (number / 250) * 256 + number % 250 + 1))
    };
    match (scope, ip) {
        (IpScope::Internal, IpAddr::V4(_)) => {
            vec![plain([10, 0, 0, 0], number), plain([172, 16, 0, 0], number), plain([192, 168, 0, 0], number % 64_000)]
        }
        // Set apart for measurements (RFC 2544), and shared by nobody.
        (IpScope::External, IpAddr::V4(_)) => vec![plain([198, 18, 0, 0], number % 128_000)],
        (IpScope::Internal, IpAddr::V6(_)) => {
            [0xfd00_u128, 0xfd01].map(|prefix| Ipv6Addr::from((prefix << 112) + u128::from(number)).into()).to_vec()
        }
        // For documentation (RFC 3849).
        (IpScope::External, IpAddr::V6(_)) => {
            vec![Ipv6Addr::from((0x2001_0db8_u128 << 96) + u128::from(number)).into()]
        }
        (IpScope::Broadcast, IpAddr::V4(v4)) if v4 != Ipv4Addr::BROADCAST => {
            let [.., high, low] = number.to_be_bytes();
            vec![[10, high, low, 255].into()]
        }
        // Groups of a site of its own (RFC 2365; RFC 4291, section 2.7) may hold its addresses.
        (IpScope::Multicast, IpAddr::V4(v4)) if !is_well_known_v4(v4) => vec![plain([239, 255, 0, 0], number % 62_000)],
        (IpScope::Multicast, IpAddr::V6(v6)) if !is_well_known_v6(v6) => {
            let scope = v6.segments()[0] & 0xf;
            vec![Ipv6Addr::from((u128::from(0xff10 | scope) << 112) + u128::from(number)).into()]
        }
        _ => Vec::new(),
    }
}

/// Control blocks (RFC 5771) and SSDP.
fn is_well_known_v4(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [224, 0, 0 | 1, _] | [239, 255, 255, 250])
}

/// Permanent groups by a small number, such as ff02::fb and ff02::1:2.
fn is_well_known_v6(ip: Ipv6Addr) -> bool {
    let number = u128::from(ip) & ((1 << 112) - 1);
    ip.segments()[0] & 0x00f0 == 0 && number <= 0x1_ffff
}

/// Whether a network of a manifest can be the maker's: of a wide one, an address would say something new.
pub(in crate::kit) fn is_narrow(cidr: &IpNet) -> bool {
    cidr.prefix_len() >= if cidr.addr().is_ipv4() { 16 } else { 32 }
}

/// Whether a name of a manifest can be the maker's: `*.com` is nobody's.
fn is_maker_s(pattern: &str) -> bool {
    pattern.strip_prefix("*.").is_none_or(|domain| domain.contains('.'))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{candidates, is_maker_s, is_narrow};
    use crate::zone::AddressSpace;

    #[test]
    fn another_address_has_the_scope_of_the_first() {
        let space = AddressSpace::default();
        for number in [1, 249, 250, 49_999, 700_000] {
            for ip in
                ["10.20.30.40", "8.8.8.8", "fd00::5", "fe80::1", "2a02::1", "10.20.0.255", "239.1.2.3", "ff15::77"]
            {
                let ip: IpAddr = ip.parse().unwrap();
                let others = candidates(space.scope(ip), ip, number);
                assert!(!others.is_empty(), "{ip} stays");
                for other in others {
                    assert!(other != ip && space.scope(other) == space.scope(ip), "{other} stands for {ip}");
                }
            }
        }
    }

    #[test]
    fn what_everyone_has_stays() {
        let space = AddressSpace::default();
        for ip in ["224.0.0.251", "239.255.255.250", "255.255.255.255", "ff02::fb", "ff02::1:2", "0.0.0.0", "::"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(candidates(space.scope(ip), ip, 1), [] as [IpAddr; 0], "{ip}");
        }
        // Of a host's address, and of a site's prefix (RFC 4291, RFC 3306).
        for ip in ["ff02::1:ffbe:ef42", "ff3e:40:2a02:1234:5678:9abc:1:1"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(candidates(space.scope(ip), ip, 1).len(), 1, "{ip}");
        }
    }

    #[test]
    fn what_is_wide_is_not_the_maker_s() {
        let narrow = |cidr: &str| is_narrow(&cidr.parse().unwrap());
        assert!(narrow("203.0.113.0/24") && narrow("198.18.0.0/16") && narrow("2001:db8::/32"));
        assert!(!narrow("0.0.0.0/0") && !narrow("203.0.0.0/8") && !narrow("2000::/3"));
        assert!(is_maker_s("*.maker.example") && is_maker_s("maker") && !is_maker_s("*.example"));
    }
}
