//! The truth is what the flows say.

use crate::{hospital, small};
use std::collections::{BTreeMap, BTreeSet};
use wardflow_datasets::{Flow, Hospital, Incident, Options, Truth};

#[track_caller]
fn check(options: Options) {
    let incidents = options.incidents.clone();
    let hospital = hospital(options);
    let (start_us, end_us) = hospital.span_us();
    let mut labelled: BTreeMap<Incident, u64> = BTreeMap::new();
    for flow in hospital.flows() {
        if let Some(incident) = flow.incident {
            *labelled.entry(incident).or_default() += 1;
        }
    }
    let mut told: BTreeMap<Incident, u64> = BTreeMap::new();
    for row in hospital.truth() {
        *told.entry(row.incident).or_default() += row.flows;
        assert!(row.first_us >= start_us + (end_us - start_us) / 2, "{row:?} is too early");
        assert!(row.last_us < end_us, "{row:?} is too late");
        assert!(matches_flows(&hospital, row), "{row:?} is not what the flows say");
    }
    assert_eq!(labelled, told);
    assert_eq!(told.into_keys().collect::<BTreeSet<_>>(), incidents.into_iter().collect());
}

/// Whether the flows of the row's incident that touch its device are those it tells of, or more.
fn matches_flows(hospital: &Hospital, row: &Truth) -> bool {
    let device = hospital.inventory().iter().find(|device| device.id == row.device_id).unwrap();
    let own = |ip| device.bindings.iter().any(|binding| binding.ip == ip);
    let of_row = |flow: &Flow| {
        flow.incident == Some(row.incident)
            && (row.first_us..=row.last_us).contains(&flow.end_us)
            && (own(flow.src_ip) || own(flow.dst_ip))
            && row.peer_ip.is_none_or(|ip| flow.src_ip == ip || flow.dst_ip == ip)
            && row.peer_port.is_none_or(|port| flow.dst_port == port)
            && flow.protocol == row.protocol
    };
    hospital.flows().filter(of_row).count() as u64 >= row.flows
}

#[test]
fn counts_every_labelled_flow_once() {
    check(small());
    check(Options { days: 1, devices: 30, flows: Some(10_000), ..Options::default() });
    check(Options { flows: Some(50_000), timezone: "UTC".to_owned(), seed: 7, ..Options::default() });
    check(Options { incidents: vec![Incident::PumpContact, Incident::Scan], ..small() });
    check(Options { incidents: vec![], ..small() });
}

#[test]
fn incidents_happen_on_devices_of_their_own() {
    let hospital = hospital(Options::default());
    let subjects: BTreeSet<(&str, Incident)> =
        hospital.truth().iter().map(|row| (row.device_id.as_str(), row.incident)).collect();
    let devices: BTreeSet<&str> = subjects.iter().map(|&(device, _)| device).collect();
    assert_eq!((devices.len(), subjects.len()), (Incident::ALL.len(), Incident::ALL.len()));
}
