//! A pump's usual weeks, and what is reported when one thing changes.

use wardflow_sdk::{
    ConnState, DAY, Device, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, Slice, name_id,
    native::{Batch, Flow, Harness, Run, times},
};

/// A Monday, 00:00.
const MONDAY: i64 = 19_723 * DAY;
/// Learning is over by then.
const LATER: i64 = MONDAY + 6 * DAY;
const END: i64 = MONDAY + 8 * DAY;

const GATEWAY: u64 = 10;
const LIBRARY: u64 = 11;
const CLOCK: u64 = 12;
const NAMES: u64 = 13;
const LOGS: u64 = 14;
const STRANGER: u64 = 66;

fn to(peer: u64, peer_group: u16, protocol: u8, peer_port: u16, time: i64) -> Flow {
    let local_port = 32_768 + (time / SECOND).rem_euclid(28_000) as u16;
    let (bytes_sent, bytes_received) = (900, 180);
    Flow { peer, peer_group, protocol, peer_port, local_port, bytes_sent, bytes_received, ..Flow::at(time) }
}

/// A flow that a peer in no group opened to a port of the pump.
fn from(peer: u64, local_port: u16, time: i64) -> Flow {
    Flow { direction: Direction::Inbound, local_port, peer_port: 50_123, ..to(peer, 0, 6, 0, time) }
}

/// What a pump does: status to the gateway, names, time, a log server, the drug library in the night of Tuesday.
fn usual(until: i64) -> Vec<Flow> {
    let status = times(MONDAY, until, 45 * SECOND).map(|t| to(GATEWAY, 1, 6, 4010, t));
    let events = times(MONDAY + 7 * MINUTE, until, 20 * MINUTE).map(|t| to(GATEWAY, 1, 6, 443, t));
    let names = times(MONDAY + 8 * MINUTE, until, HOUR).map(|t| to(NAMES, 4, 17, 53, t));
    let clock = times(MONDAY + 9 * MINUTE, until, HOUR).map(|t| to(CLOCK, 3, 17, 123, t));
    let logs = times(MONDAY + 10 * MINUTE, until, 6 * HOUR).map(|t| to(LOGS, 0, 17, 514, t));
    let library = times(MONDAY + DAY + 3 * HOUR, until, 7 * DAY)
        .map(|t| Flow { bytes_received: 8_000_000, ..to(LIBRARY, 2, 6, 443, t) });
    status.chain(events).chain(names).chain(clock).chain(logs).chain(library).collect()
}

fn harness() -> Harness {
    let device = Device { pseudonym: 1, class: "infusion-pump".into(), firmware: "3.1".into(), ..Device::default() };
    Harness::of(wardflow_infusion_pump::plugin()).device(device).until(END)
}

fn run(flows: Vec<Flow>) -> Run {
    harness().run(flows)
}

fn findings(run: Run) -> Vec<Finding> {
    run.findings.into_iter().map(|found| found.finding).collect()
}

/// Asserts what is reported of a usual week with some flows more: kind and severity of each cause, in order.
#[track_caller]
fn check(more: impl IntoIterator<Item = Flow>, expected: &[(&str, Severity)]) {
    let flows = usual(END).into_iter().chain(more).collect();
    let found = findings(run(flows));
    let reported: Vec<_> = found.iter().map(|finding| (finding.kind.as_str(), finding.severity.unwrap())).collect();
    assert_eq!(reported, expected, "{found:#?}");
}

#[test]
fn a_usual_week_is_learned_and_reports_nothing() {
    let run = run(usual(END));
    assert_eq!(run.findings, []);
    assert!(run.ready && run.learned >= 1.0, "{}", run.learned);
    assert!(run.largest_state < 2_048, "{} bytes", run.largest_state);
}

#[test]
fn learning_counts_time_with_traffic() {
    let check = |until, ready, learned: std::ops::Range<f64>| {
        let run = run(usual(until));
        assert_eq!(run.ready, ready, "{}", run.learned);
        assert!(learned.contains(&run.learned), "{}", run.learned);
    };
    check(MONDAY + DAY, false, 0.2..0.3);
    check(MONDAY + 3 * DAY, false, 0.7..0.8);
    check(MONDAY + 5 * DAY, true, 1.0..1.1);
}

