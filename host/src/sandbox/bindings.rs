//! The contract in Rust, generated from `wit/`.

#![allow(missing_docs, unreachable_pub, unused, clippy::all, reason = "generated; wit/detector.wit documents it")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: true },
    with: { "wardflow:detector/flows.flow-batch": super::host::Lent },
});
