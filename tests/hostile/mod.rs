//! A hospital runs a stranger's code: whatever that does, it costs the stranger's own results, and nobody else's.
//!
//! The attacks are those of `plugins/hostile`, each on a device of its own, and components in WebAssembly's text for what
//! Rust cannot be made to do. The whole text of what becomes of each is in `snapshots/`.

mod harmless;
mod hospital;
mod loading;
mod running;