#[test]
fn workstations_and_the_internet_are_reported_from_the_first_day() {
    let workstation = |flow: Flow| Flow { peer_class: name_id("workstation"), ..flow };
    let outside = |flow: Flow| Flow { peer_scope: PeerScope::External, ..flow };
    let failed = |flow: Flow| Flow { conn_state: ConnState::Rej, ..flow };
    let kind = "contact-outside-groups";
    for time in [MONDAY + HOUR, LATER] {
        check([workstation(from(STRANGER, 8_443, time))], &[(kind, Severity::High)]);
        check([workstation(to(STRANGER, 0, 6, 445, time))], &[(kind, Severity::High)]);
        check([outside(to(STRANGER, 0, 6, 443, time))], &[(kind, Severity::High)]);
        check([outside(to(STRANGER, 0, 17, 53, time))], &[(kind, Severity::High)]);
        check([failed(workstation(from(STRANGER, 22, time)))], &[(kind, Severity::Medium)]);
        let port_by_port = (1..2_000).map(|port| failed(workstation(from(STRANGER, port, time))));
        check(port_by_port, &[(kind, Severity::Medium)]);
    }
}

#[test]
fn what_workstations_do_is_never_learned() {
    let visits = times(MONDAY + HOUR, END, DAY);
    let visits = visits.map(|time| Flow { peer_class: name_id("workstation"), ..from(STRANGER, 8_443, time) });
    check(visits, &[("contact-outside-groups", Severity::High); 8]);
}

#[test]
fn other_internal_peers_are_reported_after_learning() {
    check([from(STRANGER, 8_443, MONDAY + HOUR)], &[]);
    check([from(STRANGER, 8_443, LATER)], &[("contact-outside-groups", Severity::Medium)]);
    let on_one_day = [MONDAY + HOUR, MONDAY + 2 * HOUR, LATER];
    check(on_one_day.map(|time| from(STRANGER, 8_443, time)), &[("contact-outside-groups", Severity::Medium)]);
    let on_two_days = [MONDAY + HOUR, MONDAY + DAY, LATER];
    check(on_two_days.map(|time| from(STRANGER, 8_443, time)), &[]);
}

#[test]
fn declared_hosts_are_not_judged() {
    let role = |peer_role| move |flow: Flow| Flow { peer_role, ..flow };
    for peer_role in [PeerRole::Scanner, PeerRole::NetworkManagement, PeerRole::Backup, PeerRole::RemoteService] {
        check((1..500).map(|port| role(peer_role)(from(STRANGER, port, LATER))), &[]);
    }
    check([role(PeerRole::Proxy)(to(STRANGER, 0, 6, 3_128, LATER))], &[("contact-outside-groups", Severity::Medium)]);
    let remote = Flow { peer_scope: PeerScope::External, ..from(STRANGER, 443, LATER) };
    check([role(PeerRole::RemoteService)(remote)], &[]);
    check([Flow { peer_scope: PeerScope::Multicast, ..to(STRANGER, 0, 17, 5_353, LATER) }], &[]);
    check([Flow { local_port: 68, ..to(STRANGER, 0, 17, 67, LATER) }], &[]);
}

#[test]
fn a_service_that_nobody_declared_is_new() {
    let of_gateway = |local_port, time| Flow { peer_group: 1, ..from(GATEWAY, local_port, time) };
    check([to(GATEWAY, 1, 6, 21, MONDAY + HOUR)], &[("new-service", Severity::Medium)]);
    check([of_gateway(23, MONDAY + HOUR)], &[("inbound-command", Severity::High)]);
    check([of_gateway(8_080, LATER)], &[("inbound-command", Severity::Medium)]);
    check([Flow { bytes_received: 0, ..of_gateway(8_080, LATER) }], &[("new-service", Severity::Medium)]);
    check([Flow { conn_state: ConnState::S0, ..of_gateway(8_080, LATER) }], &[("new-service", Severity::Low)]);
    check([to(LOGS, 0, 6, 6_514, LATER)], &[("new-service", Severity::Medium)]);
}

