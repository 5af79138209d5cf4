//! Analyses and ingests that are killed at any moment: what is there between is whole, and run again they leave what a run
//! leaves that nobody killed.

use std::{fs, fs::File, io::BufWriter, path::Path, time::Duration};

use serde_json::Value;
use wardflow_datasets::{Flow, Hospital, export::Eve};

use crate::support::{
    Demo, Moments, Scratch, demo,
    ended::{kill, time},
};

#[path = "bench/src/ingest/packets.rs"]
mod packets;

const LEARNED: &str = "sql 'SELECT * FROM baselines ORDER BY plugin, device_id' --format csv";

#[test]
fn analysis() {
    let moments = Moments::new("killed::analysis", 20);
    let line = &format!("wardflow -q -C hospital {}", Demo::TWO_DAYS);
    let whole = Demo::new();
    let takes = time(&whole.scratch, line);
    // What was learned too, which a run that was killed may have committed slices of and not kept.
    let results = |demo: &Demo| demo.results() + &demo.wardflow(LEARNED);
    let expected = results(&whole);
    assert!(expected.lines().count() > 20, "the hospital has findings:\n{expected}");

    let mut killed = 0;
    for (number, moment) in moments.each() {
        let demo = Demo::new();
        killed += u64::from(kill(&demo.scratch, line, takes.mul_f64(moment)));
        // Now and then the run that takes it up again is killed as well.
        if number % 4 == 3 {
            kill(&demo.scratch, line, takes.mul_f64(moment / 2.0));
        }
        let twice = "SELECT count(*) - count(DISTINCT finding_id || CAST(slice_start AS VARCHAR)) FROM finding_slices";
        assert_eq!(demo.wardflow(&format!("sql \"{twice}\" --format csv")).lines().nth(1), Some("0"), "after {moment}");
        demo.wardflow("status");
        demo.scratch.done(line);
        assert_eq!(results(&demo), expected, "killed after {moment} of {takes:?}, {moments:?}");
        let endless = demo.wardflow("sql 'SELECT count(*) FROM runs WHERE ended_at IS NULL' --format csv");
        assert_eq!(endless.lines().nth(1), Some("0"), "killed after {moment}");
    }
    moments.check(killed);
}

#[test]
fn ingest() {
    check("eve", 20, |flows, out| {
        let mut eve = Eve::new(out);
        flows.for_each(|flow| eve.write(&flow).unwrap());
        eve.finish().unwrap();
    });
}

/// Two programs of another project are at work then, and files of theirs are left.
#[test]
#[expect(clippy::print_stderr, reason = "a test that could not be made must not look like one that was passed")]
fn ingest_of_packets() {
    if Scratch::new().run("command -v nfpcapd").code != Some(0) {
        eprintln!("skipped: nfpcapd is not installed");
        return;
    }
    check("pcap", 6, |flows, out| packets::write(flows, out).unwrap());
}

fn check(format: &str, count: u64, write: impl FnOnce(&mut dyn Iterator<Item = Flow>, BufWriter<File>)) {
    let moments = Moments::new(&format!("killed::ingest {format}"), count);
    let scratch = Scratch::new();
    let hospital = Hospital::new(demo::options()).unwrap();
    write(&mut hospital.flows(), BufWriter::new(File::create(scratch.path().join("source")).unwrap()));
    let ingest = |workspace: &str| format!("wardflow -C {workspace} -q ingest {format} source");
    scratch.done("wardflow init whole");
    scratch.done("wardflow init again");
    // The lesser of two: on a machine that was busy at first all would end before their moment.
    let takes: Duration = time(&scratch, &ingest("whole")).min(time(&scratch, &ingest("again")));
    let expected = (flows(&scratch, "whole"), ledger(&scratch.path().join("whole")));
    scratch.done("test $(wc -l <whole.csv) -gt 50000");

    let mut killed = 0;
    for (number, moment) in moments.each() {
        scratch.done("rm -rf w && wardflow init w");
        killed += u64::from(kill(&scratch, &ingest("w"), takes.mul_f64(moment)));
        if number % 4 == 3 {
            kill(&scratch, &ingest("w"), takes.mul_f64(moment / 2.0));
        }
        let between = scratch.done("wardflow -C w -q sql 'SELECT count(*) FROM flows' --format csv");
        assert!(between.lines().count() == 2, "{between}");
        scratch.done(&ingest("w"));
        let found = (flows(&scratch, "w"), ledger(&scratch.path().join("w")));
        assert_eq!(found, expected, "killed after {moment} of {takes:?}, {moments:?}");
        let checked = scratch.done("wardflow -C w -q archive check");
        assert!(checked.contains("are sound"), "{checked}");
    }
    moments.check(killed);
}

/// The flows of a workspace, in short.
fn flows(scratch: &Scratch, workspace: &str) -> String {
    let flows = format!("wardflow -C {workspace} -q sql 'SELECT * FROM flows' --format csv");
    scratch.done(&format!("{flows} | LC_ALL=C sort | tee {workspace}.csv | sha256sum; wc -l <{workspace}.csv"))
}

/// What the ledger of a workspace knows of its sources, but for when they came.
fn ledger(workspace: &Path) -> Vec<Value> {
    let entries = fs::read_dir(workspace.join("archive/_wardflow/sources")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let entries = files.iter().map(|file| {
        let mut entry: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let fields = entry.as_object_mut().unwrap();
        assert!(fields.remove("ingested_at").is_some() && fields.remove("seal").is_some(), "{fields:?}");
        entry
    });
    entries.collect()
}
