//! What a hospital promises: the same bytes for the same options, order, size, consistency, and a truth that holds.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use wardflow_datasets::{ConnState, Flow, Hospital, Incident, Options, Truth};

fn small() -> Options {
    Options {
        devices: 40,
        days: 2,
        flows: Some(30_000),
        ..Options::default()
    }
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
    format!(
        "{:?}",
        (
            hospital.inventory(),
            hospital.truth(),
            hospital.infrastructure()
        )
    )
    .hash(&mut hasher);
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

mod size {
    use super::*;

    #[track_caller]
    fn check(options: Options, target: u64) {
        let hospital = hospital(Options {
            flows: Some(target),
            ..options
        });
        let count = hospital.flows().count() as f64;
        let off = (count / target as f64 - 1.0).abs();
        assert!(off < 0.05, "{count} flows for a target of {target}");
        let expected = hospital.expected_flows() as f64;
        assert!(
            (count / expected - 1.0).abs() < 0.05,
            "{count} flows where {expected} were expected"
        );
    }

    #[test]
    fn targets_are_met_within_five_per_cent() {
        check(Options::default(), 10_000);
        check(Options::default(), 1_000_000);
        check(
            Options {
                days: 1,
                devices: 30,
                ..Options::default()
            },
            10_000,
        );
        check(
            Options {
                days: 3,
                devices: 1_000,
                timezone: "Asia/Tokyo".to_owned(),
                ..Options::default()
            },
            500_000,
        );
        check(
            Options {
                incidents: vec![],
                oddities: vec![],
                ..Options::default()
            },
            20_000,
        );
        check(
            Options {
                days: 30,
                ..Options::default()
            },
            200_000,
        );
    }

    #[test]
    fn the_natural_pace_is_as_announced() {
        let hospital = hospital(Options {
            devices: 60,
            days: 3,
            ..Options::default()
        });
        let a_day = hospital.flows().count() as f64 / 180.0;
        assert!(
            (1_500.0..2_500.0).contains(&a_day),
            "{a_day} flows a device and day"
        );
    }
}

mod every_flow {
    use super::*;

    #[track_caller]
    fn check(rule: &str, holds: impl Fn(&Flow) -> bool) {
        let hospital = hospital(Options {
            flows: Some(100_000),
            ..Options::default()
        });
        let broken = hospital.flows().find(|flow| !holds(flow));
        assert!(broken.is_none(), "{rule}: {broken:#?}");
    }

    #[test]
    fn lies_within_the_span() {
        let (start_us, end_us) = hospital(Options::default()).span_us();
        check("within the span", |flow| {
            start_us <= flow.start_us && flow.start_us <= flow.end_us && flow.end_us < end_us
        });
    }

    #[test]
    fn has_volumes_that_its_state_allows() {
        check("a silent responder sends nothing", |flow| {
            let silent = matches!(
                flow.conn_state,
                ConnState::S0 | ConnState::Sh | ConnState::Rstos0
            );
            !silent || flow.dst_packets + flow.dst_bytes == 0
        });
        check("an initiator that was not seen sends nothing", |flow| {
            let unseen = matches!(flow.conn_state, ConnState::Shr | ConnState::Rstrh);
            !unseen || flow.src_packets + flow.src_bytes == 0
        });
        check("a refusal is two packets without payload", |flow| {
            flow.conn_state != ConnState::Rej
                || (
                    flow.src_packets,
                    flow.dst_packets,
                    flow.src_bytes + flow.dst_bytes,
                ) == (1, 1, 0)
        });
        check("a conversation has both sides", |flow| {
            flow.conn_state != ConnState::Sf || (flow.src_packets > 0 && flow.dst_packets > 0)
        });
        check("a packet carries at most 1,400 bytes", |flow| {
            flow.src_bytes <= 1_400 * flow.src_packets && flow.dst_bytes <= 1_400 * flow.dst_packets
        });
        check("only TCP has flags", |flow| {
            (flow.tcp_flags == 0) != (flow.protocol == 6)
        });
        check("only TCP is refused or aborted", |flow| {
            flow.protocol == 6
                || matches!(
                    flow.conn_state,
                    ConnState::Sf | ConnState::S0 | ConnState::Oth
                )
        });
    }

    #[test]
    fn has_ends_of_one_family_with_allowed_addresses() {
        check("one family", |flow| {
            flow.src_ip.is_ipv4() == flow.dst_ip.is_ipv4()
        });
        check("internal or for documentation", |flow| {
            [flow.src_ip, flow.dst_ip].iter().all(|ip| match ip {
                std::net::IpAddr::V4(ip) => {
                    ip.octets()[0] == 10
                        || ip.is_documentation()
                        || ip.is_multicast()
                        || ip.is_broadcast()
                        || ip.is_unspecified()
                }
                std::net::IpAddr::V6(ip) => {
                    ip.is_unique_local()
                        || ip.segments()[..2] == [0x2001, 0xdb8]
                        || ip.is_multicast()
                }
            })
        });
    }
}

#[test]
fn flows_come_in_order_and_uids_once() {
    let hospital = hospital(Options {
        flows: Some(200_000),
        ..Options::default()
    });
    let flows: Vec<Flow> = hospital.flows().collect();
    assert!(
        flows
            .windows(2)
            .all(|pair| pair[0].archive_order(&pair[1]).is_lt())
    );
    let uids: BTreeSet<u64> = flows.iter().map(|flow| flow.uid).collect();
    assert_eq!(uids.len(), flows.len());
}

#[test]
fn every_state_and_both_families_occur() {
    let hospital = hospital(Options {
        flows: Some(300_000),
        ..Options::default()
    });
    let states: BTreeSet<ConnState> = hospital.flows().map(|flow| flow.conn_state).collect();
    assert_eq!(states.len(), 13, "{states:?}");
    assert!(hospital.flows().any(|flow| flow.src_ip.is_ipv6()));
}

mod truth {
    use super::*;

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
            assert!(
                row.first_us >= start_us + (end_us - start_us) / 2,
                "{row:?} is too early"
            );
            assert!(row.last_us < end_us, "{row:?} is too late");
            assert!(
                matches_flows(&hospital, row),
                "{row:?} is not what the flows say"
            );
        }
        assert_eq!(labelled, told);
        assert_eq!(
            told.into_keys().collect::<BTreeSet<_>>(),
            incidents.into_iter().collect()
        );
    }

    /// Whether the flows of the row's incident that touch its device are those it tells of, or more.
    fn matches_flows(hospital: &Hospital, row: &Truth) -> bool {
        let device = hospital
            .inventory()
            .iter()
            .find(|device| device.id == row.device_id)
            .unwrap();
        let own = |ip| device.bindings.iter().any(|binding| binding.ip == ip);
        let of_row = |flow: &Flow| {
            flow.incident == Some(row.incident)
                && (row.first_us..=row.last_us).contains(&flow.end_us)
                && (own(flow.src_ip) || own(flow.dst_ip))
                && row
                    .peer_ip
                    .is_none_or(|ip| flow.src_ip == ip || flow.dst_ip == ip)
                && row.peer_port.is_none_or(|port| flow.dst_port == port)
                && flow.protocol == row.protocol
        };
        hospital.flows().filter(of_row).count() as u64 >= row.flows
    }

    #[test]
    fn counts_every_labelled_flow_once() {
        check(small());
        check(Options {
            days: 1,
            devices: 30,
            flows: Some(10_000),
            ..Options::default()
        });
        check(Options {
            flows: Some(50_000),
            timezone: "UTC".to_owned(),
            seed: 7,
            ..Options::default()
        });
        check(Options {
            incidents: vec![Incident::PumpContact, Incident::Scan],
            ..small()
        });
        check(Options {
            incidents: vec![],
            ..small()
        });
    }

    #[test]
    fn incidents_happen_on_devices_of_their_own() {
        let hospital = hospital(Options::default());
        let subjects: BTreeSet<(&str, Incident)> = hospital
            .truth()
            .iter()
            .map(|row| (row.device_id.as_str(), row.incident))
            .collect();
        let devices: BTreeSet<&str> = subjects.iter().map(|&(device, _)| device).collect();
        assert_eq!(
            (devices.len(), subjects.len()),
            (Incident::ALL.len(), Incident::ALL.len())
        );
    }
}