#[test]
fn who_pings_a_pump_only_tests_it() {
    let ping = Flow { protocol: 1, local_port: 8, peer_port: 0, conn_state: ConnState::Oth, ..from(GATEWAY, 0, LATER) };
    check([Flow { peer_group: 1, ..ping.clone() }], &[]);
    check([Flow { peer: STRANGER, peer_class: name_id("workstation"), ..ping }], &[]);
}

#[test]
fn a_flow_that_an_exporter_turned_around_is_no_service() {
    let turned = Flow {
        direction: Direction::Inbound,
        local_port: 50_000,
        conn_state: ConnState::Oth,
        ..to(GATEWAY, 1, 6, 4010, LATER)
    };
    check([turned], &[]);
}

#[test]
fn bulk_transfers_are_due_from_the_library_in_its_hours() {
    let bulk = |flow: Flow| Flow { bytes_received: 5_000_000, ..flow };
    let night = LATER + 3 * HOUR;
    check([bulk(to(LIBRARY, 2, 6, 443, night))], &[]);
    check([bulk(to(LIBRARY, 2, 6, 443, LATER + 14 * HOUR))], &[("bulk-inbound", Severity::Low)]);
    check([bulk(to(GATEWAY, 1, 6, 443, night))], &[("bulk-inbound", Severity::Medium)]);
    // A share of what is declared of it a day.
    let declared = |peer, group, port| Flow { bytes_received: 1_500_000, ..to(peer, group, 6, port, night) };
    check([declared(GATEWAY, 1, 443)], &[]);
    check([declared(STRANGER, 4, 53)], &[("bulk-inbound", Severity::Medium)]);
    let time = bulk(to(STRANGER, 3, 17, 123, night));
    check([time], &[("bulk-inbound", Severity::Medium)]);
    let stranger = [("contact-outside-groups", Severity::Medium), ("bulk-inbound", Severity::High)];
    check([bulk(from(STRANGER, 443, night))], &stranger);
    let in_parts = (0..10).map(|n| Flow { bytes_received: 500_000, ..from(STRANGER, 443, night + n * MINUTE) });
    check(in_parts, &stranger);
    let remote = Flow { peer_role: PeerRole::RemoteService, ..bulk(from(STRANGER, 443, night)) };
    check([remote], &[]);
}

#[test]
fn usual_transfers_of_internal_peers_are_learned() {
    let nightly = |bytes_received, until| {
        times(MONDAY + 3 * HOUR, until, DAY).map(move |time| Flow { bytes_received, ..to(STRANGER, 0, 6, 443, time) })
    };
    check(nightly(3_000_000, END), &[]);
    let more = Flow { bytes_received: 13_000_000, ..to(STRANGER, 0, 6, 443, LATER) };
    check(nightly(3_000_000, LATER).chain([more]), &[("bulk-inbound", Severity::High)]);
}

/// A usual week in which, from `from` until `until`, no flow is left but those that `stays` keeps.
fn silent(from: i64, until: i64, stays: fn(&Flow) -> bool) -> Vec<Flow> {
    let mut flows = usual(END);
    flows.retain(|flow| !(from..until).contains(&flow.start_time) || stays(flow));
    flows
}

#[test]
fn silence_in_use_is_reported_when_contact_goes_on() {
    let check = |minutes, kinds: &[&str]| {
        let from = LATER + 10 * HOUR;
        let run = run(silent(from, from + minutes * MINUTE, |_| false));
        assert_eq!(run.kinds(), kinds, "{minutes} min: {:#?}", run.findings);
    };
    check(20, &[]);
    check(45, &["silence-in-use"]);
    check(5 * 60, &["silence-in-use"]);
    check(7 * 60, &[]);
    check(38 * 60, &[]);
}

