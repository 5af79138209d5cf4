//! The loop above the operator: slice after slice, each committed as one unit.
//!
//! States pass from slice to slice in memory. They are written every minute, before the last slice (which usually still
//! grows), before a long stretch without flows, and at the end, so that the next run goes on from where this one ends.

mod left_out;
mod plan;
mod reading;
mod rows;
mod standing;
mod step;
mod summary;
#[cfg(test)]
mod tests;
mod traveller;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use datafusion::prelude::SessionContext;
use jiff::Timestamp;

use self::{
    left_out::LeftOut,
    reading::{Reading, no_room},
    rows::{blank_row, device_row, missed, unwatched},
    standing::unanalysed,
};
pub(crate) use self::{
    plan::{Asked, Stage, route, stages},
    step::step,
    traveller::Traveller,
};
pub use self::{
    rows::KeptOut,
    standing::{Standing, standing},
    summary::{FileLeftOut, PluginSummary, Summary},
};
use crate::{
    coverage::{Row, Status},
    detector::Stop,
    error::{Context, Error, Result},
    lake::{Lake, Run, RunStatus, SliceResults, StateStore, Table},
    time::HOUR,
    workspace::{ReadyPlugin, Workspace},
};

/// How often states are written while a run goes on.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Slices at the end of a run before each of which states are written, as many as are kept.
const KEPT_STATES: usize = 8;

/// What to analyse.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Begin with the slice that holds this time, microseconds UTC, whether or not something is new.
    pub from: Option<i64>,
    /// Leave out slices that end after this time, microseconds UTC.
    pub to: Option<i64>,
    /// Analyse again what was analysed, learning anew.
    pub rerun: bool,
    /// Plugins that lie in the plugin directory and must not run.
    pub kept_out: Vec<KeptOut>,
    /// The command line, for the table `runs`.
    pub command: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Slices that are done.
    pub done: u64,
    /// Slices that are to be done.
    pub total: u64,
    /// Flows read.
    pub flows: u64,
}

/// Runs plugins over what is new in a workspace.
///
/// # Errors
/// The archive cannot be read, the lake cannot be written, or another run holds the lake. What was committed stays.
pub async fn analyze(
    workspace: &Workspace,
    plugins: Vec<ReadyPlugin>,
    session: &SessionContext,
    options: &Options,
    stop: &Stop,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Summary> {
    if let Some(unread) = &workspace.unread_resets {
        let error = Error::failed(format!("no baseline reset would count: {unread}"));
        return Err(error.remedy(unread.remedy_text().unwrap_or("set it right, and say `wardflow analyze` again")));
    }
    // One that cannot be read, as an older Wardflow's, is no reason not to begin another.
    let last = workspace.lake.last_run().await.ok().flatten();
    let run = Run::begin(&options.command, last.as_ref())?;
    let lock = workspace.lake.lock(&format!("run {}", run.run_id))?;
    if lock.is_exclusive() {
        bury_killed(&workspace.lake, &run).await?;
    }
    // What was analysed would be passed over, and what it found be missing. Coverage that is lost is analysed again as it is.
    if !options.rerun
        && let Some(lost) = workspace.lake.lost(Table::Findings).await?
    {
        return Err(lost);
    }
    for table in [Table::Findings, Table::Observations] {
        if let Some(lacking) = workspace.lake.lacks_file(table).await? {
            return Err(lacking);
        }
    }
    session.register_object_store(workspace.archive.store_url(), Arc::clone(workspace.archive.store()));
    let mut run = AnalysisRun::prepare(workspace, plugins, session, options, run).await?;
    if run.is_idle() && run.missed.is_empty() {
        return Ok(run.summary);
    }
    workspace.pin(&run.plugins())?;
    run.record(RunStatus::Running, None).await?;
    run.commit_missed().await?;
    let result = run.go(stop, progress).await;
    run.finish(&result).await?;
    result?;
    Ok(run.summary)
}

/// Records that the run before is gone, if it never ended: whoever holds the lake knows that nobody else does.
async fn bury_killed(lake: &Lake, by: &Run) -> Result<()> {
    match lake.last_run().await.ok().flatten().filter(|last| last.ended_at.is_none()) {
        Some(last) => lake.record_run(&last.killed(by)).await,
        None => Ok(()),
    }
}

struct AnalysisRun<'a> {
    workspace: &'a Workspace,
    run: Run,
    world_digest: String,
    states: &'a StateStore,
    reading: Reading<'a>,
    stages: Vec<Stage>,
    travellers: Vec<(usize, Traveller)>,
    /// What plugins that were kept out did not look at.
    missed: Vec<Row>,
    /// Slices of which an earlier run left something that no plugin looked at: that must not go on to stand there.
    unwatched_before: BTreeSet<i64>,
    began: Instant,
    saved: Instant,
    summary: Summary,
}