mod oddities {
    use super::*;
    use wardflow_datasets::Oddity;

    fn plain(oddity: Oddity) -> Hospital {
        hospital(Options {
            oddities: vec![oddity],
            incidents: vec![],
            flows: Some(60_000),
            ..Options::default()
        })
    }

    #[test]
    fn churn_moves_an_address_from_one_device_to_another_without_overlap() {
        let hospital = plain(Oddity::DhcpChurn);
        let mut leases: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for device in hospital.inventory() {
            for binding in &device.bindings {
                let times = (
                    binding.valid_from_us.unwrap_or(i64::MIN),
                    binding.valid_to_us.unwrap_or(i64::MAX),
                );
                leases
                    .entry(binding.ip)
                    .or_default()
                    .push((times, &device.id));
            }
        }
        assert!(leases.values().any(|of_ip| {
            of_ip
                .iter()
                .map(|(_, id)| id)
                .collect::<BTreeSet<_>>()
                .len()
                > 1
        }));
        for of_ip in leases.values_mut() {
            of_ip.sort();
            assert!(
                of_ip.windows(2).all(|pair| pair[0].0.1 <= pair[1].0.0),
                "{of_ip:?} overlap"
            );
        }
    }

    #[test]
    fn a_roll_out_changes_the_firmware_of_one_model_in_the_declared_hours() {
        let hospital = plain(Oddity::FirmwareRollout);
        let changed: Vec<_> = hospital
            .inventory()
            .iter()
            .filter(|device| device.firmware.len() == 2)
            .collect();
        assert_eq!(
            changed
                .iter()
                .map(|device| device.model)
                .collect::<BTreeSet<_>>()
                .len(),
            1
        );
        for device in changed {
            let at_us = device.firmware[1].valid_from_us.unwrap();
            let local = jiff::Timestamp::from_microsecond(at_us)
                .unwrap()
                .in_tz("Europe/Berlin")
                .unwrap();
            assert!((2..5).contains(&local.hour()), "{} at {local}", device.id);
        }
    }

