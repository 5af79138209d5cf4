//! What Wardflow withstands: campaigns of broken plugins, broken data and sudden death, and the figures they must reach.
//!
//! Everything is derived from a seed, so that what fails can be done again: `--only components --index 4711`. What may bring
//! a process down runs in a child, in batches, and the parent tells a panic from an abort from a hang. `make test` runs the
//! first two campaigns with small counts; times are measured by `make torture` alone.

pub mod batch;
pub mod beside;
pub mod bombs;
mod bytes;
mod chance;
mod child;
pub mod components;
pub mod figure;
mod guest;
pub mod inputs;
pub mod killed;
pub mod means;
pub mod peak;
mod sections;
pub mod spin;
pub mod syscalls;
mod workspace;

/// What a campaign that cannot be made says.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
