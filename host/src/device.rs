//! The device: an entry of the inventory, and the addresses by which its flows are found.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use foldhash::fast::FixedState;

/// What the inventory says of a device at a time. Unknown text is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of the inventory, described in the README")]
pub struct Facts {
    pub class: String,
    pub manufacturer: String,
    pub model: String,
    pub serial: String,
    pub udi_di: String,
    pub firmware: String,
    pub zone: String,
    pub location: String,
    pub owner: String,
    pub criticality: String,
}

/// Class of a device of which nothing is known.
pub const UNKNOWN_CLASS: &str = "unknown";

/// What [`Entry::source`] says of an address that a DHCP server gave.
pub const DHCP: &str = "dhcp";

/// A row of the inventory: a device, one of its addresses, and what was true of it for a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The hospital's name of the device.
    pub device_id: String,
    /// Its IP address, if the row has one.
    pub ip: Option<IpAddr>,
    /// Its MAC address, if the row has one.
    pub mac: Option<[u8; 6]>,
    /// From when, microseconds UTC, inclusive; `i64::MIN` for always.
    pub valid_from: i64,
    /// Until when, microseconds UTC, exclusive; `i64::MAX` for always.
    pub valid_to: i64,
    /// What is true of it then.
    pub facts: Facts,
    /// Where the row came from, such as `inventory`.
    pub source: String,
    /// How sure the binding is, in [0, 1].
    pub confidence: f64,
}

/// The devices, found by address and time.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    entries: Vec<Entry>,
    /// In order.
    ids: Vec<String>,
    devices: HashMap<String, Vec<usize>, FixedState>,
    by_ip: HashMap<IpAddr, Vec<usize>>,
    by_mac: HashMap<[u8; 6], Vec<usize>>,
}

impl Inventory {
    /// An inventory of these rows.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut inventory = Self::default();
        let listed: HashSet<&str> =
            entries.iter().filter(|entry| entry.is_listed()).map(|entry| entry.device_id.as_str()).collect();
        for (row, entry) in entries.iter().enumerate() {
            // What is true of a device, the device list says, where it has the device.
            if entry.is_listed() || !listed.contains(entry.device_id.as_str()) {
                inventory.devices.entry(entry.device_id.clone()).or_default().push(row);
            }
            if let Some(ip) = entry.ip {
                inventory.by_ip.entry(ip.to_canonical()).or_default().push(row);
            }
            if let Some(mac) = entry.mac {
                inventory.by_mac.entry(mac).or_default().push(row);
            }
        }
        for rows in inventory.devices.values_mut() {
            rows.sort_by_key(|&row| entries[row].valid_from);
        }
        inventory.ids = inventory.devices.keys().cloned().collect();
        inventory.ids.sort_unstable();
        inventory.entries = entries;
        inventory
    }

    /// Every row, as read.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Ids of all devices, in order.
    pub fn device_ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Whether some device has no IP address in the inventory and must be found by its MAC address.
    pub fn needs_mac(&self) -> bool {
        self.devices.values().any(|rows| rows.iter().all(|&row| self.entries[row].ip.is_none()))
    }

    /// Rows that bind an IP address, at any time.
    pub fn bindings_of_ip(&self, ip: IpAddr) -> impl Iterator<Item = &Entry> {
        self.rows(self.by_ip.get(&ip.to_canonical()))
    }

    /// Rows that bind a MAC address, at any time.
    pub fn bindings_of_mac(&self, mac: [u8; 6]) -> impl Iterator<Item = &Entry> {
        self.rows(self.by_mac.get(&mac))
    }

    /// What is true of a device at a time: the valid row that began last, else the last that began before, else the
    /// first.
    pub fn facts(&self, device_id: &str, at: i64) -> Option<&Facts> {
        let rows = self.devices.get(device_id)?;
        let began = rows.iter().rev().filter(|&&row| self.entries[row].valid_from <= at);
        let valid = began.clone().find(|&&row| at < self.entries[row].valid_to);
        let row = valid.or_else(|| began.clone().next()).or_else(|| rows.first())?;
        Some(&self.entries[*row].facts)
    }

    /// Whether a device is in the inventory.
    pub fn has(&self, device_id: &str) -> bool {
        self.devices.contains_key(device_id)
    }

    /// Whether some row of a device is valid within a time, `to` exclusive.
    pub fn is_present(&self, device_id: &str, from: i64, to: i64) -> bool {
        self.rows(self.devices.get(device_id)).any(|entry| entry.valid_from < to && from < entry.valid_to)
    }

    /// The IP addresses of a device at a time, in order.
    pub fn addresses(&self, device_id: &str, at: i64) -> Vec<IpAddr> {
        let valid = self.rows(self.devices.get(device_id)).filter(|entry| entry.is_valid(at));
        valid.filter_map(|entry| entry.ip).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn rows<'a>(&'a self, rows: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Entry> {
        rows.into_iter().flatten().map(|&row| &self.entries[row])
    }
}

