//! From a file to a plugin that can run.

use std::{fmt, fs, path::Path, sync::Arc};

use wardflow_manifest::Manifest;
use wasmtime::Engine;

use super::{
    cache::Cache,
    compiler::{Compiler, chain},
    engine::{engine, engine_without_deadlines},
    inspect::{check_size, inspect},
    limits::TABLE_ELEMENTS,
    plugin::Plugin,
};
use crate::{
    error::{Context, Error, Result},
    files,
    limits::{Exceeded, Limits},
};

/// Loads plugins and holds what they share: the engine, the limits and the cache of compiled code.
pub struct Sandbox {
    engine: Engine,
    limits: Arc<Limits>,
    cache: Cache,
}

impl Sandbox {
    /// A sandbox under these limits, whose plugins are compiled so.
    ///
    /// # Errors
    /// A limit is zero, or the engine cannot start.
    pub fn new(limits: Limits, compiler: Compiler) -> Result<Self> {
        if let Some(name) = limits.zero() {
            return Err(Error::usage(format!("{name} in [limits] is 0; a limit must be at least 1"))
                .remedy("leave it out to have its default; no limit can be switched off"));
        }
        if limits.table_elements > TABLE_ELEMENTS {
            let asked = limits.table_elements;
            return Err(Error::usage(format!(
                "table_elements in [limits] is {asked}; it can be at most {TABLE_ELEMENTS}"
            ))
            .remedy("a large language runtime has some ten thousand"));
        }
        Ok(Self { engine: engine()?, limits: Arc::new(limits), cache: Cache::new(compiler) })
    }

    /// A sandbox whose guests nothing stops, so that what deadlines cost can be measured. Not for plugins of others: one
    /// that loops never returns. Their code is other code, so that only a compiler in this process makes it.
    ///
    /// # Errors
    /// See [`Sandbox::new`].
    pub fn without_deadlines(limits: Limits, compiler: Compiler) -> Result<Self> {
        Ok(Self { engine: engine_without_deadlines()?, ..Self::new(limits, compiler)? })
    }

    /// Inspects, compiles and links a component. No guest code runs.
    ///
    /// # Errors
    /// See [`inspect`]; also a memory that the limits do not allow, or exports of another type than the contract's.
    pub fn load(&self, bytes: &[u8]) -> Result<Plugin> {
        let inspection = inspect(bytes, &self.limits)?;
        check_memory(&inspection.manifest, &self.limits)?;
        let component = self.cache.component(&self.engine, &inspection.digest, bytes, &self.limits)?;
        Plugin::link(inspection, &component, Arc::clone(&self.limits)).map_err(|error| {
            Error::usage(format!("it does not keep the contract: {}", chain(&error)))
                .remedy("build it against the world `plugin` of wit/detector.wit")
        })
    }

    /// Loads a file, which is read once: its digest is that of the code that runs.
    ///
    /// # Errors
    /// The file cannot be read, or see [`Sandbox::load`].
    pub fn load_file(&self, file: &Path) -> Result<Plugin> {
        let most = u64::from(self.limits.component_mib) << 20;
        let bytes = files::read(file, most).context(|| "the file cannot be read".to_owned())?;
        if bytes.len() as u64 > most {
            check_size(fs::metadata(file).map_or(most + 1, |metadata| metadata.len().max(most + 1)), &self.limits)?;
        }
        self.load(&bytes)
    }
}

/// Refuses a plugin that wants more memory than is allowed.
///
/// # Errors
/// It does.
pub fn check_memory(manifest: &Manifest, limits: &Limits) -> Result<()> {
    let (asked, allowed) = (manifest.memory_mib, limits.memory_mib);
    if asked <= allowed {
        return Ok(());
    }
    let exceeded = Exceeded {
        what: "linear memory of an instance",
        asked: format!("{asked} MiB"),
        allowed: format!("{allowed} MiB"),
        setting: "memory_mib in [limits]",
    };
    Err(Error::usage(exceeded.to_string())
        .remedy(format!("set memory_mib to {asked} in [limits] of wardflow.toml, if the machine has it")))
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("limits", &self.limits).field("cache", &self.cache).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        limits::Limits,
        sandbox::{
            Compiler, Sandbox,
            testing::{Guest, limits, sandbox},
        },
    };

    fn check(guest: Guest, expected: &str) {
        let error = sandbox().load(&guest.build()).expect_err("was not refused");
        assert!(error.to_string().contains(expected), "{error}\nlacks {expected:?}");
        assert!(error.remedy_text().is_some(), "{error} has no remedy");
    }

    #[test]
    fn refuses_what_could_not_run() {
        check(Guest::default().with("save-name", "store"), "does not have export `[method]session.save`");
        check(
            Guest::default().manifest("memory_mib = 1", "memory_mib = 65"),
            "linear memory of an instance: 65 MiB asked, 64 MiB allowed (memory_mib in [limits])",
        );
        check(Guest::default().with("open", "(i64.const 0)"), "it cannot be compiled: ");
        check(Guest::default().with("zone-type", "s32"), "export `[static]session.open` has another type");
    }

    #[test]
    fn no_limit_can_be_switched_off() {
        let error = Sandbox::new(Limits { findings: 0, ..limits() }, Compiler::here()).unwrap_err();
        assert_eq!(error.to_string(), "findings in [limits] is 0; a limit must be at least 1");
    }
}
