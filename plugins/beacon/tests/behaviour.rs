//! What is a beacon, and what only looks like one.

use wardflow_sdk::{
    ConnState, DAY, Device, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, UNKNOWN, name_id,
    native::{Batch, Dice, Flow, Harness, Run},
};

const MONDAY: i64 = 19_723 * DAY;

/// A connection to an outside peer, on a port of its own.
fn outside(time: i64) -> Flow {
    let port = 32_768 + (time / SECOND).rem_euclid(28_000) as u16;
    Flow { end_time: time + SECOND / 2, peer: 66, peer_scope: PeerScope::External, local_port: port, ..Flow::at(time) }
}

/// Contacts from `from` until `until`, each after an interval in seconds that `next` gives.
fn contacts(from: i64, until: i64, mut next: impl FnMut() -> f64) -> Vec<i64> {
    let later = |time: &i64| Some(time + (next() * SECOND as f64) as i64);
    std::iter::successors(Some(from), later).take_while(|time| *time < until).collect()
}

fn every(seconds: f64, from: i64, until: i64) -> Vec<Flow> {
    contacts(from, until, || seconds).into_iter().map(outside).collect()
}

fn run(flows: Vec<Flow>) -> Run {
    Harness::of(wardflow_beacon::plugin()).run(flows)
}

/// Asserts the kinds that are reported, each once or more.
#[track_caller]
fn check(flows: Vec<Flow>, kinds: &[&str]) -> Vec<Finding> {
    let found = run(flows).findings;
    let mut reported: Vec<_> = found.iter().map(|found| found.finding.kind.as_str()).collect();
    reported.dedup();
    assert_eq!(reported, kinds, "{found:#?}");
    found.into_iter().map(|found| found.finding).collect()
}

#[test]
fn jitter_and_gaps_of_hours_hide_no_beacon() {
    let mut dice = Dice::new(1);
    let times = contacts(MONDAY, MONDAY + DAY, || 48.0 + 24.0 * dice.roll());
    let awake = times.into_iter().filter(|time| !matches!((time - MONDAY) / HOUR, 2..5 | 9..14 | 20..22));
    let findings = check(awake.map(outside).collect(), &["beacon"]);
    let interval = &findings[0].observations[0];
    assert!((55.0..65.0).contains(&interval.measured), "{interval:?}");
    assert!(findings[0].score > 0.8 && findings[0].confidence > 0.9, "{:?}", findings[0]);
}

#[test]
fn one_slice_is_enough() {
    check(every(23.0, MONDAY, MONDAY + 45 * MINUTE), &["beacon"]);
    check(every(300.0, MONDAY, MONDAY + 5 * HOUR), &["beacon"]);
}

#[test]
fn what_is_polled_from_the_first_day_is_not_new_though_a_flow_began_before() {
    let mut flows = every(300.0, MONDAY + 2 * HOUR, MONDAY + 2 * DAY);
    flows.push(Flow { end_time: MONDAY + HOUR, ..Flow::at(MONDAY - 3 * DAY) });
    flows.push(Flow { end_time: MONDAY + 20 * HOUR, ..Flow::at(MONDAY - 4 * DAY) });
    flows.sort_by_key(|flow| flow.end_time);
    let findings = check(flows, &["beacon"]);
    assert!(findings.iter().all(|finding| finding.severity == Some(Severity::Low)), "{findings:#?}");
}

#[test]
fn a_slow_beacon_is_found_over_days() {
    check(every(4.0 * 3_600.0, MONDAY, MONDAY + 5 * DAY), &["beacon"]);
}

#[test]
fn few_contacts_or_a_short_while_are_not_enough() {
    check(every(300.0, MONDAY, MONDAY + 90 * MINUTE), &[]);
    check(every(10.0, MONDAY, MONDAY + 20 * MINUTE), &[]);
}

#[test]
fn contact_by_chance_is_no_beacon() {
    for seed in 0..200 {
        for mean in [200.0, 7_200.0] {
            let mut dice = Dice::new(seed);
            let times = contacts(MONDAY, MONDAY + 3 * DAY, || mean * dice.exponential());
            check(times.into_iter().map(outside).collect(), &[]);
        }
    }
}

