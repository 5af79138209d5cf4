//! A plugin that breaks its contract loses what it broke on, and nothing else: the rest completes, and coverage, the last
//! line and the exit code say so.

use crate::support::{Scratch, check_transcript, guest};

/// Takes the plugin through the flows of four devices, of which one has more than 70.
fn check(name: &str, function: &str, instructions: &str) {
    let scratch = workspace(function, instructions);
    check_transcript(
        name,
        &scratch,
        &[
            "wardflow -C w analyze",
            "wardflow -C w sql 'SELECT plugin, device_id, devices, flows, status, fault FROM coverage ORDER BY plugin, device_id'",
            "wardflow -C w sql 'SELECT plugin, device_id, title FROM findings'",
            "wardflow -C w status",
        ],
    );
}

/// A workspace `w` with the plugin, beside `scan`, and flows of some devices.
fn workspace(function: &str, instructions: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("logs/conn.log", include_str!("data/zeek/conn.log"));
    scratch.done("wardflow init w && wardflow -C w -q ingest zeek logs");
    scratch.keep_plugins("w", &["scan"]);
    scratch.write("w/plugins/faulty.wasm", guest(function, instructions));
    scratch
}

const BUSY: &str = "(i32.gt_u (call $len (local.get $batch)) (i32.const 70))";

#[test]
fn a_trap_loses_one_device() {
    check("fault_trap", "observe", &format!("(if {BUSY} (then (unreachable)))"));
}

#[test]
fn a_spin_loses_one_device() {
    check("fault_spin", "observe", &format!("(if {BUSY} (then (loop (br 0))))"));
}

#[test]
fn greed_loses_one_device() {
    let grow = "(drop (memory.grow (i32.const 100)))";
    check("fault_memory", "observe", &format!("(if {BUSY} (then {grow}))"));
}

#[test]
fn what_a_plugin_said_last_is_in_coverage_and_in_a_trace() {
    let says = "(call $log (i32.const 512) (i32.const 4))";
    let scratch = workspace("observe", &format!("{says} (if {BUSY} (then (unreachable)))"));
    scratch.run("wardflow -C w analyze");
    let fault = scratch.done("wardflow -C w sql 'SELECT fault FROM coverage WHERE device_id IS NOT NULL' --format csv");
    assert!(fault.contains("in observe (it said last: \"\"loud\"\")"), "{fault}");
    let ran = scratch.run("wardflow -C w plugin run w/plugins/faulty.wasm --trace");
    assert!(ran.stdout.contains("\n  said: loud\n  fault: observe: wasm trap: "), "{ran:#?}");
}

/// Which devices come first is nobody's promise, so they are only counted.
#[test]
fn a_plugin_that_always_traps_is_stopped() {
    let scratch = workspace("open", "(unreachable)");
    let ran = scratch.run("wardflow -C w analyze");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let why = "example/faulty did not run in 1 slice (stopped after 20 faults; 20 allowed (faults in [limits]))";
    assert!(ran.stdout.lines().last().is_some_and(|verdict| verdict.contains(why)), "{ran:#?}");
    let count = "SELECT plugin, status, count(device_id) FROM coverage GROUP BY plugin, status ORDER BY plugin, status";
    let counted = scratch.done(&format!("wardflow -C w sql '{count}' --format csv | tail -n +2"));
    let lines: Vec<_> = counted.lines().collect();
    assert_eq!(lines, ["example/faulty,faulted,20", "example/faulty,not_run,0", "wardflow/scan,complete,0"]);
}

#[test]
fn a_plugin_that_cannot_be_compiled_stops_no_other() {
    let scratch = workspace("observe", "(drop (i32.add (i64.const 1) (i32.const 1)))");
    let ran = scratch.run("wardflow -C w analyze");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let verdict = ran.stdout.lines().last().unwrap_or_default();
    assert!(
        verdict.contains("example/faulty was kept out and did not run in 1 slice (it cannot be compiled: "),
        "{ran:#?}"
    );
    let statuses = "SELECT plugin, status FROM coverage ORDER BY plugin";
    let counted = scratch.done(&format!("wardflow -C w sql '{statuses}' --format csv | tail -n +2"));
    assert_eq!(counted.lines().collect::<Vec<_>>(), ["example/faulty,not_run", "wardflow/scan,complete"]);
}