impl<'a> AnalysisRun<'a> {
    async fn prepare(
        workspace: &'a Workspace,
        plugins: Vec<ReadyPlugin>,
        session: &'a SessionContext,
        options: &'a Options,
        run: Run,
    ) -> Result<Self> {
        let states = workspace.lake.states();
        let coverage = workspace.lake.current_coverage().await?;
        check_slices(workspace, &coverage)?;
        let mut stages = stages(workspace.slices(workspace.config.slice_hours));
        stages.retain(|stage| options.to.is_none_or(|to| stage.slice.end <= to));
        let asked = Asked { from: options.from, rerun: options.rerun };
        let mut travellers = Vec::new();
        let mut summary = Summary { run_id: run.run_id.clone(), ..Summary::default() };
        for plugin in plugins {
            let files = &workspace.listing.files;
            let plan::Start { mut route, states: kept, damaged } =
                plan::start(&plugin, &stages, files, &coverage, states, asked).await?;
            summary.damaged.extend(damaged);
            for (file, slices) in std::mem::take(&mut route.lacking) {
                summary.left_out.entry(file).or_default().slices.extend(slices);
            }
            summary.plugins.push(PluginSummary {
                plugin: plugin.id().to_string(),
                version: plugin.detector.manifest().version.to_string(),
                stale: route.stale.len() as u64,
                ..PluginSummary::default()
            });
            let start = stages.get(route.first).map_or(0, |stage| stage.slice.start);
            let mut traveller = Traveller::new(plugin, kept, start)?;
            traveller.anew = route.anew;
            travellers.push((route.first, traveller));
        }
        let missed = missed(&run.run_id, &options.kept_out, &stages, &coverage);
        for plugin in &options.kept_out {
            summary.missed.insert(plugin.id.clone(), unanalysed(&plugin.id, &stages, &coverage).len() as u64);
        }
        let first = travellers.iter().map(|(first, _)| *first).min().unwrap_or(stages.len());
        summary.planned = (stages.len() - first) as u64;
        Ok(Self {
            workspace,
            run,
            world_digest: workspace.world.digest()?,
            states,
            reading: Reading::new(workspace, session)?,
            stages,
            travellers,
            missed,
            unwatched_before: coverage.iter().filter(|row| row.plugin.is_none()).map(|row| row.slice_start).collect(),
            began: Instant::now(),
            saved: Instant::now(),
            summary,
        })
    }

    fn is_idle(&self) -> bool {
        self.summary.planned == 0
    }

    fn plugins(&self) -> Vec<ReadyPlugin> {
        self.travellers.iter().map(|(_, traveller)| traveller.plugin.clone()).collect()
    }