#[test]
fn browsing_is_no_beacon() {
    let mut dice = Dice::new(7);
    let mut flows = Vec::new();
    for visit in contacts(MONDAY, MONDAY + 2 * DAY, || 40.0 * dice.exponential().powi(3)) {
        let peer = 100 + visit.unsigned_abs() / 7 % 12;
        for connection in 0..visit.rem_euclid(6) {
            let time = visit + connection * SECOND / 5;
            let bytes_sent = 500 + visit.unsigned_abs() % 9_000;
            flows.push(Flow { peer, bytes_sent, ..outside(time) });
        }
    }
    check(flows, &[]);
}

#[test]
fn equal_sizes_count_if_contact_is_more_even_than_chance() {
    let mut dice = Dice::new(3);
    let wide = contacts(MONDAY, MONDAY + DAY, || 30.0 + 270.0 * dice.roll());
    check(wide.iter().map(|time| outside(*time)).collect(), &["beacon"]);
    let of_any_size = |time: &i64| Flow { bytes_sent: 200 + time.unsigned_abs() % 8_000, ..outside(*time) };
    check(wide.iter().map(of_any_size).collect(), &[]);
    let mut dice = Dice::new(4);
    let chance = contacts(MONDAY, MONDAY + DAY, || 165.0 * dice.exponential());
    check(chance.into_iter().map(outside).collect(), &[]);
}

#[test]
fn attempts_that_only_fail_are_another_plugins() {
    let failing = |state, packets_received| {
        let fail = move |flow: Flow| Flow { conn_state: state, packets_received, bytes_sent: 0, ..flow };
        every(60.0, MONDAY, MONDAY + 2 * HOUR).into_iter().map(fail).collect::<Vec<_>>()
    };
    check(failing(ConnState::S0, 0), &[]);
    check(failing(ConnState::Rej, 1), &[]);
    check(failing(ConnState::Unknown, 0), &[]);
    check(failing(ConnState::Unknown, UNKNOWN), &["beacon"]);
    check(failing(ConnState::Rsto, 1), &["beacon"]);
}

#[test]
fn what_an_exporter_cuts_is_one_contact() {
    let piece =
        |time, state| Flow { end_time: time + 30 * MINUTE, local_port: 50_000, conn_state: state, ..outside(time) };
    for state in [ConnState::Oth, ConnState::Unknown, ConnState::S1] {
        check((0..96).map(|n| piece(MONDAY + n * 30 * MINUTE, state)).collect(), &[]);
    }
    let two_at_once =
        |n: i64| Flow { local_port: 50_000 + (n % 2) as u16, ..piece(MONDAY + n * 15 * MINUTE, ConnState::Oth) };
    check((0..192).map(two_at_once).collect(), &[]);
    let kept_alive = |n| Flow { local_port: 50_000, conn_state: ConnState::Unknown, ..outside(MONDAY + n * MINUTE) };
    check((0..192).map(kept_alive).collect(), &[]);
}

#[test]
fn a_flood_is_one_contact() {
    check((0..20_000).map(|n| outside(MONDAY + n * SECOND / 2)).collect(), &[]);
}

#[test]
fn what_remains_after_a_flood_is_no_beacon_of_its_rhythm() {
    let mut dice = Dice::new(5);
    let after = contacts(MONDAY + 6 * HOUR, MONDAY + 2 * DAY, || 600.0 * dice.exponential());
    let findings = check(
        every(2.0, MONDAY, MONDAY + 40 * MINUTE).into_iter().chain(after.into_iter().map(outside)).collect(),
        &["beacon"],
    );
    assert!(findings.iter().all(|finding| finding.last_time < MONDAY + 6 * HOUR), "{findings:#?}");
}