    #[test]
    fn a_shelved_device_is_silent_for_a_week() {
        let hospital = plain(Oddity::ShelvedDevice);
        let pump = hospital
            .inventory()
            .iter()
            .find(|device| device.id == "infusion-pump-0004")
            .unwrap();
        let starts: Vec<i64> = hospital
            .flows()
            .filter(|flow| flow.src_ip == pump.bindings[0].ip)
            .map(|flow| flow.start_us)
            .collect();
        let longest = starts
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap();
        assert!(
            longest > 6 * 86_400 * 1_000_000,
            "silent for {} s at most",
            longest / 1_000_000
        );
    }

    #[test]
    fn pumps_speak_to_their_groups_only_unless_something_is_amiss() {
        let hospital = hospital(Options {
            flows: Some(200_000),
            ..Options::default()
        });
        let groups: BTreeSet<String> = hospital
            .peer_groups()
            .into_iter()
            .flat_map(|group| group.cidrs)
            .collect();
        let pumps: BTreeSet<_> = hospital
            .inventory()
            .iter()
            .filter(|device| device.class.as_str() == "infusion-pump")
            .map(|device| device.bindings[0].ip)
            .collect();
        let stray = hospital.flows().find(|flow| {
            pumps.contains(&flow.src_ip)
                && !groups.contains(&format!("{}/32", flow.dst_ip))
                && flow.incident.is_none()
        });
        assert_eq!(stray, None);
    }
}
