//! What a plugin costs, beside one that pulls the same columns and does nothing.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use wardflow_datasets::Options;

use super::{
    inputs::{self, put_in_scope},
    null,
    probe::{self, Call, Step, Watched, Watcher},
    trial::{self, Asked},
};
use crate::{
    detector::Detector,
    device::Entry,
    error::{Error, Result},
    limits::Limits,
    sandbox::{Compiler, Sandbox},
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
    /// The same of a plugin that pulls these columns and does nothing.
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
    /// Seconds to load it compiled.
    pub load: f64,
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
    compiler: Compiler,
    flows: u64,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Measured> {
    progress("compiling it");
    let (cache, _directory) = private_cache()?;
    let compiler = compiler.kept_in(Some(cache));
    let load = |bytes: &[u8]| {
        let began = Instant::now();
        let plugin = Sandbox::new(limits.clone(), compiler.clone()).and_then(|sandbox| sandbox.load(bytes));
        plugin.map(|plugin| (Arc::new(plugin) as Arc<dyn Detector>, began.elapsed().as_secs_f64()))
    };
    let (plugin, compile) = load(bytes)?;
    let (_, compiled) = load(bytes)?;
    let (null, _) = load(&null::plugin(plugin.manifest())?)?;
    progress("making flows");
    let scope = &plugin.manifest().scope;
    let everyone = |entries: &mut [Entry]| entries.iter_mut().for_each(|entry| put_in_scope(&mut entry.facts, scope));
    let options = Options { devices: DEVICES, days: 1, flows: Some(flows), ..Options::default() };
    let made = inputs::hospital(options, everyone).await?;
    let costs = Arc::new(Costs::default());
    let watched = probe::ask(&plugin, Watched(Arc::clone(&costs) as Arc<dyn Watcher>));
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
        load: compiled,
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
