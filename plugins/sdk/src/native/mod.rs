//! Detectors outside the sandbox: for an author's `cargo test`, and for hosts that link the same source to compare
//! with the sandboxed one.
//!
//! [`Harness`] runs a detector as the host does, slice by slice. [`Plugin`] opens [`Session`]s one by one.

mod batch;
mod check;
mod harness;
mod plugin;
pub(crate) mod said;

pub use batch::{Batch, Flow};
pub use harness::{Found, Harness, Run};
pub use plugin::{Plugin, Session};
