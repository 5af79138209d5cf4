//! Hours of devices: which of them findings name, and which are of incidents.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    measure::{Measured, share},
    report::{DeviceHours, Share},
};
use crate::time::HOUR;

impl Measured<'_> {
    /// Precision and recall over hours of devices.
    pub(super) fn hours(devices: &[DeviceHours]) -> (Share, Share) {
        let unit = |hits: u64, others: u64| (hits as f64, (hits + others) as f64);
        let precision = devices.iter().map(|device| unit(device.found, device.wrong));
        let recall = devices.iter().map(|device| unit(device.found, device.missed));
        (share(precision), share(recall))
    }

    /// The hours of each device that findings name or that are of incidents. At the other end of an incident, findings may
    /// name its hours and need not.
    pub(super) fn by_device(&self) -> Vec<DeviceHours> {
        let mut named = BTreeMap::<&str, BTreeSet<i64>>::new();
        for found in &self.found {
            let hours = found.first.max(self.window.from).div_euclid(HOUR)..=found.last.div_euclid(HOUR);
            named.entry(&found.device_id).or_default().extend(hours);
        }
        let (mut wanted, mut allowed) = (named.clone(), named.clone());
        wanted.values_mut().chain(allowed.values_mut()).for_each(BTreeSet::clear);
        for part in self.incidents.iter().flat_map(|incident| &incident.parts) {
            let hours = part.hours_within(self.window.hours());
            wanted.entry(&part.device_id).or_default().extend(&hours);
            for peer in &part.peer_device_ids {
                allowed.entry(peer).or_default().extend(&hours);
            }
        }
        let none = BTreeSet::new();
        let hours = |(device, wanted): (&&str, &BTreeSet<i64>)| {
            let named = named.get(device).unwrap_or(&none);
            let allowed = allowed.get(device).unwrap_or(&none);
            DeviceHours {
                device_id: (*device).to_owned(),
                found: named.intersection(wanted).count() as u64,
                missed: wanted.difference(named).count() as u64,
                wrong: named.difference(wanted).filter(|hour| !allowed.contains(hour)).count() as u64,
            }
        };
        wanted.iter().map(hours).collect()
    }
}
