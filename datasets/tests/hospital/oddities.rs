//! What harmless oddities do.

use crate::hospital;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};
use wardflow_datasets::{Device, DeviceClass, Flow, Hospital, Oddity, Options, Role};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

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

/// A hospital of natural pace with one oddity, and one without any.
fn beside(oddity: Oddity) -> [Hospital; 2] {
    let options = Options { devices: 60, days: 8, incidents: vec![], oddities: vec![], ..Options::default() };
    [hospital(Options { oddities: vec![oddity], ..options.clone() }), hospital(options)]
}

/// How many flows of each there are of a kind.
fn counts(hospitals: &[Hospital; 2], is_of: impl Fn(&Flow) -> bool) -> [usize; 2] {
    [0, 1].map(|which: usize| hospitals[which].flows().filter(|flow| is_of(flow)).count())
}

fn addresses(hospital: &Hospital, class: DeviceClass) -> BTreeSet<IpAddr> {
    let of_class = hospital.inventory().iter().filter(|device| device.class == class);
    of_class.flat_map(|device| &device.bindings).map(|binding| binding.ip).collect()
}

fn declared(hospital: &Hospital, role: Role) -> Vec<String> {
    hospital.infrastructure().into_iter().filter(|it| it.role == role).map(|it| it.cidr).collect()
}

/// The flows that end in each hour or day of the span.
fn over_time(hospital: &Hospital, step_us: i64, is_of: impl Fn(&Flow) -> bool) -> Vec<u64> {
    let (start_us, end_us) = hospital.span_us();
    let mut counts = vec![0; ((end_us - start_us) / step_us) as usize];
    for flow in hospital.flows().filter(|flow| is_of(flow)) {
        counts[((flow.start_us - start_us) / step_us) as usize] += 1;
    }
    counts
}

#[test]
fn discovery_asks_groups_that_nobody_answers_for() {
    let both = beside(Oddity::Discovery);
    let modalities = addresses(&both[0], DeviceClass::ImagingModality);
    for port in [137, 138, 1900, 3702, 5353, 5355] {
        let asked = counts(&both, |flow| {
            flow.dst_port == port && modalities.contains(&flow.src_ip) && flow.dst_packets + flow.dst_bytes == 0
        });
        assert!(asked[0] > 50 && asked[1] == 0, "port {port}: {asked:?}");
    }
}

#[test]
fn a_proxy_has_many_clients_and_a_nat_many_devices_behind_it() {
    let both = beside(Oddity::Proxy);
    let [with, without] = counts(&both, |flow| flow.dst_port == 3128);
    assert!(with as f64 > 1.5 * without as f64, "{with} and {without}");
    let nat = declared(&both[0], Role::Nat);
    let [with, without] = counts(&both, |flow| nat.contains(&format!("{}/32", flow.src_ip)));
    assert!(nat.len() == 1 && with > 2_000 && without == 0, "{nat:?}: {with} and {without}");
}

#[test]
fn a_pacs_has_one_night_that_is_far_from_all_others() {
    let [with, without] = beside(Oddity::PacsBurst).map(|hospital| {
        let pacs = addresses(&hospital, DeviceClass::Pacs);
        let by_night = |flow: &Flow| matches!(flow.start_us / HOUR_US % 24, 22..24 | 0..2);
        let sent = over_time(&hospital, HOUR_US, |flow| by_night(flow) && pacs.contains(&flow.dst_ip));
        sent.into_iter().max().unwrap()
    });
    assert!(with > 2 * without, "{with} flows in an hour of a night, {without} without");
}

#[test]
fn the_networks_manager_asks_every_device_and_some_that_are_gone() {
    let [with, without] = beside(Oddity::NetworkManagement);
    let manager = addresses(&with, DeviceClass::NetworkManager);
    let asked = |hospital: &Hospital, answered: bool| -> BTreeSet<IpAddr> {
        let is_asked =
            |flow: &Flow| manager.contains(&flow.src_ip) && flow.dst_port == 161 && (flow.dst_packets > 0) == answered;
        hospital.flows().filter(is_asked).map(|flow| flow.dst_ip).collect()
    };
    let known: BTreeSet<IpAddr> = with.inventory().iter().flat_map(|it| &it.bindings).map(|it| it.ip).collect();
    assert!(asked(&with, true).len() + 1 == known.iter().filter(|ip| ip.is_ipv4()).count());
    assert_eq!(asked(&with, false).difference(&known).count(), 6);
    assert!(asked(&without, false).is_subset(&known));
}

#[test]
fn a_device_that_is_off_answers_no_ping() {
    let hospital = plain(Oddity::ShelvedDevice);
    let silent = |flow: &Flow| flow.protocol == 1 && flow.dst_packets == 0;
    let off: BTreeSet<IpAddr> = hospital.flows().filter(silent).map(|flow| flow.dst_ip).collect();
    assert_eq!(off.len(), 2, "{off:?}");
}

#[test]
fn a_monitor_on_its_way_keeps_its_servers_and_comes_back() {
    let [hospital, _] = beside(Oddity::PatientTransport);
    let central = addresses(&hospital, DeviceClass::CentralStation);
    let away: Vec<&Device> = hospital.inventory().iter().filter(|device| device.bindings.len() == 3).collect();
    let classes: BTreeSet<&str> = away.iter().map(|device| device.class.as_str()).collect();
    assert_eq!(classes, BTreeSet::from(["infusion-pump", "patient-monitor"]));
    for device in away {
        let [before, lent, after] = &device.bindings[..] else { panic!("{device:?}") };
        assert_eq!((before.ip, before.valid_to_us), (after.ip, lent.valid_from_us));
        let (from_us, to_us) = (lent.valid_from_us.unwrap(), lent.valid_to_us.unwrap());
        let there: Vec<Flow> = hospital.flows().filter(|flow| flow.src_ip == lent.ip).collect();
        assert!(there.iter().all(|flow| from_us <= flow.start_us && flow.end_us < to_us && flow.vlan == Some(130)));
        let is_monitor = device.class == DeviceClass::PatientMonitor;
        assert!(there.len() > 50 && (!is_monitor || there.iter().any(|flow| central.contains(&flow.dst_ip))));
        let home: Vec<Flow> = hospital.flows().filter(|flow| flow.src_ip == before.ip).collect();
        assert!(home.iter().any(|flow| flow.start_us > to_us));
        assert!(!home.iter().any(|flow| (from_us..to_us).contains(&flow.end_us)));
    }
}

