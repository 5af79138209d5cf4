//! `wardflow analyze`: runs the plugins, and gathers what came of it.

use std::{collections::BTreeMap, env, sync::Arc};

use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use wardflow::{
    analyze as analysis,
    archive::Lacking,
    config::Config,
    coverage::Status,
    detector::Stop,
    error::{Error, Result},
    workspace::{ReadyPlugin, Refusal, Workspace},
};

use super::{MEMORY, compiler, excepted, name, not_run, open, runtime, session_config, settings_of_nobody, union};
use crate::{
    args::Analyze,
    command::analyze,
    print::{Printer, Progress, size},
};

/// Runs the plugins until nothing is left or a stop is asked for.
pub(in crate::command) async fn analyze(
    config: &Config,
    args: &Analyze,
    stop: &Stop,
    printer: &Printer,
    progress: &Progress,
) -> Result<analyze::Report> {
    let workspace = Arc::new(open(config).await?);
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
    let (session_config, runtime) = (session_config(threads), runtime(args.memory)?);
    let session = SessionContext::new_with_config_rt(session_config.clone(), Arc::clone(&runtime));
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
    report.excepted = excepted(&workspace, printer, session_config, runtime).await?;
    report.lacking = workspace.archive.lacking(&workspace.listing).await?;
    for broken in &workspace.listing.broken {
        report.broken_files.push((broken.path.clone(), broken.reason.clone()));
    }
    Ok(report)
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
        excepted: 0,
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
