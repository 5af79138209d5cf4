//! The truth is what the flows say.

use crate::{hospital, small};
use std::collections::{BTreeMap, BTreeSet};
use wardflow_datasets::{Device, Flow, Hospital, Incident, Options, Truth, Variant};

const HOUR_US: i64 = 3_600_000_000;

#[track_caller]
fn check(options: Options) {
    let incidents = options.incidents.clone();
    let hospital = hospital(options);
    let (start_us, end_us) = hospital.span_us();
    let mut labelled: BTreeMap<Incident, Vec<Flow>> = BTreeMap::new();
    for flow in hospital.flows() {
        if let Some(incident) = flow.incident {
            labelled.entry(incident).or_default().push(flow);
        }
    }
    let mut told: BTreeMap<Incident, u64> = BTreeMap::new();
    for row in hospital.truth() {
        *told.entry(row.incident).or_default() += row.flows;
        assert!(row.first_us >= start_us + (end_us - start_us) / 2, "{row:?} is too early");
        assert!(row.last_us < end_us, "{row:?} is too late");
        let flows = labelled.get(&row.incident).map_or(&[][..], Vec::as_slice);
        assert!(matches_flows(&hospital, row, flows), "{row:?} is not what the flows say");
    }
    for &incident in &incidents {
        let flows = labelled.get(&incident).map_or(&[][..], Vec::as_slice);
        assert_eq!(told.get(&incident), Some(&(flows.len() as u64)), "{incident}");
        let rows = hospital.truth().iter().filter(|row| row.incident == incident && row.flows > 0);
        let hours: BTreeSet<i64> = rows.flat_map(|row| row.hours_us.clone()).collect();
        assert_eq!(hours, flows.iter().map(hour_us).collect(), "{incident}");
    }
    assert_eq!(told.into_keys().collect::<BTreeSet<_>>(), incidents.into_iter().collect());
}

/// The hour in which a flow ended.
fn hour_us(flow: &Flow) -> i64 {
    flow.end_us.div_euclid(HOUR_US) * HOUR_US
}

fn device<'a>(hospital: &'a Hospital, id: &str) -> &'a Device {
    hospital.inventory().iter().find(|device| device.id == id).unwrap()
}

fn is_end(device: &Device, flow: &Flow) -> bool {
    device.bindings.iter().any(|binding| binding.ip == flow.src_ip || binding.ip == flow.dst_ip)
}

/// Whether the flows of the row's incident that touch its device are those it tells of, or more.
fn matches_flows(hospital: &Hospital, row: &Truth, flows: &[Flow]) -> bool {
    let own = device(hospital, &row.device_id);
    let of_row = |flow: &&Flow| {
        (row.first_us..=row.last_us).contains(&flow.end_us)
            && is_end(own, flow)
            && row.peer_ip.is_none_or(|ip| flow.src_ip == ip || flow.dst_ip == ip)
            && row.peer_port.is_none_or(|port| flow.dst_port == port)
            && row.protocol.is_none_or(|protocol| flow.protocol == protocol)
    };
    let flows: Vec<&Flow> = flows.iter().filter(of_row).collect();
    let hours: BTreeSet<i64> = flows.iter().map(|flow| hour_us(flow)).collect();
    let peers = row.peer_device_ids.iter().map(|id| device(hospital, id));
    flows.len() as u64 >= row.flows
        && row.hours_us.is_sorted()
        && (row.flows == 0 || row.hours_us.iter().all(|hour_us| hours.contains(hour_us)))
        && peers.into_iter().all(|peer| flows.iter().any(|flow| is_end(peer, flow)))
}

#[test]
fn counts_every_labelled_flow_once() {
    for &variant in Variant::ALL {
        check(Options { variant, ..small() });
        check(Options { variant, days: 1, devices: 30, flows: Some(10_000), ..Options::default() });
        check(Options { variant, flows: Some(50_000), timezone: "UTC".to_owned(), seed: 7, ..Options::default() });
        check(Options { variant, incidents: vec![Incident::PumpContact, Incident::Scan], ..small() });
        check(Options { variant, incidents: vec![Incident::SilencedMonitor], ..small() });
    }
    check(Options { incidents: vec![], ..small() });
}

#[test]
fn a_day_of_any_kind_has_every_incident() {
    for start in ["2026-03-07T00:00:00Z", "2026-03-08T11:30:00Z", "2026-03-28T00:00:00Z"] {
        for &variant in Variant::ALL {
            let start = start.parse().unwrap();
            check(Options { variant, start, days: 1, devices: 30, flows: Some(5_000), ..Options::default() });
        }
    }
}

/// The devices that each incident is told of, in a hospital of its own pace.
fn subjects(hospital: &Hospital) -> BTreeMap<Incident, BTreeSet<String>> {
    let mut subjects: BTreeMap<Incident, BTreeSet<String>> = BTreeMap::new();
    for row in hospital.truth() {
        subjects.entry(row.incident).or_default().insert(row.device_id.clone());
    }
    subjects
}

#[test]
fn incidents_happen_on_devices_of_their_own_that_the_seed_chooses() {
    let mut beacons = BTreeSet::new();
    for seed in 1..=6 {
        for &variant in Variant::ALL {
            for devices in [120, 200, 500] {
                let hospital = hospital(Options { devices, seed, variant, ..Options::default() });
                let subjects = subjects(&hospital);
                assert_eq!(subjects.len(), Incident::ALL.len(), "seed {seed}, {variant}");
                let all: Vec<&String> = subjects.values().flatten().collect();
                assert_eq!(
                    all.iter().collect::<BTreeSet<_>>().len(),
                    all.len(),
                    "seed {seed}, {variant}: {subjects:?}"
                );
                beacons.extend(subjects[&Incident::Beacon].clone());
                for row in hospital.truth() {
                    assert_eq!((row.variant, row.technique), (variant, row.incident.technique()));
                    assert!(!row.hours_us.is_empty(), "{row:?}");
                }
            }
        }
    }
    assert!(beacons.len() > 4, "{beacons:?}");
}

