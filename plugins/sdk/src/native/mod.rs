//! Detectors outside the sandbox: for an author's `cargo test`, and for hosts that link the same source to compare
//! with the sandboxed one.
//!
//! [`Harness`] runs a detector as the host does, slice by slice. [`Plugin`] opens [`Session`]s one by one.
//! [`times`] and [`Dice`] help to make flows up.

mod batch;
mod check;
mod dice;
mod harness;
mod plugin;
pub(crate) mod said;
mod times;

pub use batch::{Batch, Flow};
pub use dice::Dice;
pub use harness::{Found, Harness, Run};
pub use plugin::{Plugin, Session};
pub use times::times;
