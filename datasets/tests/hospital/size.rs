//! How many flows there are.

use crate::hospital;
use wardflow_datasets::Options;

#[track_caller]
fn check(options: Options, target: u64) {
    let hospital = hospital(Options { flows: Some(target), ..options });
    let count = hospital.flows().count() as f64;
    let off = (count / target as f64 - 1.0).abs();
    assert!(off < 0.05, "{count} flows for a target of {target}");
    let expected = hospital.expected_flows() as f64;
    assert!((count / expected - 1.0).abs() < 0.05, "{count} flows where {expected} were expected");
}

#[test]
fn targets_are_met_within_five_per_cent() {
    check(Options::default(), 10_000);
    check(Options::default(), 1_000_000);
    check(Options { days: 1, devices: 30, ..Options::default() }, 10_000);
    check(Options { days: 3, devices: 1_000, timezone: "Asia/Tokyo".to_owned(), ..Options::default() }, 500_000);
    check(Options { incidents: vec![], oddities: vec![], ..Options::default() }, 20_000);
    check(Options { devices: 5_000, ..Options::default() }, 20_000);
    check(Options { seed: 9, ..Options::default() }, 5_000);
    check(Options { days: 30, ..Options::default() }, 200_000);
}

#[test]
fn the_natural_pace_is_as_announced() {
    let hospital = hospital(Options { devices: 60, days: 3, ..Options::default() });
    let a_day = hospital.flows().count() as f64 / 180.0;
    assert!((2_000.0..3_200.0).contains(&a_day), "{a_day} flows a device and day");
}