impl Entry {
    /// Whether the row is of the device list, and not of what was seen since.
    pub fn is_listed(&self) -> bool {
        self.source != DHCP
    }

    /// Whether the row is valid at a time.
    pub const fn is_valid(&self, at: i64) -> bool {
        self.valid_from <= at && at < self.valid_to
    }
}

/// A MAC address from its usual forms: as [`parse_parted_mac`], or twelve hex digits, however they are parted.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let twelve = || {
        let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b':' | b'-' | b'.')).collect();
        numbers(digits.chunks_exact(2)).filter(|_| digits.len() == 12)
    };
    parse_parted_mac(text.as_bytes()).or_else(twelve)
}

/// A MAC address of six numbers of one or two hex digits, with colons or hyphens between. No IP address is one.
pub fn parse_parted_mac(text: &[u8]) -> Option<[u8; 6]> {
    numbers(text.split(|byte| matches!(byte, b':' | b'-')))
}

fn numbers<'a>(mut parts: impl Iterator<Item = &'a [u8]>) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    for byte in &mut mac {
        let digits = parts.next().filter(|digits| digits.len() <= 2 && digits.iter().all(u8::is_ascii_hexdigit))?;
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// A MAC address in lower case, with colons.
pub fn mac_text(mac: &[u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

#[cfg(test)]
mod tests {
    use super::{Entry, Facts, Inventory, mac_text, parse_mac, parse_parted_mac};

    #[test]
    fn reads_mac_addresses_as_people_write_them() {
        for text in ["00:1A:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e", "001a2b3c4d5e"] {
            assert_eq!(parse_mac(text), Some([0, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e]), "{text}");
        }
        for text in ["", "00:1a:2b:3c:4d", "00:1a:2b:3c:4d:5g", "+0:1a:2b:3c:4d:5e:", "0:1a:2b::4d:5e"] {
            assert_eq!(parse_mac(text), None, "{text}");
        }
        assert_eq!(parse_mac("0:1A:2b:3:4d:5e"), Some([0, 0x1a, 0x2b, 3, 0x4d, 0x5e]));
        assert_eq!(mac_text(&[0, 0x1a, 0x2b, 3, 0x4d, 0x5e]), "00:1a:2b:03:4d:5e");
        for text in ["001a.2b3c.4d5e", "001a2b3c4d5e", "100.200.100.200"] {
            assert_eq!(parse_parted_mac(text.as_bytes()), None, "{text}");
        }
    }

    fn entry(device: &str, ip: &str, from: i64, to: i64, firmware: &str) -> Entry {
        Entry {
            device_id: device.into(),
            ip: ip.parse().ok(),
            mac: None,
            valid_from: from,
            valid_to: to,
            facts: Facts { firmware: firmware.into(), ..Facts::default() },
            source: "inventory".into(),
            confidence: 1.0,
        }
    }

    #[test]
    fn facts_follow_time() {
        let inventory =
            Inventory::new(vec![entry("p", "10.0.0.1", 100, i64::MAX, "2"), entry("p", "10.0.0.1", 0, 100, "1")]);
        for (at, firmware) in [(-5, "1"), (0, "1"), (99, "1"), (100, "2"), (500, "2")] {
            assert_eq!(inventory.facts("p", at).unwrap().firmware, firmware, "at {at}");
        }
        assert!(inventory.facts("q", 0).is_none());
    }

    #[test]
    fn an_address_passes_from_device_to_device() {
        let inventory = Inventory::new(vec![entry("a", "10.0.0.1", 0, 100, ""), entry("b", "10.0.0.1", 100, 200, "")]);
        let at = |t| {
            let mut rows = inventory.bindings_of_ip("10.0.0.1".parse().unwrap());
            rows.find(|row| row.is_valid(t)).map(|row| row.device_id.as_str())
        };
        assert_eq!([at(-1), at(99), at(100), at(200)], [None, Some("a"), Some("b"), None]);
    }
}
