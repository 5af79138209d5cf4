//! What went wrong inside, as a [`Fault`] that a person can act on.

use std::{fmt, io, str::Utf8Error};

use wardflow_manifest::is_unprintable;
use wasmtime::{OutOfMemory, Trap, WasmBacktrace};

use super::limits::{INSTANCES, MEMORIES, TABLES};
use crate::{
    detector::{Fault, FaultKind},
    limits::{Exceeded, Limits},
};

/// Frames of a trap that a message names.
const FRAMES: usize = 3;
/// Bytes of a guest's own text that a message repeats.
pub(super) const TEXT_BYTES: usize = 240;

/// The guest broke a rule of the contract, in words.
#[derive(Debug)]
pub(super) struct Breach(pub(super) String);

/// The run is being cancelled.
#[derive(Debug)]
pub(super) struct Stopped;

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the run was stopped")
    }
}

impl std::error::Error for Breach {}
impl std::error::Error for Stopped {}

/// The fault behind an error of wasmtime's in a call of an instance with `handles` handles.
pub(super) fn fault(call: &'static str, error: &wasmtime::Error, limits: &Limits, handles: usize) -> Fault {
    let told = |kind, message: String| Fault::new(call, kind, format!("{message}{}", frames(error)));
    if let Some(Stopped) = error.downcast_ref() {
        Fault::new(call, FaultKind::Stopped, Stopped.to_string())
    } else if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        told(FaultKind::Limit, exceeded.to_string())
    } else if let Some(Breach(message)) = error.downcast_ref() {
        told(FaultKind::Contract, message.clone())
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        told(FaultKind::Trap, trap.to_string())
    } else if error.is::<OutOfMemory>() || error.is::<io::Error>() {
        let kind = if call == "instantiate" { FaultKind::Machine } else { FaultKind::Limit };
        told(kind, format!("the machine gave no memory: {}", error.root_cause()))
    } else if let Some(error) = error.downcast_ref::<Utf8Error>() {
        told(FaultKind::Contract, format!("a text that is not UTF-8: {error}"))
    } else {
        let cause = error.root_cause().to_string();
        match exceeded(&cause, limits, handles) {
            Some(exceeded) => told(FaultKind::Limit, exceeded.to_string()),
            None => told(FaultKind::Contract, clean(&cause)),
        }
    }
}

/// The limit behind an error for which wasmtime has no type, only words.
fn exceeded(cause: &str, limits: &Limits, handles: usize) -> Option<Exceeded> {
    const OURS: &str = "set by Wardflow";
    let known = [
        ("fuel allocated for hostcalls", "bytes of a call's result", limits.result_bytes, "result_bytes in [limits]"),
        ("store handle limit exceeded", "handles of an instance", handles, "the shard's devices and 64 more"),
        ("instance count too high", "core instances of a component", INSTANCES, OURS),
        ("memory count too high", "memories of a component", MEMORIES, OURS),
        ("table count too high", "tables of a component", TABLES, OURS),
    ];
    known.into_iter().find(|(words, ..)| cause.contains(words)).map(|(_, what, allowed, setting)| Exceeded {
        what,
        asked: format!("over {allowed}"),
        allowed: allowed.to_string(),
        setting,
    })
}

/// `, in a::b, called by c::d`: where the guest was, from the names in the component.
fn frames(error: &wasmtime::Error) -> String {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let trace = trace.to_string();
    let names = trace.lines().filter_map(|line| line.split_once(" - ")?.1.split_once('!')).map(|(_, name)| clean(name));
    let names: Vec<_> = names.take(FRAMES).collect();
    if names.is_empty() { String::new() } else { format!(", in {}", names.join(", called by ")) }
}

/// The beginning of a guest's text, with what a terminal would obey made visible.
pub(super) fn clean(text: &str) -> String {
    cleaned(text, TEXT_BYTES)
}

/// As [`clean`], of so many bytes.
pub(super) fn cleaned(text: &str, bytes: usize) -> String {
    let mut clean = String::new();
    for c in text.chars() {
        if clean.len() >= bytes {
            clean.push('…');
            break;
        }
        if is_unprintable(c) { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_guests_text_is_short_and_harmless() {
        for (text, expected) in [("plain", "plain"), ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"), ("\u{202e}x", "\\u{202e}x")] {
            assert_eq!(clean(text), expected);
        }
        assert_eq!(clean(&"x".repeat(1_000)).chars().count(), 241);
    }
}
