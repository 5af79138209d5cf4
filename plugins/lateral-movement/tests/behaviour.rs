//! Who logs on to whom, and what only looks like it.

use wardflow_sdk::{
    ConnState, DAY, Device, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, name_id,
    native::{Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
const LATER: i64 = MONDAY + 10 * DAY + 9 * HOUR + 10 * MINUTE;
const END: i64 = MONDAY + 12 * DAY;

const FILES: u64 = 10;
const STRANGER: u64 = 66;

fn to(peer: u64, peer_port: u16, time: i64) -> Flow {
    let local_port = 32_768 + (time / SECOND).rem_euclid(28_000) as u16;
    Flow { peer, peer_port, local_port, bytes_received: 9_000, ..Flow::at(time) }
}

fn from(peer: u64, local_port: u16, time: i64) -> Flow {
    let (bytes_sent, bytes_received) = (9_000, 5_000);
    Flow {
        direction: Direction::Inbound,
        local_port,
        peer_port: 50_123,
        bytes_sent,
        bytes_received,
        ..to(peer, 0, time)
    }
}

/// A log-on that a wrong password ends.
fn wrong(flow: Flow) -> Flow {
    Flow { conn_state: ConnState::Rsto, bytes_sent: 1_600, bytes_received: 1_400, ..flow }
}

/// One new peer after the other.
fn fan_out(peers: u64, port: u16, from: i64, step: i64) -> Vec<Flow> {
    (0..peers).map(|n| to(STRANGER + n, port, from + n as i64 * step)).collect()
}

/// A workstation: its file server, which all have, and a share that was switched off.
fn usual() -> Vec<Flow> {
    let files = times(MONDAY, END, 20 * MINUTE).map(|t| Flow { peer_prevalence: 80, ..to(FILES, 445, t) });
    let records = times(MONDAY + MINUTE, END, 20 * MINUTE).map(|t| Flow { peer_prevalence: 80, ..to(11, 443, t) });
    let retired = times(MONDAY + HOUR, END, HOUR).map(|t| Flow {
        conn_state: ConnState::S0,
        bytes_sent: 0,
        bytes_received: 0,
        packets_received: 0,
        ..to(12, 445, t)
    });
    files.chain(records).chain(retired).collect()
}

fn run(class: &str, more: impl IntoIterator<Item = Flow>) -> Run {
    let device = Device { pseudonym: 1, class: class.into(), ..Device::default() };
    Harness::of(wardflow_lateral_movement::plugin()).device(device).until(END).run(usual().into_iter().chain(more))
}

#[track_caller]
fn check(more: impl IntoIterator<Item = Flow>, expected: &[(&str, Severity)]) -> Vec<Finding> {
    let run = run("workstation", more);
    let found: Vec<_> =
        run.findings.iter().map(|found| (found.finding.kind.as_str(), found.finding.severity.unwrap())).collect();
    assert_eq!(found, expected, "{:#?}", run.findings);
    run.findings.into_iter().map(|found| found.finding).collect()
}

#[test]
fn usual_weeks_report_nothing() {
    let run = run("workstation", []);
    assert_eq!(run.findings, []);
    assert!(run.ready && run.learned >= 1.0 && run.largest_state < 256, "{} bytes", run.largest_state);
}

#[test]
fn a_fan_out_is_worth_the_peers_of_a_day() {
    let movement = |severity| [("lateral-movement", severity)];
    let findings = check(fan_out(1, 22, LATER, MINUTE), &movement(Severity::Informational));
    assert_eq!((findings[0].peer, findings[0].peer_port), (Some(STRANGER), Some(22)));
    check(fan_out(2, 22, LATER, MINUTE), &movement(Severity::Low));
    check(fan_out(4, 445, LATER, MINUTE), &movement(Severity::Medium));
    let findings = check(fan_out(12, 445, LATER, MINUTE), &movement(Severity::High));
    assert_eq!((findings[0].peer, findings[0].cause_key.as_str()), (None, "SMB"));
    assert!(findings[0].score > 0.6 && findings[0].observations[0].measured == 12.0, "{findings:#?}");
    let alike = Flow { peer_class: name_id("workstation"), ..to(STRANGER, 3_389, LATER) };
    check([alike], &movement(Severity::Low));
}

#[test]
fn two_of_the_own_class_by_one_protocol_are_a_pair() {
    let of = |class: &str, flow: Flow| Flow { peer_class: name_id(class), ..flow };
    let pair = |classes: [&str; 2], ports: [u16; 2]| {
        [0, 1].map(|n| of(classes[n], to(STRANGER + n as u64, ports[n], LATER + n as i64 * HOUR / 2)))
    };
    let movement = |severity| ("lateral-movement", severity);
    check(pair(["workstation"; 2], [3_389; 2]), &[movement(Severity::Medium)]);
    check(pair(["workstation"; 2], [135, 445]), &[movement(Severity::Medium); 2]);
    check(pair(["workstation"; 2], [22, 3_389]), &[movement(Severity::Low); 2]);
    check(pair(["workstation", "laboratory"], [3_389; 2]), &[movement(Severity::Low)]);
    check(pair(["laboratory"; 2], [3_389; 2]), &[movement(Severity::Low)]);
}

#[test]
fn a_slow_one_adds_up_over_a_day() {
    let findings = check(
        fan_out(5, 5_985, LATER - 4 * HOUR, 4 * HOUR + 30 * MINUTE),
        &[
            ("lateral-movement", Severity::Informational),
            ("lateral-movement", Severity::Low),
            ("lateral-movement", Severity::Medium),
            ("lateral-movement", Severity::Medium),
        ],
    );
    assert_eq!(findings[3].observations[1].measured, 5.0);
    assert_eq!(findings.iter().map(|finding| finding.peer).collect::<Vec<_>>(), [Some(STRANGER), None, None, None]);
    assert!(findings[1].summary.starts_with("reached a new internal peer by WinRM"), "{:#?}", findings[1]);
}

#[test]
fn midnight_hides_nothing() {
    let steps = fan_out(4, 22, LATER + 12 * HOUR, 2 * HOUR);
    check(steps, &[("lateral-movement", Severity::Low), ("lateral-movement", Severity::Medium)]);
}

#[test]
fn several_protocols_are_high() {
    let mixed = fan_out(3, 445, LATER, MINUTE).into_iter().chain(fan_out(3, 3_389, LATER + HOUR, MINUTE));
    check(mixed, &[("lateral-movement", Severity::High); 2]);
    let one_tool = fan_out(3, 445, LATER, MINUTE).into_iter().chain(fan_out(3, 135, LATER, MINUTE));
    check(one_tool, &[("lateral-movement", Severity::Medium); 2]);
}

#[test]
fn failed_tries_before_success_are_told() {
    let tries = (0..5).map(|n| wrong(to(STRANGER, 22, LATER + n * 10 * SECOND)));
    let findings = check(tries.chain([to(STRANGER, 22, LATER + 2 * MINUTE)]), &[("lateral-movement", Severity::Low)]);
    let failed = findings[0].observations.iter().find(|observation| observation.name == "failed-tries").unwrap();
    assert_eq!(failed.measured, 5.0);
}

#[test]
fn what_the_class_shares_is_quiet() {
    let shared = |flow| Flow { peer_prevalence: 30, ..flow };
    check(fan_out(8, 445, LATER, MINUTE).into_iter().map(shared), &[]);
    let servers = |flow| Flow { peer_class: name_id("file-server"), ..flow };
    check(fan_out(4, 445, LATER, MINUTE).into_iter().map(servers), &[("lateral-movement", Severity::Low)]);
}

#[test]
fn attempts_and_other_services_are_quiet() {
    for conn_state in [ConnState::S0, ConnState::Rej, ConnState::Sh] {
        let tried = |flow| Flow { conn_state, bytes_received: 0, ..flow };
        check(fan_out(200, 445, LATER, SECOND).into_iter().map(tried), &[]);
    }
    let probed = |flow| Flow { bytes_sent: 0, bytes_received: 0, ..flow };
    check(fan_out(200, 22, LATER, SECOND).into_iter().map(probed), &[]);
    check(fan_out(200, 443, LATER, SECOND), &[]);
    let outside = |flow| Flow { peer_scope: PeerScope::External, ..flow };
    check(fan_out(20, 22, LATER, SECOND).into_iter().map(outside), &[]);
}

#[test]
fn what_the_hospital_declared_is_quiet() {
    for role in [PeerRole::Scanner, PeerRole::NetworkManagement, PeerRole::Backup] {
        check(fan_out(20, 22, LATER, MINUTE).into_iter().map(|flow| Flow { local_role: role, ..flow }), &[]);
        check((0..20).map(|n| Flow { peer_role: role, ..from(STRANGER + n, 22, LATER) }), &[]);
    }
    check([Flow { peer_role: PeerRole::DomainController, ..to(STRANGER, 445, LATER) }], &[]);
}

#[test]
fn an_administrator_has_a_habit() {
    let rounds = |day: i64| fan_out(6, 22, MONDAY + day * DAY + 9 * HOUR, 5 * MINUTE).into_iter();
    let rounds =
        (0..12).flat_map(|day| rounds(day).map(move |flow| Flow { peer: flow.peer + 100 * day as u64, ..flow }));
    check(rounds, &[]);
}

#[test]
fn a_new_device_is_low_at_most() {
    let first_day = fan_out(12, 445, MONDAY + 8 * HOUR, MINUTE);
    check(first_day.clone(), &[("lateral-movement", Severity::Low)]);
    assert_eq!(run("unknown", first_day).findings, []);
}

#[test]
fn access_to_a_device_is_told() {
    let findings = check([from(STRANGER, 22, LATER)], &[("admin-access", Severity::Low)]);
    assert_eq!((findings[0].peer, findings[0].cause_key.as_str()), (Some(STRANGER), "SSH"));
    let tries = (0..8).map(|n| wrong(from(STRANGER, 23, LATER + n * 10 * SECOND)));
    check(tries.chain([from(STRANGER, 23, LATER + 5 * MINUTE)]), &[("admin-access", Severity::Medium)]);
    let habitual = times(MONDAY, END, DAY).map(|time| from(STRANGER, 22, time));
    check(habitual, &[]);
    let clients = times(MONDAY, END, 8 * HOUR).map(|time| from((time / HOUR) as u64, 445, time));
    check(clients, &[]);
    let served_for_long = (0..12).map(|n| from(1_000 + n, 445, MONDAY + n as i64 * HOUR));
    check(served_for_long.chain([from(STRANGER, 445, LATER)]), &[]);
}

#[test]
fn a_piece_that_was_turned_around_is_known() {
    let piece = Flow {
        direction: Direction::Inbound,
        conn_state: ConnState::Oth,
        peer_port: 445,
        local_port: 51_000,
        ..to(FILES, 445, LATER)
    };
    check([piece], &[]);
}

#[test]
fn slices_make_no_difference() {
    let device = || Device { class: "workstation".into(), ..Device::default() };
    let run = |slice| {
        let flows = usual().into_iter().chain(fan_out(7, 22, LATER, MINUTE));
        let run = Harness::of(wardflow_lateral_movement::plugin()).device(device()).slice(slice).run(flows);
        run.findings.into_iter().map(|found| (found.finding.severity, found.finding.score)).collect::<Vec<_>>()
    };
    assert_eq!(run(3 * HOUR), run(DAY));
    assert_eq!(run(3 * HOUR).len(), 1);
}

#[test]
fn the_state_is_bounded() {
    let flood = (0..30_000).map(|n| to(n, 445, LATER + n as i64 * 4 * SECOND));
    let run = run("workstation", flood);
    assert!(run.largest_state < 6_000, "{} bytes", run.largest_state);
}
