//! Instructions that the boundary takes, as callgrind counts them: they repeat where times do not.
//!
//! Without deadlines, whose clock would tick at other places each time.

use std::{path::Path, process::Command};

use serde::Serialize;
use wardflow::{
    detector::Stop,
    limits::Limits,
    sandbox::{Compiler, Sandbox},
};

use crate::{
    Result,
    micro::{NOTHING, Rows, open, private, pulling},
};

/// What is counted: a column that is pulled, or nothing, and the rows of the batch.
const CALLS: [(&str, usize); 8] = [
    ("nothing", 1),
    ("end-time", 16),
    ("end-time", 512),
    ("end-time", 8_192),
    ("peer", 8_192),
    ("peer-class", 8_192),
    ("peer-port", 8_192),
    ("protocol", 8_192),
];

/// Repetitions of which the difference is taken, so that what comes before and after does not count.
const TIMES: [usize; 2] = [100, 300];

/// Instructions of one call of `observe`.
#[derive(Debug, Serialize)]
pub(crate) struct Counted {
    pub(crate) pulled: &'static str,
    pub(crate) rows: usize,
    pub(crate) instructions: f64,
}

/// Counts; nothing where there is no valgrind.
pub(crate) fn run(plugins: &Path) -> Result<Vec<Counted>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("no valgrind: instructions are not counted");
        return Ok(Vec::new());
    }
    // Compiles for the processor that valgrind emulates, so that nothing is compiled while it counts.
    count(plugins, "nothing", 1, 1)?;
    let mut counted = Vec::new();
    for (pulled, rows) in CALLS {
        let [few, many] = TIMES.map(|times| count(plugins, pulled, rows, times));
        let instructions = (many? as f64 - few? as f64) / (TIMES[1] - TIMES[0]) as f64;
        println!("  {pulled:11} {rows:5} rows: {instructions:9.0} instructions a call");
        counted.push(Counted { pulled, rows, instructions });
    }
    Ok(counted)
}

/// Calls `observe` so often: what callgrind runs.
pub(crate) fn repeat(plugins: &Path, pulled: &str, rows: usize, times: usize) -> Result<()> {
    // That of this processor is kept elsewhere.
    let cache = plugins.join("code-counts");
    std::fs::create_dir_all(&cache)?;
    private(&cache)?;
    let plugin = Sandbox::without_deadlines(Limits::default(), Compiler::here().kept_in(Some(cache)))?
        .load_file(&plugins.join("bench-null.wasm"))?;
    let mut instance = wardflow::detector::Detector::instantiate(&plugin, 1, &Stop::default())?;
    let parameters = if pulled == "nothing" { NOTHING.to_owned() } else { pulling(pulled) };
    let session = open(&mut *instance, &parameters, None)?;
    for _ in 0..times {
        instance.observe(session, Box::new(Rows(rows)))?;
    }
    Ok(())
}

fn count(plugins: &Path, pulled: &str, rows: usize, times: usize) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .arg("--plugins")
        .arg(plugins)
        .args(["calls", pulled, &rows.to_string(), &times.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let number = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    number.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind: {said}").into())
}
