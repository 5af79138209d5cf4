//! What counts as regular, natively: no sandbox, no files. `wardflow plugin test .` runs the cases in `cases/`.

use wardflow_sdk::{
    SECOND,
    native::{Flow, Harness},
};

/// How many findings contacts at these seconds give.
fn found(seconds: impl Iterator<Item = i64>) -> usize {
    let flows = seconds.map(|second| Flow { peer: 7, peer_port: 443, ..Flow::at(second * SECOND) });
    Harness::of(regularity_plugin::plugin()).run(flows).findings.len()
}

#[test]
fn contact_every_minute_is_regular() {
    assert_eq!(found((0..30).map(|contact| contact * 60)), 1);
    assert_eq!(found((0..30).map(|contact| contact * 60 + contact % 3)), 1);
}

#[test]
fn contact_at_growing_intervals_is_not() {
    assert_eq!(found((0..30).map(|contact| contact * contact * 10)), 0);
}

#[test]
fn too_few_contacts_are_not_judged() {
    assert_eq!(found((0..11).map(|contact| contact * 60)), 0);
}
