//! What is changed between two runs and would spoil what later ones find: it is refused, or learning begins anew.

use crate::support::Demo;

const COVERED: &str =
    "sql \"SELECT sum(flows) FROM coverage WHERE plugin = 'wardflow/scan' AND device_id IS NULL\" --format csv";

#[test]
fn slices_of_another_length_do_not_count_flows_twice() {
    let demo = Demo::new();
    demo.wardflow(Demo::TWO_DAYS);
    let (before, results) = (demo.wardflow(COVERED), demo.results());
    demo.scratch.done("cp hospital/wardflow.toml . && sed -i '1i slice_hours = 24' hospital/wardflow.toml");
    let ran = demo.scratch.run("wardflow -C hospital analyze --rerun");
    assert!(ran.code == Some(2) && ran.stderr.contains("slice_hours is 24, and the lake"), "{ran:#?}");
    assert!(ran.stderr.contains("holds slices of 6 hours") && ran.stderr.contains("another `lake`"), "{ran:#?}");
    assert_eq!(demo.results(), results);
    // Shorter ones take the place of those that they lie in.
    demo.scratch.done("cp wardflow.toml hospital && sed -i '1i slice_hours = 3' hospital/wardflow.toml");
    demo.wardflow(Demo::TWO_DAYS);
    assert_eq!(demo.wardflow(COVERED), before);
}

#[test]
fn under_another_key_learning_begins_anew() {
    let demo = Demo::new();
    demo.wardflow(Demo::TWO_DAYS);
    demo.scratch.done("rm hospital/pseudonym.key");
    let said = demo.scratch.run("wardflow -C hospital analyze --to 2026-03-05T00:00:00Z").stdout;
    assert!(said.contains("knows nothing any more of") && said.contains("the pseudonym key changed"), "{said}");
    let anew =
        "sql \"SELECT count(*) = 3 FROM coverage WHERE fault LIKE '%key changed%' AND device_id IS NULL\" --format csv";
    assert!(demo.wardflow(anew).ends_with("true\n"), "{said}");
}

/// What it would have looked at, nobody did.
#[test]
fn a_plugin_that_is_taken_away_is_missed_until_it_is_disabled() {
    let demo = Demo::new();
    demo.wardflow(Demo::TWO_DAYS);
    demo.scratch.done("rm hospital/plugins/scan.wasm");
    let later = "wardflow -C hospital analyze --to 2026-03-05T00:00:00Z";
    let ran = demo.scratch.run(later);
    let told = "wardflow/scan was kept out and did not run in";
    assert!(ran.code == Some(1) && ran.stdout.contains(told) && ran.stdout.contains("no file in"), "{ran:#?}");
    let missed = "sql \"SELECT count(*) > 0 FROM coverage WHERE plugin = 'wardflow/scan' AND status = 'not_run' AND \
                  fault LIKE 'it ran before%'\" --format csv";
    assert!(demo.wardflow(missed).ends_with("true\n"), "{ran:#?}");
    let listed =
        "sql \"SELECT file IS NULL FROM plugins WHERE plugin = 'wardflow/scan' AND status = 'missing'\" --format csv";
    assert!(demo.wardflow(listed).ends_with("true\n"));
    assert!(demo.wardflow("status").contains("missing"));
    demo.scratch.done("printf '[plugin.\"wardflow/scan\"]\\ndisabled = true\\n' >> hospital/wardflow.toml");
    let ran = demo.scratch.run(later);
    assert!(ran.code == Some(0) && !demo.wardflow("status").contains("missing"), "{ran:#?}");
}
