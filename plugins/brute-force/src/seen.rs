//! What one slice shows of a peer at a service. It is not saved.

use wardflow_sdk::Flows;

use crate::login::Login;

/// Flows that are kept as examples.
const EXAMPLES: usize = 8;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) flows: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) examples: Vec<u32>,
}

impl Seen {
    /// Nothing yet of what a connection begins.
    pub(crate) fn new(login: &Login) -> Self {
        Self { first: login.start, ..Self::default() }
    }

    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize) {
        self.flows += 1;
        (self.first, self.last) = (self.first.min(flows.start_time()[row]), flows.end_time()[row]);
        // The first ones, and the last.
        self.examples.truncate(EXAMPLES - 1);
        self.examples.push(flows.position(row));
    }
}