#[test]
fn incidents_begin_at_other_times_with_other_seeds() {
    let begins = |seed| {
        let hospital = hospital(Options { seed, ..Options::default() });
        let mut begins: BTreeMap<Incident, i64> = BTreeMap::new();
        for row in hospital.truth() {
            begins.entry(row.incident).or_insert(row.first_us);
        }
        begins
    };
    let (one, other) = (begins(1), begins(2));
    for incident in Incident::ALL {
        assert_ne!(one[incident], other[incident], "{incident}");
    }
}

#[test]
fn leaving_incidents_out_moves_no_other() {
    let all = hospital(Options::default());
    for &incident in Incident::ALL {
        let alone = hospital(Options { incidents: vec![incident], ..Options::default() });
        let of_all: Vec<&Truth> = all.truth().iter().filter(|row| row.incident == incident).collect();
        assert_eq!(alone.truth().iter().collect::<Vec<_>>(), of_all, "{incident}");
    }
}

#[test]
fn a_stealthy_incident_has_fewer_flows_and_takes_as_long_or_longer() {
    let [easy, stealthy] =
        [Variant::Easy, Variant::Stealthy].map(|variant| hospital(Options { variant, ..Options::default() }));
    let of = |hospital: &Hospital, incident| {
        let rows: Vec<Truth> = hospital.truth().iter().filter(|row| row.incident == incident).cloned().collect();
        (rows.iter().map(|row| row.flows).sum::<u64>(), rows.iter().map(|row| row.last_us - row.first_us).sum::<i64>())
    };
    for &incident in Incident::ALL {
        let ((flows, lasts_us), (few, long_us)) = (of(&easy, incident), of(&stealthy, incident));
        assert!(few < flows || long_us > lasts_us, "{incident}: {few} of {flows} flows, {long_us} of {lasts_us} us");
    }
}

#[test]
fn a_silenced_monitor_says_nothing_in_the_hours_told() {
    for &variant in Variant::ALL {
        let options = Options { variant, incidents: vec![Incident::SilencedMonitor], ..Options::default() };
        let hospital = hospital(Options { flows: Some(400_000), ..options });
        let [row] = hospital.truth() else { panic!("one row: {:?}", hospital.truth()) };
        let monitor = device(&hospital, &row.device_id).bindings[0].ip;
        let mut spoke: BTreeMap<i64, u64> = BTreeMap::new();
        for flow in hospital.flows().filter(|flow| flow.src_ip == monitor) {
            *spoke.entry(flow.start_us.div_euclid(HOUR_US) * HOUR_US).or_default() += 1;
        }
        assert!(row.hours_us.iter().all(|hour_us| !spoke.contains_key(hour_us)), "{variant}");
        let (start_us, end_us) = hospital.span_us();
        let silent =
            (start_us..end_us).step_by(HOUR_US as usize).filter(|hour_us| !spoke.contains_key(hour_us)).count();
        assert!(silent <= row.hours_us.len() + 8, "{silent} hours were silent, {} are told", row.hours_us.len());
    }
}

/// The flows of a row's device with the row's peer and port that no incident made, by hour.
fn ordinary(row: &Truth, flows: &[Flow], own: &Device) -> BTreeMap<i64, u64> {
    let mut hours = BTreeMap::new();
    let with_peer = flows.iter().filter(|flow| {
        flow.incident.is_none()
            && is_end(own, flow)
            && row.peer_ip.is_some_and(|ip| flow.src_ip == ip || flow.dst_ip == ip)
            && row.peer_port.is_none_or(|port| flow.dst_port == port)
    });
    with_peer.for_each(|flow| *hours.entry(hour_us(flow)).or_default() += 1);
    hours
}

#[test]
fn even_stealthy_incidents_differ_from_what_their_devices_do() {
    use Incident::{DnsTunnel, InboundFlood, MqttFlood, OffHoursService, Ransomware};
    for seed in 1..=3 {
        let options = Options { seed, devices: 60, days: 7, variant: Variant::Stealthy, ..Options::default() };
        let hospital = hospital(options);
        let flows: Vec<Flow> = hospital.flows().collect();
        for row in hospital.truth().iter().filter(|row| row.peer_ip.is_some()) {
            let hours = ordinary(row, &flows, device(&hospital, &row.device_id));
            let most = hours.values().max().copied().unwrap_or(0);
            let a_told_hour = row.flows / row.hours_us.len() as u64;
            let differs = match row.incident {
                MqttFlood | InboundFlood => a_told_hour > 3 * most,
                Ransomware => a_told_hour > 2 * hours.get(&row.hours_us[1]).copied().unwrap_or(0),
                OffHoursService => row.hours_us.iter().all(|hour| !hours.contains_key(hour)),
                // Its names are new, its server is not.
                DnsTunnel => row.flows > 100,
                _ => most == 0,
            };
            assert!(differs, "seed {seed}: {row:?} is like {hours:?}");
        }
    }
}

#[test]
fn a_tunnels_names_are_asked_for_once() {
    let hospital = hospital(Options { variant: Variant::Stealthy, incidents: vec![Incident::DnsTunnel], ..small() });
    let tunnelled = hospital.flows().filter(|flow| flow.incident == Some(Incident::DnsTunnel));
    let names: Vec<String> = tunnelled.map(|flow| flow.dst_name.unwrap().into_owned()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(names.iter().all(|name| name.ends_with(".t.pebble-sync.example")));
}
