//! The sandbox: the only place that knows wasmtime.
