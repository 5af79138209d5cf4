//! The sandbox: the only place that knows wasmtime.
//!
//! A plugin's file passes, in this order, through `inspect` (what it says of itself; nothing runs), `cache` and the
//! [`Compiler`] (compiled, once, in a `child` process whose inside is `for_parent`), and `plugin` (linked to the contract's imports and nothing else). [`Pins`] tell whether
//! these are the bytes that the hospital knows. Then every instance is a store of its own: `host` is what the guest can
//! reach, `said` what it says to its author, `limits` what it can allocate, `deadline` how long it may compute, and `fault`
//! is what becomes of a breach.
//!
//! Absent: any clock, file, socket or random number for the guest; anything about devices, slices or findings beyond
//! the seam in [`detector`](crate::detector); any retry after a fault.

mod bindings;
mod cache;
mod child;
mod closed_directory;
mod compiler;
mod complexity;
mod deadline;
mod engine;
mod fault;
mod for_parent;
mod host;
mod inspect;
mod instance;
mod limits;
mod load;
mod pins;
mod plugin;
mod reply;
mod said;
#[cfg(test)]
mod testing;

pub use compiler::Compiler;
pub use complexity::check_complexity;
pub use for_parent::{COMPILE, compile_for_parent};
pub(crate) use inspect::check_size;
pub use inspect::{Inspection, inspect, problems};
pub use load::{Sandbox, check_memory};
pub use pins::{Pin, Pins};
pub use plugin::Plugin;
