//! One more night: what `wardflow analyze` takes for the last of ninety days, beside what it takes for all.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use serde::Serialize;

use crate::{Result, devices};

/// What was measured, in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Nights {
    pub(crate) days: usize,
    /// All days but the last.
    pub(crate) before: f64,
    /// The last, once the others are done.
    pub(crate) night: f64,
}

/// Measures it once, with the command that a hospital runs, on one core; `archive` is the directory of the data.
pub(crate) fn run(archive: &Path, plugins: &Path) -> Result<Nights> {
    let archive = archive.canonicalize()?;
    let workspace = archive.join("_workspace");
    if workspace.exists() {
        fs::remove_dir_all(&workspace)?;
    }
    fs::create_dir_all(workspace.join("plugins"))?;
    fs::create_dir_all(workspace.join("lake"))?;
    fs::copy(plugins.join("bench-rhythm.wasm"), workspace.join("plugins/bench-rhythm.wasm"))?;
    let devices = devices::inventory(&archive)?;
    let rows = devices.device_ids().map(|ip| format!("{ip},{ip},benchmark\n"));
    fs::write(workspace.join("devices.csv"), "device,ip,class\n".to_owned() + &rows.collect::<String>())?;
    fs::write(
        workspace.join("wardflow.toml"),
        "archive = \"..\"\ninventory = \"devices.csv\"\nplugins = \"plugins\"\nlake = \"lake\"\n",
    )?;
    let mut dates: Vec<_> = fs::read_dir(&archive)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("date=")))
        .collect();
    dates.sort();
    let last = dates.last().ok_or("an archive without days")?;
    // Names that begin so are no part of the archive.
    let aside = archive.join("_last");
    fs::rename(last, &aside)?;
    let before = analyze(&workspace);
    fs::rename(&aside, last)?;
    Ok(Nights { days: dates.len(), before: before?, night: analyze(&workspace)? })
}

fn analyze(workspace: &Path) -> Result<f64> {
    let command = env::current_exe()?.with_file_name("wardflow");
    let began = Instant::now();
    let status = Command::new("taskset")
        .args(["--cpu-list", "0"])
        .arg(&command)
        .arg("-C")
        .arg(workspace)
        .args(["analyze", "--threads", "1", "--json"])
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("{} analyze: {status}", command.display()).into());
    }
    Ok(began.elapsed().as_secs_f64())
}
