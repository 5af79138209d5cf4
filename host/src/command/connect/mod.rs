//! Where the commands meet the library.

mod analyze;
mod plugins;
mod status;

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use datafusion::{
    common::DataFusionError,
    execution::{
        memory_pool::FairSpillPool,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    prelude::{SessionConfig, SessionContext},
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use wardflow::{
    analyze as analysis,
    archive::{Archive, IngestOptions},
    catalog,
    config::Config,
    detector::Stop,
    error::{Context, Error, Result},
    exception::{self, Exception},
    lake::Table,
    mapping::Mapping,
    reset::Reset,
    sandbox::Compiler,
    triage::Triage,
    workspace::{self, Offered, Refusal, Workspace},
};

pub(super) use self::{
    analyze::analyze,
    plugins::{approve, inspect, plugins},
    status::status,
};
use super::NAMED;
use crate::{
    args::{Ingest, Size},
    print::{Printer, Progress, counted},
};

/// Memory of a run unless the user says otherwise: small enough for a laptop, large enough that a day of a large
/// hospital does not spill.
const MEMORY: u64 = 2 << 30;

/// Opens a workspace. Object stores take their settings from the environment, as their own tools do.
pub(super) async fn open(config: &Config) -> Result<Workspace> {
    Workspace::open(config.clone(), &store_options()).await
}

/// Variables of the environment such as `AWS_ACCESS_KEY_ID`, as options of an object store.
fn store_options() -> Vec<(String, String)> {
    let option = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("AWS_"))?;
        Some((name, value.into_string().ok()?))
    };
    env::vars_os().filter_map(option).collect()
}

/// Where compiled plugins are kept: the user's own cache, if there is one.
fn code_cache() -> Option<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").filter(|path| !path.is_empty()).map(|home| Path::new(&home).join(".cache")))?;
    base.is_absolute().then(|| base.join("wardflow").join("code"))
}

/// How plugins are compiled: each in a process of this same executable, for as long as nothing asks for a stop. What the
/// user should know of the cache is said, once.
pub(super) fn compiler(printer: &Printer, stop: &Stop) -> Result<Compiler> {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    // The executable that runs, though another has been put in its place.
    let running = Path::new("/proc/self/exe");
    let command = match running.exists() {
        true => running.to_owned(),
        false => env::current_exe().context(|| "cannot tell where this executable is".to_owned())?,
    };
    let printer = printer.clone();
    let tell = move |note: &str| {
        if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(note.to_owned()) {
            printer.warn(note);
        }
    };
    Ok(Compiler::child(command, stop.clone()).kept_in(code_cache()).telling(tell))
}

pub(super) fn session_config(threads: Option<usize>) -> SessionConfig {
    let config = SessionConfig::new();
    match threads {
        Some(threads) => config.with_target_partitions(threads),
        None => config,
    }
}

/// What tells whether queries saw all that they asked for.
pub(super) struct Seen {
    archive: Archive,
    is_broken: bool,
}

impl Seen {
    /// Whether no query asked for flows, or none of the archive's files is broken.
    pub(super) fn is_all(&self) -> bool {
        !self.is_broken || !self.archive.flows_read().load(Ordering::Relaxed)
    }
}

/// What SQL sees of a workspace. What it cannot see is said.
pub(super) async fn context(
    config: &Config,
    memory: Option<Size>,
    printer: &Printer,
) -> Result<(SessionContext, Seen)> {
    let (workspace, context) = workspace_and_context(config, memory, printer).await?;
    let seen = Seen { archive: workspace.archive.clone(), is_broken: !workspace.listing.broken.is_empty() };
    Ok((context, seen))
}

/// The same, with the workspace that it is over.
pub(super) async fn workspace_and_context(
    config: &Config,
    memory: Option<Size>,
    printer: &Printer,
) -> Result<(Arc<Workspace>, SessionContext)> {
    let workspace = Arc::new(open(config).await?);
    warn_of_resets(&workspace, printer);
    let broken = &workspace.listing.broken;
    for broken in broken.iter().take(NAMED) {
        printer.warn(&format!("{} in the archive cannot be used: {}", broken.path, broken.reason));
    }
    if broken.len() > NAMED {
        let others = counted((broken.len() - NAMED) as u64, "other file");
        printer.warn(&format!("{others} cannot be used either: `wardflow archive check` names them"));
    }
    let (compiler, runtime) = (compiler(printer, &Stop::default())?, runtime(memory)?);
    let context = catalog::context_in(&workspace, compiler, session_config(None), runtime).await?;
    Ok((workspace, context))
}

/// What an ingest goes by.
pub(super) fn ingest_options(
    config: &Config,
    args: &Ingest,
    stop: Stop,
    progress: Arc<Progress>,
) -> Result<IngestOptions> {
    Ok(IngestOptions {
        format: args.source.format(),
        mapping: args.mapping.as_deref().map(|name| Mapping::find(name, Path::new("."))).transpose()?.map(Arc::new),
        sensor: args.sensor.clone(),
        space: config.space.clone(),
        timezone: args.timezone.clone().unwrap_or_else(|| config.timezone.clone()),
        sampling: args.sampling.map(NonZeroU32::get),
        start: args.start.map(Timestamp::as_microsecond),
        first: args.first,
        again: args.again,
        max_rejects: args.max_rejects,
        stop,
        progress: Some(Arc::new(move |now: &wardflow::archive::Progress| {
            progress.at(now.bytes_read, now.bytes, now.flows);
        })),
    })
}

