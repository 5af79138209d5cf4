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
