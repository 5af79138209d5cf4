//! What the kernel is asked for while a guest runs.
//!
//! A child runs slices on one thread under strace, between two calls that mark the beginning and the end. With a plugin the
//! calls go into the sandbox; without, to a detector of this program's own, which pulls the same columns. The names of the
//! system calls of that thread between the marks are compared.
//!
//! They are not wholly the same, and cannot be: the sandbox has its own, `OWN`, which a guest brings about by computing, by
//! growing, by ending and by trapping, and by whose arguments it reaches nothing but its own memory. Any other that comes with
//! a plugin misses the goal.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use clap::ValueEnum;
use wardflow::{
    detector::{Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop},
    limits::Limits,
    sandbox::{Compiler, Plugin, Sandbox},
};
use wardflow_manifest::Manifest;

use crate::{
    Result, components,
    figure::{Figure, Verdict},
    guest::guest,
    means::{Means, is_there},
};

/// The name on the command line.
pub const NAME: &str = "syscalls";

/// Files that are not there, by which the marks are known.
const MARKS: [&str; 2] = ["/torture-begins", "/torture-ends"];

/// What the sandbox asks the kernel for on behalf of a guest, and why.
const OWN: [(&str, &str); 4] = [
    ("clock_gettime", "the CPU time of a call, at each tick of the engine's clock"),
    ("madvise", "the memory of an instance is cleared for the next"),
    ("mprotect", "an instance's memory grows, and is taken back"),
    ("rt_sigreturn", "a trap is a signal, from which the host returns"),
];

/// Long enough for a few ticks of the engine's clock.
const LENGTH: Duration = Duration::from_millis(500);

/// What runs between the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arm {
    /// The bundled plugins.
    Plugins,
    /// A plugin that takes memory, speaks to its author, spins and traps.
    Hostile,
    /// A plugin that returns at once.
    Idle,
    /// No plugin: a detector of this program's own.
    Native,
}

/// The line of the table.
///
/// # Errors
/// strace fails, or shows no marks.
pub fn figure(means: &Means) -> Result<Figure> {
    let what = "system calls made while a guest runs";
    let goal = "the same set with and without a plugin, but for the sandbox's own";
    if !is_there("strace") {
        return Ok(Figure::not_measured(what, goal, "no strace"));
    }
    let mut notes = Vec::new();
    let mut seen = |arm: Arm| -> Result<BTreeSet<String>> {
        let names = traced(means, arm)?;
        let list: Vec<_> = names.iter().map(String::as_str).collect();
        notes.push(format!("{}: {}", arm_name(arm), if list.is_empty() { "none".to_owned() } else { list.join(", ") }));
        Ok(names)
    };
    let native = seen(Arm::Native)?;
    let guests = [seen(Arm::Idle)?, seen(Arm::Plugins)?, seen(Arm::Hostile)?].into_iter().flatten();
    let more: BTreeSet<_> = guests.filter(|name| !native.contains(name)).collect();
    let (own, strange): (Vec<_>, Vec<_>) = more.into_iter().partition(|name| OWN.iter().any(|(own, _)| own == name));
    let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let measured = format!("others: {}; the sandbox's own: {}", listed(&strange), listed(&own));
    let reasons = OWN.map(|(name, why)| format!("{name}: {why}"));
    Ok(Figure::new(what, goal, measured, Verdict::of(strange.is_empty())).noting(notes).noting(reasons))
}

fn arm_name(arm: Arm) -> String {
    arm.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Names of the system calls between the marks.
fn traced(means: &Means, arm: Arm) -> Result<BTreeSet<String>> {
    let trace = means.scratch().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-o"])
        .arg(&trace)
        .arg(&means.program)
        .arg("--plugins")
        .arg(&means.plugins)
        .args(["guest-calls", &arm_name(arm)])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("strace: {status}; it may not be allowed to trace here").into());
    }
    between(&fs::read_to_string(trace)?)
}