    async fn go(&mut self, stop: &Stop, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<()> {
        let first = self.stages.len() - usize::try_from(self.summary.planned).unwrap_or(0);
        let told = |summary: &Summary| {
            progress(Progress { done: summary.slices, total: summary.planned, flows: summary.flows });
        };
        told(&self.summary);
        for index in first..self.stages.len() {
            // What comes late to one of the last slices then finds states to go on from.
            if index + KEPT_STATES >= self.stages.len() || self.stages[index].is_skipped {
                self.save_states().await?;
            }
            match self.stage(index, stop).await {
                Err(_) if stop.is_stopped() => {}
                other => other?,
            }
            if stop.is_stopped() {
                self.summary.interrupted = true;
                break;
            }
            told(&self.summary);
            if self.saved.elapsed() >= SAVE_EVERY {
                self.save_states().await?;
            }
        }
        self.save_states().await
    }

    async fn commit_missed(&mut self) -> Result<()> {
        let coverage = std::mem::take(&mut self.missed);
        if coverage.is_empty() {
            return Ok(());
        }
        let results = SliceResults { coverage, ..SliceResults::default() };
        self.workspace.lake.commit_slice(results).await.map(drop)
    }

    /// Runs and commits one stage, for the plugins that have come to it.
    async fn stage(&mut self, index: usize, stop: &Stop) -> Result<()> {
        let stage = &self.stages[index];
        let mut here: Vec<&mut Traveller> =
            self.travellers.iter_mut().filter(|(first, _)| *first <= index).map(|(_, traveller)| traveller).collect();
        let before: Vec<String> = here.iter().map(|traveller| traveller.states.digest()).collect();
        let mut results = SliceResults::default();
        let mut left_out = LeftOut::default();
        let mut outcome = step::SliceOutcome::default();
        let mut too_large = None;
        if stage.is_skipped {
            for traveller in &mut here {
                traveller.skip_to(stage.slice.end);
            }
        } else {
            match self.reading.slice(stage, &mut here, stop).await {
                Ok(done) => (outcome, left_out) = done,
                Err(error) => {
                    too_large = Some(no_room(&error).filter(|_| !stop.is_stopped()).ok_or(error)?);
                    // One slice is lost until there is memory for it, and not those after it.
                    here.iter_mut().for_each(|traveller| traveller.skip_to(stage.slice.end));
                }
            }
        }
        for (path, why) in left_out.files() {
            let file = self.summary.left_out.entry(path.to_owned()).or_default();
            file.reason.get_or_insert_with(|| why.reason.clone());
            file.slices.insert(stage.slice.start);
        }
        let input_digest = left_out.digest(&stage.input_digest, &self.workspace.listing.files);
        let base =
            |plugin| Row { input_digest: input_digest.clone(), ..blank_row(&self.summary.run_id, plugin, stage) };
        let mut covered = Vec::new();
        for (traveller, before) in here.iter_mut().zip(before) {
            let manifest = traveller.plugin.detector.manifest();
            let row = Row {
                plugin_version: manifest.version.to_string(),
                plugin_digest: traveller.plugin.detector.digest().to_owned(),
                config_digest: traveller.plugin.config_digest.clone(),
                world_digest: self.world_digest.clone(),
                state_before: before,
                state_digest: traveller.states.digest(),
                ..base(Some(manifest.id.to_string()))
            };
            match outcome.plugins.remove(manifest.id.as_str()) {
                None if too_large.is_some() => {
                    covered.push((manifest.id.to_string(), None));
                    results.coverage.push(Row { status: Status::NotRun, fault: too_large.clone(), ..row });
                }
                None => {
                    covered.push((manifest.id.to_string(), None));
                    let fault = Some("the sensors delivered no flow for days: passed over".to_owned());
                    results.coverage.push(Row { fault, ..row });
                }
                Some(mut plugin) => {
                    plugin.began_anew(traveller.anew.take());
                    plugin.blinded(self.workspace.health.trouble(stage.slice.start, stage.slice.end));
                    plugin.without_files(left_out.fault());
                    results.coverage.extend(plugin.single.iter().map(|single| device_row(&row, single)));
                    results.coverage.push(Row {
                        devices: plugin.devices,
                        flows: plugin.flows,
                        status: plugin.status,
                        fault: plugin.fault.clone(),
                        ..row
                    });
                    covered.push((manifest.id.to_string(), Some(plugin)));
                }
            }
        }
        let of_slice = results.coverage.iter().filter(|row| row.device_id.is_none());
        let statuses: BTreeSet<_> = of_slice.map(|row| row.status).collect();
        let unwatched: Vec<_> = unwatched(&base(None), outcome.unwatched, outcome.unresolved).collect();
        if unwatched.is_empty() && self.unwatched_before.contains(&stage.slice.start) {
            results.coverage.push(Row { status: Status::Complete, ..base(None) });
        }
        results.coverage.extend(unwatched);
        results.findings = outcome.findings;
        results.observations = outcome.observations;
        self.workspace.lake.commit_slice(results).await?;
        // What was not committed is no result of the run.
        for (id, plugin) in covered {
            let Some(summary) = self.summary.plugins.iter_mut().find(|summary| summary.plugin == id) else { continue };
            match plugin {
                Some(plugin) => summary.add(&plugin),
                None if too_large.is_some() => {
                    *summary.slices.entry(Status::NotRun).or_default() += 1;
                    summary.reason.clone_from(&too_large);
                }
                None => *summary.slices.entry(Status::Blind).or_default() += 1,
            }
        }
        for status in statuses {
            *self.summary.by_status.entry(status).or_default() += 1;
        }
        self.summary.slices += 1;
        self.summary.flows += outcome.flows;
        self.summary.unwatched = self.summary.unwatched.max(outcome.unwatched.0);
        self.summary.unresolved += outcome.unresolved;
        Ok(())
    }

    async fn save_states(&mut self) -> Result<()> {
        for (_, traveller) in &self.travellers {
            if traveller.has_moved {
                self.states.save(&traveller.states).await?;
            }
        }
        self.saved = Instant::now();
        Ok(())
    }

    async fn finish(&mut self, result: &Result<()>) -> Result<()> {
        self.summary.time = self.began.elapsed();
        let is_lacking = self.summary.plugins.iter().any(PluginSummary::is_lacking);
        let is_missed = self.summary.missed.values().any(|slices| *slices > 0);
        let incomplete = is_lacking || is_missed || !self.summary.left_out.is_empty();
        let (status, message) = match result {
            Err(error) => (RunStatus::Failed, Some(crate::workspace::describe(error))),
            Ok(()) if self.summary.interrupted => (RunStatus::Interrupted, None),
            Ok(()) if incomplete => (RunStatus::Incomplete, None),
            Ok(()) => (RunStatus::Complete, None),
        };
        let recorded = self.record(status, message).await;
        if let Err(error) = self.workspace.lake.merge_files().await {
            tracing::warn!("the lake's small files stay as they are: {}", crate::workspace::describe(&error));
        }
        if result.is_err() { Ok(()) } else { recorded }
    }

    async fn record(&self, status: RunStatus, message: Option<String>) -> Result<()> {
        let run = Run {
            ended_at: (status != RunStatus::Running).then(|| Timestamp::now().as_microsecond()),
            slices: self.summary.slices,
            flows: self.summary.flows,
            findings: self.summary.plugins.iter().map(|plugin| plugin.findings.len() as u64).sum(),
            status,
            message,
            ..self.run.clone()
        };
        self.workspace.lake.record_run(&run).await.context(|| "the run cannot be recorded".to_owned())
    }
}

/// Refuses another length of slices than the lake's: what was found of one that lies across others would count twice.
///
/// # Errors
/// The lake holds a slice that ends where none does by now.
fn check_slices(workspace: &Workspace, coverage: &[Row]) -> Result<()> {
    let hours = workspace.config.slice_hours;
    let length = i64::from(hours) * HOUR;
    let is_across = |row: &&Row| row.slice_start.rem_euclid(length) != 0 || row.slice_end - row.slice_start < length;
    if !coverage.iter().any(|row| is_across(&row)) {
        return Ok(());
    }
    // The length that was last: it can only have become shorter.
    let lengths = coverage.iter().map(|row| (row.slice_end - row.slice_start) / HOUR);
    let (lake, of) = (&workspace.config.lake, lengths.min().unwrap_or_default());
    Err(Error::usage(format!("slice_hours is {hours}, and the lake {lake} holds slices of {of} hours")).remedy(
        format!("set slice_hours = {of}, or name another `lake` in wardflow.toml, into which all is analysed anew"),
    ))
}

/// That a slice's files hold another number of flows than they say together, and none does by itself.
fn damaged(stage: &Stage, told: u64, read: u64) -> Error {
    let start = Timestamp::from_microsecond(stage.slice.start).unwrap_or_default();
    Error::failed(format!(
        "of the slice that begins {start} the archive's files hold {told} flows, and {read} could be read: one of them is \
         damaged"
    ))
    .remedy("restore the files of that date from a copy, or delete them and ingest their logs again")
}

/// That no plugin can run.
pub fn no_plugins(workspace: &Workspace) -> Error {
    Error::failed(format!("no plugin in {} can run", workspace.config.plugins.display()))
        .remedy("see `wardflow plugin list`; `wardflow init` fills a new workspace with the bundled plugins")
}
