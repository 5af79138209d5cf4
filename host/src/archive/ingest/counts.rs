//! What became of a source's records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Kinds of other records that are counted each for itself.
const MOST_KINDS: usize = 64;

/// What became of a source's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Records of it, those too that were skipped since they were read before.
    pub records: u64,
    /// Flows that were written.
    pub flows: u64,
    /// Records that became part of a flow that another one began.
    pub joined: u64,
    /// Conversations that wait for the source that follows.
    pub waiting: u64,
    /// Conversations of the source before that waited for this one.
    pub resumed: u64,
    /// Records at its beginning that were added before.
    pub skipped: u64,
    /// Connections that were open.
    pub open: u64,
    /// Rows of tables beside the flows, by table.
    pub asides: BTreeMap<String, u64>,
    /// Records of other kinds, by kind.
    pub others: BTreeMap<String, u64>,
    /// Records that could not be read.
    pub rejects: u64,
    /// Flows with a name.
    pub named: u64,
}

impl Counts {
    /// Whether conversations went into it or out of it, or were put together in it.
    pub(super) const fn has_joined(&self) -> bool {
        self.joined + self.waiting + self.resumed > 0
    }

    /// Counts a record of another kind.
    pub(super) fn other(&mut self, kind: &str) {
        match self.others.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                let kind = if self.others.len() < MOST_KINDS { kind } else { "others" };
                *self.others.entry(kind.chars().take(64).collect()).or_default() += 1;
            }
        }
    }
}
