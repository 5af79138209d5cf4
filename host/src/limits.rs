//! What a guest may use at most.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Limits on every plugin, set in `[limits]` of `wardflow.toml`. None can be switched off: zero is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// CPU milliseconds to instantiate. Starting takes microseconds; a second leaves room for a large runtime.
    pub instantiate_ms: u64,
    /// CPU milliseconds of one `open`. As `instantiate_ms`: a runtime may finish its start here.
    pub open_ms: u64,
    /// CPU milliseconds of one `observe`. 8,192 flows at 50 ns are 0.4 ms.
    pub observe_ms: u64,
    /// CPU milliseconds of one `end-slice` or `save`.
    pub end_slice_ms: u64,
    /// Linear memory of an instance, in MiB, whatever its manifest asks for.
    pub memory_mib: u32,
    /// Elements of all tables of an instance, up to 1,048,576. Tables hold functions; a large runtime has some ten
    /// thousand.
    pub table_elements: usize,
    /// Findings of one session in one slice. A person reads a handful a day.
    pub findings: usize,
    /// MiB of a plugin's findings in one slice, over all devices. A thousand findings take one, as they mostly are.
    pub findings_mib: u32,
    /// Bytes of one session's saved state. Kept in memory for every device.
    pub state_bytes: usize,
    /// Bytes that one call may hand over in all its strings and lists.
    pub result_bytes: usize,
    /// Bytes of a component. A Rust detector has 40 kB, a bundled Python 18 MB.
    pub component_mib: u32,
    /// CPU seconds to compile a component, once for each version. A bundled Python takes ten.
    pub compile_s: u32,
    /// Memory to compile a component, in MiB. A bundled Python takes 600.
    pub compile_mib: u32,
    /// Faults after which a plugin is stopped for the run.
    pub faults: u32,
    /// CPU seconds in faulted instances after which a plugin is stopped for the run.
    pub faulted_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            instantiate_ms: 1_000,
            open_ms: 1_000,
            observe_ms: 1_000,
            end_slice_ms: 100,
            memory_mib: 64,
            table_elements: 100_000,
            findings: 1_000,
            findings_mib: 16,
            state_bytes: 64 * 1024,
            result_bytes: 8 * 1024 * 1024,
            component_mib: 32,
            compile_s: 60,
            compile_mib: 2_048,
            faults: 20,
            faulted_seconds: 30,
        }
    }
}

impl Limits {
    /// The name of a limit that is zero, if one is.
    pub fn zero(&self) -> Option<String> {
        let limits = serde_json::to_value(self).ok()?;
        limits.as_object()?.iter().find(|(_, value)| value.as_u64() == Some(0)).map(|(name, _)| name.clone())
    }

    /// The limit on CPU time of an export, and where it is set.
    pub fn deadline(&self, call: &str) -> (Duration, &'static str) {
        let (millis, setting) = match call {
            "instantiate" => (self.instantiate_ms, "instantiate_ms in [limits]"),
            "open" => (self.open_ms, "open_ms in [limits]"),
            "observe" => (self.observe_ms, "observe_ms in [limits]"),
            _ => (self.end_slice_ms, "end_slice_ms in [limits]"),
        };
        (Duration::from_millis(millis), setting)
    }
}

/// That a limit was exceeded: what was asked, what is allowed, and where to change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What is limited, such as `linear memory`.
    pub what: &'static str,
    /// How much was asked for, with its unit.
    pub asked: String,
    /// How much is allowed, with its unit.
    pub allowed: String,
    /// The setting in `[limits]`, or the rule of the contract if it cannot be set.
    pub setting: &'static str,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, asked, allowed, setting } = self;
        write!(f, "{what}: {asked} asked, {allowed} allowed ({setting})")
    }
}

impl std::error::Error for Exceeded {}
