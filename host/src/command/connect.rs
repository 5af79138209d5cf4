//! Where the commands meet the library.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use datafusion::{
    execution::{
        memory_pool::FairSpillPool,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    prelude::{SessionConfig, SessionContext},
};
use jiff::Timestamp;
use wardflow::{
    analyze as analysis,
    archive::{Archive, IngestOptions, Lacking},
    catalog,
    config::Config,
    coverage::Status,
    detector::Stop,
    error::{Context, Error, Result},
    lake::Table,
    mapping::Mapping,
    sandbox::{Compiler, Pins, inspect as inspect_component},
    workspace::{self, Offered, PINS, PinStatus, ReadyPlugin, Refusal, Workspace},
};

use super::{NAMED, analyze, plugin, status};
use crate::{
    args::{Analyze, Ingest, Size},
    print::{Printer, Progress, counted, size},
};

/// Memory of a run unless the user says otherwise: small enough for a laptop, large enough that a day of a large
/// hospital does not spill.
const MEMORY: u64 = 2 << 30;

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

/// Runs the plugins until nothing is left or a stop is asked for.
pub(super) async fn analyze(
    config: &Config,
    args: &Analyze,
    stop: &Stop,
    printer: &Printer,
    progress: &Progress,
) -> Result<analyze::Report> {
    let workspace = open(config).await?;
    let wanted = |id: &str| args.plugin.is_empty() || args.plugin.iter().any(|pattern| pattern.matches(id));
    settings_of_nobody(&workspace)?;
    let (plugins, refused) = workspace.ready(compiler(printer, stop)?, wanted)?;
    if stop.is_stopped() {
        return Ok(analyze::Report { interrupted: true, workspace: config.root.clone(), ..analyze::Report::default() });
    }
    if plugins.is_empty() && refused.is_empty() {
        return Err(nothing_to_run(&workspace, args));
    }
    let memory = args.memory.map_or(MEMORY, |size| size.0);
    let threads = args.threads.map(Into::into);
    let session = SessionContext::new_with_config_rt(session_config(threads), runtime(args.memory)?);
    check_memory(memory, &session, &plugins)?;
    let options = analysis::Options {
        from: args.from.map(Timestamp::as_microsecond),
        to: args.to.map(Timestamp::as_microsecond),
        rerun: args.rerun,
        kept_out: refused.iter().filter_map(not_run).collect(),
        command: env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" "),
    };
    let told = |now: analysis::Progress| progress.at(now.done, now.total, now.flows);
    let summary = analysis::analyze(&workspace, plugins.clone(), &session, &options, stop, &told).await?;
    let (missed, left_out) = (summary.missed.clone(), summary.left_out.clone());
    let mut report = report(&workspace, summary).await?;
    if report.planned == 0 {
        let standings = analysis::standing(&workspace, &plugins, &[]).await?;
        report.outdated = union(standings.iter().map(|plugin| &plugin.outdated));
    }
    report.plugins.extend(refused.iter().map(|refusal| kept_out(refusal, &missed)));
    if !report.interrupted {
        let mut files = workspace.listing.files.clone();
        files.retain(|file| !left_out.contains_key(&file.path));
        report.rows = workspace.archive.count_rows(&files).await?;
    }
    report.lacking = workspace.archive.lacking(&workspace.listing).await?;
    for broken in &workspace.listing.broken {
        report.broken_files.push((broken.path.clone(), broken.reason.clone()));
    }
    Ok(report)
}

/// How many slices there are in several sets of them.
fn union<'a>(sets: impl Iterator<Item = &'a BTreeSet<i64>>) -> u64 {
    sets.flatten().collect::<BTreeSet<_>>().len() as u64
}

/// What flows need at least for each thread, beside the plugins.
const LEAST_FOR_FLOWS: u64 = 8 << 20;

/// Refuses memory in which no slice could be analysed: a thread takes what an instance may grow to before it makes one.
fn check_memory(memory: u64, session: &SessionContext, plugins: &[ReadyPlugin]) -> Result<()> {
    let largest = plugins.iter().map(|plugin| plugin.detector.memory() as u64).max().unwrap_or(0);
    let least = (largest + LEAST_FOR_FLOWS).saturating_mul(session.copied_config().target_partitions() as u64);
    if memory >= least {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--memory is {}; it must be at least {}: a plugin may grow to {}, which must be free for each thread, and {} for flows",
        size(memory),
        size(least),
        size(largest),
        size(LEAST_FOR_FLOWS)
    ))
    .remedy("give more, or use fewer --threads"))
}