/// Reads what strace wrote: a line a call, with the number of the thread before it.
fn between(trace: &str) -> Result<BTreeSet<String>> {
    let [begin, end] = MARKS;
    let thread = trace.lines().find(|line| line.contains(begin)).and_then(|line| line.split_whitespace().next());
    let thread = thread.ok_or("strace shows no beginning")?;
    let of_it = trace.lines().filter_map(|line| line.strip_prefix(thread)).map(str::trim_start);
    let mut after = of_it.skip_while(|line| !line.contains(begin)).skip(1);
    let mut names = BTreeSet::new();
    for line in after.by_ref() {
        if line.contains(end) {
            return Ok(names);
        }
        // What goes on after it was interrupted has been counted, and signals have no name.
        if let Some((name, _)) = line.split_once('(').filter(|(name, _)| !name.contains(['<', '-', ' '])) {
            names.insert(name.to_owned());
        }
    }
    Err("strace shows no end".into())
}

/// What the child does.
///
/// # Errors
/// A plugin cannot be loaded.
pub fn run(arm: Arm, plugins: &Path) -> Result<()> {
    let sandbox = Sandbox::new(Limits { observe_ms: 50, ..Limits::default() }, Compiler::here())?;
    let load = |holes: &[(&str, &str)]| -> Result<Plugin> { Ok(sandbox.load(&guest(holes)?)?) };
    let detectors: Vec<Box<dyn Detector>> = match arm {
        Arm::Plugins => bundled(&sandbox, plugins)?,
        Arm::Hostile => HOSTILE
            .iter()
            .map(|(hole, instructions)| Ok(Box::new(load(&[(*hole, *instructions)])?) as Box<dyn Detector>))
            .collect::<Result<_>>()?,
        Arm::Idle => vec![Box::new(load(&[])?)],
        Arm::Native => vec![Box::new(Native(crate::guest::manifest()?))],
    };
    let round = || detectors.iter().for_each(|detector| drop(components::run::run(&**detector)));
    // What is done once is done before: the first look at a clock too.
    round();
    let _ = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let [begin, end] = MARKS;
    let _ = fs::metadata(begin);
    let began = Instant::now();
    while began.elapsed() < LENGTH {
        round();
    }
    let _ = fs::metadata(end);
    Ok(())
}

fn bundled(sandbox: &Sandbox, plugins: &Path) -> Result<Vec<Box<dyn Detector>>> {
    let mut loaded: Vec<Box<dyn Detector>> = Vec::new();
    for file in fs::read_dir(plugins)? {
        loaded.push(Box::new(sandbox.load_file(&file?.path())?));
    }
    Ok(loaded)
}

/// Where a hostile guest does what.
const HOSTILE: [(&str, &str); 5] = [
    (
        "observe",
        "(drop (memory.grow (i32.const 500))) (memory.fill (i32.const 65536) (i32.const 7) (i32.const 30000000))",
    ),
    ("observe", "(call $log (i32.const 512) (i32.const 4)) (unreachable)"),
    ("observe", "(loop (br 0))"),
    ("end-slice", "(drop (i32.load (i32.const -8)))"),
    ("save", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
];

/// A detector without a sandbox: it pulls what it declares and finds nothing.
#[derive(Debug)]
struct Native(Manifest);

impl Detector for Native {
    fn manifest(&self) -> &Manifest {
        &self.0
    }

    fn digest(&self) -> &str {
        "native"
    }

    fn memory(&self) -> usize {
        0
    }

    fn instantiate(&self, _: usize, _: &Stop) -> std::result::Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(Pulling { columns: self.0.columns.iter().copied().collect(), sessions: 0 }))
    }
}

struct Pulling {
    columns: Vec<wardflow_manifest::Column>,
    sessions: usize,
}

impl Instance for Pulling {
    fn open(&mut self, _: &DeviceFacts, _: &str, _: Option<&[u8]>) -> std::result::Result<Opened, Fault> {
        self.sessions += 1;
        Ok(Opened::Session(SessionId(self.sessions - 1)))
    }

    fn observe(&mut self, _: SessionId, flows: Box<dyn FlowBatch>) -> std::result::Result<Vec<Report>, Fault> {
        for column in &self.columns {
            std::hint::black_box(flows.column(*column));
        }
        Ok(Vec::new())
    }

    fn end_slice(&mut self, _: SessionId, _: i64, _: i64, _: &[Gap]) -> std::result::Result<Vec<Report>, Fault> {
        Ok(Vec::new())
    }

    fn save(&mut self, _: SessionId) -> std::result::Result<Saved, Fault> {
        Ok(Saved { bytes: vec![7; 64], learned: 0.0, ready: true })
    }

    fn cost(&self) -> Cost {
        Cost::default()
    }
}
