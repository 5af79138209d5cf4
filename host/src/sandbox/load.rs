//! From a file, or a directory of files, to plugins that can run.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use wardflow_manifest::Manifest;
use wasmtime::Engine;

use super::{
    cache::Cache,
    engine::{engine, engine_without_deadlines},
    files,
    inspect::{check_size, inspect},
    limits::TABLE_ELEMENTS,
    plugin::Plugin,
};
use crate::{
    error::{Context, Error, Result},
    limits::{Exceeded, Limits},
};

/// Loads plugins and holds what they share: the engine, the limits and the cache of compiled code.
pub struct Sandbox {
    engine: Engine,
    limits: Arc<Limits>,
    cache: Cache,
}

/// A file that was not loaded, and why.
#[derive(Debug)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// The rule that it breaks, its value and the remedy.
    pub reason: Error,
}

impl Sandbox {
    /// A sandbox under these limits, which keeps compiled code in `cache`, a directory of the user's own.
    ///
    /// # Errors
    /// A limit is zero, or the engine cannot start.
    pub fn new(limits: Limits, cache: Option<PathBuf>) -> Result<Self> {
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
        Ok(Self { engine: engine()?, limits: Arc::new(limits), cache: Cache::new(cache) })
    }

    /// A sandbox whose guests nothing stops, so that what deadlines cost can be measured. Not for plugins of others: one
    /// that loops never returns.
    ///
    /// # Errors
    /// See [`Sandbox::new`].
    pub fn without_deadlines(limits: Limits, cache: Option<PathBuf>) -> Result<Self> {
        Ok(Self { engine: engine_without_deadlines()?, ..Self::new(limits, cache)? })
    }

    /// Inspects, compiles and links a component. No guest code runs.
    ///
    /// # Errors
    /// See [`inspect`]; also a memory that the limits do not allow, or exports of another type than the contract's.
    pub fn load(&self, bytes: &[u8]) -> Result<Plugin> {
        let inspection = inspect(bytes, &self.limits)?;
        check_memory(&inspection.manifest, &self.limits)?;
        let refuse = |error: wasmtime::Error| {
            Error::usage(format!("it cannot be compiled: {}", chain(&error)))
                .remedy("build it against wit/detector.wit, with no proposal beyond the compiler's defaults")
        };
        let component = self.cache.component(&self.engine, &inspection.digest, bytes).map_err(refuse)?;
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

    /// Loads every `*.wasm` of a directory, in the order of their names. What cannot be loaded is refused by itself,
    /// and so are all files that share one id.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn load_dir(&self, directory: &Path) -> Result<(Vec<Plugin>, Vec<Refused>)> {
        let files = wasm_files(directory)
            .context(|| format!("the directory of plugins, {}, cannot be read", directory.display()))?;
        let mut by_id: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut refused = Vec::new();
        for file in files {
            match self.load_file(&file) {
                Ok(plugin) => by_id.entry(plugin.id().clone()).or_default().push((file, plugin)),
                Err(reason) => refused.push(Refused { file, reason }),
            }
        }
        let mut plugins = Vec::new();
        for (id, mut same) in by_id {
            match same.len() {
                1 => plugins.extend(same.pop().map(|(_, plugin)| plugin)),
                _ => refused.extend(same.iter().map(|(file, _)| {
                    let others: Vec<_> = same.iter().map(|(file, _)| file.display().to_string()).collect();
                    let reason = Error::usage(format!("plugin {id} is in several files: {}", others.join(", ")))
                        .remedy("leave one of them in the directory");
                    Refused { file: file.clone(), reason }
                })),
            }
        }
        refused.sort_by(|a, b| a.file.cmp(&b.file));
        Ok((plugins, refused))
    }

    /// What the user should know of the cache: an unfit directory, a damaged file. Each is told once.
    pub fn notes(&self) -> Vec<String> {
        self.cache.notes()
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

fn wasm_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Everything that an error of wasmtime's has to say, outermost first.
fn chain(error: &wasmtime::Error) -> String {
    let causes: Vec<_> = error.chain().map(|cause| super::fault::clean(&cause.to_string())).collect();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{
        limits::Limits,
        sandbox::{
            Sandbox,
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
        let error = Sandbox::new(Limits { findings: 0, ..limits() }, None).unwrap_err();
        assert_eq!(error.to_string(), "findings in [limits] is 0; a limit must be at least 1");
    }

    #[test]
    fn a_directory_is_loaded_in_order_and_one_bad_file_harms_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
        let named = |id| Guest::default().manifest("example/quiet", id).build();
        write("z.wasm", &named("example/a"));
        write("a.wasm", &named("example/b"));
        write("twin-1.wasm", &named("example/twin"));
        write("twin-2.wasm", &Guest::default().manifest("example/quiet", "example/twin").with("score", "1").build());
        write("bad.wasm", b"no");
        write("README.md", b"no plugin");
        fs::create_dir(directory.path().join("folder.wasm")).unwrap();
        let pipe = directory.path().join("pipe.wasm");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        let (plugins, refused) = sandbox().load_dir(directory.path()).unwrap();
        let ids: Vec<_> = plugins.iter().map(|plugin| plugin.id().as_str()).collect();
        assert_eq!(ids, ["example/a", "example/b"]);
        let told: Vec<_> = refused
            .iter()
            .map(|refused| {
                let why = std::error::Error::source(&refused.reason).map(|source| format!(": {source}"));
                let name = refused.file.file_name().unwrap().to_string_lossy().into_owned();
                format!("{name}: {}{}", refused.reason, why.unwrap_or_default())
            })
            .collect();
        let place = directory.path().display();
        let twins = format!("plugin example/twin is in several files: {place}/twin-1.wasm, {place}/twin-2.wasm");
        assert_eq!(
            told,
            [
                "bad.wasm: it is no WebAssembly component".to_owned(),
                "folder.wasm: the file cannot be read: it is no regular file".to_owned(),
                "pipe.wasm: the file cannot be read: it is no regular file".to_owned(),
                format!("twin-1.wasm: {twins}"),
                format!("twin-2.wasm: {twins}"),
            ]
        );
    }
}
