//! Attacks on every device: a budget ends them, or nothing comes of them.

use super::hospital::{LIMITS, add_hostile, good_findings, hospital, log, sql};
use crate::support::{
    Scratch,
    guest::{carrying, component, guest, manifest_of_version},
};

/// A hospital of forty devices that all meet one attack.
fn attacked(attack: &str, limits: &str) -> Scratch {
    let models: Vec<_> = (0..40).map(|number| format!("device-{number:02}")).collect();
    let parameters = format!("[plugin.\"test/hostile\".parameters]\nattack = \"{attack}\"\n");
    let scratch = hospital(&models, &format!("{limits}{parameters}"));
    add_hostile(&scratch);
    scratch
}

#[test]
fn spinning_on_every_device_is_ended_by_a_budget_of_time() {
    let scratch = attacked("spin-in-observe", &format!("{LIMITS}faulted_seconds = 1\n"));
    let ran = scratch.run("wardflow -C w analyze");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let verdict = ran.stdout.lines().last().unwrap_or_default();
    for words in ["test/hostile", "s of CPU in faulted calls; 1 s allowed (faulted_seconds in [limits])"] {
        assert!(verdict.contains(words), "{ran:#?}");
    }
    let slices = sql(&scratch, "SELECT count(*) FROM coverage WHERE plugin = 'test/hostile' AND status = 'not_run'");
    assert_eq!(slices, "count(*)\n3\n");
    good_findings(&scratch);
}

/// Findings of many devices, each of which has as many as it may, would take the memory of all.
#[test]
fn a_flood_of_findings_is_ended_by_a_budget_of_memory() {
    let scratch = attacked("findings-as-large-as-allowed", LIMITS);
    let ran = scratch.run("wardflow -C w analyze --threads 2");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let rule = "findings of a slice: over 16 MiB asked, 16 MiB allowed (findings_mib in [limits])";
    assert!(ran.stdout.lines().last().is_some_and(|verdict| verdict.contains(rule)), "{ran:#?}");
    let kept = "SELECT (SELECT count(*) FROM findings WHERE plugin = 'test/hostile') AS found, count(*) AS slices \
                FROM coverage WHERE plugin = 'test/hostile' AND status = 'not_run'";
    assert_eq!(sql(&scratch, kept), "found,slices\n0,3\n");
    good_findings(&scratch);
}

/// An instance finds its memory as if nobody had had it before, though it comes from a pool.
#[test]
fn memory_that_others_wrote_reads_as_zeros() {
    let scratch = attacked("look-for-memory-of-others", LIMITS);
    scratch.done("wardflow -C w -q analyze --threads 2");
    let found =
        "SELECT summary, count(*) >= 100 AS often FROM finding_slices WHERE plugin = 'test/hostile' GROUP BY summary";
    assert_eq!(sql(&scratch, found), "summary,often\n0 bytes of others,true\n");
}

/// What a batch is hangs on the flows alone, so a plugin that reports batches reports the same, however flows lie.
#[test]
fn batches_are_the_same_however_flows_lie() {
    let scratch = attacked("count-batches", LIMITS);
    let flows = |part: u64| {
        let times = (0..5_000).map(|number| 1_772_431_200 + number * 4 + part % 4);
        log(times.map(|time| (time, format!("10.9.7.7\t{}\t10.0.0.9\t80\ttcp", 1_000 + part), "SF")).collect())
    };
    let logs: Vec<_> = (0..4).map(flows).collect();
    for (number, log) in logs.iter().enumerate() {
        scratch.write(&format!("logs/{number}.log"), log);
    }
    scratch.done("cp -r w once && wardflow -C once -q ingest zeek logs/*.log");
    for number in [2, 0, 3, 1] {
        scratch.done(&format!("wardflow -C w -q ingest zeek logs/{number}.log"));
    }
    let found =
        "SELECT * EXCLUDE (commit) FROM finding_slices WHERE plugin = 'test/hostile' ORDER BY finding_id, slice_start";
    scratch.done("wardflow -C w -q analyze --threads 1");
    let apart = sql(&scratch, found);
    assert!(["0+8192", "8192+8192", "16384+3616"].iter().all(|batch| apart.contains(batch)), "{apart}");
    scratch.done("mv w apart && mv once w && wardflow -C w -q analyze --threads 3");
    assert_eq!(sql(&scratch, found), apart);
}

/// A next version that reads only what it saved itself begins anew with every device, once, and that is told.
#[test]
fn a_next_version_that_cannot_read_what_the_last_one_saved() {
    let scratch = hospital(&["one", "two"].map(str::to_owned), LIMITS);
    scratch.write("w/plugins/faulty.wasm", guest("observe", ""));
    scratch.done("wardflow -C w -q analyze --to 2026-03-02T12:00:00Z");
    let unreadable = "(if (i32.eq (local.get $state-size) (i32.const 5)) (then
        (i32.store8 (i32.const 128) (i32.const 1)) (i32.store8 (i32.const 132) (i32.const 0))
        (i32.store (i32.const 136) (i32.const 512)) (i32.store (i32.const 140) (i32.const 4))
        (return (i32.const 128))))";
    let next = component(&[("open", unreadable), ("save", "(i64.store (i32.const 640) (i64.const 0x4000002c0))")]);
    scratch.write("w/plugins/faulty.wasm", carrying(next, &manifest_of_version("1.1.0")));
    scratch.done("wardflow -C w plugin approve example/faulty && wardflow -C w -q analyze");
    let told = "SELECT slice_start, plugin_version, device_id, fault FROM coverage \
                WHERE plugin = 'example/faulty' AND device_id IN ('one', 'two') ORDER BY slice_start, device_id";
    let fault = "the saved state could not be read (loud): learning began anew";
    assert_eq!(
        sql(&scratch, told),
        format!(
            "slice_start,plugin_version,device_id,fault\n2026-03-02T12:00:00Z,1.1.0,one,{fault}\n\
             2026-03-02T12:00:00Z,1.1.0,two,{fault}\n"
        )
    );
}
