//! Flow files that are damaged where no footer tells: each is named. Damaged states: they are made again.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::PathBuf,
};

use wardflow_datasets::{Hospital, export::Eve};

use crate::support::{Demo, Scratch, demo};

#[test]
fn a_page_that_cannot_be_read_is_named() {
    let scratch = Scratch::new();
    let hospital = Hospital::new(demo::options()).unwrap();
    let mut eve = Eve::new(BufWriter::new(File::create(scratch.path().join("eve.json")).unwrap()));
    hospital.flows().for_each(|flow| eve.write(&flow).unwrap());
    eve.finish().unwrap();
    scratch.done("wardflow init w && wardflow -C w -q ingest eve eve.json");
    let file = scratch.done("ls -S w/archive/date=*/*.parquet | head -1").trim().to_owned();
    let path = scratch.path().join(&file);
    let mut bytes = fs::read(&path).unwrap();
    let quarter = bytes.len() / 4;
    bytes[quarter..3 * quarter].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let name = file.rsplit('/').next().unwrap();
    for command in ["sql --format csv 'SELECT * FROM flows'", "analyze"] {
        let ran = scratch.run(&format!("wardflow -C w {command} > /dev/null"));
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains(name) && ran.stderr.contains("cannot be read"), "{ran:#?}");
        assert!(ran.stderr.contains("wardflow archive check") && !ran.stderr.contains("bug"), "{ran:#?}");
    }
    let checked = scratch.run("wardflow -C w archive check");
    assert!(checked.code == Some(1) && checked.stdout.contains(name), "{checked:#?}");
}

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
    let learning = "sql \"SELECT DISTINCT plugin FROM learning ORDER BY plugin\" --format csv";
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
