use std::{cmp::Reverse, collections::BTreeMap};

use wardflow_sdk::Flows;

use crate::{Evidence, Service, Standing};

/// Causes that are told apart. When another comes, the least grave joins the rest, of several the one with fewest flows,
/// so that what is busy stays though it came late (the idea of Metwally, Agrawal, El Abbadi, "Efficient computation of
/// frequent and top-k elements in data streams", ICDT 2005).
const KEPT: usize = 128;

/// Causes of one kind in a slice, and the flows that show each.
#[derive(Clone, Debug)]
pub struct Causes<K, G> {
    by_key: BTreeMap<K, Evidence<G>>,
    further: Option<Evidence<G>>,
    /// How many joined `further`. One that comes back counts again.
    joined: usize,
}

/// Causes in the order in which they are reported.
#[derive(Debug)]
pub struct Ranked<'a, K, G> {
    /// What came about goes before what was only tried; of these, the gravest peers; of these, what has most flows.
    pub first: Vec<(&'a K, &'a Evidence<G>)>,
    /// All others together.
    pub further: Option<Evidence<G>>,
}

impl<K: Ord + Clone, G: Copy> Causes<K, G> {
    /// Takes a flow that shows a cause.
    pub fn add(&mut self, key: K, flows: &Flows<'_>, row: usize, standing: Standing<G>, service: Service) {
        if self.by_key.len() >= KEPT && !self.by_key.contains_key(&key) {
            let least = self.by_key.iter().min_by_key(|(_, shown)| (shown.gravity(), shown.flows, shown.last));
            let least = least.map(|(key, _)| key.clone());
            if let Some(shown) = least.and_then(|key| self.by_key.remove(&key)) {
                join(&mut self.further, &shown);
                self.joined += 1;
            }
        }
        let begin = || Evidence::new(flows, row, standing, service);
        self.by_key.entry(key).or_insert_with(begin).add(flows, row, service);
    }

    /// How many causes there are; of more than 128, about how many.
    pub fn len(&self) -> usize {
        self.by_key.len() + self.joined
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The first `most` causes, and the others.
    pub fn ranked(&self, most: usize) -> Ranked<'_, K, G> {
        let mut first: Vec<_> = self.by_key.iter().collect();
        first.sort_by_key(|(_, shown)| Reverse((shown.gravity(), shown.flows, Reverse(shown.first))));
        let mut further = self.further.clone();
        for (_, shown) in first.drain(first.len().min(most)..) {
            join(&mut further, shown);
        }
        Ranked { first, further }
    }
}

impl<K, G> Default for Causes<K, G> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), further: None, joined: 0 }
    }
}

fn join<G: Copy>(further: &mut Option<Evidence<G>>, shown: &Evidence<G>) {
    match further {
        Some(further) => further.merge(shown),
        none => *none = Some(shown.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Causes, KEPT};
    use crate::{Service, Standing};
    use wardflow_sdk::{
        ConnState, Flows,
        native::{Batch, Flow},
    };

    #[derive(Default)]
    struct Told(Causes<u64, ()>);

    impl Told {
        fn add(&mut self, peer: u64, standing: Standing<()>, conn_state: ConnState, flows: usize) {
            let batch = Batch::new(0, &[Flow { peer, conn_state, ..Flow::at(peer as i64) }]);
            let batch = Flows::new(&batch);
            let service = Service::of(&batch, 0);
            (0..flows).for_each(|_| self.0.add(peer, &batch, 0, standing, service));
        }

        fn first(&self, most: usize) -> Vec<u64> {
            self.0.ranked(most).first.into_iter().map(|(peer, _)| *peer).collect()
        }
    }

    #[test]
    fn who_is_grave_is_not_hidden_by_what_is_busy() {
        let mut told = Told::default();
        (1..=9).for_each(|peer| told.add(peer, Standing::Inside, ConnState::Sf, 5));
        told.add(10, Standing::Internet, ConnState::Sf, 1);
        told.add(11, Standing::Internet, ConnState::S0, 50);
        assert_eq!(told.first(3), [10, 1, 2]);
        let further = told.0.ranked(0).further.unwrap();
        assert_eq!((further.standing, further.is_established, further.flows), (Standing::Internet, true, 96));
    }

    #[test]
    fn what_was_only_tried_lends_nobody_its_gravity() {
        let mut told = Told::default();
        told.add(1, Standing::Inside, ConnState::Sf, 1);
        told.add(2, Standing::Internet, ConnState::S0, 9);
        assert_eq!(told.0.ranked(0).further.unwrap().standing, Standing::Inside);
    }

    #[test]
    fn what_came_about_stays_when_many_try() {
        let mut told = Told::default();
        told.add(1_000_000, Standing::Internet, ConnState::Sf, 1);
        (1..=2 * KEPT as u64).for_each(|peer| told.add(peer, Standing::Inside, ConnState::S0, 2));
        assert_eq!((told.first(1), told.0.len()), (vec![1_000_000], 2 * KEPT + 1));
    }
}