/// The archive that is to be written into.
pub(super) fn archive(config: &Config) -> Result<Archive> {
    workspace::open_archive(config, &store_options())
}

/// Ids that have settings and are no plugin's. Refuses one that is all but a plugin's: a typo would leave the plugin as it
/// is. Settings for a plugin that was taken away may stay.
fn settings_of_nobody(workspace: &Workspace) -> Result<Vec<String>> {
    let offered = workspace.plugins.offered.iter();
    let ids: Vec<_> = offered.filter_map(|offered| Some(offered.manifest.as_ref()?.id.to_string())).collect();
    let of_nobody: Vec<_> = workspace.config.plugin.keys().filter(|set| !ids.contains(set)).cloned().collect();
    for set in &of_nobody {
        if let Some(meant) = ids.iter().find(|id| strsim::normalized_damerau_levenshtein(id, set) > 0.8) {
            return Err(Error::usage(format!("[plugin.{set:?}] in wardflow.toml is for a plugin that is not there"))
                .remedy(format!("did you mean {meant:?}?")));
        }
    }
    Ok(of_nobody)
}

/// What a query engine may take of the machine.
fn runtime(memory: Option<Size>) -> Result<Arc<RuntimeEnv>> {
    let memory = memory.map_or(MEMORY, |memory| memory.0);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(usize::try_from(memory).unwrap_or(usize::MAX))))
        .build_arc()
        .context(|| "the query engine cannot start".to_owned())
}

/// A plugin's id, or its file where it does not say one.
fn name(offered: &Offered) -> String {
    offered.id.clone().unwrap_or_else(|| offered.file.display().to_string())
}

/// A plugin that is kept out, for coverage; absent if the file does not even say which plugin it is.
fn not_run(Refusal { offered, reason }: &Refusal<'_>) -> Option<analysis::KeptOut> {
    Some(analysis::KeptOut {
        id: offered.id.clone()?,
        version: offered.version.clone()?,
        digest: offered.digest.clone().unwrap_or_default(),
        reason: reason.clone(),
    })
}

/// How many slices there are in several sets of them.
fn union<'a>(sets: impl Iterator<Item = &'a BTreeSet<i64>>) -> u64 {
    sets.flatten().collect::<BTreeSet<_>>().len() as u64
}

/// Says that baseline resets cannot be read, which is no reason not to look at what there is.
pub(super) fn warn_of_resets(workspace: &Workspace, printer: &Printer) {
    if let Some(error) = &workspace.unread_resets {
        printer.warn(&format!("no baseline reset counts: {error}"));
    }
}

/// Says which rows of what people said do not count.
async fn warn_of_left_out<T: DeserializeOwned>(workspace: &Workspace, table: Table, printer: &Printer) {
    let broken = match workspace.lake.readable_remarks::<T>(table).await {
        Ok((_, broken)) => broken,
        Err(error) => return printer.warn(&format!("nothing of the table {} counts: {error}", table.name())),
    };
    if let Some(first) = broken.first() {
        let (rows, name) = (counted(broken.len() as u64, "row"), table.name());
        printer.warn(&format!("{rows} of the table {name} cannot be read, and do not count, first: {first}"));
    }
}

/// How many findings exceptions hide now. What cannot be told is said, and is no reason to fail: what was analysed is
/// analysed.
async fn excepted(
    workspace: &Arc<Workspace>,
    printer: &Printer,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
) -> Result<u64> {
    warn_of_left_out::<Triage>(workspace, Table::Triage, printer).await;
    if workspace.unread_resets.is_none() {
        warn_of_left_out::<Reset>(workspace, Table::Resets, printer).await;
    }
    warn_of_left_out::<Exception>(workspace, Table::Exceptions, printer).await;
    let Ok(said) = workspace.lake.remarks(Table::Exceptions).await else { return Ok(0) };
    let now = Timestamp::now();
    if exception::current(said).iter().all(|exception| exception.status(now) != "active") {
        return Ok(0);
    }
    let compiler = compiler(printer, &Stop::default())?;
    let context = catalog::context_in(workspace, compiler, config, runtime).await?;
    let doing = || "cannot tell how many findings exceptions hide".to_owned();
    let rows = async |view: &str| context.table(view).await?.count().await;
    let counts = async { Ok::<_, DataFusionError>((rows("excepted_findings").await?, rows("findings").await?)) };
    let (hidden, shown) = match counts.await.context(doing) {
        Ok(counts) => counts,
        Err(error) => {
            printer.warn(&error.to_string());
            return Ok(0);
        }
    };
    // What named little when it was said may name all that was found since.
    if hidden > 1 && shown == 0 {
        printer.warn("exceptions hide every finding that there is: `wardflow except list` says which do");
    }
    Ok(hidden as u64)
}
