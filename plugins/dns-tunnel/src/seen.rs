//! What one slice shows of a name server. It is not saved.

use std::collections::BTreeMap;

use wardflow_sdk::{Flows, HOUR, PeerRole, PeerScope};

use crate::query::Query;

/// Position of the peer group in `plugin.toml`.
const NAME_SERVERS: u16 = 1;
/// Share of long queries that have one size, above which they are taken for one name.
const ONE_SIZE: f64 = 0.7;
/// Sizes above which queries are alike.
const LARGEST: u64 = 512;
/// Flows that are kept as examples.
const EXAMPLES: usize = 5;

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) port: u16,
    pub(crate) flows: u64,
    pub(crate) queries: u64,
    pub(crate) long: u64,
    pub(crate) carried: u64,
    /// Flows that were answered.
    pub(crate) answered: u64,
    pub(crate) is_external: bool,
    /// Whether the hospital declared it a name server.
    pub(crate) is_declared: bool,
    /// Devices of the class that had asked it before the slice.
    pub(crate) prevalence: u32,
    sent: u64,
    received: u64,
    /// Carried bytes by the hour since 1970.
    hours: BTreeMap<i64, u64>,
    /// Long queries by their size.
    sizes: BTreeMap<u64, u64>,
    /// Long queries if there are any.
    pub(crate) examples: Vec<u32>,
}

impl Seen {
    /// Nothing yet of what a flow begins.
    pub(crate) fn new(flows: &Flows<'_>, row: usize) -> Self {
        Self {
            first: flows.start_time()[row],
            port: flows.peer_port()[row],
            is_external: flows.peer_scope()[row] == PeerScope::External,
            is_declared: flows.peer_role()[row] == PeerRole::NameServer || flows.peer_group()[row] == NAME_SERVERS,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize, query: &Query) {
        let end = flows.end_time()[row];
        self.first = self.first.min(flows.start_time()[row]);
        self.last = end;
        self.flows += 1;
        self.queries = self.queries.saturating_add(query.count);
        self.sent = self.sent.saturating_add(query.sent);
        self.received = self.received.saturating_add(query.received);
        self.carried = self.carried.saturating_add(query.carried);
        self.answered += u64::from(query.received > 0);
        self.prevalence = self.prevalence.max(flows.peer_prevalence()[row]);
        let hour = self.hours.entry(end.div_euclid(HOUR)).or_default();
        *hour = hour.saturating_add(query.carried);
        if query.is_long() {
            self.long = self.long.saturating_add(query.count);
            let of_size = self.sizes.entry(query.size().min(LARGEST)).or_default();
            *of_size = of_size.saturating_add(query.count);
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(flows.position(row));
        } else if query.is_long() {
            self.examples[(self.long % EXAMPLES as u64) as usize] = flows.position(row);
        }
    }

    /// Takes in what is seen of another name server.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.first = if self.flows == 0 { other.first } else { self.first.min(other.first) };
        self.last = self.last.max(other.last);
        self.flows += other.flows;
        self.queries = self.queries.saturating_add(other.queries);
        self.long = self.long.saturating_add(other.long);
        self.carried = self.carried.saturating_add(other.carried);
        self.answered += other.answered;
        self.is_external |= other.is_external;
        self.is_declared |= other.is_declared;
        self.prevalence = self.prevalence.max(other.prevalence);
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        for (hour, carried) in &other.hours {
            *self.hours.entry(*hour).or_default() += carried;
        }
        for (size, long) in &other.sizes {
            *self.sizes.entry(*size).or_default() += long;
        }
        if self.examples.len() < EXAMPLES {
            self.examples.extend(other.examples.first());
        }
    }

    /// Several name servers as one; absent for less than two.
    pub(crate) fn together<'a>(mut each: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let mut together = each.next()?.clone();
        together.merge(each.next()?);
        each.for_each(|seen| together.merge(seen));
        Some(together)
    }

    pub(crate) fn hours(&self) -> impl Iterator<Item = u64> {
        self.hours.values().copied()
    }

    pub(crate) fn busiest_hour(&self) -> u64 {
        self.hours().max().unwrap_or_default()
    }

    pub(crate) fn long_share(&self) -> f64 {
        self.long as f64 / self.queries as f64
    }

    /// Whether long queries are of many sizes, as data makes them, and not mostly of one, as one name does.
    pub(crate) fn varies(&self) -> bool {
        let most = self.sizes.values().max().copied().unwrap_or_default();
        most as f64 <= ONE_SIZE * self.long as f64
    }

    /// Payload of a query, on average.
    pub(crate) fn query_size(&self) -> f64 {
        self.sent as f64 / self.queries as f64
    }

    /// Payload of an answer, on average of the queries.
    pub(crate) fn answer_size(&self) -> f64 {
        self.received as f64 / self.queries as f64
    }
}
