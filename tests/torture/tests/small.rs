//! The campaigns of mutated plugins and input files, with small counts. Cases run in children of the program, so that an
//! abort or a hang is seen too.

use std::path::Path;

use wardflow_torture::{
    components,
    inputs::{self, Source},
    means::Means,
};

/// What chance is derived from here.
const SEED: u64 = 6;

fn means() -> Means {
    let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/dist");
    Means::new(Path::new(env!("CARGO_BIN_EXE_wardflow-torture")), Path::new(plugins), SEED).unwrap()
}

#[test]
fn mutated_components_bring_nothing_down() {
    let tally = components::campaign(&means(), 2_000).unwrap();
    assert_eq!(tally.failures, Vec::<String>::new());
    // Mutants reach every stage: else nothing was tried.
    let stages = ["refused by inspection", "refused by the compiler", "refused when linked", "ran to the end"];
    for stage in stages {
        assert!(tally.outcomes.contains_key(stage), "none was {stage}: {}", tally.outcomes());
    }
    assert_eq!(tally.outcomes.values().sum::<u64>(), 2_000, "{}", tally.outcomes());
}

fn check(source: Source, outcomes: &[&str]) {
    if let Some(program) = source.lacks() {
        skipped(program);
        return;
    }
    let tally = inputs::campaign(&means(), source, 500).unwrap();
    assert_eq!(tally.failures, Vec::<String>::new());
    for outcome in outcomes {
        assert!(tally.outcomes.contains_key(*outcome), "none was {outcome}: {}", tally.outcomes());
    }
    assert_eq!(tally.outcomes.values().sum::<u64>(), 500, "{}", tally.outcomes());
}

#[expect(clippy::print_stderr, reason = "a test that could not be made must not look like one that was passed")]
fn skipped(program: &str) {
    eprintln!("skipped: {program} is not installed");
}

#[test]
fn mutated_zeek() {
    check(Source::Zeek, &["added", "added with rejects", "refused"]);
}

#[test]
fn mutated_eve() {
    check(Source::Eve, &["added", "added with rejects"]);
}

#[test]
fn mutated_netflow() {
    check(Source::Netflow, &["added", "added with rejects"]);
}

#[test]
fn mutated_nfdump() {
    check(Source::Nfdump, &["added", "refused"]);
}

#[test]
fn mutated_records_of_nfdump() {
    check(Source::NfdumpRecords, &["added", "added with rejects"]);
}

#[test]
fn mutated_argus() {
    check(Source::Argus, &["added", "added with rejects"]);
}

#[test]
fn mutated_pcap() {
    check(Source::Pcap, &["added"]);
}

#[test]
fn mutated_csv() {
    check(Source::Csv, &["added", "added with rejects"]);
}

#[test]
fn mutated_flow_files() {
    check(Source::Parquet, &["read", "refused by its footer", "refused while it was read"]);
}
