//! # `example/regularity`: contact at regular intervals
//!
//! **Finds** a device that contacts one peer, port and protocol with hardly varying time between contacts.
//!
//! **How.** Mean and variance of the interval are kept contact by contact (Welford, "Note on a Method for Calculating
//! Corrected Sums of Squares and Products", Technometrics 4(3), 1962). Contact is regular when the standard deviation is
//! at most a share of the mean.
//!
//! **Blind spots.** Contact whose interval is drawn anew each time; peers beyond the 256 used last.
//!
//! **Memory.** 256 contacts of some 30 bytes a device, however many flows it has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Detector, Device, Direction, Findings, Flows, SECOND, Saved, Slice};

/// Contacts that are remembered of a device; beyond that the one that was silent longest is forgotten.
const MOST_CONTACTS: usize = 256;

/// Flows that a finding names as examples.
const MOST_EXAMPLES: usize = 20;

/// The detector: one value a device and slice.
pub struct Regularity {
    parameters: Parameters,
    contacts: BTreeMap<Key, Contact>,
}

/// What the hospital may set, as `plugin.toml` describes it.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    least_contacts: u32,
    most_variation: f64,
}

/// Peer, peer port and protocol.
type Key = (u64, u16, u8);

/// What is known of contact with one peer, port and protocol.
#[derive(Serialize, Deserialize)]
pub struct Contact {
    contacts: u32,
    /// End of the last one, microseconds.
    last: i64,
    /// Of the interval, seconds.
    mean: f64,
    /// Sum of squared deviations from the mean, s².
    squares: f64,
    /// Of this slice only, and so not saved.
    #[serde(skip)]
    fresh: Fresh,
}

/// The contacts of this slice.
#[derive(Default)]
struct Fresh {
    flows: u64,
    first: i64,
    examples: Vec<u32>,
}

impl Detector for Regularity {
    type Parameters = Parameters;
    type State = BTreeMap<Key, Contact>;

    fn open(_: &Device, parameters: Parameters, state: Option<Self::State>) -> Result<Self, String> {
        Ok(Self { parameters, contacts: state.unwrap_or_default() })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        // Each of these copies a column out of the host, once a batch.
        let (ends, directions) = (flows.end_time(), flows.direction());
        let (peers, ports, protocols) = (flows.peer(), flows.peer_port(), flows.protocol());
        for row in flows.rows() {
            if directions[row] == Direction::Outbound {
                let key = (peers[row], ports[row], protocols[row]);
                self.contact(key, ends[row]).add(ends[row], flows.position(row));
            }
        }
    }

    fn end_slice(&mut self, _: &Slice<'_>, findings: &mut Findings) {
        let Parameters { least_contacts, most_variation } = self.parameters;
        for ((peer, port, protocol), contact) in &self.contacts {
            let intervals = f64::from(contact.contacts - 1);
            let is_judged = contact.fresh.flows > 0 && contact.contacts >= least_contacts && contact.mean > 0.0;
            let variation = (contact.squares / intervals).sqrt() / contact.mean;
            if !is_judged || variation > most_variation {
                continue;
            }
            findings
                .report("regular-contact", contact.fresh.first, contact.last)
                .score(1.0 - variation)
                .confidence(1.0 - 1.0 / intervals)
                .peer(*peer)
                .peer_port(*port)
                .protocol(*protocol)
                .flow_count(contact.fresh.flows)
                .measured("interval-mean", contact.mean, "s", ..)
                .measured("interval-variation", variation, "1", most_variation..)
                .examples(contact.fresh.examples.iter().copied())
                .summary(format_args!("{} contacts, one every {} s", contact.contacts, (contact.mean + 0.5) as i64));
        }
    }

    fn save(self) -> Saved<Self::State> {
        Saved { state: self.contacts, learned: 1.0, ready: true }
    }
}

impl Regularity {
    /// The contact of a key, a new one if it is not known.
    fn contact(&mut self, key: Key, end: i64) -> &mut Contact {
        if !self.contacts.contains_key(&key) && self.contacts.len() == MOST_CONTACTS {
            let silent = self.contacts.iter().min_by_key(|(key, contact)| (contact.last, **key)).map(|(key, _)| *key);
            silent.map(|silent| self.contacts.remove(&silent));
        }
        let new = || Contact { contacts: 0, last: end, mean: 0.0, squares: 0.0, fresh: Fresh::default() };
        self.contacts.entry(key).or_insert_with(new)
    }
}

impl Contact {
    fn add(&mut self, end: i64, position: u32) {
        if self.contacts > 0 {
            let gap = (end - self.last) as f64 / SECOND as f64;
            let change = gap - self.mean;
            self.mean += change / f64::from(self.contacts);
            self.squares += change * (gap - self.mean);
        }
        self.contacts += 1;
        self.last = end;
        if self.fresh.flows == 0 {
            self.fresh.first = end;
        }
        if self.fresh.examples.len() < MOST_EXAMPLES {
            self.fresh.examples.push(position);
        }
        self.fresh.flows += 1;
    }
}

wardflow_sdk::export!(Regularity, include_str!("../plugin.toml"));