#[test]
fn a_silent_pump_that_still_tells_the_time_is_on_the_network() {
    let from = LATER + 10 * HOUR;
    let run = run(silent(from, END, |flow| flow.peer == CLOCK || flow.peer == NAMES));
    assert!(run.kinds().iter().all(|kind| *kind == "silence-in-use"), "{:#?}", run.findings);
    assert!((1..=5).contains(&run.findings.len()), "{:#?}", run.findings);
}

#[test]
fn attempts_at_a_gateway_that_is_down_are_no_contact() {
    let from = LATER + 10 * HOUR;
    let flows = usual(END).into_iter().map(|flow| match (from..from + 3 * HOUR).contains(&flow.start_time) {
        true if flow.peer == GATEWAY => Flow { conn_state: ConnState::S0, bytes_received: 0, ..flow },
        _ => flow,
    });
    let found = findings(run(flows.collect()));
    assert!(!found.is_empty() && found.iter().all(|finding| finding.kind == "silence-in-use"), "{found:#?}");
}

#[test]
fn gaps_of_the_sensors_are_no_silence() {
    let check = |from: i64, length: i64, kinds: &[&str]| {
        let flows = silent(from, from + length, |_| false);
        let run = harness().gap(from - SECOND, from + length + MINUTE).run(flows);
        assert_eq!(run.kinds(), kinds, "{:#?}", run.findings);
    };
    check(LATER + 8 * HOUR, 2 * HOUR, &[]);
    check(LATER + 11 * HOUR, 2 * HOUR, &[]);
    check(LATER + 5 * HOUR, 5 * HOUR, &[]);
    let from = LATER + 11 * HOUR;
    let half_of_it = harness().gap(from, from + HOUR).run(silent(from, from + 2 * HOUR, |_| false));
    assert_eq!(half_of_it.kinds(), ["silence-in-use"]);
    assert!((58.0..62.0).contains(&half_of_it.findings[0].finding.observations[0].measured));
}

#[test]
fn silences_that_are_usual_are_learned() {
    let mut flows = usual(END);
    flows.retain(|flow| (flow.start_time / HOUR).rem_euclid(6) != 4);
    assert_eq!(run(flows).findings, []);
}

#[test]
fn a_pump_that_is_used_by_day_may_be_silent_at_night() {
    let check = |stays: fn(&Flow) -> bool| {
        let mut flows = usual(END);
        flows.retain(|flow| (8..18).contains(&(flow.start_time / HOUR).rem_euclid(24)) || stays(flow));
        assert_eq!(run(flows.clone()).findings, []);
        flows
    };
    check(|_| false);
    let is_on_network = |flow: &Flow| flow.peer == CLOCK || flow.peer == NAMES;
    let mut flows = check(is_on_network);
    // Its nights do not make three hours by day usual.
    let by_day = LATER + 10 * HOUR..LATER + 13 * HOUR;
    flows.retain(|flow| !by_day.contains(&flow.start_time) || is_on_network(flow));
    let kinds = run(flows).findings.into_iter().map(|found| found.finding.kind).collect::<Vec<_>>();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| kind == "silence-in-use"), "{kinds:?}");
}

/// A usual week without peer groups, in which the library server has a class in the inventory.
fn unmapped(class: &'static str) -> Vec<Flow> {
    let flows = usual(END).into_iter().map(move |flow| {
        let peer_class = if flow.peer == LIBRARY { name_id(class) } else { 0 };
        Flow { peer_group: 0, peer_class, ..flow }
    });
    flows.collect()
}

