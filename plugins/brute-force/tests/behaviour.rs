//! What is guessing, and what only looks like it.

use wardflow_sdk::{
    ConnState, DAY, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity,
    native::{Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
const LATER: i64 = MONDAY + 8 * DAY + 9 * HOUR + 10 * MINUTE;
const END: i64 = MONDAY + 10 * DAY;

const TARGET: u64 = 66;

/// A connection of its own port, with some payload that varies as passwords do.
fn to(peer: u64, peer_port: u16, time: i64) -> Flow {
    let number = (time / SECOND).rem_euclid(28_000);
    let local_port = 32_768 + number as u16;
    let (bytes_sent, bytes_received) = (1_700 + (time / SECOND) as u64 * 2_654_435_761 % 300, 2_100);
    Flow { peer, peer_port, local_port, bytes_sent, bytes_received, end_time: time + 3 * SECOND, ..Flow::at(time) }
}

fn inbound(flow: Flow) -> Flow {
    let (local_port, peer_port) = (flow.peer_port, flow.local_port);
    let (bytes_sent, bytes_received) = (flow.bytes_received, flow.bytes_sent);
    Flow { direction: Direction::Inbound, local_port, peer_port, bytes_sent, bytes_received, ..flow }
}

fn session(flow: Flow) -> Flow {
    Flow { bytes_received: 40_000, end_time: flow.start_time + 4 * MINUTE, ..flow }
}

fn tries(count: i64, port: u16, from: i64, step: i64) -> Vec<Flow> {
    // A tenth more or less, so that no clock is behind it.
    (0..count).map(|n| to(TARGET, port, from + n * step + (n * n % 7) * step / 20)).collect()
}

fn usual() -> impl Iterator<Item = Flow> {
    times(MONDAY, END, 20 * MINUTE).map(|time| to(10, 443, time))
}

fn run(more: impl IntoIterator<Item = Flow>) -> Run {
    Harness::of(wardflow_brute_force::plugin()).until(END).run(usual().chain(more))
}

#[track_caller]
fn check(more: impl IntoIterator<Item = Flow>, expected: &[(&str, Severity)]) -> Vec<Finding> {
    let run = run(more);
    let found: Vec<_> =
        run.findings.iter().map(|found| (found.finding.kind.as_str(), found.finding.severity.unwrap())).collect();
    assert_eq!(found, expected, "{:#?}", run.findings);
    run.findings.into_iter().map(|found| found.finding).collect()
}

const OUT: &str = "brute-force-out";
const IN: &str = "brute-force-in";

#[test]
fn usual_weeks_report_nothing() {
    let run = run([]);
    assert_eq!(run.findings, []);
    assert!(run.ready && run.largest_state < 64, "{} bytes", run.largest_state);
}

#[test]
fn few_tries_are_reported_and_success_is_high() {
    let eight = || tries(8, 22, LATER, 15 * SECOND);
    let findings = check(eight(), &[(OUT, Severity::Low)]);
    assert_eq!((findings[0].peer, findings[0].peer_port, findings[0].flow_count), (Some(TARGET), Some(22), 8));
    let success = session(to(TARGET, 22, LATER + 5 * MINUTE));
    let findings = check(eight().into_iter().chain([success.clone()]), &[(OUT, Severity::High)]);
    let bytes = findings[0].observations.iter().find(|observation| observation.name == "success-bytes").unwrap();
    assert!(bytes.measured > 40_000.0, "{bytes:?}");
    let at_files = tries(8, 445, LATER, 15 * SECOND).into_iter();
    check(at_files.chain([session(to(TARGET, 445, LATER + 5 * MINUTE))]), &[(OUT, Severity::Medium)]);
    let findings = check(eight().into_iter().chain([success]).map(inbound), &[(IN, Severity::High)]);
    assert_eq!((findings[0].peer_port, findings[0].cause_key.as_str()), (None, "device 22"));
}

#[test]
fn many_tries_show_before_anything_is_learned() {
    let first_day = |count| tries(count, 22, MONDAY + 9 * HOUR, 4 * SECOND);
    check(first_day(200), &[(OUT, Severity::Low)]);
    check(first_day(80), &[]);
}

#[test]
fn slow_and_loud_ones_are_found() {
    let slow = tries(12, 23, LATER - 3 * HOUR, 5 * MINUTE);
    check(slow.clone(), &[(OUT, Severity::Low)]);
    let success = session(to(TARGET, 23, LATER - 3 * HOUR + 70 * MINUTE));
    check(slow.into_iter().chain([success]), &[(OUT, Severity::High)]);
    let quarters = tries(24, 22, LATER - 9 * HOUR, 15 * MINUTE);
    assert_eq!(run(quarters).findings.last().unwrap().finding.severity, Some(Severity::Low));
    let loud = (0..5_000).map(|n| Flow { local_port: 10_000 + n as u16, ..to(TARGET, 3_389, LATER + n * SECOND / 2) });
    let findings = check(loud, &[(OUT, Severity::Medium)]);
    assert!(findings[0].score > 0.95 && findings[0].observations[0].measured == 5_000.0, "{findings:#?}");
}

#[test]
fn few_slips_are_no_guessing() {
    let slips = tries(5, 22, LATER, 10 * SECOND).into_iter();
    check(slips.chain([session(to(TARGET, 22, LATER + 2 * MINUTE))]), &[]);
    let mixed = (0..40).map(|n| {
        let flow = to(TARGET, 445, LATER + n * 30 * SECOND);
        if n % 4 == 0 { session(flow) } else { flow }
    });
    check(mixed, &[]);
}

#[test]
fn short_connections_that_go_on_after_a_session_are_work() {
    let work = tries(30, 22, LATER, 20 * SECOND).into_iter();
    let later = tries(6, 22, LATER + 15 * MINUTE, 20 * SECOND);
    check(work.chain([session(to(TARGET, 22, LATER + 13 * MINUTE))]).chain(later), &[]);
}

#[test]
fn who_guesses_in_parallel_has_tries_on_the_way() {
    let guess = |n: i64| Flow { local_port: 10_000 + n as u16, ..to(TARGET, 22, LATER + n * SECOND / 5) };
    let success = session(Flow { local_port: 9, ..to(TARGET, 22, LATER + 100 * SECOND) });
    check((0..520).map(guess).chain([success.clone()]), &[(OUT, Severity::High)]);
    let brief = Flow { end_time: success.start_time + 5 * SECOND, ..success };
    check((0..520).map(guess).chain([brief.clone()]), &[(OUT, Severity::High)]);
    // Who goes on for long had no success, but has guessed.
    check((0..1_500).map(guess).chain([brief]), &[(OUT, Severity::Medium)]);
}

#[test]
fn what_is_reported_does_not_become_a_habit() {
    let from = MONDAY + 4 * DAY + 9 * HOUR;
    let days = (0..450).map(|n| to(TARGET, 5_900, from + n * 12 * MINUTE + n * n % 7 * 40 * SECOND));
    let success = session(to(TARGET, 5_900, from + 451 * 12 * MINUTE));
    let run = run(days.chain([success]));
    let last = &run.findings.last().unwrap().finding;
    assert_eq!((last.severity, last.observations[0].measured), (Some(Severity::High), 450.0), "{last:#?}");
}

#[test]
fn habits_are_learned() {
    let daily = |step| times(MONDAY, END, step).map(move |time| to(TARGET, 5_432, time + time / 7 % (step / 4)));
    check(daily(30 * SECOND), &[]);
    check(daily(10 * MINUTE), &[]);
    let ldap = (0..10).flat_map(|day| tries(40, 389, MONDAY + day * DAY + 8 * HOUR, 30 * SECOND));
    check(ldap, &[]);
    let copies = times(MONDAY, END, 20 * SECOND).map(|time| to(TARGET, 21, time + time / 7 % (5 * SECOND)));
    let found = run(copies).findings;
    assert!(found.iter().all(|found| found.slice_start < MONDAY + 3 * DAY), "{found:#?}");
}

#[test]
fn checks_of_health_go_by_the_clock() {
    let same = |time| Flow { bytes_sent: 1_700, ..to(TARGET, 22, time) };
    check(times(LATER, END, MINUTE).map(same), &[]);
    check(times(LATER, END, 30 * SECOND).map(same).map(inbound), &[]);
}

#[test]
fn attempts_and_other_services_are_quiet() {
    for conn_state in [ConnState::S0, ConnState::Rej, ConnState::Sh] {
        check(tries(500, 22, LATER, SECOND).into_iter().map(|flow| Flow { conn_state, ..flow }), &[]);
    }
    check(tries(500, 443, LATER, SECOND), &[]);
    check(tries(500, 22, LATER, SECOND).into_iter().map(|flow| Flow { bytes_sent: 0, bytes_received: 0, ..flow }), &[]);
    let queries = tries(500, 389, LATER, SECOND).into_iter().map(|flow| Flow { bytes_received: 5_000, ..flow });
    check(queries, &[]);
    let transfers = tries(500, 445, LATER, SECOND).into_iter().map(|flow| Flow { bytes_sent: 90_000, ..flow });
    check(transfers, &[]);
}

#[test]
fn what_the_hospital_declared_is_quiet() {
    for role in [PeerRole::Scanner, PeerRole::NetworkManagement, PeerRole::Backup, PeerRole::RemoteService] {
        check(tries(90, 22, LATER, SECOND).into_iter().map(|flow| Flow { local_role: role, ..flow }), &[]);
        check(tries(90, 22, LATER, SECOND).into_iter().map(|flow| inbound(Flow { peer_role: role, ..flow })), &[]);
    }
    let at_domain_controller = |flow| Flow { peer_role: PeerRole::DomainController, bytes_received: 300, ..flow };
    check(tries(90, 389, LATER, SECOND).into_iter().map(at_domain_controller), &[(OUT, Severity::Low)]);
    let multicast = |flow| Flow { peer_scope: PeerScope::Multicast, ..flow };
    check(tries(90, 22, LATER, SECOND).into_iter().map(multicast), &[]);
}

#[test]
fn pieces_of_a_connection_are_one() {
    let piece = |flow: Flow| Flow { local_port: 40_000, conn_state: ConnState::Oth, ..flow };
    check(tries(60, 22, LATER, MINUTE).into_iter().map(piece), &[]);
    let twice = tries(5, 22, LATER, 20 * SECOND).into_iter().flat_map(|flow| [flow.clone(), flow]);
    check(twice, &[]);
    let with_handshakes = |flow: Flow| Flow { local_port: 40_000, ..flow };
    check(tries(60, 22, LATER, MINUTE).into_iter().map(with_handshakes), &[(OUT, Severity::Low)]);
}

#[test]
fn what_is_held_open_and_says_little_is_no_session() {
    let held = |length| {
        let flows = (0..60).map(|n| Flow { local_port: 10_000 + n as u16, ..to(TARGET, 23, LATER + n * 6 * SECOND) });
        flows.map(move |flow| Flow { end_time: flow.start_time + length, ..flow })
    };
    check(held(61 * SECOND), &[(OUT, Severity::Medium)]);
    check(held(10 * MINUTE), &[]);
    let one = held(10 * MINUTE).take(1);
    check(tries(12, 23, LATER, 20 * SECOND).into_iter().chain(one), &[(OUT, Severity::Low)]);
}

#[test]
fn one_side_of_the_conversation_suffices() {
    let half = |flow| Flow { bytes_received: 0, packets_received: 0, conn_state: ConnState::Oth, ..flow };
    check(tries(30, 22, LATER, 15 * SECOND).into_iter().map(half), &[(OUT, Severity::Medium)]);
}

#[test]
fn a_spray_is_told_by_its_peers() {
    let spray = |peers: u64| {
        (0..peers).flat_map(|n| (0..3).map(move |time| to(100 + n, 3_389, LATER + (n as i64 * 3 + time) * 40 * SECOND)))
    };
    check(spray(6), &[]);
    let findings = check(spray(12), &[(OUT, Severity::Low)]);
    assert_eq!((findings[0].peer, findings[0].cause_key.as_str()), (None, "spray"));
    check(spray(30), &[(OUT, Severity::Medium)]);
    let sessions = spray(12).map(session);
    check(sessions, &[]);
    let opened = session(to(103, 3_389, LATER + 12 * MINUTE));
    check(spray(12).chain([opened]), &[(OUT, Severity::Medium)]);
}

#[test]
fn runs_of_a_spray_are_told_with_it() {
    let at = |peers: u64, count: i64| {
        (0..peers).flat_map(move |peer| {
            let from = LATER + peer as i64 * 10 * MINUTE;
            (0..count).map(move |of| to(1_000 + peer, 22, from + of * 10 * SECOND))
        })
    };
    check(at(3, 30), &[(OUT, Severity::Medium); 3]);
    let findings = check(at(12, 30), &[(OUT, Severity::Medium)]);
    assert_eq!((findings[0].peer, findings[0].cause_key.as_str()), (None, "spray"));
    let success = session(to(1_003, 22, LATER + 35 * MINUTE + 20 * SECOND));
    check(at(12, 30).chain([success]), &[(OUT, Severity::Medium), (OUT, Severity::High)]);
}

#[test]
fn a_spray_that_succeeds_everywhere_is_told_once() {
    let at = |peer: u64| {
        let from = LATER + peer as i64 * 10 * MINUTE;
        let tries = (0..10).map(move |of| to(1_000 + peer, 445, from + of * 10 * SECOND));
        tries.chain([session(to(1_000 + peer, 445, from + 2 * MINUTE))])
    };
    let findings = check((0..10).flat_map(at), &[(OUT, Severity::Medium)]);
    assert_eq!((findings[0].peer, findings[0].cause_key.as_str()), (None, "spray"));
    assert!(findings[0].summary.contains("of 10 peers"), "{findings:#?}");
}

#[test]
fn sessions_with_new_peers_are_no_spray() {
    let new = |n: u64| to(100 + n, 445, LATER + n as i64 * MINUTE);
    check((0..7).map(new).chain([session(new(7))]), &[]);
    check((0..8).map(new).chain([session(new(8))]), &[(OUT, Severity::Low)]);
}

#[test]
fn a_spray_is_counted_by_the_day() {
    let slow = (0..24).map(|n| to(100 + n, 3_389, MONDAY + 8 * DAY + n as i64 * HOUR));
    let found = run(slow).findings.into_iter().map(|found| found.finding.severity.unwrap()).collect::<Vec<_>>();
    assert_eq!(found, [Severity::Low, Severity::Low, Severity::Medium]);
}

#[test]
fn slices_make_no_difference() {
    let run = |slice| {
        let guessing = tries(12, 22, LATER, 20 * SECOND).into_iter();
        let flows = usual().chain(guessing).chain([session(to(TARGET, 22, LATER + 9 * MINUTE))]);
        let run = Harness::of(wardflow_brute_force::plugin()).slice(slice).run(flows);
        run.findings.into_iter().map(|found| (found.finding.severity, found.finding.score)).collect::<Vec<_>>()
    };
    assert_eq!(run(3 * HOUR), run(DAY));
    let cut: Vec<_> = run(MINUTE).into_iter().map(|(severity, _)| severity).collect();
    assert_eq!(cut.last(), Some(&Some(Severity::High)));
}

#[test]
fn the_state_is_bounded() {
    let run = run((0..30_000).map(|n| to(n, 445, LATER + n as i64 * 4 * SECOND)));
    assert!(run.largest_state < 8_192, "{} bytes", run.largest_state);
}
