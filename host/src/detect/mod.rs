//! The operator: runs detectors over the flows of a slice.
//!
//! ```text
//! flows of a slice  ─►  ResolveExec  ─►  DetectExec  ─►  findings, states, coverage
//!                       addresses to     rows by shard,
//!                       numbers          sessions
//! ```
//!
//! [`DetectTable`] is the whole of it as a table: planning it makes that tree. It is a pure function of flows and
//! states: it knows neither archive nor lake nor wasmtime, and commits nothing.

mod budget;
mod buffer;
mod chunks;
mod directory;
mod exchange;
mod exec;
mod gaps;
mod group;
mod groups;
mod incoming;
mod layout;
mod node;
mod observe;
mod output;
mod places;
mod plugin;
mod prevalence;
mod recycled;
mod reports;
mod resolve;
mod resolver;
mod rows;
mod session;
mod sightings;
mod slice_facts;
mod table;
#[cfg(test)]
mod tests;
mod text_numbers;
mod unwatched;
mod values;

pub use budget::{Allowance, Budget};
pub use directory::{Directory, World};
pub use exec::DetectExec;
pub use gaps::{ONE_SIDED_PERCENT, Observed};
pub use groups::Groups;
pub(crate) use groups::{matches, parse_cidr};
pub(crate) use node::one_input;
pub use output::{Output, ShardCoverage, StateRow};
pub use plugin::PluginRun;
pub use prevalence::{Contact, Prevalence};
pub use resolve::ResolveExec;
pub(crate) use session::UNREADABLE;
pub(crate) use table::project;
pub use table::{DetectTable, Only};

/// Shards: fixed groups of devices, whatever the parallelism.
pub const SHARDS: u8 = 64;

/// A fixed window of archive time in microseconds UTC, `end` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the type says it")]
pub struct Slice {
    pub start: i64,
    pub end: i64,
}
