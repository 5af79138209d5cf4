//! What Wardflow promises, tried from outside: the command as a user has it, and the library as its SQL shows it.
//!
//! The command is the one that `cargo build --workspace` made last; `make nextest` does that first.

mod at_once;
mod changed;
mod cli;
mod compile;
mod damaged;
mod determinism;
mod faults;
mod follow;
mod full_disk;
mod hostile;
mod interrupted;
mod killed;
mod kit;
mod mapped;
mod native;
mod readme;
mod real_data;
mod replaced;
mod round_trip;
mod s3;
mod security;
mod seeds;
mod slt;
mod strings;
mod support;
