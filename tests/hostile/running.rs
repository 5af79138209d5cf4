//! Attacks of code that runs. Each loses the device that it is about, and says so; the other devices and the good plugins
//! have what they have without it.

use super::hospital::{LIMITS, add_hostile, alone, assert_harmless, check, good_findings, hospital, sql};
use crate::support::guest::guest_for;

/// Those of `plugins/hostile` that fault.
const ATTACKS: [&str; 57] = [
    // What never ends, by export.
    "spin-in-open",
    "spin-in-observe",
    "spin-in-end-slice",
    "spin-in-save",
    "spin-in-own-destructor",
    "copy-without-end",
    "columns-without-end",
    "say-without-end",
    // What the processor refuses.
    "trap",
    "divide-by-zero",
    "read-out-of-bounds",
    "write-out-of-bounds",
    "overflow-the-stack",
    "call-by-wrong-type",
    "call-nothing",
    // Too much.
    "memory-without-end",
    "findings-too-many",
    "findings-of-many-megabytes",
    "summary-of-100-mb",
    "summary-too-long",
    "cause-key-too-long",
    "examples-too-many",
    "observations-too-many",
    "state-too-large",
    "state-of-100-mb",
    "state-that-grows",
    "say-100-mb",
    // Handles.
    "sessions-leaked",
    "session-made-up",
    "session-dropped",
    "batch-made-up",
    "batch-that-is-a-session",
    "batch-dropped-twice",
    "batch-used-after-drop",
    "batch-kept",
    // What was never given.
    "column-not-granted",
    "kind-unknown",
    "time-after-the-slice",
    "time-backwards",
    "time-before-time",
    "peer-never-given",
    "row-never-given",
    "flows-never-given",
    // Numbers that are none.
    "score-that-is-no-number",
    "score-without-end",
    "score-below-zero",
    "confidence-that-is-no-number",
    "measured-no-number",
    "expected-without-end",
    "learned-no-number",
    "learned-too-much",
    // Answers.
    "parameters-refused",
    "state-never-readable",
    "say-what-is-no-text",
    "say-escapes-and-trap",
    "kind-with-formula",
    "kind-with-command",
];

/// Fields of a finding that are text, and what cannot be in one.
const FIELDS: [&str; 5] = ["kind", "summary", "cause-key", "observation", "unit"];
const TEXTS: [&str; 8] = ["escape", "osc-8", "osc-52", "c1", "bidi", "line-break", "nul", "no-text"];

/// Those that the sandbox makes harmless.
const HARMLESS: [&str; 13] = [
    "spin-in-destructor",
    "look-for-memory-of-others",
    MANY,
    "count-batches",
    "state-unreadable",
    "summary-with-formula",
    "summary-with-command",
    "cause-key-with-formula",
    "cause-key-with-command",
    "observation-with-formula",
    "observation-with-command",
    "unit-with-formula",
    "unit-with-command",
];

/// Reports all that it may.
const MANY: &str = "findings-as-large-as-allowed";

/// The model of the device that the plugins written as text are for.
const VICTIM: &str = "victim";

const SPIN: &str = "(loop (br 0))";
const REPORT: &str = "(return (call $reports (i32.const 256) (i32.const 1)))";

/// What Rust cannot be made to do: a plugin each, by name, with what is put into the template's holes.
fn texts() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let one = |hole, text: &str| vec![(hole, text.to_owned())];
    let pulls = |realloc: &str| {
        vec![("realloc", realloc.to_owned()), ("observe", "(call $peer (local.get $batch) (i32.const 16))".to_owned())]
    };
    let finding = |change: &str| one("end-slice", &format!("(call $a-finding) {change} {REPORT}"));
    vec![
        ("spin-in-start", one("items", "(func $start (loop (br 0))) (start $start)")),
        ("trap-in-start", one("items", "(func $start (unreachable)) (start $start)")),
        ("spin-in-realloc", one("realloc", SPIN)),
        ("spin-in-post-return", one("post-return", SPIN)),
        ("trap-in-post-return", one("post-return", "(unreachable)")),
        ("spin-in-destructor", one("drop", SPIN)),
        ("trap-in-destructor", one("drop", "(unreachable)")),
        ("realloc-out-of-bounds", one("realloc", "(return (i32.const -8))")),
        ("realloc-unaligned", pulls("(return (i32.const 4097))")),
        ("realloc-at-the-end", pulls("(return (i32.const 65528))")),
        ("memory-too-large-at-start", one("memory", "17")),
        ("table-too-large-at-start", one("table", "100001")),
        ("table-without-end", one("open", "(loop (drop (table.grow $table (ref.null func) (i32.const 1000))) (br 0))")),
        ("batch-not-given-back", one("observe", "(return (call $reports (i32.const 256) (i32.const 0)))")),
        ("result-out-of-bounds", one("end-slice", "(return (i32.const -8))")),
        ("result-unaligned", one("end-slice", "(return (i32.const 249))")),
        ("list-unaligned", one("end-slice", "(return (call $reports (i32.const 257) (i32.const 1)))")),
        ("list-that-overflows", one("end-slice", "(return (call $reports (i32.const -8) (i32.const 2)))")),
        ("list-without-end", one("end-slice", "(return (call $reports (i32.const 256) (i32.const -1)))")),
        ("billion-findings", one("end-slice", "(return (call $reports (i32.const 256) (i32.const 1000000000)))")),
        ("text-that-overflows", finding("(i32.store (i32.const 256) (i32.const -2))")),
        ("text-without-end", finding("(i32.store (i32.const 260) (i32.const -1))")),
        ("text-of-100-mb", finding("(i32.store (i32.const 260) (i32.const 100000000))")),
        ("no-such-case", finding("(i32.store8 (i32.const 264) (i32.const 7))")),
        (
            "no-such-severity",
            finding("(i32.store8 (i32.const 264) (i32.const 1)) (i32.store8 (i32.const 265) (i32.const 9))"),
        ),
        ("no-such-answer", one("open", "(i32.store8 (i32.const 128) (i32.const 9)) (return (i32.const 128))")),
    ]
}

