//! What is new, and what only looks like it.

use wardflow_sdk::{
    ConnState, DAY, Device, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, name_id,
    native::{Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
/// Two weeks are learned by then. At a full hour and some minutes, in a slice of its own.
const LATER: i64 = MONDAY + 14 * DAY + 9 * HOUR + 10 * MINUTE;
const END: i64 = MONDAY + 15 * DAY;

const GATEWAY: u64 = 10;
const LIBRARY: u64 = 11;
const CLOCK: u64 = 12;
const STRANGER: u64 = 66;
const WORKSTATION: u64 = 77;

fn to(peer: u64, protocol: u8, peer_port: u16, time: i64) -> Flow {
    let local_port = 32_768 + (time / SECOND).rem_euclid(28_000) as u16;
    let peer_class = name_id("some-server");
    Flow { peer, peer_class, protocol, peer_port, local_port, peer_prevalence: 40, ..Flow::at(time) }
}

/// A peer that nobody of the class has.
fn stranger(peer_port: u16, time: i64) -> Flow {
    Flow { peer_prevalence: 0, ..to(STRANGER, 6, peer_port, time) }
}

fn outside(flow: Flow) -> Flow {
    Flow { peer_scope: PeerScope::External, ..flow }
}

fn from(peer: u64, local_port: u16, time: i64) -> Flow {
    Flow { direction: Direction::Inbound, local_port, peer_port: 50_123, ..to(peer, 6, 0, time) }
}

fn from_workstation(local_port: u16, time: i64) -> Flow {
    Flow { peer_class: name_id("workstation"), ..from(WORKSTATION, local_port, time) }
}

/// What a pump does: status to the gateway, time, the library each night.
fn pump(since: i64, until: i64) -> Vec<Flow> {
    let status = times(since, until, 5 * MINUTE).map(|t| to(GATEWAY, 6, 4010, t));
    let clock = times(since + 9 * MINUTE, until, HOUR).map(|t| to(CLOCK, 17, 123, t));
    let library = times(since + 3 * HOUR, until, DAY).map(|t| to(LIBRARY, 6, 443, t));
    status.chain(clock).chain(library).collect()
}

fn harness(class: &str) -> Harness {
    let device = Device { pseudonym: 1, class: class.into(), ..Device::default() };
    Harness::of(wardflow_new_behaviour::plugin()).device(device).until(END)
}

fn found(run: &Run) -> Vec<(&str, Severity)> {
    run.findings.iter().map(|found| (found.finding.kind.as_str(), found.finding.severity.unwrap())).collect()
}

/// Asserts what is reported of a pump's usual two weeks with some flows more.
#[track_caller]
fn check(more: impl IntoIterator<Item = Flow>, expected: &[(&str, Severity)]) -> Vec<Finding> {
    let run = harness("infusion-pump").run(pump(MONDAY, END).into_iter().chain(more));
    assert_eq!(found(&run), expected, "{:#?}", run.findings);
    run.findings.into_iter().map(|found| found.finding).collect()
}

/// Asserts that nothing is reported of some other device.
#[track_caller]
fn check_quiet(class: &str, flows: impl IntoIterator<Item = Flow>) {
    let run = harness(class).run(flows);
    assert_eq!(run.findings, [], "{:#?}", run.findings);
}

#[test]
fn usual_weeks_are_learned_and_report_nothing() {
    let run = harness("infusion-pump").run(pump(MONDAY, END));
    assert_eq!(run.findings, []);
    assert!(run.ready && run.learned >= 1.0 && run.largest_state < 1_024, "{} bytes", run.largest_state);
}

#[test]
fn a_new_peer_is_worth_what_else_is_unusual() {
    let peer = |severity| [("new-peer", severity)];
    check([stranger(443, LATER)], &peer(Severity::Informational));
    check([stranger(8_080, LATER)], &peer(Severity::Low));
    check([outside(to(STRANGER, 6, 443, LATER))], &peer(Severity::Low));
    let findings = check([outside(stranger(443, LATER))], &peer(Severity::Medium));
    assert_eq!((findings[0].peer, findings[0].peer_port), (Some(STRANGER), Some(443)));
    assert!((0.3..0.5).contains(&findings[0].score) && findings[0].confidence >= 0.8, "{findings:#?}");
    check([from(STRANGER, 22, LATER)], &peer(Severity::Low));
    check([from_workstation(22, LATER)], &peer(Severity::Medium));
    check([outside(from(STRANGER, 22, LATER))], &peer(Severity::Medium));
    check([from_workstation(8_443, LATER)], &peer(Severity::Low));
    check([Flow { bytes_received: 60_000_000, ..from_workstation(443, LATER) }], &peer(Severity::Medium));
}

#[test]
fn a_host_that_nobody_listed_is_a_sign() {
    let unlisted = |flow| Flow { peer_class: 0, ..flow };
    check([unlisted(stranger(4_010, LATER))], &[("new-peer", Severity::Low)]);
    let stream = Flow { bytes_sent: 22_000_000, ..unlisted(stranger(4_010, LATER)) };
    check([stream.clone()], &[("new-peer", Severity::Medium)]);
    // A server that moves gets what the device always sends.
    let usual =
        times(MONDAY, LATER - HOUR, HOUR).map(|time| Flow { bytes_sent: 22_000_000, ..to(GATEWAY, 6, 4_010, time) });
    check(usual.chain([stream]), &[("new-peer", Severity::Low)]);
}

#[test]
fn many_dull_peers_hide_no_grave_one() {
    let dull = (0..80).map(|n| Flow { peer: 1_000 + n, ..stranger(8_080, LATER + n as i64 * SECOND) });
    let grave = Flow { peer: 7, bytes_sent: 9_000_000, ..outside(stranger(4_444, LATER + HOUR)) };
    let run = harness("infusion-pump").run(pump(MONDAY, END).into_iter().chain(dull).chain([grave]));
    assert!(run.findings.iter().any(|found| found.finding.peer == Some(7)), "{:#?}", run.findings);
}

#[test]
fn visitors_of_a_server_are_no_sign() {
    let clients = (0..20).map(|n| from(1_000 + n, 445, MONDAY + n as i64 * HOUR / 2));
    let regular = |from_time| times(from_time, END, HOUR).map(|time| from(1_000, 445, time));
    let newcomer = Flow { bytes_received: 20_000_000, ..from_workstation(445, LATER) };
    let run = harness("file-server").run(clients.chain(regular(MONDAY)).chain([newcomer]));
    assert_eq!(found(&run), [("new-peer", Severity::Informational)]);
}

#[test]
fn what_is_new_stays_new_for_a_day() {
    let again = times(LATER - DAY, END, 3 * HOUR).map(|time| outside(stranger(443, time)));
    let findings = check(again, &[("new-peer", Severity::Medium); 5]);
    assert!(findings.iter().all(|finding| finding.peer == Some(STRANGER) && finding.cause_key.is_empty()));
}

#[test]
fn a_known_peer_may_have_a_new_service() {
    let known = |flow: Flow| Flow { peer_prevalence: 0, ..flow };
    let service = |severity| [("new-service", severity)];
    check([to(GATEWAY, 6, 8_080, LATER)], &service(Severity::Informational));
    check([known(to(GATEWAY, 6, 22, LATER))], &service(Severity::Medium));
    let findings = check([from(GATEWAY, 23, LATER)], &service(Severity::Low));
    assert_eq!((findings[0].peer, findings[0].cause_key.as_str()), (Some(GATEWAY), "device 23/tcp"));
    check([Flow { bytes_received: 9_000_000, ..from(GATEWAY, 23, LATER) }], &service(Severity::Medium));
}

#[test]
fn the_class_judges_from_the_first_day() {
    let run = |class: &str, flow: Flow| {
        let run = harness(class).until(MONDAY + DAY).run(pump(MONDAY, MONDAY + DAY).into_iter().chain([flow]));
        run.findings.iter().map(|found| found.finding.severity.unwrap()).collect::<Vec<_>>()
    };
    let time = MONDAY + 8 * HOUR;
    assert_eq!(run("infusion-pump", outside(stranger(443, time))), [Severity::Informational]);
    assert_eq!(run("infusion-pump", outside(stranger(4_444, time))), [Severity::Low]);
    let much = Flow { bytes_sent: 50_000_000, ..outside(stranger(4_444, time)) };
    assert_eq!(run("infusion-pump", much), [Severity::Medium]);
    for class in ["unknown", "workstation"] {
        assert_eq!(run(class, outside(stranger(4_444, time))), []);
    }
    let known_to_class = outside(to(STRANGER, 6, 443, time));
    assert_eq!(run("infusion-pump", known_to_class), []);
}

#[test]
fn uploads_to_somebody_new_are_measured_by_the_device() {
    let cloud = |sent| times(MONDAY, END, HOUR).map(move |t| Flow { bytes_sent: sent, ..outside(to(20, 6, 443, t)) });
    let check = |usual, severity| {
        let upload = Flow { bytes_sent: 6_000_000, ..outside(stranger(443, LATER)) };
        let run = harness("lab-analyser").run(pump(MONDAY, END).into_iter().chain(cloud(usual)).chain([upload]));
        assert_eq!(found(&run), [("new-peer", severity)]);
    };
    check(5_000, Severity::Medium);
    check(6_000_000, Severity::Low);
}

#[test]
fn what_was_only_tried_is_not_judged() {
    for conn_state in [ConnState::S0, ConnState::Rej, ConnState::Rstos0, ConnState::Sh] {
        check([Flow { conn_state, bytes_received: 0, bytes_sent: 0, ..outside(stranger(443, LATER)) }], &[]);
    }
    let empty = |flow| Flow { bytes_received: 0, bytes_sent: 0, ..flow };
    check([empty(from_workstation(22, LATER))], &[]);
    let probe = Flow { conn_state: ConnState::Unknown, packets_sent: 1, packets_received: 1, ..stranger(22, LATER) };
    check([probe], &[]);
    check((1..2_000).map(|port| Flow { conn_state: ConnState::Rej, ..from_workstation(port, LATER) }), &[]);
}

#[test]
fn what_the_hospital_declared_is_not_judged() {
    for peer_role in [PeerRole::Scanner, PeerRole::NetworkManagement, PeerRole::Backup, PeerRole::RemoteService] {
        check((1..200).map(|port| Flow { peer_role, ..outside(from(STRANGER, port, LATER)) }), &[]);
    }
    for scope in [PeerScope::Multicast, PeerScope::Broadcast] {
        check([Flow { peer_scope: scope, ..to(STRANGER, 17, 5_353, LATER) }], &[]);
    }
    let address = |local_port| Flow { local_port, peer_prevalence: 0, ..to(STRANGER, 17, 67, LATER) };
    check([address(68)], &[]);
    check([address(50_000)], &[("new-peer", Severity::Low)]);
    let rounds = (0..4_000).map(|n| Flow { local_role: PeerRole::Scanner, ..to(100 + n, 6, 445, LATER) });
    check_quiet("vulnerability-scanner", pump(MONDAY, END).into_iter().chain(rounds));
}

#[test]
fn who_always_meets_new_peers_is_no_surprise() {
    let day = |n: i64| (n / 40) * DAY + (8 * HOUR) + (n % 40) * 12 * MINUTE;
    let web = (0..600).map(|n| outside(Flow { peer_prevalence: 0, ..to(1_000 + n as u64, 6, 443, MONDAY + day(n)) }));
    check_quiet("workstation", pump(MONDAY, END).into_iter().chain(web));
    let clients =
        (0..600).map(|n| Flow { peer_class: name_id("workstation"), ..from(1_000 + n as u64, 445, MONDAY + day(n)) });
    check_quiet("file-server", pump(MONDAY, END).into_iter().chain(clients));
}

#[test]
fn a_pump_on_a_shelf_learns_anew() {
    let back = pump(MONDAY + 12 * DAY, END).into_iter().map(|flow| Flow { peer: flow.peer + 100, ..flow });
    check_quiet("infusion-pump", pump(MONDAY, MONDAY + 5 * DAY).into_iter().chain(back));
}

#[test]
fn another_ward_has_the_same_servers() {
    let moved = pump(MONDAY, END).into_iter().map(|flow| {
        let is_here = flow.start_time < LATER;
        Flow { peer_scope: if is_here { PeerScope::SameZone } else { PeerScope::OtherInternal }, ..flow }
    });
    check_quiet("infusion-pump", moved);
}

#[test]
fn a_flow_that_an_exporter_turned_around_is_no_service() {
    let piece = Flow {
        direction: Direction::Inbound,
        conn_state: ConnState::Oth,
        local_port: 51_000,
        ..to(GATEWAY, 6, 4010, LATER)
    };
    check([piece], &[]);
}

#[test]
fn many_new_peers_are_a_few_findings() {
    let many = (0..500).map(|n| Flow { peer: 1_000 + n, ..outside(stranger(443, LATER + n as i64 * SECOND)) });
    let findings = check(many, &[("new-peer", Severity::Medium); 5]);
    assert_eq!((findings[4].peer, findings[4].cause_key.as_str()), (None, "further"));
}

#[test]
fn work_at_quiet_hours_is_low() {
    let office = |days: std::ops::Range<i64>, hours: std::ops::Range<i64>| {
        days.filter(|day| day % 7 < 5).flat_map(move |day| {
            let from = MONDAY + day * DAY + hours.start * HOUR;
            let until = MONDAY + day * DAY + hours.end * HOUR;
            times(from, until, MINUTE).map(|t| to(20 + (t / MINUTE).rem_euclid(7) as u64, 6, 443, t))
        })
    };
    let run = |more: Vec<Flow>| {
        let clock = times(MONDAY, END, HOUR).map(|time| to(CLOCK, 17, 123, time));
        harness("workstation").run(office(0..15, 8..17).chain(clock).chain(more))
    };
    assert_eq!(run(vec![]).findings, []);
    let night = office(14..15, 1..2).collect::<Vec<_>>();
    assert_eq!(found(&run(night.clone())), [("new-hours", Severity::Low)]);
    assert_eq!(run(night.iter().map(|flow| Flow { peer: 20, ..flow.clone() }).collect()).findings, []);
    assert_eq!(run(night.iter().take(10).cloned().collect()).findings, []);
    let every_night = office(0..15, 1..2).collect();
    assert_eq!(run(every_night).findings, []);
}

#[test]
fn one_night_at_work_does_not_hide_all_others() {
    let work = |day: i64, hours: std::ops::Range<i64>, every: i64| {
        let from = MONDAY + day * DAY;
        times(from + hours.start * HOUR, from + hours.end * HOUR, every)
            .map(move |t| to(20 + (t / every).rem_euclid(7) as u64, 6, 443, t))
    };
    let nights_found = |every: i64, second: i64| {
        let days = (0..=second).filter(|day| day % 7 < 5).flat_map(|day| work(day, 8..17, MINUTE));
        let flows = days.chain(work(21, 1..2, every)).chain(work(second, 1..2, MINUTE));
        harness("workstation").until(MONDAY + (second + 1) * DAY).run(flows).findings.len()
    };
    assert_eq!(nights_found(MINUTE, 28), 1, "of the same weeks");
    assert_eq!(nights_found(MINUTE, 140), 2);
    assert_eq!(nights_found(SECOND, 140), 2, "though it was far busier");
}

#[test]
fn slices_make_no_difference() {
    let flows = || pump(MONDAY, END).into_iter().chain([outside(stranger(443, LATER)), from_workstation(22, LATER)]);
    let run = |slice| {
        let run = harness("infusion-pump").slice(slice).run(flows());
        found(&run).into_iter().map(|(kind, severity)| (kind.to_owned(), severity)).collect::<Vec<_>>()
    };
    assert_eq!(run(HOUR), run(DAY));
    assert_eq!(run(6 * HOUR), [("new-peer".to_owned(), Severity::Medium), ("new-peer".to_owned(), Severity::Medium)]);
}

#[test]
fn the_state_is_bounded() {
    let flood = (0..40_000).map(|n| outside(to(n, 6, (n % 30_000) as u16, MONDAY + n as i64 * 20 * SECOND)));
    let run = harness("workstation").run(flood);
    assert!(run.largest_state < 10_000, "{} bytes", run.largest_state);
}
