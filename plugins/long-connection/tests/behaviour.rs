//! Which connections are long, and which only look like it.

use wardflow_sdk::{
    ConnState, DAY, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, UNKNOWN,
    native::{Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
/// After a week of which nothing is reported.
const LATER: i64 = MONDAY + 7 * DAY;
const LEARNED: i64 = MONDAY + 3 * DAY;
const END: i64 = LATER + 2 * DAY;
const CLOUD: u64 = 10;
const STRANGER: u64 = 66;

/// A connection with an outside peer, by a trickle in both directions.
fn connection(peer: u64, peer_port: u16, start: i64, length: i64) -> Flow {
    let bytes = (length / SECOND).unsigned_abs() * 20;
    Flow {
        end_time: start + length,
        peer,
        peer_scope: PeerScope::External,
        peer_port,
        local_port: 32_768 + (start / MINUTE).rem_euclid(28_000) as u16,
        bytes_sent: bytes,
        bytes_received: bytes,
        ..Flow::at(start)
    }
}

/// A monitor: speaks inside, and to its maker's cloud for a minute every half hour.
fn monitor(until: i64) -> Vec<Flow> {
    let inside = times(MONDAY, until, 10 * MINUTE).map(Flow::at);
    let cloud = times(MONDAY, until, HOUR / 2).map(|time| connection(CLOUD, 443, time, MINUTE));
    inside.chain(cloud.map(|flow| Flow { peer_prevalence: 30, ..flow })).collect()
}

fn run(flows: impl IntoIterator<Item = Flow>) -> Run {
    Harness::of(wardflow_long_connection::plugin()).run(flows)
}

/// What is reported once the device is learned: before, every long connection is shown for information.
fn learned(run: Run) -> Vec<Finding> {
    let (early, learned): (Vec<_>, Vec<_>) = run.findings.into_iter().partition(|found| found.slice_start < LEARNED);
    let all: Vec<_> = early.iter().map(|found| found.finding.severity).collect();
    assert!(all.iter().all(|severity| *severity == Some(Severity::Informational)), "{early:#?}");
    learned.into_iter().map(|found| found.finding).collect()
}

/// Asserts the greatest severity of what is reported of a monitor with these flows, if any.
#[track_caller]
fn check(name: &str, flows: Vec<Flow>, expected: Option<Severity>) -> Vec<Finding> {
    let findings = learned(run(monitor(END).into_iter().chain(flows)));
    assert_eq!(findings.iter().filter_map(|finding| finding.severity).max(), expected, "{name}: {findings:#?}");
    findings
}

#[test]
fn remote_control_that_is_kept_open() {
    let findings = check("a day", vec![connection(STRANGER, 4_444, LATER, 20 * HOUR)], Some(Severity::Medium));
    let finding = &findings[0];
    assert_eq!((findings.len(), finding.peer, finding.peer_port), (1, Some(STRANGER), Some(4_444)));
    assert!(finding.score > 0.5 && finding.confidence > 0.8, "{finding:#?}");
    assert!(
        finding.summary.contains("for 20.0 h without a break, 20.0 h in all since midnight UTC"),
        "{}",
        finding.summary
    );
    check("of a usual port", vec![connection(STRANGER, 443, LATER, 20 * HOUR)], Some(Severity::Low));
    check("four hours and a half", vec![connection(STRANGER, 4_444, LATER, 270 * MINUTE)], Some(Severity::Low));
    check("three hours", vec![connection(STRANGER, 4_444, LATER, 3 * HOUR)], None);
}

#[test]
fn what_is_connected_from_the_first_day_is_a_habit_though_a_flow_began_before() {
    let daily = (0..9).map(|day| connection(STRANGER, 4_444, MONDAY + day * DAY + 2 * HOUR, 9 * HOUR));
    let before = Flow { end_time: MONDAY + HOUR, ..Flow::at(MONDAY - 3 * DAY) };
    let own = monitor(END).into_iter().filter(|flow| flow.start_time > MONDAY + HOUR);
    let mut flows: Vec<_> = own.map(|flow| Flow { peer_prevalence: 1, ..flow }).collect();
    flows.extend(daily.chain([before]));
    assert_eq!(learned(run(flows)), []);
}

#[test]
fn what_is_connected_while_the_device_is_learned_is_a_habit() {
    let daily = |from: i64| (from..9).map(|day| connection(STRANGER, 4_444, MONDAY + day * DAY + 2 * HOUR, 9 * HOUR));
    // Of a class that is not known, which would judge the first days.
    let own = || monitor(END).into_iter().filter(|flow| flow.peer != CLOUD);
    assert_eq!(learned(run(own().chain(daily(1)))), []);
    assert_ne!(learned(run(own().chain(daily(4)))), []);
}

#[test]
fn a_day_ends_at_midnight() {
    let over_days = connection(STRANGER, 4_444, LATER - 50 * HOUR, 60 * HOUR);
    let findings = check("three days", vec![over_days], Some(Severity::Medium));
    let measured: Vec<_> = findings[0].observations[..2].iter().map(|shown| shown.measured).collect();
    assert_eq!(measured, [60.0, 10.0]);
}

#[test]
fn the_rate_is_that_of_the_flows_that_carry() {
    let rate = |flows| check("rate", flows, Some(Severity::Low))[0].observations[2].measured;
    let busy =
        Flow { bytes_sent: 900 * 3_600, bytes_received: 100 * 3_600, ..connection(STRANGER, 4_444, LATER, HOUR) };
    let idle = (1..9).map(|hour| {
        let flow = connection(STRANGER, 4_444, LATER + hour * HOUR, HOUR);
        Flow { bytes_sent: 0, bytes_received: 0, ..flow }
    });
    let same_port = |flow: Flow| Flow { local_port: 50_000, ..flow };
    assert!((rate([busy].into_iter().chain(idle).map(same_port).collect()) - 1_000.0).abs() < 1e-9);
}

#[test]
fn pieces_of_a_connection_are_one() {
    let pieces = |length, gap, state| {
        let times = times(LATER, LATER + 12 * HOUR, length);
        let piece = move |time| Flow {
            local_port: 50_000,
            conn_state: state,
            ..connection(STRANGER, 4_444, time, length - gap)
        };
        times.map(piece).collect::<Vec<_>>()
    };
    let findings = check("cut every half hour", pieces(HOUR / 2, 0, ConnState::Oth), Some(Severity::Medium));
    let longest = &findings.last().unwrap().observations[0];
    assert!((longest.measured - 12.0).abs() < 0.01, "{longest:?}");
    check("cut every minute", pieces(MINUTE, SECOND, ConnState::S1), Some(Severity::Medium));
    let ends_early = |flow: Flow| Flow { local_port: 40_000 + (flow.start_time / HOUR % 100) as u16, ..flow };
    let anew = pieces(HOUR, 10 * MINUTE, ConnState::Sf).into_iter().map(ends_early).collect();
    let findings = check("connected anew every hour", anew, Some(Severity::Medium));
    assert!(findings[0].observations[0].measured < 1.0 && findings[0].observations[1].measured > 8.0, "{findings:#?}");
}

#[test]
fn short_contact_beside_it_hides_nothing() {
    let long = connection(STRANGER, 4_444, LATER, 20 * HOUR);
    let short = times(LATER, LATER + 20 * HOUR, 5 * MINUTE).map(|time| connection(STRANGER, 4_444, time, MINUTE));
    check("polls", short.chain([long]).collect(), Some(Severity::Medium));
    let short = times(LATER, LATER + 20 * HOUR, 5 * MINUTE).map(|time| connection(STRANGER, 4_444, time, MINUTE));
    check("polls alone", short.collect(), None);
}

#[test]
fn habits_and_what_the_class_shares_are_no_findings() {
    let stream = |from, every, length, prevalence| {
        let flow = move |time| Flow { peer_prevalence: prevalence, ..connection(STRANGER, 8_883, time, length) };
        times(from, END, every).map(flow).collect::<Vec<_>>()
    };
    check("a subscription since the first day", stream(MONDAY, DAY, 23 * HOUR, 2), None);
    check("in pieces", stream(MONDAY, HOUR, HOUR, 2), None);
    check("new and shared", stream(LATER, DAY, 23 * HOUR, 12), None);
    check("new and not shared", stream(LATER, DAY, 23 * HOUR, 0), Some(Severity::Low));
    check(
        "a known cloud that stays connected now",
        vec![Flow { peer_prevalence: 30, ..connection(CLOUD, 443, LATER, 20 * HOUR) }],
        None,
    );
}

#[test]
fn open_pages_of_a_workstation_are_usual() {
    let pages = times(MONDAY, END + 20 * DAY, HOUR).flat_map(|time| {
        let site = (time / HOUR).unsigned_abs();
        [
            connection(1_000 + site, 443, time, (1 + site as i64 % 5) * HOUR),
            connection(50 + site % 7, 443, time, 2 * MINUTE),
        ]
    });
    let run = run(pages);
    assert_eq!(run.findings, []);
}

#[test]
fn declared_peers_and_roles_are_not_judged() {
    let check = |name, change: fn(Flow) -> Flow, expected| {
        check(name, vec![change(connection(STRANGER, 4_444, LATER, 20 * HOUR))], expected);
    };
    check("expected", |flow| Flow { peer_group: 1, ..flow }, None);
    check("remote service", |flow| Flow { peer_role: PeerRole::RemoteService, ..flow }, None);
    check("a proxy", |flow| Flow { local_role: PeerRole::Proxy, ..flow }, None);
    check("inside", |flow| Flow { peer_scope: PeerScope::OtherInternal, ..flow }, None);
    check("multicast", |flow| Flow { peer_scope: PeerScope::Multicast, ..flow }, None);
    check("never answered", |flow| Flow { packets_received: 0, ..flow }, None);
    check("failed", |flow| Flow { conn_state: ConnState::S0, ..flow }, None);
    check("echo requests", |flow| Flow { protocol: 1, ..flow }, None);
    check("a VPN", |flow| Flow { protocol: 17, peer_port: 51_820, ..flow }, Some(Severity::Medium));
    check("packets unknown", |flow| Flow { packets_received: UNKNOWN, ..flow }, Some(Severity::Medium));
    check(
        "from outside",
        |flow| Flow { direction: Direction::Inbound, local_port: 5_900, ..flow },
        Some(Severity::Medium),
    );
}

#[test]
fn a_class_that_is_known_helps_from_the_first_day() {
    let control = connection(STRANGER, 4_444, MONDAY + HOUR, 20 * HOUR);
    let first_day = |prevalence| {
        let own = monitor(MONDAY + DAY).into_iter().map(move |flow| Flow { peer_prevalence: prevalence, ..flow });
        run(own.chain([control.clone()]))
            .findings
            .iter()
            .map(|found| found.finding.severity.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(first_day(30), [Severity::Low]);
    assert_eq!(first_day(1), [Severity::Informational], "of a class of which nothing is known");
}

#[test]
fn many_peers_are_reported_as_one_beyond_eight() {
    let many = (0..30).map(|n| connection(100 + n, 4_444, LATER + n as i64 * MINUTE, 8 * HOUR)).collect();
    let findings = check("thirty", many, Some(Severity::Low));
    assert_eq!((findings.len(), findings[8].peer, findings[8].flow_count), (9, None, 22));
}

#[test]
fn the_slice_does_not_matter() {
    let pieces = times(LATER, LATER + 20 * HOUR, HOUR / 2);
    let pieces = pieces.map(|time| Flow { local_port: 50_000, ..connection(STRANGER, 4_444, time, HOUR / 2) });
    let flows: Vec<_> = monitor(END).into_iter().chain(pieces).collect();
    let last = |slice| {
        let run = Harness::of(wardflow_long_connection::plugin()).slice(slice).run(flows.clone());
        let finding = run.findings.last().unwrap().finding.clone();
        (finding.score, finding.severity, finding.observations[0].measured)
    };
    assert_eq!(last(6 * HOUR), last(3 * HOUR));
}

#[test]
fn the_state_stays_small() {
    let usual = run(monitor(LATER)).largest_state;
    assert!(usual < 150, "{usual} bytes");
    let crowd = times(MONDAY, MONDAY + 3 * DAY, 20 * SECOND).enumerate();
    let crowd =
        crowd.map(|(n, time)| connection((n as u64 % 400).wrapping_mul(0x9e37_79b9_7f4a_7c15), 443, time, 2 * HOUR));
    let worst = run(crowd).largest_state;
    assert!(worst < 9 * 1_024, "{worst} bytes");
}