#[test]
fn names_and_time_are_no_beacons_unless_they_are_something_else() {
    let to = |peer_port, protocol, service: &str, bytes_sent, packets_sent| {
        let service = name_id(service);
        let change = move |flow: Flow| Flow { peer_port, protocol, service, bytes_sent, packets_sent, ..flow };
        every(64.0, MONDAY, MONDAY + 4 * HOUR).into_iter().map(change).collect::<Vec<_>>()
    };
    check(to(123, 17, "ntp", 48, 1), &[]);
    check(to(123, 17, "", 48, 1), &[]);
    check(to(123, 17, "", UNKNOWN, UNKNOWN), &[]);
    check(to(53, 17, "dns", 4_000, 1), &[]);
    check(to(53, 17, "", 44, 1), &[]);
    check(to(53, 6, "dns", 60, 5), &[]);
    check(to(123, 17, "", 900, 1), &["beacon"]);
    check(to(53, 17, "", 900, 1), &["beacon"]);
    check(to(53, 6, "", 60, 5), &["beacon"]);
    check(to(123, 6, "ssl", 60, 5), &["beacon"]);
}

#[test]
fn declared_peers_are_no_beacons() {
    let with =
        |change: fn(Flow) -> Flow| every(300.0, MONDAY, MONDAY + 5 * HOUR).into_iter().map(change).collect::<Vec<_>>();
    check(with(|flow| Flow { peer_group: 1, ..flow }), &[]);
    check(with(|flow| Flow { peer_group: 2, ..flow }), &["beacon"]);
    check(with(|flow| Flow { peer_group: 2, peer_port: 4460, ..flow }), &[]);
    check(with(|flow| Flow { peer_group: 3, peer_port: 853, ..flow }), &[]);
    check(with(|flow| Flow { peer_group: 3, peer_port: 8443, ..flow }), &["beacon"]);
    check(with(|flow| Flow { peer_role: PeerRole::RemoteService, ..flow }), &[]);
    check(with(|flow| Flow { peer_role: PeerRole::Proxy, ..flow }), &["beacon"]);
    check(with(|flow| Flow { local_port: 68, peer_port: 67, protocol: 17, ..flow }), &["beacon"]);
    check(with(|flow| Flow { direction: Direction::Inbound, ..flow }), &[]);
    for peer_scope in [PeerScope::Multicast, PeerScope::Broadcast, PeerScope::SameZone, PeerScope::OtherInternal] {
        check(
            every(300.0, MONDAY, MONDAY + 5 * HOUR).into_iter().map(|flow| Flow { peer_scope, ..flow }).collect(),
            &[],
        );
    }
}

#[test]
fn what_a_device_is_declared_for_is_no_beacon() {
    let with = |local_role, peer_port| {
        let change = move |flow: Flow| Flow { local_role, peer_port, bytes_sent: 900, ..flow };
        every(300.0, MONDAY, MONDAY + 5 * HOUR).into_iter().map(change).collect::<Vec<_>>()
    };
    for role in [PeerRole::Scanner, PeerRole::NetworkManagement, PeerRole::Backup, PeerRole::Proxy, PeerRole::Nat] {
        check(with(role, 443), &[]);
    }
    check(with(PeerRole::NameServer, 53), &[]);
    check(with(PeerRole::TimeServer, 123), &[]);
    check(with(PeerRole::NameServer, 8_443), &["beacon"]);
    check(with(PeerRole::TimeServer, 443), &["beacon"]);
    check(with(PeerRole::DomainController, 443), &["beacon"]);
}

#[test]
fn the_score_grows_with_evidence() {
    let score = |minutes| check(every(60.0, MONDAY, MONDAY + minutes * MINUTE), &["beacon"])[0].score;
    let (early, late) = (score(31), score(300));
    assert!((0.75..0.85).contains(&early) && late > 0.95, "{early} {late}");
}

