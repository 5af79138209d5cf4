//! Casting: which devices play in which incident. The seed chooses, and no device plays in two incidents where there
//! are enough of its class.

use super::Incident;
use crate::{DeviceClass, draw::mix, site::DeviceIndex};
use std::collections::{BTreeMap, BTreeSet};

/// Keeps this choice apart from others that come of the same seed.
const CASTING: u64 = 0xca57;

/// The devices of all incidents, whether they happen or not, so that leaving one out changes nothing for the others.
#[derive(Debug, Default)]
pub(crate) struct Casting {
    actors: BTreeMap<Incident, Vec<DeviceIndex>>,
    /// The devices of each class in the seed's order.
    shuffled: BTreeMap<DeviceClass, Vec<DeviceIndex>>,
    taken: BTreeSet<DeviceIndex>,
}

impl Casting {
    pub(crate) fn new(by_class: &BTreeMap<DeviceClass, Vec<DeviceIndex>>, seed: u64) -> Self {
        let shuffle = |devices: &Vec<DeviceIndex>| {
            let mut devices = devices.clone();
            devices.sort_by_key(|&device| mix(mix(seed ^ CASTING) ^ device as u64));
            devices
        };
        let shuffled: BTreeMap<_, _> = by_class.iter().map(|(&class, devices)| (class, shuffle(devices))).collect();
        let mut casting = Self { shuffled, ..Self::default() };
        let mut turns: BTreeMap<DeviceClass, usize> = BTreeMap::new();
        for &incident in Incident::ALL {
            for &class in incident.script().actors {
                let of = &casting.shuffled[&class];
                let turn = turns.entry(class).or_default();
                let actor = of[*turn % of.len()];
                *turn += 1;
                casting.taken.insert(actor);
                casting.actors.entry(incident).or_default().push(actor);
            }
        }
        casting
    }

    /// The devices of an incident, in the order of its script.
    pub(crate) fn actors(&self, incident: Incident) -> &[DeviceIndex] {
        &self.actors[&incident]
    }

    /// The devices of a class that play in no incident, in the seed's order.
    pub(crate) fn bystanders(&self, class: DeviceClass) -> impl Iterator<Item = DeviceIndex> {
        self.shuffled[&class].iter().copied().filter(|device| !self.taken.contains(device))
    }

    /// The devices of a class in the seed's order, those first that play in no incident.
    pub(super) fn extras(&self, class: DeviceClass) -> impl Iterator<Item = DeviceIndex> {
        let playing = self.shuffled[&class].iter().copied().filter(|device| self.taken.contains(device));
        self.bystanders(class).chain(playing)
    }
}