/// What a query engine may take of the machine.
fn runtime(memory: Option<Size>) -> Result<Arc<RuntimeEnv>> {
    let memory = memory.map_or(MEMORY, |memory| memory.0);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(usize::try_from(memory).unwrap_or(usize::MAX))))
        .build_arc()
        .context(|| "the query engine cannot start".to_owned())
}

fn kept_out(Refusal { offered, reason }: &Refusal<'_>, missed: &BTreeMap<String, u64>) -> analyze::PluginCoverage {
    let plugin = name(offered);
    analyze::PluginCoverage {
        not_run: missed.get(&plugin).copied().unwrap_or(0),
        plugin,
        version: offered.version.clone().unwrap_or_default(),
        is_kept_out: true,
        reason: Some(reason.clone()),
        ..analyze::PluginCoverage::default()
    }
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

fn nothing_to_run(workspace: &Workspace, args: &Analyze) -> Error {
    if args.plugin.is_empty() {
        return analysis::no_plugins(workspace);
    }
    let ids = workspace.plugins.offered.iter().filter_map(|p| p.manifest.as_ref()).map(|m| m.id.to_string());
    Error::usage("no plugin matches --plugin".to_owned())
        .remedy(format!("there are: {}", ids.collect::<Vec<_>>().join(", ")))
}

fn left_out(summary: &analysis::Summary) -> Vec<analyze::LeftOut> {
    let files = summary.left_out.iter().map(|(file, left_out)| analyze::LeftOut {
        file: file.clone(),
        reason: left_out.reason.clone(),
        slices: left_out.slices.len() as u64,
    });
    files.collect()
}

async fn report(workspace: &Workspace, summary: analysis::Summary) -> Result<analyze::Report> {
    let of = |plugin: &analysis::PluginSummary, status| plugin.slices.get(&status).copied().unwrap_or(0);
    let plugins = summary.plugins.iter().map(|plugin| analyze::PluginCoverage {
        plugin: plugin.plugin.clone(),
        version: plugin.version.clone(),
        flows: plugin.flows,
        findings: plugin.findings.len() as u64,
        devices: plugin.devices,
        complete: of(plugin, Status::Complete),
        faulted: of(plugin, Status::Faulted),
        not_run: of(plugin, Status::NotRun),
        unsuited: of(plugin, Status::Unsuited),
        blind: of(plugin, Status::Blind),
        devices_lost: plugin.lost.len() as u64,
        stale: plugin.stale,
        devices_anew: plugin.anew.0,
        anew: plugin.anew.1.clone(),
        is_kept_out: false,
        reason: plugin.reason.clone(),
    });
    Ok(analyze::Report {
        run_id: summary.run_id.clone(),
        slices: summary.slices,
        planned: summary.planned,
        flows: summary.flows,
        seconds: summary.time.as_secs_f64(),
        findings: summary
            .severities()
            .iter()
            .rev()
            .map(|(severity, count)| (severity.name().to_owned(), *count))
            .collect(),
        plugins: plugins.collect(),
        blind: summary.by_status.get(&Status::Blind).copied().unwrap_or(0),
        unsuited: summary.by_status.get(&Status::Unsuited).copied().unwrap_or(0),
        devices_without_plugin: summary.unwatched,
        flows_without_device: summary.unresolved,
        outdated: 0,
        interrupted: summary.interrupted,
        damaged_states: summary.damaged.clone(),
        is_empty: workspace.listing.files.iter().all(|file| file.rows == 0),
        broken_files: Vec::new(),
        left_out: left_out(&summary),
        lacking: Lacking::default(),
        rows: Vec::new(),
        workspace: workspace.config.root.clone(),
    })
}

/// The plugins of a workspace.
pub(super) fn plugins(config: &Config) -> Result<Vec<plugin::Listed>> {
    let plugins = workspace::Plugins::read(config)?;
    let listed = |offered: Offered| plugin::Listed {
        id: offered.id,
        version: offered.version,
        publisher: offered.manifest.map(|manifest| manifest.publisher),
        file: offered.file,
        status: offered.status.name(),
        reason: offered.reason,
    };
    Ok(plugins.offered.into_iter().map(listed).collect())
}

/// What a component says of itself.
pub(super) fn inspect(file: &Path) -> Result<plugin::Inspected> {
    let limits = wardflow::limits::Limits::default();
    let bytes = workspace::read_at_most(file, u64::from(limits.component_mib) << 20).map_err(|error| {
        Error::usage(format!("cannot read {}", file.display())).because(error).remedy("name a plugin's .wasm file")
    })?;
    let inspection = inspect_component(&bytes, &limits).map_err(|error| {
        let remedy = error.remedy_text().unwrap_or("ask its publisher for a plugin that keeps the contract").to_owned();
        Error::usage(format!("{} is no plugin: {}", file.display(), error.reason())).remedy(remedy)
    })?;
    Ok(plugin::Inspected {
        file: file.to_owned(),
        digest: inspection.digest,
        bytes: bytes.len() as u64,
        imports: inspection.imports,
        exports: inspection.exports,
        manifest: inspection.manifest,
    })
}

/// Pins a plugin's present bytes.
pub(super) fn approve(config: &Config, id: &str) -> Result<plugin::Approved> {
    let plugins = workspace::Plugins::read(config)?;
    let known = |offered: &Offered| Some((offered.manifest.clone()?, offered.digest.clone()?));
    let found: Vec<_> =
        plugins.offered.iter().filter_map(known).filter(|(manifest, _)| manifest.id.as_str() == id).collect();
    let [(manifest, digest)] = found.as_slice() else {
        let ids: Vec<_> =
            plugins.offered.iter().filter_map(known).map(|(manifest, _)| manifest.id.to_string()).collect();
        let (why, remedy) = match found.len() {
            0 => ("is in no file of", format!("there are: {}", ids.join(", "))),
            _ => ("is the id of several files in", "keep one of them".to_owned()),
        };
        return Err(Error::usage(format!("{id} {why} {}", config.plugins.display())).remedy(remedy));
    };
    let (id_of, version) = (&manifest.id, &manifest.version);
    let pins = Pins::change(&config.root.join(PINS), |pins| pins.approve(id_of, version, digest))?;
    let before = pins.digest(id_of, version).filter(|before| *before != digest).map(ToOwned::to_owned);
    Ok(plugin::Approved {
        id: id.to_owned(),
        version: manifest.version.to_string(),
        digest: digest.clone(),
        before: before.map(|before| (manifest.version.to_string(), before)),
    })
}

/// How a workspace stands.
pub(super) async fn status(config: &Config, printer: &Printer) -> Result<status::Report> {
    let workspace = open(config).await?;
    let settings_of_nobody = settings_of_nobody(&workspace)?;
    let (ready, refused) = workspace.ready(compiler(printer, &Stop::default())?, |_| true)?;
    let kept_out: Vec<_> = refused.iter().filter_map(not_run).collect();
    let standings = analysis::standing(&workspace, &ready, &kept_out).await?;
    let coverage = workspace.lake.current_coverage().await?;
    let whole = || coverage.iter().filter(|row| row.device_id.is_none());
    let unwatched = || whole().filter(|row| row.plugin.is_none());
    let time = |at: i64| Timestamp::from_microsecond(at).ok();
    let slices = workspace.slices(config.slice_hours);
    let filled = || slices.iter().filter(|slice| slice.rows > 0);
    let mut statuses: Vec<(String, u64)> = Vec::new();
    for row in whole().filter(|row| row.plugin.is_some()) {
        match statuses.iter_mut().find(|(name, _)| name == row.status.name()) {
            Some((_, count)) => *count += 1,
            None => statuses.push((row.status.name().to_owned(), 1)),
        }
    }
    statuses.sort();
    let plugin = |offered: &Offered| {
        let id = name(offered);
        let refusal = refused.iter().find(|refusal| std::ptr::eq(refusal.offered, offered));
        let analysed = || whole().filter(|row| row.plugin.as_deref() == Some(&id) && row.status != Status::NotRun);
        let standing = standings.iter().find(|standing| standing.plugin == id).cloned().unwrap_or_default();
        status::Plugin {
            version: offered.version.clone().unwrap_or_default(),
            status: match refusal.is_some() {
                true if !matches!(offered.status, PinStatus::Changed | PinStatus::Missing) => {
                    PinStatus::Refused.name().to_owned()
                }
                _ => offered.status.name().to_owned(),
            },
            kept_out: refusal.map(|refusal| refusal.reason.clone()),
            analysed_to: analysed().map(|row| row.slice_end).max().and_then(time),
            is_idle: analysed().next().is_some()
                && analysed().all(|row| row.devices == 0 && row.status != Status::Unsuited),
            pending: standing.pending.len() as u64,
            stale: standing.stale.len() as u64,
            outdated: standing.outdated.len() as u64,
            id,
        }
    };
    let of_status = |status: Status| {
        let of_plugins = whole().filter(|row| row.plugin.is_some() && row.status == status);
        of_plugins.map(|row| row.slice_start).collect::<BTreeSet<_>>().len() as u64
    };
    let can_run = || standings.iter().filter(|standing| kept_out.iter().all(|out| out.id != standing.plugin));
    let reachable: Vec<_> = can_run().map(|standing| &standing.pending - &standing.stale).collect();
    let slices_open = status::SlicesOpen {
        pending: union(reachable.iter()),
        stale: union(can_run().map(|standing| &standing.stale)),
        outdated: union(can_run().map(|standing| &standing.outdated)),
        again: union(can_run().map(|standing| &standing.again)),
        lacking: union(can_run().map(|standing| &standing.lacking)),
        faulted: of_status(Status::Faulted),
        not_run: of_status(Status::NotRun),
        unsuited: of_status(Status::Unsuited),
        blind: of_status(Status::Blind),
    };
    let mut lost_tables = Vec::new();
    for table in Table::ALL {
        let lost = workspace.lake.lost(table).await?.or(workspace.lake.lacks_file(table).await?);
        lost_tables.extend(lost.map(|lost| workspace::describe(&lost)));
    }
    let inventory = config.inventory.as_ref().map(|path| status::Inventory {
        place: path.display().to_string(),
        devices: workspace.world.inventory.device_ids().count() as u64,
    });
    Ok(status::Report {
        archive: status::Archive {
            place: workspace.archive.describe(),
            is_mapped: workspace.archive.mapping().is_some(),
            is_joined: workspace.archive.mapping().is_some_and(|mapping| mapping.source.parts),
            files: workspace.listing.files.len() as u64,
            bytes: workspace.listing.files.iter().map(|file| file.object.size).sum(),
            flows: workspace.listing.files.iter().map(|file| file.rows).sum(),
            first: filled().next().and_then(|slice| time(slice.start)),
            last: filled().next_back().and_then(|slice| time(slice.end)),
            slices: filled().count() as u64,
            rows: workspace.archive.known_rows(&workspace.listing.files),
            broken: workspace.listing.broken.iter().map(|file| (file.path.clone(), file.reason.clone())).collect(),
            taken_out: workspace.archive.unfinished().await?,
            lacking: workspace.archive.lacking(&workspace.listing).await?,
        },
        inventory,
        plugins: workspace.plugins.offered.iter().map(plugin).collect(),
        settings_of_nobody,
        last_run: last_run(&workspace).await?,
        lost_tables,
        coverage: statuses,
        slices_open,
        devices_without_plugin: unwatched().map(|row| row.devices).max().unwrap_or(0),
        flows_without_device: unwatched().filter(|row| row.devices == 0).map(|row| row.flows).sum(),
    })
}

async fn last_run(workspace: &Workspace) -> Result<Option<status::Run>> {
    let time = |at: i64| Timestamp::from_microsecond(at).context(|| "a run has no time".to_owned());
    let Some(run) = workspace.lake.last_run().await? else { return Ok(None) };
    Ok(Some(status::Run {
        run_id: run.run_id,
        started: time(run.started_at)?,
        ended: run.ended_at.map(time).transpose()?,
        status: run.status.to_string(),
        slices: run.slices,
        flows: run.flows,
        findings: run.findings,
    }))
}