#[test]
fn a_new_device_comes_late_and_does_what_its_class_does() {
    let [hospital, _] = beside(Oddity::NewDevice);
    let (start_us, end_us) = hospital.span_us();
    let new = |device: &&Device| device.bindings[0].valid_from_us.is_some();
    let new: Vec<&Device> = hospital.inventory().iter().filter(new).collect();
    assert_eq!(new.len(), 4);
    for device in new {
        let from_us = device.bindings[0].valid_from_us.unwrap();
        assert!(from_us > start_us + (end_us - start_us) * 65 / 100);
        let own = |flow: &Flow| device.bindings.iter().any(|it| it.ip == flow.src_ip || it.ip == flow.dst_ip);
        let (early, late): (Vec<Flow>, Vec<Flow>) =
            hospital.flows().filter(own).partition(|flow| flow.start_us < from_us);
        assert!(early.is_empty() && late.len() > 500, "{}: {} and {}", device.id, early.len(), late.len());
    }
}

#[test]
fn an_update_is_fetched_by_all_in_one_night_from_a_server_that_they_know() {
    let both = beside(Oddity::SoftwareUpdate);
    let large = |flow: &&Flow| flow.dst_bytes > 150_000_000 && flow.dst_name.is_some();
    let fetched: Vec<Flow> = both[0].flows().filter(|flow| large(&flow)).collect();
    let hours = fetched.iter().map(|flow| flow.start_us / HOUR_US).collect::<BTreeSet<_>>();
    let clients: BTreeSet<IpAddr> = fetched.iter().map(|flow| flow.src_ip).filter(|ip| ip.is_ipv4()).collect();
    assert!(clients.len() > 10 && hours.len() <= 4, "{} clients in {hours:?}", clients.len());
    let known: BTreeSet<_> = both[1].flows().map(|flow| (flow.src_ip, flow.dst_ip)).collect();
    assert!(fetched.iter().all(|flow| known.contains(&(flow.src_ip, flow.dst_ip))));
}

#[test]
fn a_server_that_moves_is_called_at_its_new_address_from_then_on() {
    let [hospital, _] = beside(Oddity::ServerMove);
    let moved: Vec<&Device> = hospital.inventory().iter().filter(|it| it.bindings[0].valid_to_us.is_some()).collect();
    let [server] = moved[..] else { panic!("{moved:?}") };
    let at_us = server.bindings[0].valid_to_us.unwrap();
    let calls = |ip, late| hospital.flows().filter(|it| it.dst_ip == ip && (it.start_us >= at_us) == late).count();
    let [old, new] = [server.bindings[0].ip, server.bindings[1].ip];
    assert!(calls(old, false) > 1_000 && calls(new, true) > 1_000);
    assert_eq!((calls(old, true), calls(new, false)), (0, 0));
}

#[test]
fn a_ward_is_quiet_for_a_day() {
    let both = beside(Oddity::ClinicClosure);
    let [with, without] = both.map(|hospital| {
        let wards = hospital.inventory().iter().flat_map(|it| it.bindings.iter().map(|of| (of.ip, it.location)));
        let wards: BTreeMap<IpAddr, &str> = wards.collect();
        let mut days: BTreeMap<(String, i64), f64> = BTreeMap::new();
        for flow in hospital.flows() {
            if let Some(&ward) = wards.get(&flow.src_ip) {
                *days.entry((ward.to_owned(), flow.start_us / DAY_US)).or_default() += 1.0;
            }
        }
        days
    });
    let quiet: BTreeSet<&str> =
        without.iter().filter(|&(day, &flows)| with[day] < 0.8 * flows).map(|((ward, _), _)| ward.as_str()).collect();
    assert_eq!(quiet.len(), 1, "{quiet:?}");
}

#[test]
fn a_server_that_is_down_is_tried_again_and_again() {
    let both = beside(Oddity::RetryStorm);
    let server = addresses(&both[0], DeviceClass::EhrServer);
    let unanswered = |flow: &Flow| server.contains(&flow.dst_ip) && flow.protocol == 6 && flow.dst_packets == 0;
    let [with, without] = [&both[0], &both[1]].map(|hospital| over_time(hospital, 1_800_000_000, unanswered));
    let busy = |counts: &[u64]| counts.iter().filter(|&&count| count > 500).count();
    assert!((1..=2).contains(&busy(&with)) && busy(&without) == 0, "{with:?}");
}

#[test]
fn oddities_leave_the_devices_of_incidents_alone() {
    for seed in 1..=4 {
        let with = hospital(Options { seed, ..Options::default() });
        let without = hospital(Options { seed, oddities: vec![], ..Options::default() });
        let firmware_aside = |device: &Device| Device { firmware: Vec::new(), ..device.clone() };
        for row in with.truth() {
            let [own, same] = [&with, &without].map(|it| it.inventory().iter().find(|it| it.id == row.device_id));
            assert_eq!(own.map(firmware_aside), same.map(firmware_aside), "seed {seed}: {row:?}");
        }
    }
}