#[test]
fn without_groups_the_inventory_or_learning_serves() {
    let check = |flows: Vec<Flow>, expected: &[(&str, Severity)]| {
        let found = findings(run(flows));
        let others = found.iter().filter(|finding| finding.kind != "groups-unmapped");
        let reported: Vec<_> = others.map(|finding| (finding.kind.as_str(), finding.severity.unwrap())).collect();
        assert_eq!(reported, expected, "{found:#?}");
    };
    check(unmapped(""), &[]);
    let weekly = Flow { bytes_received: 60_000_000, ..to(NAMES, 0, 6, 443, MONDAY + 7 * DAY) };
    let known = times(MONDAY, END, DAY).map(|time| to(NAMES, 0, 6, 443, time));
    check(unmapped("").into_iter().chain(known).chain([weekly.clone()]).collect(), &[]);
    let unknown = Flow { peer: STRANGER, ..weekly };
    let both = [("contact-outside-groups", Severity::Low), ("bulk-inbound", Severity::Medium)];
    check(unmapped("").into_iter().chain([unknown]).collect(), &both);
    let by_day = Flow {
        peer_group: 0,
        peer_class: name_id("drug-library-server"),
        bytes_received: 5_000_000,
        ..to(LIBRARY, 2, 6, 443, LATER + 14 * HOUR)
    };
    check(unmapped("drug-library-server").into_iter().chain([by_day]).collect(), &[("bulk-inbound", Severity::Low)]);
}

#[test]
fn groups_that_nobody_mapped_are_told_of_once_a_slice() {
    let run = run(unmapped(""));
    assert_eq!(run.findings.len(), run.slices);
    let Some(first) = run.findings.first() else { panic!("no finding") };
    assert_eq!(
        (first.finding.kind.as_str(), first.finding.severity),
        ("groups-unmapped", Some(Severity::Informational))
    );
    assert!(first.finding.summary.starts_with("none of 4 peers"), "{}", first.finding.summary);
    assert!(first.finding.summary.ends_with("more than medium"), "{}", first.finding.summary);
}

#[test]
fn without_groups_fifty_outside_peers_are_one_medium_finding() {
    let outside = |n| Flow { peer_scope: PeerScope::External, ..to(500 + n, 0, 6, 443, MONDAY + HOUR + n as i64) };
    let check = |count: u64, expected: &[Severity]| {
        let run = run(unmapped("").into_iter().chain((0..count).map(outside)).collect());
        let contacts = run.of_kind("contact-outside-groups");
        assert_eq!(contacts.iter().map(|contact| contact.severity.unwrap()).collect::<Vec<_>>(), expected);
        assert_eq!(contacts.iter().map(|contact| contact.flow_count).sum::<u64>(), count);
    };
    check(3, &[Severity::Medium; 3]);
    check(51, &[Severity::Medium]);
}

#[test]
fn very_many_peers_are_one_finding() {
    let strangers = |count| (0..count).map(|n| from(1_000 + n, 8_443, LATER + n as i64 * SECOND));
    let run = |count| findings(run(usual(END).into_iter().chain(strangers(count)).collect()));
    assert_eq!(run(8).len(), 8);
    let found = run(3_000);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].flow_count, found[0].observations[0].measured), (3_000, 3_000.0));
    assert!(found[0].summary.starts_with("3000 contacts with the internal peers"), "{}", found[0].summary);
}

#[test]
fn many_services_of_known_peers_are_capped() {
    let services = (0..100).map(|n| to(GATEWAY, 1, 6, 5_000 + n, LATER));
    let found = findings(run(usual(END).into_iter().chain(services).collect()));
    assert_eq!(found.len(), 17, "{found:#?}");
    assert_eq!(found.iter().map(|finding| finding.flow_count).sum::<u64>(), 100);
}

#[test]
fn orders_are_the_gateways() {
    let orders = |flow: Flow| Flow { peer_port: 4010, ..flow };
    let kind = "orders-outside-gateway";
    for time in [MONDAY + HOUR, LATER] {
        check([orders(to(STRANGER, 0, 6, 0, time))], &[(kind, Severity::Medium)]);
        let workstation = Flow { peer_class: name_id("workstation"), ..to(STRANGER, 0, 6, 0, time) };
        check([orders(workstation)], &[(kind, Severity::High)]);
        check([orders(Flow { conn_state: ConnState::S0, ..to(STRANGER, 0, 6, 0, time) })], &[(kind, Severity::Low)]);
    }
    check([orders(Flow { peer_prevalence: 3, ..to(STRANGER, 0, 6, 0, LATER) })], &[]);
}

