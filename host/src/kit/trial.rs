//! What a detector finds in a workspace: slice after slice through the operator, from nothing learned, writing nothing.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use datafusion::{
    execution::{memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    prelude::{SessionConfig, SessionContext},
};
use jiff::Timestamp;

use super::{
    probe::{self, Told},
    seen::Seen,
};
use crate::{
    analyze::{Traveller, stages, step},
    catalog,
    coverage::Status,
    detect::{Directory, Only},
    detector::{Detector, Gap, Stop},
    error::{Context, Result},
    workspace::Workspace,
};

/// Memory of a trial.
const MEMORY: usize = 2 << 30;

/// What came of a detector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// In order of slice, device and cause.
    pub findings: Vec<Seen>,
    /// Devices that were lost, and slices that were not run or not suited.
    pub missed: Vec<Missed>,
    /// Devices that began anew, and why.
    pub began_anew: Vec<Missed>,
    /// The states at the end, by device.
    pub states: BTreeMap<String, Kept>,
    /// Flows of the archive.
    pub flows: u64,
    /// Flows given to sessions: a flow between two devices counts for either.
    pub given: u64,
    /// Most devices of a slice.
    pub devices: u64,
    /// Slices.
    pub slices: u64,
}

/// Something that was not analysed as it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Start of the slice.
    pub slice_start: Timestamp,
    /// The device; absent for all of the slice.
    pub device_id: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Why.
    pub reason: String,
}

/// A state at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// In the guest's own format.
    pub bytes: Vec<u8>,
    /// How far learning is, in [0, 1].
    pub learned: f64,
    /// Whether it is enough.
    pub ready: bool,
}

/// How a trial is run.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// These devices alone.
    pub devices: Option<Vec<String>>,
    /// Length of a slice in hours, instead of the workspace's.
    pub slice_hours: Option<u32>,
    /// Slices that overlap [from, to), microseconds UTC.
    pub span: Option<(i64, i64)>,
    /// The sensors' gaps, instead of those that the flows show.
    pub gaps: Option<Arc<[Gap]>>,
}

impl Trial {
    /// What was missed, a line for each device and reason.
    pub fn losses(&self) -> Vec<String> {
        let mut alike: BTreeMap<(&str, &str), (&Missed, u64)> = BTreeMap::new();
        for missed in &self.missed {
            let device = missed.device_id.as_deref().unwrap_or("every device");
            alike.entry((device, &missed.reason)).or_insert((missed, 0)).1 += 1;
        }
        let line = |((device, reason), (first, count)): (&(&str, &str), &(&Missed, u64))| {
            let more = if *count > 1 { format!(", and in {} slices more", count - 1) } else { String::new() };
            let slice = first.slice_start.strftime("%Y-%m-%d %H:%M");
            format!("{device} {} in the slice of {slice}{more}: {reason}", first.status)
        };
        alike.iter().map(line).collect()
    }
}

/// Runs a detector over a workspace's archive. Returns what came of it and how long it took.
///
/// # Errors
/// The archive cannot be read, the plugin's settings are wrong, or the run was stopped. What a guest does wrong is no
/// error but [`Trial::missed`].
pub async fn run(workspace: &Workspace, detector: Arc<dyn Detector>, asked: &Asked) -> Result<(Trial, Duration)> {
    let detector = match &asked.gaps {
        Some(gaps) => probe::ask(&detector, Told(Arc::clone(gaps))),
        None => detector,
    };
    let session = session()?;
    session.register_object_store(workspace.archive.store_url(), Arc::clone(workspace.archive.store()));
    let plugin = workspace.settle(detector)?;
    let id = plugin.id().to_string();
    let hours = asked.slice_hours.unwrap_or(workspace.config.slice_hours);
    let mut stages = stages(workspace.slices(hours));
    if let Some((from, to)) = asked.span {
        stages.retain(|stage| stage.slice.end > from && stage.slice.start < to);
    }
    let directory = Arc::new(Directory::new(Arc::clone(&workspace.world))?);
    let start = stages.first().map_or(0, |stage| stage.slice.start);
    let mut traveller = Traveller::new(plugin, None, start)?;
    let mut trial = Trial::default();
    let (mut findings, mut observations) = (Vec::new(), Vec::new());
    let began = Instant::now();
    for stage in stages {
        trial.slices += 1;
        if stage.is_skipped {
            traveller.skip_to(stage.slice.end);
            continue;
        }
        let files: Vec<_> = stage.files.iter().map(|file| workspace.listing.files[*file].clone()).collect();
        let is_canonical = files.iter().all(|file| !file.foreign);
        let flows = catalog::joined(&workspace.archive, catalog::flows(&workspace.archive, files)?, hours);
        let only = asked.devices.clone().map(|devices| Only { devices, observed: stage.observed(), is_canonical });
        let mut here = [&mut traveller];
        let mut outcome = step(&session, flows, &directory, stage.slice, &mut here, only, &Stop::default()).await?;
        trial.flows += outcome.flows;
        findings.append(&mut outcome.findings);
        observations.append(&mut outcome.observations);
        let Some(plugin) = outcome.plugins.remove(&id) else { continue };
        trial.given += plugin.flows;
        trial.devices = trial.devices.max(plugin.devices);
        let slice_start = Timestamp::from_microsecond(stage.slice.start).unwrap_or_default();
        let missed = |device_id: Option<String>, status, reason: Option<String>| Missed {
            slice_start,
            device_id,
            status,
            reason: reason.unwrap_or_default(),
        };
        for single in plugin.single {
            let row = missed(single.device_id, single.status, single.fault);
            if single.status == Status::Complete { &mut trial.began_anew } else { &mut trial.missed }.push(row);
        }
        if matches!(plugin.status, Status::NotRun | Status::Unsuited) {
            trial.missed.push(missed(None, plugin.status, plugin.fault));
        }
    }
    let took = began.elapsed();
    trial.findings = Seen::of(&findings, &observations);
    let states = traveller.states.iter();
    trial.states = states
        .map(|(key, state)| {
            let kept = Kept { bytes: state.bytes.clone(), learned: state.learned, ready: state.ready };
            (key.device_id.clone(), kept)
        })
        .collect();
    Ok((trial, took))
}

/// A query engine of its own, one core wide: what is measured beside each other should not share.
fn session() -> Result<SessionContext> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY)))
        .build_arc()
        .context(|| "the query engine cannot start".to_owned())?;
    Ok(SessionContext::new_with_config_rt(SessionConfig::new().with_target_partitions(1), runtime))
}
