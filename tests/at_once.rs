//! Two of a kind at once in one workspace: one does it, the other is told why it cannot, and what is left is what one leaves.

use std::process::{Child, Output, Stdio};

use wardflow_datasets::{Hospital, export::Eve};

use crate::support::{Demo, Scratch, demo};

/// Runs a line twice at once. At least one does it; who could not says so.
fn both(scratch: &Scratch, line: &str, told: &str) {
    let start = || -> Child {
        scratch.shell(&format!("exec {line}")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ended: Vec<Output> = [start(), start()].into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(ended.iter().any(|ended| ended.status.code() == Some(0)), "{ended:#?}");
    for ended in ended.iter().filter(|ended| ended.status.code() != Some(0)) {
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            ended.status.code() == Some(1) && said.contains(told) && said.contains("help: wait until"),
            "{ended:#?}"
        );
    }
}

#[test]
fn analyses() {
    let expected = Demo::analysed().results();
    let demo = Demo::new();
    both(&demo.scratch, "wardflow -q -C hospital analyze", "/lake is held by ");
    assert_eq!(demo.results(), expected);
    assert!(demo.wardflow("analyze").contains("Nothing is new since the last run."));
}

#[test]
fn ingests() {
    let scratch = Scratch::new();
    let mut eve = Eve::new(Vec::new());
    Hospital::new(demo::options()).unwrap().flows().for_each(|flow| eve.write(&flow).unwrap());
    scratch.write("source", eve.finish().unwrap());
    scratch.done("wardflow init one && wardflow init two && wardflow -C one -q ingest eve source");
    both(&scratch, "wardflow -C two -q ingest eve source", "by another process");
    let flows = |workspace: &str| {
        scratch.done(&format!(
            "wardflow -C {workspace} -q sql 'SELECT * FROM flows' --format csv | LC_ALL=C sort | sha256sum"
        ))
    };
    assert_eq!(flows("two"), flows("one"));
    let checked = scratch.done("wardflow -C two -q archive check");
    assert!(checked.contains("are sound"), "{checked}");
}

#[test]
fn approvals() {
    let scratch = Scratch::new();
    scratch.done("wardflow -q init w");
    for _ in 0..5 {
        scratch.done(
            "rm -f w/plugins.lock; for plugin in beacon scan infusion-pump; do
                 wardflow -C w -q plugin approve wardflow/$plugin &
             done; wait",
        );
        let lock = std::fs::read_to_string(scratch.path().join("w/plugins.lock")).unwrap();
        assert_eq!(lock.matches("approved = true").count(), 3, "{lock}");
    }
}
