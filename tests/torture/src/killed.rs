//! `kill -9` at seeded moments of an analysis and of an ingest. A run after it leaves what one does that was never killed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rand::Rng;
use wardflow_datasets::{Flow, Hospital, Options, export};

use crate::{
    Result,
    batch::bar,
    chance,
    figure::{Figure, Verdict},
    means::Means,
    workspace::{self, Rows},
};

/// The name on the command line.
pub const NAME: &str = "killed";

/// Logs that are ingested together, so that there are moments between them.
const LOGS: usize = 4;

/// What is killed.
#[derive(Debug)]
struct Scene {
    name: &'static str,
    /// The workspace as it is before.
    before: PathBuf,
    arguments: Vec<String>,
    /// What tells whether all of it is there.
    queries: &'static str,
    /// What a run leaves that is not killed, and how long it takes.
    whole: (Rows, Duration),
}

/// What was found after all kills.
#[derive(Clone, Debug, Default)]
struct Found {
    kills: u64,
    lost: u64,
    doubled: u64,
    torn: u64,
    notes: Vec<String>,
}

/// The line of the table: so many kills, half of them of analyses.
///
/// # Errors
/// The command cannot be run.
pub fn figure(means: &Means, kills: u64) -> Result<Figure> {
    let scenes = [analysis(means)?, ingest(means)?];
    let bar = bar(NAME, kills);
    let found = Mutex::new(Found::default());
    let next = AtomicU64::new(means.index.unwrap_or(0));
    let work = |worker: usize| -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let is_enough = match means.index {
                Some(only) => index > only,
                None => lock(&found).kills >= kills,
            };
            if is_enough {
                return Ok(());
            }
            let scene = &scenes[usize::from(index % 2 == 1)];
            let place = means.scratch().join(format!("{}-{worker}", scene.name));
            killed(means, scene, &place, index, &found)?;
            bar.set_position(lock(&found).kills.min(kills));
        }
    };
    let done: Vec<Result<()>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..means.jobs).map(|worker| scope.spawn(move || work(worker))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
    });
    done.into_iter().collect::<Result<()>>()?;
    bar.finish_and_clear();
    let Found { kills, lost, doubled, torn, notes } = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let what = format!("kill -9 at {kills} moments of analyses and ingests");
    let measured = format!("{lost} lost, {doubled} doubled, {torn} torn");
    let verdict = Verdict::of(lost + doubled + torn == 0 && kills > 0);
    let lengths = scenes.iter().map(|scene| {
        format!(
            "{}: {:.2} s when it is not killed, {} rows",
            scene.name,
            scene.whole.1.as_secs_f64(),
            scene.whole.0.len()
        )
    });
    Ok(Figure::new(what, "0 lost, 0 doubled, 0 torn", measured, verdict).noting(lengths).noting(notes))
}

/// Kills a run once or a few times, lets one end, and looks at what is there.
fn killed(means: &Means, scene: &Scene, place: &Path, index: u64, found: &Mutex<Found>) -> Result<()> {
    let mut chance = chance::of(means.seed, index);
    workspace::copy(&scene.before, place)?;
    for _ in 0..chance.random_range(1..=3) {
        // A little later than the end too, since two runs at a time are slower than one.
        let moment = scene.whole.1.mul_f64(chance.random_range(0.02..1.2));
        let mut run = means.command(place).args(&scene.arguments).stdout(null()).stderr(null()).spawn()?;
        thread::sleep(moment);
        run.kill()?;
        if run.wait()?.code().is_none() {
            lock(found).kills += 1;
        }
    }
    let (lost, doubled, torn) = match after(means, scene, place) {
        Ok(rows) => {
            let (lost, doubled) = workspace::difference(&scene.whole.0, &rows);
            (lost, doubled, None)
        }
        Err(error) => (0, 0, Some(error.to_string())),
    };
    if lost + doubled > 0 || torn.is_some() {
        let mut found = lock(found);
        found.lost += lost;
        found.doubled += doubled;
        found.torn += u64::from(torn.is_some());
        let why = torn.unwrap_or_else(|| format!("{lost} rows lost, {doubled} too many"));
        let seed = means.seed;
        found.notes.push(format!("{}: {why}: repeat with --only {NAME} --seed {seed} --index {index}", scene.name));
    }
    Ok(())
}

/// What is there after a run that comes to its end.
fn after(means: &Means, scene: &Scene, place: &Path) -> Result<Rows> {
    let arguments: Vec<_> = scene.arguments.iter().map(String::as_str).collect();
    means.run(place, &arguments)?;
    let checked = means.run(place, &["-q", "--json", "archive", "check"])?;
    let problems = serde_json::from_str::<serde_json::Value>(&checked)?["problems"].take();
    if problems.as_array().is_none_or(|problems| !problems.is_empty()) {
        return Err(format!("the archive is not sound: {checked}").into());
    }
    workspace::rows(means, place, scene.queries)
}

fn analysis(means: &Means) -> Result<Scene> {
    let before = workspace::hospital(means, "analysed", 30, 2, 5_000)?;
    let arguments = ["-q", "analyze"].map(ToOwned::to_owned).to_vec();
    scene(means, "analysis", before, arguments, workspace::RESULTS)
}

fn ingest(means: &Means) -> Result<Scene> {
    means.run(means.scratch(), &["-q", "init", "ingested"])?;
    let before = means.scratch().join("ingested");
    let hospital = Hospital::new(Options { devices: 30, days: 2, flows: Some(5_000), ..Options::default() })?;
    let flows: Vec<Flow> = hospital.flows().collect();
    for (number, part) in flows.chunks(flows.len().div_ceil(LOGS)).enumerate() {
        let directory = before.join("logs").join(number.to_string());
        fs::create_dir_all(&directory)?;
        let began = part.first().map_or(0, |flow| flow.start_us);
        for (log, name) in [(export::Log::Conn, "conn.log"), (export::Log::Dns, "dns.log")] {
            let mut zeek = export::Zeek::new(Vec::new(), log, export::Format::Tsv, began)?;
            part.iter().try_for_each(|flow| zeek.write(flow))?;
            fs::write(directory.join(name), zeek.finish()?)?;
        }
    }
    let arguments = ["-q", "ingest", "zeek", "logs"].map(ToOwned::to_owned).to_vec();
    scene(means, "ingest", before, arguments, "SELECT * FROM flows; SELECT count(*) AS rejects FROM rejects")
}

/// Runs it to its end, thrice for the time.
fn scene(
    means: &Means,
    name: &'static str,
    before: PathBuf,
    arguments: Vec<String>,
    queries: &'static str,
) -> Result<Scene> {
    let place = means.scratch().join(format!("{name}-whole"));
    let mut scene = Scene { name, before, arguments, queries, whole: (Rows::new(), Duration::MAX) };
    for _ in 0..3 {
        workspace::copy(&scene.before, &place)?;
        let began = Instant::now();
        let arguments: Vec<_> = scene.arguments.iter().map(String::as_str).collect();
        means.run(&place, &arguments)?;
        scene.whole.1 = scene.whole.1.min(began.elapsed());
        let rows = workspace::rows(means, &place, queries)?;
        if !scene.whole.0.is_empty() && scene.whole.0 != rows {
            return Err(format!("{name}: two runs that are not killed leave different rows").into());
        }
        scene.whole.0 = rows;
    }
    Ok(scene)
}

fn null() -> std::process::Stdio {
    std::process::Stdio::null()
}

fn lock(found: &Mutex<Found>) -> std::sync::MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}
