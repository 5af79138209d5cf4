//! Peer prevalence: how many devices of a class have used a peer and port, counted from committed slices.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

/// A device's use of a peer and port. Class as `name-id`, device and peer as pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Contact {
    pub class: u32,
    pub peer: u64,
    pub port: u16,
    pub device: u64,
}

/// Most contacts that one device adds: a device that scans must not fill the memory of the whole class.
const CONTACTS_OF_A_DEVICE: usize = 4_096;

/// The contacts of all devices that one plugin watches, up to the end of a slice.
#[derive(Clone, Debug, Default)]
pub struct Prevalence {
    /// In order, each once: as a set of hashes they would take twice the memory, and be sorted for each slice.
    contacts: Vec<Contact>,
    users: HashMap<(u32, u64, u16), u32, FixedState>,
    of_device: HashMap<u64, usize, FixedState>,
}

impl Prevalence {
    /// How many devices of a class have used a peer and port.
    pub(super) fn users(&self, class: u32, peer: u64, port: u16) -> u32 {
        self.users.get(&(class, peer, port)).copied().unwrap_or(0)
    }

    /// Whether a contact is not yet counted.
    pub(super) fn is_new(&self, contact: &Contact) -> bool {
        self.contacts.binary_search(contact).is_err()
    }

    /// How many more contacts of a device will be counted.
    pub(super) fn room(&self, device: u64) -> usize {
        CONTACTS_OF_A_DEVICE - self.of_device.get(&device).copied().unwrap_or(0)
    }

    /// Counts contacts of a slice. The order in which they are given does not matter.
    pub fn add(&mut self, mut contacts: Vec<Contact>) {
        contacts.sort_unstable();
        contacts.dedup();
        contacts.retain(|contact| {
            let is_counted = self.room(contact.device) > 0 && self.is_new(contact);
            if is_counted {
                *self.of_device.entry(contact.device).or_default() += 1;
                *self.users.entry((contact.class, contact.peer, contact.port)).or_default() += 1;
            }
            is_counted
        });
        self.contacts.reserve_exact(contacts.len());
        self.contacts.append(&mut contacts);
        // Two runs that are in order are merged.
        self.contacts.sort();
    }

    /// Everything counted, in order.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// Bytes that it takes, roughly.
    pub fn bytes(&self) -> usize {
        self.contacts.len() * (size_of::<Contact>() + 24)
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTACTS_OF_A_DEVICE, Contact, Prevalence};

    fn contact(device: u64, peer: u64) -> Contact {
        Contact { class: 1, peer, port: 443, device }
    }

    #[test]
    fn counts_devices_not_flows() {
        let mut prevalence = Prevalence::default();
        prevalence.add(vec![contact(1, 7), contact(2, 7), contact(1, 7), contact(1, 8)]);
        assert_eq!([7, 8, 9].map(|peer| prevalence.users(1, peer, 443)), [2, 1, 0]);
        assert_eq!(prevalence.users(2, 7, 443), 0, "another class");
    }

    #[test]
    fn one_device_cannot_fill_it() {
        let mut prevalence = Prevalence::default();
        prevalence.add((0..100_000).map(|peer| contact(1, peer)).collect());
        assert_eq!(prevalence.contacts().len(), CONTACTS_OF_A_DEVICE);
        assert_eq!([1, 2].map(|device| prevalence.room(device)), [0, CONTACTS_OF_A_DEVICE]);
    }
}
