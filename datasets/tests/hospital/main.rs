//! What a hospital promises: the same bytes for the same options, order, size, consistency, and a truth that holds.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};
use wardflow_datasets::{ConnState, Flow, Hospital, Options};

mod every_flow;
mod oddities;
mod size;
mod truth;

fn small() -> Options {
    Options { devices: 40, days: 2, flows: Some(30_000), ..Options::default() }
}

fn hospital(options: Options) -> Hospital {
    Hospital::new(options).unwrap()
}

/// A hash over every field of everything that a hospital yields.
fn fingerprint(options: Options) -> u64 {
    let hospital = hospital(options);
    let mut hasher = DefaultHasher::new();
    for flow in hospital.flows() {
        format!("{flow:?}").hash(&mut hasher);
    }
    format!("{:?}", (hospital.inventory(), hospital.truth(), hospital.infrastructure())).hash(&mut hasher);
    hasher.finish()
}

#[test]
fn the_same_options_give_the_same_bytes_and_other_seeds_others() {
    let first = fingerprint(small());
    assert_eq!(first, fingerprint(small()));
    assert_ne!(first, fingerprint(Options { seed: 2, ..small() }));
}

#[test]
fn asking_for_flows_twice_gives_the_same() {
    let hospital = hospital(small());
    assert!(hospital.flows().eq(hospital.flows()));
}

#[test]
fn flows_come_in_order_and_uids_once() {
    let hospital = hospital(Options { flows: Some(200_000), ..Options::default() });
    let flows: Vec<Flow> = hospital.flows().collect();
    assert!(flows.windows(2).all(|pair| pair[0].archive_order(&pair[1]).is_lt()));
    let uids: BTreeSet<u64> = flows.iter().map(|flow| flow.uid).collect();
    assert_eq!(uids.len(), flows.len());
}

#[test]
fn every_state_and_both_families_occur() {
    let hospital = hospital(Options { flows: Some(300_000), ..Options::default() });
    let states: BTreeSet<ConnState> = hospital.flows().map(|flow| flow.conn_state).collect();
    assert_eq!(states.len(), 13, "{states:?}");
    assert!(hospital.flows().any(|flow| flow.src_ip.is_ipv6()));
}
