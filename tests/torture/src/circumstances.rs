//! When and on what it was measured.

use std::{fs, process::Command, thread};

/// One line: date, machine, seed, commit.
pub(crate) fn of(seed: u64) -> String {
    let date = jiff::Zoned::now().date();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim();
    format!("{date}; {cores} cores, {:.0} GiB, Linux {kernel}; seed {seed}; commit {}", memory_gib(), commit())
}

fn memory_gib() -> f64 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0.0) / f64::from(1 << 20)
}

/// The commit, with a mark if files were changed since.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if text.is_empty() { "unknown".to_owned() } else { text }
}
