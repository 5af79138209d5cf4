//! Damaged states: they are put aside, and made again from what is older.

use std::{fs, path::PathBuf};

use crate::support::Demo;

/// Changes a bit in each of these files.
fn damage(files: &[PathBuf]) {
    for file in files {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    }
}

/// Analyses half of the hospital's days, damages states of a plugin, and analyses the rest.
fn check_states(choose: impl Fn(&[PathBuf]) -> &[PathBuf]) {
    let demo = Demo::new();
    demo.wardflow("analyze --to 2026-03-04");
    demo.wardflow("analyze --to 2026-03-05");
    let directory = demo.scratch.path().join("hospital/lake/states/wardflow/beacon");
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 2, "{files:?}");
    let chosen = choose(&files);
    damage(chosen);
    let learning = "sql \"SELECT DISTINCT plugin FROM baselines ORDER BY plugin\" --format csv";
    assert!(demo.wardflow(learning).contains("wardflow/scan"));
    let shown = demo.wardflow("analyze");
    let lines: Vec<_> = shown.lines().filter(|line| line.starts_with("the states of wardflow/beacon in ")).collect();
    assert_eq!(lines.len(), chosen.len(), "{shown}");
    assert!(
        lines.iter().all(|line| line.contains(".zst are damaged: ") && line.ends_with("analysed again.")),
        "{shown}"
    );
    assert!(demo.results() == Demo::analysed().results());
    let aside = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(aside.filter(|path| path.extension().is_some_and(|end| end == "damaged")).count(), chosen.len());
}

#[test]
fn damaged_states_are_made_again_from_older_ones() {
    check_states(|files| &files[files.len() - 1..]);
}

#[test]
fn damaged_states_are_made_again_from_the_beginning() {
    check_states(|files| files);
}
