//! Nine good plugins beside one that never returns: what they find, and how long it takes.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    Result,
    batch::bar,
    figure::{Figure, Verdict},
    guest::{SPIN, guest},
    means::Means,
    sections::with_manifest,
    workspace,
};

/// The name on the command line.
pub const NAME: &str = "beside";

/// Copies of each of the three bundled plugins.
const COPIES: usize = 3;

/// CPU time of faults after which a plugin is stopped, by default.
const FAULTED: Duration = Duration::from_secs(30);

/// What the good plugins say, all but what names a run.
const GOOD: &str = "
    SELECT * EXCLUDE (commit) FROM finding_slices WHERE plugin <> 'torture/guest';
    SELECT * FROM observations WHERE plugin <> 'torture/guest';
    SELECT plugin, slice_start, device_id, devices, flows, status, fault, input_digest, state_before, state_digest
    FROM coverage WHERE plugin <> 'torture/guest';";

/// The line of the table: so many flows, analysed so often with and without the evil one.
///
/// # Errors
/// The command cannot be run.
pub fn figure(means: &Means, flows: u64, rounds: usize) -> Result<Figure> {
    let hospital = workspace::hospital(means, "beside", 120, 7, flows)?;
    let count = replace_plugins(&hospital)?;
    let evil = guest(&[("observe", SPIN)])?;
    let (mut times, mut said) = ([Vec::new(), Vec::new()], [None, None]);
    let bar = bar(NAME, 2 * rounds as u64 + 1);
    // The first round compiles.
    for round in 0..=rounds {
        for (arm, is_evil) in [false, true].into_iter().enumerate() {
            let file = hospital.join("plugins/guest.wasm");
            match (is_evil, file.exists()) {
                (true, false) => fs::write(&file, &evil)?,
                (false, true) => fs::remove_file(&file)?,
                _ => {}
            }
            if is_evil && round == 0 {
                continue;
            }
            let lake = hospital.join("lake");
            if lake.exists() {
                fs::remove_dir_all(lake)?;
            }
            let began = Instant::now();
            means.run(&hospital, &["-q", "analyze"])?;
            if round > 0 {
                times[arm].push(began.elapsed());
            }
            said[arm] = Some(workspace::rows(means, &hospital, GOOD)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let is_same = said[0] == said[1];
    let rows: u64 = said[0].iter().flat_map(|rows| rows.values()).sum();
    let [alone, beside] = times.map(median);
    let most = alone.mul_f64(1.1) + FAULTED;
    let what = format!("{count} good plugins beside one that never returns, {flows} flows");
    let goal = "findings byte-identical; wall time at most 1.10 × and 30 s";
    let same = if is_same { "identical" } else { "different" };
    let measured = format!("{same}; {:.1} s, alone {:.1} s", beside.as_secs_f64(), alone.as_secs_f64());
    let note = format!("{rows} rows of findings, observations and coverage were compared");
    Ok(Figure::new(what, goal, measured, Verdict::of(is_same && beside <= most && rows > 0)).noting([note]))
}

/// Puts copies of the plugins, each under an id of its own and set up alike, in place of them.
fn replace_plugins(hospital: &Path) -> Result<usize> {
    let files = fs::read_dir(hospital.join("plugins"))?.collect::<std::io::Result<Vec<_>>>()?;
    let settings = fs::read_to_string(hospital.join("wardflow.toml"))?;
    let (rest, of_plugins) = settings.split_once("[plugin.").ok_or("the hospital sets up no plugin")?;
    let mut changed = rest.to_owned();
    for number in 0..COPIES {
        for file in &files {
            let copy = with_manifest(&fs::read(file.path())?, |manifest| {
                manifest.id = format!("torture/{}-{number}", manifest.id.name()).parse()?;
                Ok(())
            })?;
            let name = file.file_name();
            fs::write(hospital.join("plugins").join(format!("{number}-{}", name.to_string_lossy())), copy)?;
        }
        let mine = format!("[plugin.{of_plugins}").replace("infusion-pump\"", &format!("infusion-pump-{number}\""));
        changed += &mine.replace("\"wardflow/", "\"torture/");
    }
    for file in &files {
        fs::remove_file(file.path())?;
    }
    fs::write(hospital.join("wardflow.toml"), changed)?;
    Ok(files.len() * COPIES)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