#[test]
fn what_other_pumps_use_is_theirs() {
    let shared = |peer_prevalence| Flow { peer_prevalence, ..to(STRANGER, 0, 17, 514, LATER) };
    check([shared(2)], &[("contact-outside-groups", Severity::Medium)]);
    check([shared(3)], &[]);
}

#[test]
fn sizes_of_libraries_are_learned() {
    let library =
        |night: i64, bytes_received| Flow { bytes_received, ..to(LIBRARY, 2, 6, 443, MONDAY + night * DAY + 3 * HOUR) };
    let nightly = || (0..6).map(|night| library(night, 8_000_000 + 100_000 * night as u64));
    check(nightly().chain([library(6, 20_000_000)]), &[]);
    check(nightly().chain([library(6, 60_000_000)]), &[("bulk-inbound", Severity::Low)]);
    check([library(6, 60_000_000)], &[]);
}

#[test]
fn after_a_week_away_learning_begins_anew() {
    let back = END + 8 * DAY;
    let again = usual(MONDAY + DAY).into_iter().map(|flow| {
        let shift = back - MONDAY;
        Flow { start_time: flow.start_time + shift, end_time: flow.end_time + shift, ..flow }
    });
    let stranger = from(STRANGER, 8_443, back + HOUR);
    let run = run(usual(END).into_iter().chain(again).chain([stranger]).collect());
    assert_eq!((run.findings, run.ready), (vec![], false));
}

#[test]
fn the_state_stays_small() {
    let strangers = times(MONDAY, MONDAY + 4 * DAY, 3 * SECOND);
    let strangers = strangers.map(|time| from(time.unsigned_abs(), (time % 60_000) as u16, time));
    let run = run(usual(END).into_iter().chain(strangers).collect());
    assert!(run.largest_state < 8 * 1_024, "{} bytes", run.largest_state);
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let plugin = wardflow_infusion_pump::plugin().unwrap();
    let check = |from: u8, minutes: u32, said: &str| {
        let parameters = format!(
            r#"{{"learning_hours":96,"least_flows":300,"bulk_bytes":1000000,"library_from_hour":{from},
            "library_to_hour":6,"silence_minutes":{minutes},"silence_most_hours":6}}"#
        );
        let error = plugin.open(&Device::default(), &parameters, None).err().map(|error| format!("{error:?}"));
        assert!(error.as_ref().is_some_and(|error| error.contains(said)), "{error:?}");
    };
    check(6, 30, "are both 6");
    check(1, 360, "less than silence_most_hours");
}

#[test]
fn batches_may_be_cut_anywhere() {
    let workstation = Flow { peer_class: name_id("workstation"), ..from(STRANGER, 22, MONDAY + HOUR) };
    let mut flows = usual(MONDAY + 6 * HOUR);
    flows.push(workstation);
    flows.sort_by_key(|flow| flow.end_time);
    let run = |length: usize| {
        let plugin = wardflow_infusion_pump::plugin().unwrap();
        let parameters = r#"{"learning_hours":96,"least_flows":300,"bulk_bytes":1000000,"library_from_hour":1,
            "library_to_hour":6,"silence_minutes":30,"silence_most_hours":6}"#;
        let mut session = plugin.open(&Device::default(), parameters, None).unwrap();
        let mut findings = Vec::new();
        for (number, chunk) in flows.chunks(length).enumerate() {
            findings.extend(session.observe(&Batch::new((number * length) as u32, chunk)));
        }
        findings.extend(session.end_slice(&Slice { start: MONDAY, end: MONDAY + 6 * HOUR, gaps: &[] }));
        (findings, session.save())
    };
    let whole = run(flows.len());
    assert_eq!(whole.0.len(), 1, "{:#?}", whole.0);
    for length in [1, 7, 100] {
        assert_eq!(run(length), whole, "{length}");
    }
}
