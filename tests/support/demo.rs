//! A small synthetic hospital with a few plugins, made and analysed once for all tests, copied for each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::UNIX_EPOCH,
};

use wardflow_datasets::Options;

use super::{Scratch, scratch::binary};

/// Plugins that are enough to try what is done with plugins: what all of them find is measured by `make evaluate`.
pub(crate) const FEW: [&str; 3] = ["beacon", "infusion-pump", "scan"];

/// The options of the hospital: small, with every incident.
pub(crate) fn options() -> Options {
    Options { devices: 40, days: 6, flows: Some(60_000), seed: 7, ..Options::default() }
}

/// A copy of the hospital's workspace, `hospital`, in a directory of its own.
pub(crate) struct Demo {
    pub(crate) scratch: Scratch,
}

impl Demo {
    /// Flows, inventory and plugins, and nothing analysed.
    pub(crate) fn new() -> Self {
        let demo = Self::analysed();
        fs::remove_dir_all(demo.scratch.path().join("hospital/lake")).unwrap();
        demo
    }

    /// The same, analysed.
    pub(crate) fn analysed() -> Self {
        let scratch = Scratch::new();
        let copied = Command::new("cp").arg("-r").arg(kept()).arg(scratch.path().join("hospital")).status();
        assert!(copied.unwrap().success());
        Self { scratch }
    }

    /// Runs `wardflow -C hospital` with arguments; it must do all it is asked.
    pub(crate) fn wardflow(&self, arguments: &str) -> String {
        self.scratch.done(&format!("wardflow -q -C hospital {arguments}"))
    }

    /// Analyses the first two days, which leaves results enough and takes little time.
    pub(crate) const TWO_DAYS: &str = "analyze --to 2026-03-04T00:00:00Z";

    /// Every result that is a promise, as JSON: all but what names a run or a moment of it.
    pub(crate) fn results(&self) -> String {
        RESULTS.iter().map(|query| self.wardflow(&format!("sql \"{query}\" --format json"))).collect()
    }
}

const RESULTS: [&str; 3] = [
    "SELECT * EXCLUDE (commit) FROM finding_slices ORDER BY finding_id, slice_start",
    "SELECT * FROM observations ORDER BY finding_id, slice_start, name",
    "SELECT plugin, slice_start, slice_end, device_id, devices, flows, status, fault, input_digest, state_before,
            state_digest
     FROM coverage ORDER BY plugin, slice_start, device_id",
];

/// The hospital that this build of the command made.
fn kept() -> PathBuf {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let made = fs::metadata(binary()).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let kept = place.join(format!("hospital-{}", made.as_nanos()));
    if !kept.exists() {
        let scratch = Scratch::new();
        let Options { devices, days, flows, seed, .. } = options();
        let flows = flows.unwrap();
        let ran = scratch
            .run(&format!("wardflow demo hospital --devices {devices} --days {days} --flows {flows} --seed {seed}"));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        scratch.done("rm -r hospital/lake hospital/plugins.lock");
        scratch.keep_plugins("hospital", &FEW);
        scratch.done("wardflow -C hospital -q analyze");
        let fresh = tempfile::Builder::new().prefix("fresh-").tempdir_in(&place).unwrap();
        let moved = Command::new("cp").arg("-r").arg(scratch.path().join("hospital")).arg(fresh.path()).status();
        assert!(moved.unwrap().success());
        // Another test may have been quicker, and made the same.
        if fs::rename(fresh.path().join("hospital"), &kept).is_ok() {
            remove_others(&place, &kept);
        }
    }
    kept
}

/// Removes what earlier builds of the command made.
fn remove_others(place: &Path, kept: &Path) {
    for entry in fs::read_dir(place).unwrap().flatten() {
        let is_hospital = entry.file_name().to_string_lossy().starts_with("hospital-");
        if is_hospital && entry.path() != kept {
            // Another test removes the same; either is enough.
            fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
}
