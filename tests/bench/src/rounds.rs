//! Rounds: every arm in a process of its own, forwards and backwards in turn.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    Result,
    arm::{Arm, Found, Measured},
    data::Layout,
};

/// An arm, the layout it reads, and how many cores it may use.
pub(crate) type Entry = (Arm, Layout, usize);

/// What each entry measured, round by round.
pub(crate) type Results = BTreeMap<Entry, Vec<Measured>>;

/// What to run, and where.
pub(crate) struct Rounds<'a> {
    pub(crate) out: &'a Path,
    pub(crate) plugins: &'a Path,
    pub(crate) python: Option<&'a Path>,
    pub(crate) rounds: usize,
    pub(crate) only: &'a [String],
}

/// Names of what is measured, and how far the values of two engines may lie apart: sums in another order.
const TOLERANCE: f64 = 1e-6;

/// Rounds of an arm that is slow: it says the same after three, and would take most of the time.
const SLOW_ROUNDS: usize = 3;

/// Whether an arm takes longer than anything of Wardflow's own.
fn is_slow(measured: &[Measured]) -> bool {
    measured.iter().all(|measured| measured.seconds > 12.0)
}

impl Rounds<'_> {
    /// Runs all rounds, and one before them that is not counted.
    pub(crate) fn run(&self) -> Result<Results> {
        let entries = self.entries();
        let mut results = Results::new();
        for round in 0..=self.rounds {
            let mut order = entries.clone();
            if round % 2 == 1 {
                order.reverse();
            }
            for entry in order {
                if round > SLOW_ROUNDS && results.get(&entry).is_some_and(|measured| is_slow(measured)) {
                    continue;
                }
                let measured = self.measure(entry)?;
                let (arm, layout, threads) = entry;
                eprintln!(
                    "round {round}: {} {} {threads}: {:.2} s, {:.0} MiB, {} found",
                    arm.name(),
                    layout.directory(),
                    measured.seconds,
                    measured.peak_mib,
                    measured.found.len()
                );
                if round > 0 {
                    results.entry(entry).or_default().push(measured);
                }
            }
        }
        check(&results)?;
        Ok(results)
    }

    fn entries(&self) -> Vec<Entry> {
        let all = entries().into_iter().filter(|entry| is_wanted(entry, self.only));
        all.filter(|(arm, ..)| arm.script().is_none() || self.python.is_some()).collect()
    }

    fn measure(&self, (arm, layout, threads): Entry) -> Result<Measured> {
        let mut command = match (arm.script(), self.python) {
            (Some(script), Some(python)) => {
                let mut command = Command::new("taskset");
                command.arg("--cpu-list").arg(format!("0-{}", threads - 1)).arg(python).args(["-c", script]);
                command.arg(self.out.join(layout.directory())).arg(threads.to_string());
                command
            }
            _ => {
                let mut command = Command::new(env::current_exe()?);
                command.arg("--out").arg(self.out).arg("--plugins").arg(self.plugins);
                command.args(["arm", &arm.name(), layout.directory(), "--threads", &threads.to_string()]);
                command
            }
        };
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{} on {}: {}", arm.name(), layout.directory(), output.status).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Everything that is measured.
fn entries() -> Vec<Entry> {
    let arms = [
        Arm::Scan,
        Arm::Null,
        Arm::NullNative,
        Arm::NullTwo,
        Arm::Rhythm,
        Arm::RhythmNative,
        Arm::TenRhythms,
        Arm::Datafusion,
        Arm::DuckdbWindow,
        Arm::DuckdbList,
        Arm::Polars,
    ];
    let layouts = [Layout::Ordered, Layout::Ingested];
    let one_core = layouts.iter().flat_map(|layout| arms.iter().map(|arm| (*arm, *layout, 1)));
    let two_cores = layouts.iter().map(|layout| (Arm::Rhythm, *layout, 2));
    let further = [
        (Arm::RhythmUninterrupted, Layout::Ingested, 1),
        (Arm::OneDevice, Layout::Ingested, 1),
        (Arm::Rhythm, Layout::Heavy, 1),
        (Arm::Rhythm, Layout::Many, 1),
        (Arm::Rhythm, Layout::Week, 1),
        (Arm::Ingest, Layout::Zeek, 1),
        (Arm::DuckdbIngest, Layout::Zeek, 1),
    ];
    one_core.chain(two_cores).chain(further).collect()
}

fn is_wanted((arm, layout, threads): &Entry, only: &[String]) -> bool {
    let name = format!("{}-{}-{threads}", arm.name(), layout.directory());
    only.is_empty() || only.iter().any(|only| name.contains(only))
}

/// What the wanted arms read. What is laid out in order of time is made from what was ingested.
pub(crate) fn layouts(only: &[String]) -> BTreeSet<Layout> {
    let wanted: BTreeSet<_> =
        entries().iter().filter(|entry| is_wanted(entry, only)).map(|(_, layout, _)| *layout).collect();
    let nights = only.is_empty().then_some(Layout::Nights);
    let source = wanted.contains(&Layout::Ordered).then_some(Layout::Ingested);
    wanted.into_iter().chain(nights).chain(source).collect()
}

/// What was found, by device, peer and port.
type ByService = BTreeMap<(String, String, i32), Found>;

/// Whether all arms that find something found the same.
fn check(results: &Results) -> Result<()> {
    let finders = results.iter().filter(|((arm, layout, _), _)| {
        let is_finder = !matches!(arm, Arm::Scan | Arm::Null | Arm::NullNative | Arm::NullTwo | Arm::OneDevice);
        is_finder && matches!(layout, Layout::Ordered | Layout::Ingested)
    });
    let mut first: Option<(String, ByService)> = None;
    for ((arm, layout, threads), rounds) in finders {
        let name = format!("{} {} {threads}", arm.name(), layout.directory());
        let key = |found: &Found| (found.device.clone(), found.peer.clone(), found.port);
        for measured in rounds {
            let found: ByService = measured.found.iter().map(|found| (key(found), found.clone())).collect();
            if found.is_empty() {
                return Err(format!("{name} found nothing").into());
            }
            match &first {
                None => first = Some((name.clone(), found)),
                Some((other, expected)) => compare(other, expected, &name, &found)?,
            }
        }
    }
    Ok(())
}

fn compare(other: &str, expected: &ByService, name: &str, found: &ByService) -> Result<()> {
    if let Some(lacking) = expected.keys().find(|key| !found.contains_key(key)) {
        return Err(format!("{other} found {lacking:?}, and {name} did not").into());
    }
    for (key, found) in found {
        let Some(expected) = expected.get(key) else {
            return Err(format!("{name} found {key:?}, and {other} did not").into());
        };
        for (what, value) in &expected.measured {
            let measured = found.measured.get(what).copied().unwrap_or(f64::NAN);
            let difference = (measured - value).abs() / value.abs().max(1e-9);
            if difference.is_nan() || difference > TOLERANCE {
                return Err(format!("{what} of {key:?}: {value} by {other}, {measured} by {name}").into());
            }
        }
    }
    Ok(())
}
