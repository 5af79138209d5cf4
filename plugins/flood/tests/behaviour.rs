//! What is a flood, and what only looks like one.

use wardflow_sdk::{
    ConnState, DAY, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity,
    native::{Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
/// After four days of which nothing is reported.
const LATER: i64 = MONDAY + 4 * DAY + 7 * HOUR;
const BROKER: u64 = 10;
const STRANGER: u64 = 66;

/// A connection of a second, on a port of its own.
fn to(peer: u64, peer_port: u16, time: i64) -> Flow {
    let local_port = 32_768 + (time / 1_000).rem_euclid(28_000) as u16;
    Flow { end_time: time + SECOND, peer, peer_scope: PeerScope::External, peer_port, local_port, ..Flow::at(time) }
}

fn silent(flow: Flow) -> Flow {
    Flow { conn_state: ConnState::S0, packets_sent: 1, packets_received: 0, bytes_sent: 0, bytes_received: 0, ..flow }
}

/// A gateway: a strip every two minutes, some episodes at once each hour.
fn gateway(until: i64) -> Vec<Flow> {
    let strips = times(MONDAY, until, 2 * MINUTE).map(|time| to(BROKER, 443, time));
    let episodes =
        times(MONDAY, until, HOUR).flat_map(|time| (0..4).map(move |n| to(BROKER, 8_883, time + n * SECOND)));
    strips.chain(episodes).collect()
}

fn run(flows: impl IntoIterator<Item = Flow>) -> Run {
    Harness::of(wardflow_flood::plugin()).run(flows)
}

/// Asserts kind and severity of all that is reported beside what a gateway does.
#[track_caller]
fn check(name: &str, more: impl IntoIterator<Item = Flow>, expected: &[(&str, Severity)]) -> Vec<Finding> {
    let findings: Vec<_> = run(gateway(LATER + DAY).into_iter().chain(more)).findings;
    let reported: Vec<_> =
        findings.iter().map(|found| (found.finding.kind.as_str(), found.finding.severity.unwrap())).collect();
    assert_eq!(reported, expected, "{name}: {findings:#?}");
    findings.into_iter().map(|found| found.finding).collect()
}

#[test]
fn ten_connections_a_second_for_ten_minutes() {
    let flood = times(LATER, LATER + 10 * MINUTE, SECOND / 10).map(|time| to(BROKER, 8_883, time));
    let findings = check("to the broker", flood, &[("flood-out", Severity::Medium)]);
    let finding = &findings[0];
    assert_eq!((finding.peer, finding.peer_port, finding.protocol), (Some(BROKER), Some(8_883), Some(6)));
    assert!(finding.flow_count == 6_004 && finding.score > 0.6 && finding.first_time == LATER, "{finding:#?}");
    let minutes = &finding.observations[1];
    assert!((600.0..610.0).contains(&finding.observations[0].measured) && minutes.measured == 10.0, "{finding:#?}");
}

#[test]
fn a_scan_after_it_hides_no_flood() {
    let flood = times(LATER, LATER + 10 * MINUTE, SECOND / 10).map(|time| to(BROKER, 8_883, time));
    let scan = (0..2_000).map(|n| {
        let probe = silent(to(10_000 + n, 40_000, LATER + 20 * MINUTE + n as i64 * SECOND));
        Flow { direction: Direction::Inbound, local_port: 1 + n as u16, ..probe }
    });
    check("and a scan", flood.chain(scan), &[("flood-out", Severity::Medium)]);
}

#[test]
fn a_few_connections_a_second_are_found_if_they_go_on() {
    let flood = |rate: i64, minutes| {
        times(LATER, LATER + minutes * MINUTE, MINUTE / rate).map(|time| to(STRANGER, 80, time)).collect::<Vec<_>>()
    };
    check("three a second", flood(180, 40), &[("flood-out", Severity::Medium)]);
    check("three a second for a while", flood(180, 10), &[("flood-out", Severity::Low)]);
    check("for two minutes", flood(180, 2), &[]);
    check("one a second", flood(60, 120), &[]);
}

#[test]
fn connections_that_are_held_and_say_nothing() {
    let held = |every: i64, bytes_sent, bytes_received| {
        times(LATER, LATER + 40 * MINUTE, every).map(move |time| Flow {
            start_time: time,
            end_time: time + 7 * MINUTE,
            bytes_sent,
            bytes_received,
            ..to(STRANGER, 2_575, time)
        })
    };
    let findings = check("one in two seconds", held(2 * SECOND, 40, 0), &[("flood-out", Severity::Medium)]);
    assert!(findings[0].summary.contains("connections an hour that are held"), "{:#?}", findings[0]);
    check("one in twelve", held(12 * SECOND, 40, 0), &[("flood-out", Severity::Low)]);
    check("one in a minute", held(MINUTE, 40, 0), &[]);
    check("with answers", held(2 * SECOND, 40, 10), &[]);
    check("with requests", held(2 * SECOND, 4_000, 0), &[]);
    let pooled = times(LATER, LATER + 12 * HOUR, 4 * MINUTE).map(|time| Flow {
        start_time: time,
        end_time: LATER + 12 * HOUR,
        bytes_sent: 0,
        bytes_received: 0,
        ..to(STRANGER, 2_575, time)
    });
    check("a pool that a restart ends at once", pooled, &[]);
}

#[test]
fn each_port_has_its_own_usual_number_of_held_connections() {
    let held = |port, from, until, every| {
        times(from, until, every).map(move |time| Flow {
            start_time: time,
            end_time: time + 2 * MINUTE,
            bytes_sent: 0,
            bytes_received: 0,
            ..to(BROKER, port, time)
        })
    };
    let usual = || held(1_883, MONDAY, LATER + DAY, 6 * SECOND);
    check("as ever", usual(), &[]);
    let usual_elsewhere = held(2_575, MONDAY, LATER, HOUR);
    let flood = held(2_575, LATER, LATER + 2 * HOUR, 2 * SECOND);
    check("on a port of few", usual().chain(usual_elsewhere).chain(flood), &[("flood-out", Severity::Medium)]);
}

#[test]
fn half_open_connections_and_packets_without_answer() {
    let flood = times(LATER, LATER + 10 * MINUTE, SECOND / 30).map(|time| silent(to(STRANGER, 80, time)));
    check("half-open", flood, &[("flood-out", Severity::High)]);
    let one = |packets_sent, packets_received, minutes, protocol, conn_state| {
        let flow = to(STRANGER, 80, LATER);
        let end_time = LATER + minutes * MINUTE;
        [Flow { end_time, packets_sent, packets_received, protocol, conn_state, ..flow }]
    };
    check("one flow", one(3_000_000, 0, 4, 17, ConnState::S0), &[("flood-out", Severity::High)]);
    check("slower", one(300_000, 10, 4, 17, ConnState::S0), &[("flood-out", Severity::Medium)]);
    check("handshake not seen", one(3_000_000, 0, 4, 6, ConnState::Oth), &[("flood-out", Severity::Low)]);
    let half_seen =
        |bytes_sent| one(3_000_000, 0, 4, 6, ConnState::Sh).map(|flow| Flow { bytes_sent, bytes_received: 0, ..flow });
    check("the sensor sees one side", half_seen(3_000_000_000), &[("flood-out", Severity::Low)]);
    check("headers alone", half_seen(3_000_000 * 60), &[("flood-out", Severity::High)]);
    let doubtful = one(9_000_000, 0, 4, 6, ConnState::Oth).into_iter();
    check(
        "behind a larger flow",
        doubtful.chain(one(100_000, 0, 4, 6, ConnState::S0)),
        &[("flood-out", Severity::High)],
    );
    check("a backup", one(3_000_000, 1_000_000, 4, 6, ConnState::Sf), &[]);
    check("video", one(50_000 * 60, 0, 60, 17, ConnState::S0), &[]);
}

#[test]
fn a_flood_of_many_services_is_a_few_findings() {
    let flood = times(LATER, LATER + 10 * MINUTE, SECOND / 120);
    let flood = flood.enumerate().map(|(n, time)| silent(to(100 + n as u64 % 20, 80, time)));
    let kinds = [("flood-out", Severity::Medium); 9];
    let findings = check("twenty peers", flood, &kinds);
    assert_eq!((findings[8].peer, findings[8].cause_key.as_str()), (None, "many-services"));
}

#[test]
fn a_device_that_is_flooded() {
    let flood = |peers: usize| {
        let times = times(LATER, LATER + 10 * MINUTE, SECOND / 10).enumerate();
        let flow = move |(n, time)| Flow {
            direction: Direction::Inbound,
            local_port: 8_883,
            ..to(100 + (n % peers) as u64, 50_000, time)
        };
        times.map(flow).collect::<Vec<_>>()
    };
    let findings = check("by one peer", flood(1), &[("flood-in", Severity::Medium)]);
    assert_eq!((findings[0].peer_port, findings[0].cause_key.as_str()), (None, "port 8883/tcp"));
    check("clients that come back after an outage", flood(100), &[]);
}

#[test]
fn connections_that_nobody_answers_are_no_retries() {
    let syns = times(LATER, LATER + 6 * MINUTE, SECOND / 10).map(|time| silent(to(BROKER, 443, time)));
    check("ten a second to a peer that answered", syns, &[("flood-out", Severity::Medium)]);
}

#[test]
fn look_alikes_are_quiet() {
    let bursts = |from, until| {
        times(from, until, HOUR).flat_map(|time| (0..800).map(move |n| to(20, 104, time + n * SECOND / 5)))
    };
    let studies: Vec<_> = bursts(MONDAY, LATER + DAY).collect();
    assert_eq!(run(studies).findings, [], "studies of eight hundred images, one connection each");
    let retries = times(LATER, LATER + 3 * HOUR, SECOND / 5).map(|time| silent(to(BROKER, 443, time)));
    check("retries after an outage", retries, &[]);
    let refused = |flow: Flow| Flow { conn_state: ConnState::Rej, ..silent(flow) };
    let retries = times(LATER, LATER + 20 * MINUTE, SECOND / 30).map(|time| refused(to(BROKER, 443, time)));
    check("retries without a pause", retries, &[("flood-out", Severity::Low)]);
    let retries = times(LATER, LATER + 20 * MINUTE, SECOND / 5)
        .map(|time| Flow { packets_sent: 7, ..silent(to(BROKER, 443, time)) });
    check("retries of seven packets", retries, &[]);
    let one_side = times(LATER, LATER + 30 * MINUTE, SECOND).map(|time| Flow {
        conn_state: ConnState::Rstos0,
        packets_sent: 3_000,
        packets_received: 0,
        bytes_sent: 3_000_000,
        bytes_received: 0,
        ..to(STRANGER, 80, time)
    });
    check("transfers of which one side is seen", one_side, &[("flood-out", Severity::Low)]);
    let scan = times(LATER, LATER + HOUR, SECOND / 50)
        .enumerate()
        .map(|(n, time)| silent(to(1_000 + n as u64 % 5_000, 445, time)));
    check("a scan of many peers", scan, &[]);
    let scan = times(LATER, LATER + HOUR, SECOND / 50).enumerate().map(|(n, time)| silent(to(7, n as u16, time)));
    check("a scan of many ports", scan, &[]);
    let long = times(LATER, LATER + 10 * MINUTE, SECOND / 5)
        .map(|time| Flow { end_time: LATER + 2 * HOUR, ..to(STRANGER, 443, time - 2 * HOUR) });
    check("connections that all end at once", long, &[]);
}

#[test]
fn declared_roles_and_groups_are_not_judged() {
    let check = |name, change: fn(Flow) -> Flow| {
        let flood = times(LATER, LATER + 10 * MINUTE, SECOND / 30).map(|time| change(silent(to(STRANGER, 80, time))));
        check(name, flood, &[]);
    };
    check("multicast", |flow| Flow { peer_scope: PeerScope::Multicast, ..flow });
    check("a scanner", |flow| Flow { local_role: PeerRole::Scanner, ..flow });
    check("a poller", |flow| Flow { local_role: PeerRole::NetworkManagement, ..flow });
    check("polled", |flow| Flow { peer_role: PeerRole::NetworkManagement, direction: Direction::Inbound, ..flow });
    check("a proxy", |flow| Flow { peer_role: PeerRole::Proxy, ..flow });
    check("a name server asked", |flow| Flow {
        local_role: PeerRole::NameServer,
        direction: Direction::Inbound,
        ..flow
    });
    check("a backup", |flow| Flow { peer_role: PeerRole::Backup, ..flow });
}

#[test]
fn before_anything_is_learned_only_plain_floods_count() {
    let flood = |every, change: fn(Flow) -> Flow| {
        run(times(MONDAY, MONDAY + 10 * MINUTE, every).map(|time| change(to(STRANGER, 80, time)))).findings
    };
    assert_eq!(flood(SECOND / 10, |flow| flow), []);
    assert_eq!(flood(SECOND / 10, silent), []);
    let plain = flood(SECOND / 200, silent);
    assert_eq!(plain.len(), 1, "{plain:#?}");
    assert_eq!(plain[0].finding.severity, Some(Severity::Medium));
}

#[test]
fn a_flood_of_days_does_not_become_usual() {
    let flood = times(LATER, LATER + 3 * DAY, SECOND / 4).map(|time| to(STRANGER, 80, time));
    let run = run(gateway(LATER + 3 * DAY).into_iter().chain(flood));
    assert_eq!(run.findings.len(), 11, "for nearly three days: {:#?}", run.kinds());
}

#[test]
fn the_state_stays_small() {
    let usual = run(gateway(LATER)).largest_state;
    assert!(usual < 250, "{usual} bytes");
    let crowd = times(MONDAY, MONDAY + DAY, SECOND).enumerate();
    let crowd = crowd.map(|(n, time)| to(n as u64 * 0x9e37_79b9_7f4a_7c15, n as u16, time));
    let worst = run(crowd).largest_state;
    assert!(worst < 4 * 1_024, "{worst} bytes");
}
