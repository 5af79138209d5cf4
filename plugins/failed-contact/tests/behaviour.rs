//! What fails for good, and what only looks like it.

use wardflow_sdk::{
    ConnState, DAY, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, UNKNOWN,
    native::{Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
const LATER: i64 = MONDAY + 3 * DAY;
const SERVER: u64 = 10;
const DEAD: u64 = 66;

/// A connection to an outside peer, on a port of its own.
fn outside(peer: u64, time: i64) -> Flow {
    let local_port = 32_768 + (time / SECOND).rem_euclid(28_000) as u16;
    Flow { end_time: time + SECOND / 2, peer, peer_scope: PeerScope::External, local_port, ..Flow::at(time) }
}

/// An attempt at an outside peer that gets no answer.
fn attempt(time: i64) -> Flow {
    Flow { conn_state: ConnState::S0, bytes_sent: 0, bytes_received: 0, packets_received: 0, ..outside(DEAD, time) }
}

fn attempts(from: i64, length: i64, every: i64) -> Vec<Flow> {
    times(from, from + length, every).map(attempt).collect()
}

/// What a device does that reaches its servers.
fn usual() -> Vec<Flow> {
    let flows = times(MONDAY, LATER + DAY, 10 * MINUTE);
    flows.map(|time| Flow { peer_prevalence: 20, ..outside(SERVER, time) }).collect()
}

fn run(flows: Vec<Flow>) -> Run {
    Harness::of(wardflow_failed_contact::plugin()).run(usual().into_iter().chain(flows))
}

/// Asserts the greatest severity that is reported, if any.
#[track_caller]
fn check(flows: Vec<Flow>, expected: Option<Severity>) -> Vec<Finding> {
    let findings: Vec<_> = run(flows).findings.into_iter().map(|found| found.finding).collect();
    assert_eq!(findings.iter().filter_map(|finding| finding.severity).max(), expected, "{findings:#?}");
    findings
}

fn with(flows: Vec<Flow>, change: impl Fn(Flow) -> Flow) -> Vec<Flow> {
    flows.into_iter().map(change).collect()
}

#[test]
fn a_dead_server_of_malware() {
    let flows = with(attempts(LATER, 5 * HOUR, 5 * MINUTE), |flow| Flow { peer_port: 6_667, ..flow });
    let findings = check(flows, Some(Severity::Medium));
    let finding = &findings[0];
    assert_eq!((finding.peer, finding.peer_port, finding.flow_count), (Some(DEAD), Some(6_667), 60));
    assert!(finding.score > 0.55 && finding.confidence > 0.75, "{finding:#?}");
    assert!(
        finding.summary.starts_with("tried port 6667/tcp of an outside peer 60 times in 4.9 h, at even"),
        "{finding:#?}"
    );
}

#[test]
fn every_way_to_fail_counts() {
    let failing = |conn_state, packets_received| {
        with(attempts(LATER, 2 * HOUR, MINUTE), move |flow| Flow { conn_state, packets_received, ..flow })
    };
    for (state, packets) in [
        (ConnState::S0, 0),
        (ConnState::Rej, 1),
        (ConnState::Rstos0, 0),
        (ConnState::Sh, 0),
        (ConnState::Unknown, 0),
        (ConnState::Unknown, 1),
    ] {
        check(failing(state, packets), Some(Severity::Low));
    }
    for (state, packets) in
        [(ConnState::Unknown, UNKNOWN), (ConnState::Oth, 0), (ConnState::Rsto, 1), (ConnState::Shr, 2)]
    {
        check(failing(state, packets), None);
    }
}

#[test]
fn severity_weighs_port_evenness_novelty_and_company() {
    let check = |from, port, prevalence, uneven: i64, expected| {
        let change = |(n, flow): (usize, Flow)| {
            let late = if n % 2 == 0 { 0 } else { uneven };
            let (start_time, end_time) = (flow.start_time + late, flow.end_time + late);
            Flow { peer_port: port, peer_prevalence: prevalence, start_time, end_time, ..flow }
        };
        check(attempts(from, 4 * HOUR, 4 * MINUTE).into_iter().enumerate().map(change).collect(), Some(expected));
    };
    check(LATER, 6_667, 0, 0, Severity::Medium);
    check(LATER, 6_667, 0, 2 * MINUTE, Severity::Low);
    check(LATER, 443, 0, 0, Severity::Low);
    check(LATER, 6_667, 9, 0, Severity::Informational);
    check(MONDAY, 6_667, 0, 0, Severity::Low);
    check(MONDAY, 443, 0, 0, Severity::Informational);
}

#[test]
fn peers_inside_and_datagrams_weigh_less() {
    let inside = |flow| Flow { peer_scope: PeerScope::OtherInternal, peer_port: 445, ..flow };
    check(with(attempts(LATER, 5 * HOUR, 5 * MINUTE), inside), Some(Severity::Low));
    check(with(attempts(MONDAY, DAY, HOUR / 2), inside), Some(Severity::Informational));
    let datagram = |flow| Flow { protocol: 17, peer_port: 6_667, ..flow };
    check(with(attempts(LATER, 5 * HOUR, 5 * MINUTE), datagram), Some(Severity::Low));
    check(with(attempts(LATER, 2 * HOUR, 5 * MINUTE), datagram), None);
    let both = |flow| inside(Flow { protocol: 17, ..flow });
    check(with(attempts(LATER, 5 * HOUR, 5 * MINUTE), both), None);
}

#[test]
fn an_outage_is_no_failed_contact() {
    let outage = |scope| {
        let before = times(MONDAY, LATER, HOUR).map(|time| outside(DEAD, time)).collect();
        let failed = attempts(LATER, 5 * HOUR, 20 * SECOND);
        let after = times(LATER + 6 * HOUR, LATER + DAY, HOUR).map(|time| outside(DEAD, time)).collect();
        with([before, failed, after].concat(), move |flow| Flow { peer_scope: scope, ..flow })
    };
    check(outage(PeerScope::OtherInternal), None);
    check(outage(PeerScope::External), Some(Severity::Informational));
}

#[test]
fn few_attempts_a_short_while_or_any_answer_are_not_enough() {
    check(attempts(LATER, 90 * MINUTE, 5 * MINUTE), None);
    check(attempts(LATER, 25 * MINUTE, MINUTE), None);
    let answered = times(LATER, LATER + DAY, 90 * MINUTE).map(|time| outside(DEAD, time));
    check(attempts(LATER, DAY, 5 * MINUTE).into_iter().chain(answered).collect(), None);
}

#[test]
fn a_hundred_attempts_count_however_short_the_time() {
    let on = |port: u16, count: i64| {
        with(attempts(LATER, count * 3 * SECOND, 3 * SECOND), |flow| Flow { peer_port: port, ..flow })
    };
    check(on(22, 90), None);
    check(on(22, 200), Some(Severity::Low));
    // A restart of the peer looks the same, so that the port and the evenness do not raise it.
    check(on(6_667, 200), Some(Severity::Low));
}

#[test]
fn repeated_syns_are_one_attempt() {
    let mut flows = Vec::new();
    for time in times(LATER, LATER + HOUR, 30 * SECOND) {
        for after in [0, 3, 7, 15] {
            let local_port = attempt(time).local_port;
            flows.push(Flow { local_port, ..attempt(time + after * SECOND) });
        }
    }
    let findings = check(flows, Some(Severity::Low));
    assert!((findings[0].observations[0].measured - 120.0).abs() < 0.1, "{:#?}", findings[0]);
    let fixed_port = with(attempts(LATER, 2 * HOUR, MINUTE), |flow| Flow { local_port: 5_000, ..flow });
    let findings = check(fixed_port, Some(Severity::Low));
    assert!((findings[0].observations[0].measured - 40.0).abs() < 1.1, "{:#?}", findings[0]);
}

#[test]
fn what_is_not_the_devices_own_is_not_judged() {
    let check = |change: fn(Flow) -> Flow| check(with(attempts(LATER, 5 * HOUR, 2 * MINUTE), change), None);
    check(|flow| Flow { direction: Direction::Inbound, ..flow });
    check(|flow| Flow { peer_scope: PeerScope::Broadcast, ..flow });
    check(|flow| Flow { peer_scope: PeerScope::Multicast, protocol: 17, ..flow });
    check(|flow| Flow { peer_group: 1, ..flow });
    check(|flow| Flow { peer_role: PeerRole::RemoteService, ..flow });
    check(|flow| Flow { local_role: PeerRole::Scanner, ..flow });
    check(|flow| Flow { local_role: PeerRole::Proxy, ..flow });
    check(|flow| Flow { protocol: 17, peer_port: 53, ..flow });
    check(|flow| Flow { protocol: 17, peer_port: 123, ..flow });
    check(|flow| Flow { protocol: 17, local_port: 68, peer_port: 67, peer_scope: PeerScope::SameZone, ..flow });
    check(|flow| Flow { protocol: 1, peer_port: 0, ..flow });
    check(|flow| Flow { peer: flow.start_time.unsigned_abs() / 1_000_000, ..flow });
}

#[test]
fn a_port_of_dhcp_hides_no_dead_server() {
    let to = |change: fn(Flow) -> Flow| check(with(attempts(LATER, 5 * HOUR, 5 * MINUTE), change), Some(Severity::Low));
    to(|flow| Flow { protocol: 17, peer_port: 67, ..flow });
    to(|flow| Flow { protocol: 17, local_port: 68, peer_port: 67, ..flow });
}

#[test]
fn who_was_away_for_weeks_is_watched_anew() {
    let back = with(attempts(LATER + 20 * DAY, 4 * HOUR, 4 * MINUTE), |flow| Flow { peer_port: 6_667, ..flow });
    check(back, Some(Severity::Low));
}

#[test]
fn many_dead_peers_are_reported_as_one_beyond_eight() {
    let spread = |(n, flow): (usize, Flow)| Flow { peer: 100 + n as u64 % 20, ..flow };
    let flows = attempts(LATER, 5 * HOUR, 30 * SECOND).into_iter().enumerate().map(spread).collect();
    let findings = check(flows, Some(Severity::Low));
    assert_eq!((findings.len(), findings[8].peer, findings[8].flow_count), (9, None, 360));
}

#[test]
fn the_slice_does_not_matter() {
    let flows: Vec<_> = usual().into_iter().chain(attempts(LATER, 20 * HOUR, 3 * MINUTE)).collect();
    let last = |slice| {
        let run = Harness::of(wardflow_failed_contact::plugin()).slice(slice).run(flows.clone());
        let finding = run.findings.last().unwrap().finding.clone();
        (finding.score, finding.severity, finding.observations[0].measured)
    };
    assert_eq!(last(6 * HOUR), last(2 * HOUR));
}

#[test]
fn the_state_stays_small() {
    let idle = run(attempts(LATER, DAY, MINUTE)).largest_state;
    assert!(idle < 200, "{idle} bytes");
    let crowd = |(n, flow): (usize, Flow)| {
        let peer = (n as u64 % 300).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let conn_state = if n % 300 < 160 { ConnState::Sf } else { ConnState::S0 };
        Flow { peer, conn_state, ..flow }
    };
    let worst = run(attempts(LATER, DAY, 2 * SECOND).into_iter().enumerate().map(crowd).collect()).largest_state;
    assert!(worst < 12 * 1_024, "{worst} bytes");
}
