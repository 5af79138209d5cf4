//! # `test/hostile`: everything that a plugin must not do
//!
//! One attack a name. The parameter `attack` names the one that every device meets; where it is empty, each device meets
//! the one that its model names in the inventory, so that one run shows them all, each on a device of its own. A name that
//! is no attack, such as that of an ordinary model, does nothing.
//!
//! To add one, give it a name in the call in which it happens (`session.rs`), or, if a finding is all that is wrong with
//! it, in `findings.rs`. `tests/hostile/running.rs` lists the names, and its snapshot holds what becomes of each.
//!
//! What Rust cannot be made to do, such as a start function that spins, is written in WebAssembly's text there.

// The sandbox is what is attacked: natively there is nothing to see.
#[cfg(target_arch = "wasm32")]
mod findings;
#[cfg(target_arch = "wasm32")]
mod handles;
#[cfg(target_arch = "wasm32")]
mod machine;
#[cfg(target_arch = "wasm32")]
mod memory;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod texts;
