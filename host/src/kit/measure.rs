//! What a plugin costs, beside one that pulls the same columns and does nothing.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use wardflow_manifest::{Column, Manifest};

use super::{
    inputs,
    probe::{self, Call, Step, Watched, Watcher},
    trial::{self, Asked},
};
use crate::{
    detector::{Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop},
    error::{Error, Result},
    limits::Limits,
    sandbox::Sandbox,
};

/// Devices of the hospital that it is measured on.
const DEVICES: u32 = 200;
/// Runs of each, in turn; the median counts.
const ROUNDS: usize = 5;

/// What a plugin costs.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Flows of the archive.
    pub flows: u64,
    /// Flows given to sessions: a flow between two devices counts for either.
    pub given: u64,
    /// Sessions of the run.
    pub sessions: u64,
    /// Seconds of a run, the median, least and most; reading included.
    pub seconds: [f64; 3],
    /// The same of a native detector that pulls these columns and does nothing.
    pub null_seconds: [f64; 3],
    /// Nanoseconds in the guest, for each flow given.
    pub guest_ns: f64,
    /// Bytes copied into the guest, for each flow given.
    pub bytes: f64,
    /// Most linear memory of an instance, bytes.
    pub memory: usize,
    /// Bytes of a device's state: mean and most.
    pub state: [f64; 2],
    /// Bytes of the file.
    pub file: usize,
    /// Seconds to compile it.
    pub compile: f64,
    /// Seconds to load it compiled; absent without a cache.
    pub load: Option<f64>,
    /// Microseconds to instantiate it, the mean.
    pub instantiate: f64,
    /// Findings of a run.
    pub findings: u64,
    /// What was lost, if something was.
    pub missed: Option<String>,
}

/// Measures a plugin's bytes on a synthetic hospital of about so many flows.
///
/// # Errors
/// The plugin is refused, or nothing can be written to the directory for temporary files.
pub async fn measure(
    bytes: &[u8],
    limits: &Limits,
    flows: u64,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Measured> {
    progress("compiling it");
    let (cache, _directory) = private_cache()?;
    let load = |cache| {
        let began = Instant::now();
        let plugin = Sandbox::new(limits.clone(), cache).and_then(|sandbox| sandbox.load(bytes));
        plugin.map(|plugin| (plugin, began.elapsed().as_secs_f64()))
    };
    let (plugin, compile) = load(Some(cache.clone()))?;
    let load = load(Some(cache)).ok().map(|(_, seconds)| seconds);
    let plugin: Arc<dyn Detector> = Arc::new(plugin);
    progress("making flows");
    let made = inputs::hospital(plugin.manifest(), DEVICES, 1, Some(flows)).await?;
    let costs = Arc::new(Costs::default());
    let watched = probe::ask(&plugin, Watched(Arc::clone(&costs) as Arc<dyn Watcher>));
    let null: Arc<dyn Detector> = Arc::new(Null(plugin.manifest().clone()));
    progress("running it once to see what it does");
    let (first, _) = trial::run(&made.workspace, watched, &Asked::default()).await?;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        progress(&format!("round {} of {ROUNDS}", round + 1));
        let mut pair = [(&plugin, &mut own), (&null, &mut others)];
        if round % 2 == 1 {
            pair.reverse();
        }
        for (detector, times) in pair {
            times.push(trial::run(&made.workspace, Arc::clone(detector), &Asked::default()).await?.1);
        }
    }
    let costs = costs.0.lock().unwrap_or_else(PoisonError::into_inner);
    let each = |total: f64| if first.given == 0 { 0.0 } else { total / first.given as f64 };
    let sizes: Vec<_> = first.states.values().map(|state| state.bytes.len()).collect();
    let mean = sizes.iter().sum::<usize>() as f64 / sizes.len().max(1) as f64;
    Ok(Measured {
        flows: first.flows,
        given: first.given,
        sessions: costs.sessions,
        seconds: spread(own),
        null_seconds: spread(others),
        guest_ns: each(costs.cpu.as_nanos() as f64),
        bytes: each(costs.bytes as f64),
        memory: costs.memory,
        state: [mean, sizes.iter().copied().max().unwrap_or(0) as f64],
        file: bytes.len(),
        compile,
        load,
        instantiate: costs.instantiate.as_secs_f64() * 1e6 / costs.instances.max(1) as f64,
        findings: first.findings.len() as u64,
        missed: first.missed.first().map(|missed| missed.reason.clone()),
    })
}

/// A cache that nothing is in yet, so that compiling is measured and not looking up.
fn private_cache() -> Result<(PathBuf, tempfile::TempDir)> {
    let failed = |error: std::io::Error| Error::failed("no temporary directory can be made").because(error);
    let directory = tempfile::tempdir().map_err(failed)?;
    Ok((directory.path().join("code"), directory))
}

/// Median, least and most.
fn spread(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort_unstable();
    let at = |index: usize| times.get(index).map_or(0.0, Duration::as_secs_f64);
    [at(times.len() / 2), at(0), at(times.len().saturating_sub(1))]
}

#[derive(Debug, Default)]
struct Costs(Mutex<Summed>);

#[derive(Debug, Default)]
struct Summed {
    cpu: Duration,
    bytes: u64,
    /// Of the instance at hand, as far as it was summed.
    counted: u64,
    memory: usize,
    sessions: u64,
    instances: u64,
    instantiate: Duration,
}

impl Watcher for Costs {
    fn called(&self, call: &Call<'_>) {
        let mut summed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        summed.memory = summed.memory.max(call.cost.memory);
        match &call.step {
            Step::Instantiate => {
                summed.instances += 1;
                summed.instantiate += call.cpu;
                summed.counted = 0;
            }
            step => {
                summed.cpu += call.cpu;
                summed.sessions += u64::from(matches!(step, Step::Save(_)));
            }
        }
        summed.bytes += call.cost.bytes.saturating_sub(summed.counted);
        summed.counted = call.cost.bytes;
    }
}

/// Pulls the columns that a manifest declares, and does nothing.
#[derive(Debug)]
struct Null(Manifest);

impl Detector for Null {
    fn manifest(&self) -> &Manifest {
        &self.0
    }

    fn digest(&self) -> &str {
        "null"
    }

    fn memory(&self) -> usize {
        0
    }

    fn instantiate(&self, _: usize, _: &Stop) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(NullInstance { columns: self.0.columns.iter().copied().collect(), sessions: 0 }))
    }
}

struct NullInstance {
    columns: Vec<Column>,
    sessions: usize,
}

impl Instance for NullInstance {
    fn open(&mut self, _: &DeviceFacts, _: &str, _: Option<&[u8]>) -> Result<Opened, Fault> {
        self.sessions += 1;
        Ok(Opened::Session(SessionId(self.sessions - 1)))
    }

    fn observe(&mut self, _: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        for column in &self.columns {
            std::hint::black_box(flows.column(*column));
        }
        Ok(Vec::new())
    }

    fn end_slice(&mut self, _: SessionId, _: i64, _: i64, _: &[Gap]) -> Result<Vec<Report>, Fault> {
        Ok(Vec::new())
    }

    fn save(&mut self, _: SessionId) -> Result<Saved, Fault> {
        Ok(Saved { bytes: Vec::new(), learned: 0.0, ready: false })
    }

    fn cost(&self) -> Cost {
        Cost::default()
    }
}
