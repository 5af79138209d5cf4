//! Results that are gone or damaged: never is nothing found where nothing can be read.

use std::fs;

use crate::support::{Demo, Ran};

/// Damages the results of an analysed hospital, and asks.
#[track_caller]
fn after(damage: &str, question: &str) -> (Demo, Ran) {
    let demo = Demo::analysed();
    demo.scratch.done(damage);
    let ran = demo.scratch.run(&format!("wardflow -C hospital {question}"));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains("bug") && !said.contains("tokio::runtime"), "{ran:#?}");
    (demo, ran)
}

#[track_caller]
fn is_told(damage: &str, question: &str, what: &str) -> Demo {
    let (demo, ran) = after(damage, question);
    assert!(ran.code == Some(1) && ran.stderr.contains(what), "{ran:#?}");
    assert!(ran.stderr.contains("hospital/lake/") && ran.stderr.contains("wardflow analyze --rerun"), "{ran:#?}");
    demo
}

const FINDINGS: &str = "sql 'SELECT count(*) FROM findings'";

#[test]
fn findings_that_are_gone_are_not_none() {
    let gone = "rm -r hospital/lake/findings";
    is_told(gone, FINDINGS, "lake/findings is gone");
    is_told("find hospital/lake/findings -mindepth 1 -delete", FINDINGS, "lake/findings is gone");
    is_told("rm -r hospital/lake/coverage", FINDINGS, "lake/coverage is gone");
    let demo = is_told(gone, "analyze", "lake/findings is gone");
    let status = demo.wardflow("status");
    assert!(status.contains("lake/findings is gone"), "{status}");
    // Other tables can be read, and the remedy is one.
    demo.wardflow("sql 'SELECT count(*) FROM flows, coverage LIMIT 1'");
    demo.wardflow("analyze --rerun");
    assert_eq!(demo.results(), Demo::analysed().results());
}

/// What is not asked for would not be missed until it is.
#[test]
fn a_file_of_findings_that_is_gone_is_missed_by_the_next_run() {
    let demo = is_told(
        "rm $(ls hospital/lake/findings/*.parquet | head -1)",
        "analyze",
        "lake/findings cannot be read: its file",
    );
    let status = demo.wardflow("status");
    assert!(status.contains("lake/findings cannot be read: its file part-"), "{status}");
    demo.scratch.done("mv hospital/lake/findings .");
    demo.wardflow("analyze --rerun");
    assert_eq!(demo.results(), Demo::analysed().results());
}

#[test]
fn a_file_that_was_cut_off_is_missed_by_the_next_run() {
    let cut = |table: &str| format!("truncate -s 20 $(ls hospital/lake/{table}/*.parquet | head -1)");
    for table in ["findings", "observations"] {
        let demo = is_told(&cut(table), "analyze", "has 20 bytes, and had");
        let status = demo.wardflow("status");
        assert!(status.contains(&format!("lake/{table} cannot be read: its file part-")), "{status}");
    }
}

#[test]
fn a_damaged_log_is_named() {
    let log = "hospital/lake/findings/_delta_log";
    let entry = "_delta_log/00000000000000000001.json is";
    for (damage, what) in [("truncate -s 100", "damaged"), ("truncate -s 0", "damaged"), ("rm", "missing")] {
        let damage = format!("{damage} {log}/00000000000000000001.json");
        is_told(&damage, FINDINGS, &format!("{entry} {what}"));
    }
    let damage = format!("truncate -s 100 {log}/00000000000000000001.json");
    let demo = is_told(&damage, FINDINGS, "lake/findings cannot be read");
    demo.wardflow("sql 'SELECT count(*) FROM flows'");
    demo.scratch.done("rm -r hospital/lake/findings");
    demo.wardflow("analyze --rerun");
    assert_eq!(demo.results(), Demo::analysed().results());
}

#[test]
fn rows_that_cannot_be_read_are_not_none() {
    let all = "sql 'SELECT * FROM findings'";
    is_told("rm hospital/lake/findings/*.parquet", all, "lake/findings cannot be read");
    let demo = Demo::analysed();
    let directory = demo.scratch.path().join("hospital/lake/coverage");
    for file in fs::read_dir(directory).unwrap().flatten().filter(|file| file.path().is_file()) {
        let mut bytes = fs::read(file.path()).unwrap();
        let middle = bytes.len() / 2;
        bytes[4..middle].fill(0xff);
        fs::write(file.path(), bytes).unwrap();
    }
    for question in ["analyze", "status", all] {
        let ran = demo.scratch.run(&format!("wardflow -C hospital {question}"));
        assert!(ran.code == Some(1) && ran.stderr.contains("lake/coverage cannot be read"), "{ran:#?}");
        assert!(!ran.stderr.contains("bug"), "{ran:#?}");
    }
}

/// Without them plugins would go on from what is to be forgotten; to look at what there is needs none.
#[test]
fn damaged_resets_stop_analyses_alone() {
    let demo = Demo::analysed();
    let device = demo.wardflow("sql 'SELECT device_id FROM baselines LIMIT 1' --format csv");
    let device = device.lines().nth(1).unwrap();
    demo.wardflow(&format!("baseline reset {device} --reason 'new firmware'"));
    demo.scratch.done("rm -r hospital/lake/resets/_delta_log");
    for question in [FINDINGS, "status"] {
        let ran = demo.scratch.run(&format!("wardflow -C hospital {question}"));
        assert!(ran.code == Some(0) && ran.stderr.contains("no baseline reset counts"), "{ran:#?}");
    }
    let ran = demo.scratch.run("wardflow -C hospital analyze");
    assert!(ran.code == Some(1) && ran.stderr.contains("no baseline reset would count"), "{ran:#?}");
    assert!(ran.stderr.contains("hospital/lake/resets"), "{ran:#?}");
}
