use std::{cmp::Reverse, collections::BTreeMap};

use wardflow_sdk::Flows;

use crate::{Evidence, Service, Standing};

/// Causes that are told apart. When another comes, the one with fewest flows joins the rest, so that what is busy stays
/// though it came late (the idea of Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements
/// in data streams", ICDT 2005).
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
    /// What came about goes before what was only tried; of these, what has most flows.
    pub first: Vec<(&'a K, &'a Evidence<G>)>,
    /// All others together.
    pub further: Option<Evidence<G>>,
}

impl<K: Ord + Clone, G: Copy> Causes<K, G> {
    /// Takes a flow that shows a cause.
    pub fn add(&mut self, key: K, flows: &Flows<'_>, row: usize, standing: Standing<G>, service: Service) {
        if self.by_key.len() >= KEPT && !self.by_key.contains_key(&key) {
            let least = self.by_key.iter().min_by_key(|(_, shown)| shown.flows).map(|(key, _)| key.clone());
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
        first.sort_by_key(|(_, shown)| Reverse((shown.is_established, shown.flows)));
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
