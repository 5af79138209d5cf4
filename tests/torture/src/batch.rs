//! The parent's side of a batch: children do the cases, and one that does not come back is told from one that is slow.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    ops::Range,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{Result, means::Means};

/// Cases of one child. What one leaves behind in a process meets few others.
const CASES: u64 = 500;

/// A case that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Failures after which a campaign ends: more tell nothing new.
const MOST_FAILURES: usize = 50;

/// What a campaign has its children do.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// The hidden command of this program, and what it is told.
    pub arguments: &'a [&'a str],
    /// How to say on the command line that one case is to be repeated.
    pub name: &'a str,
    /// Cases.
    pub count: u64,
    /// Programs that take the place of others of the same name.
    pub programs: Option<&'a Path>,
}

/// What came of all cases.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many ended how.
    pub outcomes: BTreeMap<String, u64>,
    /// Those that brought the host down, and how to repeat them.
    pub failures: Vec<String>,
    /// Panics of a library that the host caught and told as errors.
    pub guarded: u64,
    /// Peak resident memory of a child in MiB.
    pub peak_mib: f64,
}

impl Tally {
    /// Outcomes as text, in the order of their names.
    pub fn outcomes(&self) -> String {
        let said: Vec<_> = self.outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        said.join(", ")
    }
}

/// Does all cases of a campaign, in as many children at a time as the means allow.
///
/// # Errors
/// A child cannot be started, or says that a case cannot be made.
pub fn run(means: &Means, campaign: Campaign<'_>) -> Result<Tally> {
    let cases = match means.index {
        Some(index) => index..index + 1,
        None => 0..campaign.count,
    };
    let bar = bar(campaign.name, cases.end - cases.start);
    let next = AtomicU64::new(cases.start);
    let tally = Mutex::new(Tally::default());
    let work = || -> Result<()> {
        loop {
            let begin = next.fetch_add(CASES, Ordering::Relaxed);
            let is_enough = lock(&tally).failures.len() >= MOST_FAILURES;
            if begin >= cases.end || is_enough {
                return Ok(());
            }
            let mut rest = begin..cases.end.min(begin + CASES);
            while !rest.is_empty() {
                rest = part(means, campaign, rest, &tally, &bar)?;
            }
        }
    };
    let done: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..means.jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
    });
    bar.finish_and_clear();
    done.into_iter().collect::<Result<()>>()?;
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Has a child do cases, and returns those that are left where it stopped in one.
fn part(
    means: &Means,
    campaign: Campaign<'_>,
    cases: Range<u64>,
    tally: &Mutex<Tally>,
    bar: &ProgressBar,
) -> Result<Range<u64>> {
    let mut child = Command::new(&means.program)
        .args(["--seed", &means.seed.to_string(), "--plugins"])
        .arg(&means.plugins)
        .args(["child", "--from", &cases.start.to_string(), "--to", &cases.end.to_string()])
        .args(campaign.arguments)
        // The compiler's own threads: the children are enough.
        .env("RAYON_NUM_THREADS", "1")
        .env("TMPDIR", means.memory())
        .env("PATH", path(campaign.programs)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // With the programs that it runs.
        .process_group(0)
        .spawn()?;
    let lines = listen(&mut child)?;
    let mut at = None;
    let mut is_whole = false;
    let hangs = loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                is_whole |= line.starts_with("peak ");
                take(&line, means, campaign, &mut at, &mut lock(tally));
                if line.starts_with("ended ") {
                    bar.inc(1);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    if hangs {
        kill_process_group(Pid::from_child(&child), Signal::KILL)?;
    }
    let status = child.wait()?;
    if is_whole && status.success() {
        return Ok(cases.end..cases.end);
    }
    let Some(index) = at else {
        return Err(format!("a child of {} failed between cases: {status}", campaign.name).into());
    };
    let how = match status.signal() {
        _ if hangs => format!("hung for {} s", PATIENCE.as_secs()),
        Some(signal) => format!("aborted by signal {signal}"),
        None => format!("ended with {status}"),
    };
    lock(tally).failures.push(failure(means, campaign, index, &how));
    bar.inc(1);
    Ok(index + 1..cases.end)
}

/// Where programs are looked for.
fn path(first: Option<&Path>) -> Result<OsString> {
    let others = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths(first.map(Path::to_owned).into_iter().chain(env::split_paths(&others)))?)
}

/// Takes in a line of a child.
fn take(line: &str, means: &Means, campaign: Campaign<'_>, at: &mut Option<u64>, tally: &mut Tally) {
    let mut words = line.splitn(3, ' ');
    let (word, number) = (words.next().unwrap_or_default(), words.next().and_then(|number| number.parse::<u64>().ok()));
    let (Some(number), rest) = (number, words.next().unwrap_or_default()) else { return };
    match word {
        "begun" => *at = Some(number),
        "panic" => tally.failures.push(failure(means, campaign, number, rest)),
        "ended" => {
            *at = None;
            *tally.outcomes.entry(rest.to_owned()).or_default() += 1;
        }
        "guarded" => tally.guarded += number,
        "peak" => tally.peak_mib = tally.peak_mib.max(number as f64 / 1024.0),
        _ => {}
    }
}

fn failure(means: &Means, campaign: Campaign<'_>, index: u64, how: &str) -> String {
    format!("{how}: repeat with --only {} --seed {} --index {index}", campaign.name, means.seed)
}

/// The lines of a child, as they come.
fn listen(child: &mut Child) -> Result<Receiver<String>> {
    let out = child.stdout.take().ok_or("a child has no output")?;
    let (says, lines) = channel();
    thread::spawn(move || {
        // Who no longer listens has killed it.
        BufReader::new(out).lines().map_while(std::result::Result::ok).try_for_each(|line| says.send(line))
    });
    Ok(lines)
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far a campaign is, on stderr where that is a terminal.
pub(crate) fn bar(name: &str, count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:20} {wide_bar} {human_pos}/{human_len} {eta}");
    let bar = ProgressBar::new(count).with_prefix(name.to_owned());
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