fn attacks() -> Vec<String> {
    let texts = FIELDS.iter().flat_map(|field| TEXTS.iter().map(move |text| format!("{field}-with-{text}")));
    ATTACKS.iter().copied().map(str::to_owned).chain(texts).collect()
}

#[test]
fn each_attack_loses_its_device_and_nothing_else() {
    let attacks = attacks();
    let models: Vec<_> =
        attacks.iter().cloned().chain([VICTIM, "ordinary"].into_iter().chain(HARMLESS).map(str::to_owned)).collect();
    let scratch = hospital(&models, LIMITS);
    let alone = alone(&scratch);
    add_hostile(&scratch);
    for (name, holes) in texts() {
        let holes: Vec<_> = holes.iter().map(|(hole, text)| (*hole, text.as_str())).collect();
        scratch.write(&format!("w/plugins/{name}.wasm"), guest_for(&format!("text/{name}"), VICTIM, &holes));
    }
    let ran = scratch.run("wardflow -C w analyze");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_harmless(&ran.stdout);
    assert_harmless(&ran.stderr);
    assert!(ran.stdout.lines().last().is_some_and(|line| line.starts_with("Not everything was covered: ")), "{ran:#?}");

    assert_eq!(good_findings(&scratch), alone, "the good plugins found something else");
    let lost = sql(
        &scratch,
        "SELECT DISTINCT device_id FROM coverage
         WHERE plugin = 'test/hostile' AND status = 'faulted' AND device_id IS NOT NULL",
    );
    let lost: Vec<_> = lost.lines().skip(1).collect();
    for attack in &attacks {
        assert!(lost.contains(&attack.as_str()), "{attack} did no harm");
    }
    assert_eq!(lost.len(), attacks.len(), "{lost:?}");
    let learned =
        sql(&scratch, "SELECT device_id FROM baselines WHERE plugin = 'test/hostile' AND device_id = 'ordinary'");
    assert_eq!(learned.lines().count(), 2, "{learned}");

    let whole =
        "SELECT plugin FROM coverage WHERE plugin LIKE 'text/%' GROUP BY plugin HAVING bool_and(status = 'complete')";
    assert_eq!(
        sql(&scratch, &format!("{whole} ORDER BY plugin")),
        "plugin\ntext/spin-in-destructor\ntext/trap-in-destructor\n"
    );

    check(
        "hostile_running",
        &sql(
            &scratch,
            "SELECT CASE plugin WHEN 'test/hostile' THEN device_id ELSE plugin END AS attack, count(*) AS slices, status,
                    fault
             FROM coverage WHERE device_id IS NOT NULL GROUP BY ALL ORDER BY attack, status, fault",
        ),
    );
    let many = sql(&scratch, &format!("SELECT count(*) AS n FROM finding_slices WHERE device_id = '{MANY}'"));
    assert_eq!(many, "n\n3000\n");
    check(
        "hostile_harmless",
        &sql(
            &scratch,
            &format!("SELECT f.device_id, f.kind, f.summary, f.cause_key, o.name, o.measured, o.unit
             FROM finding_slices AS f JOIN observations AS o USING (finding_id, slice_start)
             WHERE f.plugin = 'test/hostile' AND f.device_id <> '{MANY}' GROUP BY ALL ORDER BY f.device_id, f.cause_key"),
        ),
    );
    for format in ["table", "json"] {
        for table in ["findings", "observations", "coverage", "plugins", "baselines"] {
            assert_harmless(&scratch.done(&format!("wardflow -C w sql 'SELECT * FROM {table}' --format {format}")));
        }
    }
    assert_harmless(&scratch.done("wardflow -C w status"));
}
