//! What an instance may allocate: linear memory and tables.

use wardflow_manifest::Manifest;
use wasmtime::ResourceLimiter;

use crate::limits::{Exceeded, Limits};

/// Core instances of one component. A detector in Rust has three; a bundled language runtime some twenty.
pub(super) const INSTANCES: usize = 64;
/// Linear memories of one component. One is usual; a composed component has one a part.
pub(super) const MEMORIES: usize = 8;
/// Tables of one component.
pub(super) const TABLES: usize = 64;

/// Elements that a table may ever have, whatever the limit: address space for as many is set aside.
pub(super) const TABLE_ELEMENTS: usize = 1 << 20;

/// Keeps count of what an instance has, over all its memories and tables.
///
/// Growth past a limit traps. The guest is never told "no" (-1), since it could then go on and report other findings
/// than it would have with more memory.
#[derive(Debug)]
pub(super) struct Allocation {
    memory: usize,
    memory_limit: usize,
    elements: usize,
    elements_limit: usize,
}

impl Allocation {
    /// Nothing yet, for a plugin that was loaded under these limits.
    pub(super) fn new(manifest: &Manifest, limits: &Limits) -> Self {
        Self { memory: 0, memory_limit: memory_bytes(manifest), elements: 0, elements_limit: limits.table_elements }
    }

    /// Bytes of linear memory.
    pub(super) const fn memory(&self) -> usize {
        self.memory
    }
}

/// The linear memory of one instance, as its manifest asks. A plugin that asks for more than the host allows is not
/// loaded.
pub(super) fn memory_bytes(manifest: &Manifest) -> usize {
    usize::try_from(manifest.memory_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20)
}

impl ResourceLimiter for Allocation {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.memory.saturating_add(desired - current);
        if total > self.memory_limit {
            return Err(Exceeded {
                what: "linear memory",
                asked: mebibytes(total),
                allowed: mebibytes(self.memory_limit),
                setting: "memory_mib in the plugin's manifest, up to memory_mib in [limits]",
            }
            .into());
        }
        self.memory = total;
        Ok(true)
    }

    /// The machine has no memory, or the guest asked for more than 4 GiB: either way -1 would change findings.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Where instances come from the pool, this is the maximum of a table that has none of its own.
        let own = maximum.filter(|maximum| *maximum < TABLE_ELEMENTS);
        if own.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.elements.saturating_add(desired - current);
        if total > self.elements_limit {
            return Err(Exceeded {
                what: "table elements",
                asked: total.to_string(),
                allowed: self.elements_limit.to_string(),
                setting: "table_elements in [limits]",
            }
            .into());
        }
        self.elements = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }

    fn tables(&self) -> usize {
        TABLES
    }
}

/// Bytes for a person, in MiB, rounded up.
fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
