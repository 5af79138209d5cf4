//! What harmless oddities do.

use crate::hospital;
use std::collections::{BTreeMap, BTreeSet};
use wardflow_datasets::{Device, Hospital, Oddity, Options};

const DAY_US: i64 = 86_400_000_000;

fn plain(oddity: Oddity) -> Hospital {
    hospital(Options { oddities: vec![oddity], incidents: vec![], flows: Some(60_000), ..Options::default() })
}

#[test]
fn churn_moves_an_address_from_one_device_to_another_without_overlap() {
    let hospital = plain(Oddity::DhcpChurn);
    let mut leases: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for device in hospital.inventory() {
        for binding in &device.bindings {
            let times = (binding.valid_from_us.unwrap_or(i64::MIN), binding.valid_to_us.unwrap_or(i64::MAX));
            leases.entry(binding.ip).or_default().push((times, &device.id));
        }
    }
    assert!(leases.values().any(|of_ip| { of_ip.iter().map(|(_, id)| id).collect::<BTreeSet<_>>().len() > 1 }));
    for of_ip in leases.values_mut() {
        of_ip.sort();
        assert!(of_ip.windows(2).all(|pair| pair[0].0.1 <= pair[1].0.0), "{of_ip:?} overlap");
    }
}

#[test]
fn a_roll_out_changes_the_firmware_of_one_model_in_the_declared_hours() {
    let hospital = plain(Oddity::FirmwareRollout);
    let changed: Vec<_> = hospital.inventory().iter().filter(|device| device.firmware.len() == 2).collect();
    assert_eq!(changed.iter().map(|device| device.model).collect::<BTreeSet<_>>().len(), 1);
    for device in changed {
        let at_us = device.firmware[1].valid_from_us.unwrap();
        let local = jiff::Timestamp::from_microsecond(at_us).unwrap().in_tz("Europe/Berlin").unwrap();
        assert!((2..5).contains(&local.hour()), "{} at {local}", device.id);
    }
}

#[test]
fn a_shelved_device_is_silent_for_a_week() {
    let hospital = plain(Oddity::ShelvedDevice);
    let mut starts: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    hospital.flows().for_each(|flow| starts.entry(flow.src_ip).or_default().push(flow.start_us));
    let is_shelved = |device: &&Device| {
        let starts = &starts[&device.bindings[0].ip];
        starts.windows(2).any(|pair| pair[1] - pair[0] > 6 * DAY_US)
    };
    let shelved: Vec<&str> = hospital.inventory().iter().filter(is_shelved).map(|it| it.class.as_str()).collect();
    assert_eq!(shelved, ["infusion-pump", "ventilator"]);
}

#[test]
fn pumps_speak_to_their_groups_only_unless_something_is_amiss() {
    let hospital = hospital(Options { flows: Some(200_000), ..Options::default() });
    let groups: BTreeSet<String> = hospital.peer_groups().into_iter().flat_map(|group| group.cidrs).collect();
    let pumps: BTreeSet<_> = hospital
        .inventory()
        .iter()
        .filter(|device| device.class.as_str() == "infusion-pump")
        .map(|device| device.bindings[0].ip)
        .collect();
    let stray = hospital.flows().find(|flow| {
        pumps.contains(&flow.src_ip) && !groups.contains(&format!("{}/32", flow.dst_ip)) && flow.incident.is_none()
    });
    assert_eq!(stray, None);
}

#[test]
fn pumps_fetch_libraries_in_the_declared_hours_even_when_clocks_change() {
    let hospital = hospital(Options {
        start: "2026-03-23T00:00:00Z".parse().unwrap(),
        flows: Some(200_000),
        ..Options::default()
    });
    assert_eq!(hospital.drug_library_hours(), "02:00-05:00");
    let groups = hospital.peer_groups();
    let library = groups.iter().find(|group| group.name == "drug-library-server").unwrap();
    let hour = |us| jiff::Timestamp::from_microsecond(us).unwrap().in_tz("Europe/Berlin").unwrap().hour();
    let fetched: Vec<_> = hospital
        .flows()
        .filter(|flow| flow.src_ip.to_string().starts_with("10.110."))
        .filter(|flow| library.cidrs.contains(&format!("{}/32", flow.dst_ip)))
        .collect();
    assert!(fetched.len() > 100, "{} contacts", fetched.len());
    for flow in fetched {
        assert!((2..5).contains(&hour(flow.start_us)) && (2..5).contains(&hour(flow.end_us)), "{flow:#?}");
    }
}