#[test]
fn peers_inside_are_reported_where_asked_for() {
    let inside = |flow| Flow { peer_scope: PeerScope::OtherInternal, ..flow };
    let flows = every(60.0, MONDAY, MONDAY + 2 * HOUR).into_iter().map(inside);
    let run = Harness::of(wardflow_beacon::plugin()).parameter("internal", true).run(flows);
    assert_eq!(run.kinds(), ["beacon"]);
    assert_eq!(run.findings[0].finding.severity, Some(Severity::Informational));
    let address = |local_port| {
        let renew = move |flow| Flow { protocol: 17, local_port, peer_port: 67, ..inside(flow) };
        let flows = every(60.0, MONDAY, MONDAY + 2 * HOUR).into_iter().map(renew);
        Harness::of(wardflow_beacon::plugin()).parameter("internal", true).run(flows)
    };
    assert_eq!(address(68).findings, []);
    assert_eq!(address(50_000).kinds(), ["beacon"]);
}

#[test]
fn severity_weighs_port_novelty_and_company() {
    let check = |peer_port, from_day, peer_prevalence, severity| {
        let mut flows = every(3_600.0, MONDAY, MONDAY + 3 * DAY);
        flows.iter_mut().for_each(|flow| flow.peer_group = 1);
        let beats = every(60.0, MONDAY + from_day * DAY, MONDAY + from_day * DAY + 2 * HOUR);
        flows.extend(beats.into_iter().map(|flow| Flow { peer: 67, peer_port, peer_prevalence, ..flow }));
        let findings = run(flows).findings;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].finding.severity, Some(severity), "{peer_port} {from_day} {peer_prevalence}");
    };
    check(443, 0, 0, Severity::Low);
    check(443, 0, 40, Severity::Informational);
    check(443, 2, 1, Severity::Medium);
    check(443, 2, 40, Severity::Low);
    check(6_667, 0, 1, Severity::Medium);
    check(6_667, 2, 1, Severity::High);
}

#[test]
fn a_known_peer_that_moves_is_not_new() {
    let beats = |peer, seconds, days: std::ops::Range<i64>| {
        let flows = every(seconds, MONDAY + days.start * DAY, MONDAY + days.end * DAY);
        flows.into_iter().map(move |flow| Flow { peer, ..flow })
    };
    let other_size = |flow: Flow| Flow { bytes_sent: 1_300, ..flow };
    let check = |name, flows: Vec<Flow>, expected| {
        let worst = run(flows).findings.into_iter().filter_map(|found| found.finding.severity).max();
        assert_eq!(worst, Some(expected), "{name}");
    };
    let known = || beats(66, 60.0, 0..3);
    check("moved", known().chain(beats(67, 60.0, 3..4)).collect(), Severity::Low);
    let daily = (3..20).flat_map(|day| beats(64 + day as u64, 60.0, day..day + 1));
    check("moves each day, for weeks", known().chain(daily).collect(), Severity::Low);
    let back = beats(67, 60.0, 3..4).chain(beats(66, 60.0, 4..5)).chain(beats(67, 60.0, 5..6));
    check("the first comes back in between", known().chain(back).collect(), Severity::Medium);
    let two = beats(67, 60.0, 3..6).chain(beats(68, 60.0, 3..6));
    check("moved to two", known().chain(two).collect(), Severity::Medium);
    let by_night = (3..6).flat_map(|day| {
        let hours =
            |from: i64, until: i64| every(60.0, MONDAY + day * DAY + from * HOUR, MONDAY + day * DAY + until * HOUR);
        let night = hours(18, 24).into_iter().map(|flow| Flow { peer: 67, ..flow });
        hours(8, 18).into_iter().chain(night)
    });
    check("one by day and one by night", known().chain(by_night).collect(), Severity::Medium);
    let slow = beats(66, 14_400.0, 0..20).chain(beats(67, 14_400.0, 8..20).map(|flow| Flow {
        start_time: flow.start_time + HOUR,
        end_time: flow.end_time + HOUR,
        ..flow
    }));
    check("both go on, slowly", slow.collect(), Severity::Medium);
    check("both go on", beats(66, 60.0, 0..5).chain(beats(67, 60.0, 3..4)).collect(), Severity::Medium);
    let returns = beats(67, 60.0, 3..6).chain(beats(66, 60.0, 4..6));
    check("the first comes back beside it", known().chain(returns).collect(), Severity::Medium);
    check("another period", known().chain(beats(67, 90.0, 3..4)).collect(), Severity::Medium);
    check("another size", known().chain(beats(67, 60.0, 3..4).map(other_size)).collect(), Severity::Medium);
    let https = |flow: Flow| Flow { peer_port: 8_443, ..flow };
    check("another port", known().chain(beats(67, 60.0, 3..4).map(https)).collect(), Severity::Medium);
    let ever_other =
        beats(67, 60.0, 3..4).map(|flow| Flow { bytes_sent: 500 + flow.start_time as u64 % 7_919, ..flow });
    check("sizes that vary", known().chain(ever_other).collect(), Severity::Medium);
}

