//! A small hospital in which plugins are good, devices have the models that a test wants, and two of them misbehave.

use std::{fmt::Write, path::Path};

use wardflow_manifest::is_unprintable;

use crate::support::{FEW, Scratch};

/// The first second of the first of three slices.
const START: u64 = 1_772_431_200;
const SLICE: u64 = 6 * 3_600;

/// Limits under which attacks end soon. A device is lost for each, so faults are not what stops the plugin.
pub(crate) const LIMITS: &str = "
[limits]
instantiate_ms = 100
open_ms = 100
observe_ms = 100
end_slice_ms = 100
memory_mib = 128
faults = 1000
";

/// The workspace `w`: a device of each model, named after it, with a few flows in each slice.
pub(crate) fn hospital(models: &[String], settings: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.done("wardflow -q init w");
    scratch.keep_plugins("w", &FEW);
    let mut devices = "device,ip,class,model\n".to_owned();
    let mut flows = odd_flows();
    for (number, model) in models.iter().enumerate() {
        let ip = format!("10.9.{}.{}", number / 200, number % 200 + 1);
        writeln!(devices, "{model},{ip},test,{model}").unwrap();
        let times = (0..9).map(|flow| START + flow / 3 * SLICE + flow % 3 * 600 + number as u64);
        flows.extend(times.map(|time| (time, format!("{ip}\t4444\t10.0.0.53\t53\tudp"), "SF")));
    }
    scratch.write("w/devices.csv", devices);
    scratch.write("w/wardflow.toml", format!("inventory = \"devices.csv\"\n{settings}"));
    scratch.write("conn.log", log(flows));
    scratch.done("wardflow -C w -q ingest zeek conn.log");
    scratch
}

/// A device that scans, and one that calls home, for the good plugins to find.
fn odd_flows() -> Vec<(u64, String, &'static str)> {
    let scan = (0..200).map(|n| (START + n * 5, format!("10.9.9.9\t5555\t10.20.0.{}\t445\ttcp", n + 1), "S0"));
    let beacon = (0..1_000).map(|n| (START + n * 60, "10.9.9.8\t5555\t203.0.113.77\t443\ttcp".to_owned(), "SF"));
    scan.chain(beacon).collect()
}

/// Flows as a `conn.log` of Zeek's: when, between whom, and how it went.
pub(crate) fn log(mut flows: Vec<(u64, String, &'static str)>) -> String {
    flows.sort();
    let mut log = concat!(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n",
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\tduration\torig_bytes\t",
        "resp_bytes\torig_pkts\tresp_pkts\n",
        "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tcount\tcount\n",
    )
    .to_owned();
    for (number, (time, ends, state)) in flows.iter().enumerate() {
        let answered = if *state == "SF" { "40\t90\t2\t2" } else { "0\t0\t2\t0" };
        writeln!(log, "{time}.5\tC{time}n{number}\t{ends}\t{state}\t0.1\t{answered}").unwrap();
    }
    log
}

/// Puts the plugin of all attacks into the workspace.
pub(crate) fn add_hostile(scratch: &Scratch) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/test/hostile.wasm");
    assert!(file.is_file(), "there is no {}: `make plugins` builds it", file.display());
    scratch.write("w/plugins/hostile.wasm", std::fs::read(file).unwrap());
}

/// What the good plugins find where no other is. Nothing is analysed afterwards.
pub(crate) fn alone(scratch: &Scratch) -> String {
    scratch.done("wardflow -C w -q analyze");
    let alone = good_findings(scratch);
    scratch.done("rm -r w/lake");
    alone
}

/// What the good plugins found, with all that is a promise of it.
pub(crate) fn good_findings(scratch: &Scratch) -> String {
    let finding =
        "SELECT * EXCLUDE (commit) FROM finding_slices WHERE plugin LIKE 'wardflow/%' ORDER BY finding_id, slice_start";
    let observed = "SELECT * FROM observations WHERE finding_id IN (SELECT finding_id FROM findings WHERE plugin LIKE 'wardflow/%')
                    ORDER BY finding_id, slice_start, name";
    let covered =
        "SELECT plugin, slice_start, device_id, devices, flows, status, fault, input_digest, state_digest FROM coverage
                   WHERE plugin LIKE 'wardflow/%' ORDER BY plugin, slice_start, device_id";
    let found: String = [finding, observed, covered].map(|query| sql(scratch, query)).concat();
    assert!(found.contains("wardflow/scan") && found.contains("wardflow/beacon"), "{found}");
    found
}

/// Rows as CSV, in which nothing would do something to whoever looks at it.
pub(crate) fn sql(scratch: &Scratch, query: &str) -> String {
    let rows = scratch.done(&format!("wardflow -C w sql \"{query}\" --format csv"));
    assert_harmless(&rows);
    for formula in ["=", "@", "+"] {
        for before in [",", ",\"", "\n", "\n\""] {
            assert!(!rows.contains(&format!("{before}{formula}")), "a formula: {rows}");
        }
    }
    rows
}

/// Checks that a text has no character that a terminal obeys or that hides another.
pub(crate) fn assert_harmless(text: &str) {
    if let Some(c) = text.chars().find(|c| *c != '\n' && is_unprintable(*c)) {
        panic!("{c:?} in {text}");
    }
}

/// Compares a table with the one in `snapshots/`.
pub(crate) fn check(name: &str, table: &str) {
    insta::with_settings!({
        omit_expression => true,
        prepend_module_to_snapshot => false,
        snapshot_path => "../snapshots",
        // The compiler numbers the functions of a plugin; how many devices share a shard is chance.
        filters => [
            (r"wasm function \d+", "wasm function N"),
            (r"(in <wasm function N>)(, called by <wasm function N>)+", "$1"),
            (r"over \d+ asked, \d+ allowed \(the shard's", "over N asked, N allowed (the shard's"),
        ],
    }, {
        insta::assert_snapshot!(name, table);
    });
}
