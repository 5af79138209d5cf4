//! Which device an address was, from the leases that DHCP servers gave.
//!
//! A lease binds an address to a MAC address: to the device that the inventory has under that MAC at the time, else to a
//! device whose id is the MAC itself. It holds until it runs out, is renewed, or the address is given to another; between
//! leases nobody is bound, and what the address does then is put down to no device's past. What the inventory says of an
//! address goes before.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    archive::Lease,
    device::{DHCP, Entry, Facts, mac_text},
    time::HOUR,
};

/// How sure a lease's binding is: the sensor may have missed a release, or that the client never took the address.
const CONFIDENCE: f64 = 0.9;

/// IPv4 addresses that a device may have at one time. A MAC address with more is not that of a device: it is of a router or
/// relay, whose own address stands in the frames.
pub(crate) const MOST_ADDRESSES: usize = 4;

/// How long a lease of unknown length holds: an hour, the least that is usual.
const UNKNOWN_LENGTH: i64 = HOUR;

type Mac = [u8; 6];

/// A time for which a MAC address had an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    mac: Mac,
    ip: IpAddr,
    from: i64,
    to: i64,
}

/// Rows for the leases, in order of device, address and time; `inventory` are the rows of the device list.
pub(crate) fn bindings(inventory: &[Entry], leases: &[Lease]) -> Vec<Entry> {
    let mut by_mac: BTreeMap<Mac, Vec<&Entry>> = BTreeMap::new();
    for entry in inventory {
        if let Some(mac) = entry.mac {
            by_mac.entry(mac).or_default().push(entry);
        }
    }
    let mut bound = Vec::new();
    for span in of_devices(spans(leases)) {
        let known = by_mac.get(&span.mac).and_then(|entries| {
            entries.iter().find(|entry| entry.is_valid(span.from)).or_else(|| entries.last()).copied()
        });
        let device_id = known.map_or_else(|| mac_text(&span.mac), |entry| entry.device_id.clone());
        bound.push(Entry {
            device_id,
            ip: Some(span.ip),
            mac: Some(span.mac),
            valid_from: span.from,
            valid_to: span.to,
            facts: known.map_or_else(Facts::default, |entry| entry.facts.clone()),
            source: DHCP.to_owned(),
            confidence: CONFIDENCE,
        });
    }
    bound.sort_by(|a, b| (&a.device_id, a.ip, a.valid_from).cmp(&(&b.device_id, b.ip, b.valid_from)));
    bound
}

/// Leases with their renewals, in order of address and time. No address has two at once.
fn spans(leases: &[Lease]) -> Vec<Span> {
    let span = |lease: &Lease| Span {
        mac: lease.mac,
        ip: lease.ip.to_canonical(),
        from: lease.valid_from,
        to: lease.valid_to.unwrap_or(lease.valid_from.saturating_add(UNKNOWN_LENGTH)),
    };
    let mut all: Vec<Span> = leases.iter().map(span).collect();
    all.sort_by_key(|span| (span.ip, span.from, span.to, span.mac));
    let mut spans: Vec<Span> = Vec::new();
    for span in all {
        match spans.last_mut().filter(|last| last.ip == span.ip) {
            Some(last) if last.mac == span.mac && span.from <= last.to => last.to = last.to.max(span.to),
            Some(last) => {
                last.to = last.to.min(span.from);
                spans.push(span);
            }
            None => spans.push(span),
        }
    }
    spans.retain(|span| span.from < span.to);
    spans
}

/// Without those of MAC addresses that had more addresses at once than a device has.
fn of_devices(spans: Vec<Span>) -> Vec<Span> {
    let mut by_mac: BTreeMap<Mac, Vec<(i64, i32)>> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.ip.is_ipv4()) {
        by_mac.entry(span.mac).or_default().extend([(span.from, 1), (span.to, -1)]);
    }
    let is_router = |changes: &mut Vec<(i64, i32)>| {
        changes.sort_unstable();
        let mut at_once = 0;
        changes.iter().any(|(_, change)| {
            at_once += change;
            at_once > MOST_ADDRESSES as i32
        })
    };
    let routers: Vec<Mac> = by_mac.iter_mut().filter_map(|(mac, changes)| is_router(changes).then_some(*mac)).collect();
    spans.into_iter().filter(|span| !routers.contains(&span.mac)).collect()
}

#[cfg(test)]
mod tests {
    use super::{UNKNOWN_LENGTH, bindings};
    use crate::{
        archive::Lease,
        device::{Entry, Facts},
    };

    const PUMP: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn lease(mac: [u8; 6], ip: &str, from: i64, to: impl Into<Option<i64>>) -> Lease {
        let ip = ip.parse().unwrap();
        Lease { valid_from: from, valid_to: to.into(), ip, mac, host_name: None, sensor: None }
    }

    fn check(leases: &[Lease], expected: &[(&str, &str, i64, i64)]) {
        let inventory = [Entry {
            device_id: "pump-1".into(),
            ip: None,
            mac: Some(PUMP),
            valid_from: i64::MIN,
            valid_to: i64::MAX,
            facts: Facts { class: "infusion-pump".into(), ..Facts::default() },
            source: "inventory".into(),
            confidence: 1.0,
        }];
        let bound = bindings(&inventory, leases);
        let seen: Vec<_> = bound
            .iter()
            .map(|entry| (entry.device_id.clone(), entry.ip.unwrap().to_string(), entry.valid_from, entry.valid_to))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(id, ip, from, to)| ((*id).to_owned(), (*ip).to_owned(), *from, *to)).collect();
        assert_eq!(seen, expected);
        let pumps = bound.iter().filter(|entry| entry.device_id == "pump-1");
        assert!(pumps.into_iter().all(|entry| entry.facts.class == "infusion-pump"));
    }

    #[test]
    fn a_device_keeps_its_name_through_its_addresses() {
        let leases =
            [lease(PUMP, "10.0.0.5", 0, 100), lease(PUMP, "10.0.0.5", 50, 150), lease(PUMP, "10.0.0.9", 200, 300)];
        check(&leases, &[("pump-1", "10.0.0.5", 0, 150), ("pump-1", "10.0.0.9", 200, 300)]);
    }

    #[test]
    fn an_address_passes_on() {
        let leases = [lease(OTHER, "10.0.0.5", 80, None), lease(PUMP, "10.0.0.5", 0, 100)];
        let to = 80 + UNKNOWN_LENGTH;
        check(&leases, &[("02:00:00:00:00:02", "10.0.0.5", 80, to), ("pump-1", "10.0.0.5", 0, 80)]);
    }

    #[test]
    fn between_leases_nobody_is_bound() {
        let leases = [lease(PUMP, "10.0.0.5", 0, 10), lease(PUMP, "10.0.0.5", 20, 30), lease(PUMP, "10.0.0.5", 40, 40)];
        check(&leases, &[("pump-1", "10.0.0.5", 0, 10), ("pump-1", "10.0.0.5", 20, 30)]);
    }

    #[test]
    fn a_router_is_no_device() {
        let many = |times: fn(i64) -> (i64, i64)| -> Vec<Lease> {
            (0..6).map(|i| lease(OTHER, &format!("10.0.0.{i}"), times(i).0, times(i).1)).collect()
        };
        check(&many(|_| (0, 100)), &[]);
        assert_eq!(bindings(&[], &many(|i| (i * 100, i * 100 + 100))).len(), 6);
    }
}