#[test]
fn a_scan_hides_no_beacon() {
    let mut flows = every(60.0, MONDAY, MONDAY + 4 * HOUR);
    let scan = (0..40_000_i64).map(|number| {
        let time = MONDAY + number * SECOND / 3;
        Flow { peer: 1_000 + number as u64, peer_port: 23, conn_state: ConnState::S0, ..outside(time) }
    });
    flows.extend(scan);
    let findings = check(flows, &["beacon"]);
    assert!(findings.iter().all(|finding| finding.peer == Some(66)), "{findings:#?}");
}

/// A beacon beside thousands of peers that come once: what is settled is not pushed out.
#[test]
fn a_crowd_of_passing_peers_hides_no_settled_beacon() {
    let mut flows = every(60.0, MONDAY, MONDAY + 2 * DAY);
    for n in 0..40_000 {
        flows.push(Flow { peer: 1_000 + n as u64, ..outside(MONDAY + 12 * HOUR + n * SECOND) });
    }
    let last = run(flows).findings.pop().unwrap();
    assert_eq!((last.finding.peer, last.slice_start), (Some(66), MONDAY + 42 * HOUR));
}

#[test]
fn the_state_stays_small() {
    let mut dice = Dice::new(9);
    let mut flows = Vec::new();
    for peer in 0..400 {
        for time in contacts(MONDAY + peer, MONDAY + 4 * DAY, || 600.0 * dice.exponential().powi(4)) {
            let bytes = 1 + (time.unsigned_abs() * 7_919) % 1_000_000_000;
            flows.push(Flow {
                peer: peer as u64 * 0x9e37_79b9_7f4a_7c15,
                bytes_sent: bytes,
                bytes_received: bytes / 3,
                ..outside(time)
            });
        }
    }
    let worst = run(flows).largest_state;
    assert!(worst < 60 * 1_024, "{worst} bytes");
    let usual = run(every(60.0, MONDAY, MONDAY + 7 * DAY)).largest_state;
    assert!(usual < 200, "{usual} bytes");
}

#[test]
fn batches_may_be_cut_anywhere() {
    let mut dice = Dice::new(5);
    let mut flows: Vec<_> =
        contacts(MONDAY, MONDAY + 6 * HOUR, || 5.0 + 10.0 * dice.roll()).into_iter().map(outside).collect();
    flows.iter_mut().enumerate().for_each(|(n, flow)| flow.peer = 66 + n as u64 % 3);
    let run = |length: usize| {
        let plugin = wardflow_beacon::plugin().unwrap();
        let parameters =
            r#"{"least_contacts":20,"least_span_minutes":30,"least_share":0.5,"shared_by":3,"internal":false}"#;
        let mut session = plugin.open(&Device::default(), parameters, None).unwrap();
        let mut findings = Vec::new();
        for (number, chunk) in flows.chunks(length).enumerate() {
            findings.extend(session.observe(&Batch::new((number * length) as u32, chunk)));
        }
        let slice = wardflow_sdk::Slice { start: MONDAY, end: MONDAY + 6 * HOUR, gaps: &[] };
        findings.extend(session.end_slice(&slice));
        (findings, session.save())
    };
    let whole = run(flows.len());
    assert_eq!(whole.0.len(), 3, "{:#?}", whole.0);
    for length in [1, 7, 512] {
        assert_eq!(run(length), whole, "{length}");
    }
}
