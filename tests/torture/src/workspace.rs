//! Workspaces: synthetic hospitals, copies of them, and what they hold.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, means::Means};

/// Rows as lines of JSON, and how often each is there.
pub(crate) type Rows = BTreeMap<String, u64>;

/// Results that are a promise: all but what names a run or a moment of it.
pub(crate) const RESULTS: &str = "
    SELECT * EXCLUDE (commit) FROM finding_slices;
    SELECT * FROM findings;
    SELECT * FROM observations;
    SELECT * FROM baselines;
    SELECT plugin, slice_start, slice_end, device_id, devices, flows, status, fault, input_digest, state_before,
           state_digest
    FROM coverage;";

/// A hospital of so many devices, days and flows, whose flows are in the archive and not analysed.
///
/// # Errors
/// It cannot be made.
pub(crate) fn hospital(means: &Means, name: &str, devices: u32, days: u32, flows: u64) -> Result<PathBuf> {
    let (devices, days, flows) = (devices.to_string(), days.to_string(), flows.to_string());
    let size = ["--devices", &devices, "--days", &days, "--flows", &flows];
    means.run(means.scratch(), &[&["-q", "demo", name][..], &size].concat())?;
    let workspace = means.scratch().join(name);
    fs::remove_dir_all(workspace.join("lake"))?;
    fs::remove_file(workspace.join("plugins.lock"))?;
    Ok(workspace)
}

/// A copy in place of what is there.
///
/// # Errors
/// It cannot be written.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status()?;
    if status.success() { Ok(()) } else { Err(format!("cp: {status}").into()) }
}

/// Rows of queries.
///
/// # Errors
/// The command fails.
pub(crate) fn rows(means: &Means, workspace: &Path, queries: &str) -> Result<Rows> {
    let text = means.run(workspace, &["-q", "sql", queries, "--format", "json"])?;
    let mut rows = Rows::new();
    for line in text.lines() {
        *rows.entry(line.to_owned()).or_default() += 1;
    }
    Ok(rows)
}

/// How many of the rows that should be there are not, and how many are there that should not, or too often.
pub(crate) fn difference(should: &Rows, are: &Rows) -> (u64, u64) {
    let more = |some: &Rows, others: &Rows| -> u64 {
        some.iter().map(|(row, count)| count.saturating_sub(others.get(row).copied().unwrap_or(0))).sum()
    };
    (more(should, are), more(are, should))
}
