//! What carries data in name queries, and what only looks like it.

use wardflow_sdk::{
    DAY, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, UNKNOWN, name_id,
    native::{Dice, Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
/// After a week of which nothing is reported.
const LATER: i64 = MONDAY + 7 * DAY;
const SERVER: u64 = 53;
const STRANGER: u64 = 66;

/// One query over UDP.
fn query(server: u64, time: i64, bytes_sent: u64, bytes_received: u64) -> Flow {
    Flow {
        peer: server,
        protocol: 17,
        peer_port: 53,
        service: name_id("dns"),
        bytes_sent,
        bytes_received,
        packets_sent: 1,
        packets_received: 1,
        ..Flow::at(time)
    }
}

/// A workstation: sixty lookups an hour by day, few at night.
fn workstation(until: i64) -> Vec<Flow> {
    let mut dice = Dice::new(1);
    let by_day = |time: &i64| (7..18).contains(&time.rem_euclid(DAY).div_euclid(HOUR)) || time % (20 * MINUTE) == 0;
    let times = times(MONDAY, until, MINUTE).filter(by_day);
    times.map(|time| query(SERVER, time, dice.about(42.0, 0.6), dice.about(110.0, 0.6))).collect()
}

/// A device that asks for the same name twice an hour.
fn monitor(until: i64) -> Vec<Flow> {
    let names = times(MONDAY, until, 30 * MINUTE).map(|time| query(SERVER, time, 38, 54));
    names.chain(times(MONDAY, until, 10 * MINUTE).map(Flow::at)).collect()
}

/// Queries that are filled with data, from `LATER` on.
fn tunnel(hours: i64, every: i64, size: f64) -> Vec<Flow> {
    let mut dice = Dice::new(2);
    let from = LATER + 8 * HOUR;
    let times = times(from, from + hours * HOUR, every);
    times.map(|time| query(SERVER, time, dice.about(size, 0.3), dice.about(200.0, 0.3))).collect()
}

fn run(flows: impl IntoIterator<Item = Flow>) -> Run {
    Harness::of(wardflow_dns_tunnel::plugin()).run(flows)
}

/// Asserts the kinds that are reported and the greatest severity.
#[track_caller]
fn check(name: &str, flows: impl IntoIterator<Item = Flow>, expected: Option<(&str, Severity)>) -> Vec<Finding> {
    let findings: Vec<_> = run(flows).findings.into_iter().map(|found| found.finding).collect();
    let worst = findings.iter().max_by_key(|finding| finding.severity);
    let worst = worst.map(|finding| (finding.kind.as_str(), finding.severity.unwrap()));
    assert_eq!(worst, expected, "{name}: {findings:#?}");
    findings
}

fn beside(usual: Vec<Flow>, more: Vec<Flow>) -> Vec<Flow> {
    usual.into_iter().chain(more).collect()
}

const END: i64 = LATER + 2 * DAY;

#[test]
fn a_tunnel_beside_browsing() {
    let flows = beside(workstation(END), tunnel(4, 5 * SECOND / 2, 110.0));
    let findings = check("four hours", flows, Some(("dns-tunnel", Severity::Medium)));
    let finding = &findings[0];
    assert_eq!((finding.peer, finding.peer_port), (Some(SERVER), Some(53)));
    assert!(finding.score > 0.5 && finding.flow_count > 5_000, "{finding:#?}");
    let flows = beside(workstation(END), tunnel(24, SECOND, 180.0));
    check("a day", flows, Some(("dns-tunnel", Severity::High)));
    let flows = beside(monitor(END), tunnel(4, 5 * SECOND / 2, 110.0));
    check("from a device that asks for little", flows, Some(("dns-tunnel", Severity::Medium)));
}

#[test]
fn a_slow_tunnel_is_found_within_the_day() {
    check("a query a minute", beside(workstation(END), tunnel(10, MINUTE, 180.0)), Some(("dns-tunnel", Severity::Low)));
    check("from a monitor", beside(monitor(END), tunnel(16, MINUTE, 180.0)), Some(("dns-tunnel", Severity::Medium)));
    check("four an hour", beside(workstation(END), tunnel(16, 15 * MINUTE, 180.0)), None);
}

/// The same by name servers outside, in turn.
fn in_turn(flows: Vec<Flow>, servers: u64) -> Vec<Flow> {
    let outside = |(n, flow)| Flow { peer: 1_000 + n as u64 % servers, peer_scope: PeerScope::External, ..flow };
    flows.into_iter().enumerate().map(outside).collect()
}

fn is_tunnel(finding: &Finding) -> bool {
    finding.kind == "dns-tunnel"
}

#[test]
fn a_tunnel_hides_in_no_number_of_servers() {
    let flows = beside(workstation(END), in_turn(tunnel(4, 5 * SECOND / 2, 110.0), 12));
    let findings = check("twelve in turn", flows, Some(("dns-tunnel", Severity::Medium)));
    let found = findings.iter().find(|finding| is_tunnel(finding)).unwrap();
    assert_eq!((found.peer, found.cause_key.as_str()), (None, "many-servers"), "{found:#?}");
    let after = |n: u64| query(5_000 + n, LATER + 11 * HOUR + n as i64 * SECOND, 40, 90);
    let after = (0..200).map(|n| Flow { peer_scope: PeerScope::External, ..after(n) }).collect();
    let flows = beside(in_turn(tunnel(3, 5 * SECOND / 2, 110.0), 1), after);
    let findings = run(beside(workstation(END), flows)).findings;
    assert!(findings.iter().any(|found| is_tunnel(&found.finding)), "{findings:#?}");
}

#[test]
fn a_tunnel_hides_beside_no_larger_amount() {
    // A reputation service of the usual server begins that day, and carries much.
    let mut dice = Dice::new(5);
    let much =
        times(LATER, LATER + 12 * HOUR, 5 * SECOND / 2).map(|time| query(SERVER, time, dice.about(150.0, 0.2), 70));
    let outside = in_turn(tunnel(1, 3 * SECOND, 180.0), 1);
    let flows = beside(workstation(END), much.chain(outside).collect());
    let findings = run(flows).findings;
    let found = findings.iter().find(|found| is_tunnel(&found.finding) && found.finding.peer == Some(1_000));
    assert_eq!(found.and_then(|found| found.finding.severity), Some(Severity::Medium), "{findings:#?}");
}

#[test]
fn answers_and_other_than_names_are_signs() {
    let slow = |change: fn(Flow) -> Flow| {
        let flows = tunnel(10, 36 * SECOND, 180.0).into_iter().map(change).collect();
        beside(workstation(END), flows)
    };
    check("small answers", slow(|flow| flow), Some(("dns-tunnel", Severity::Low)));
    let large = slow(|flow| Flow { bytes_received: 900, ..flow });
    check("large answers", large, Some(("dns-tunnel", Severity::Medium)));
    let outside = slow(|flow| Flow { peer: STRANGER, peer_scope: PeerScope::External, ..flow });
    assert!(
        check("outside", outside, Some(("dns-tunnel", Severity::Medium)))
            .iter()
            .any(|finding| finding.kind == "foreign-resolver")
    );
    let over_tcp = tunnel(4, 30 * SECOND, 180.0).into_iter().map(|flow| Flow {
        protocol: 6,
        bytes_sent: 6 * flow.bytes_sent,
        packets_sent: 15,
        ..flow
    });
    check("over TCP", beside(workstation(END), over_tcp.collect()), Some(("dns-tunnel", Severity::Medium)));
}

#[test]
fn browsing_is_quiet() {
    check("a month", workstation(MONDAY + 30 * DAY), None);
    let mut dice = Dice::new(3);
    let busy = times(LATER + 9 * HOUR, LATER + 15 * HOUR, 4 * SECOND);
    let busy = busy.map(|time| query(SERVER, time, dice.about(42.0, 0.6), dice.about(140.0, 0.8))).collect();
    check("a busy day", beside(workstation(END), busy), None);
}

#[test]
fn one_long_name_is_low_at_most() {
    let one = times(LATER, END, 10 * SECOND).map(|time| query(SERVER, time, 122, 160)).collect();
    check("asked for again and again", beside(workstation(END), one), Some(("dns-tunnel", Severity::Low)));
    let mut dice = Dice::new(4);
    let reputation =
        times(MONDAY, END, 2 * MINUTE).map(|time| query(SERVER, time, dice.about(115.0, 0.2), 70)).collect();
    check("of a reputation service, learned", beside(workstation(END), reputation), None);
}

#[test]
fn what_is_not_asked_of_a_name_server_for_oneself_is_not_judged() {
    let check = |name, change: fn(Flow) -> Flow| {
        check(name, beside(workstation(END), tunnel(4, SECOND, 180.0).into_iter().map(change).collect()), None);
    };
    check("a name server", |flow| Flow { local_role: PeerRole::NameServer, ..flow });
    check("asked by a peer", |flow| Flow { direction: Direction::Inbound, ..flow });
    check("multicast", |flow| Flow { peer_scope: PeerScope::Multicast, peer_port: 5_353, ..flow });
    check("of the link", |flow| Flow { peer_port: 137, ..flow });
    check("sizes unknown", |flow| Flow { bytes_sent: UNKNOWN, ..flow });
    check("many queries in a flow", |flow| Flow { packets_sent: 4, ..flow });
}

#[test]
fn before_it_is_learned_a_tunnel_is_low() {
    let early = tunnel(6, SECOND, 180.0).into_iter().map(|flow| Flow {
        end_time: flow.end_time - 7 * DAY,
        start_time: flow.start_time - 7 * DAY,
        ..flow
    });
    check("on the first day", beside(workstation(MONDAY + DAY), early.collect()), Some(("dns-tunnel", Severity::Low)));
}

/// Queries to a name server outside, from `LATER` on, and the device's own up to `moves`.
fn foreign(moves: i64, change: fn(Flow) -> Flow) -> Vec<Flow> {
    let mut flows = workstation(END);
    flows.retain(|flow| flow.start_time < moves);
    let asked = times(LATER, END, 5 * MINUTE).map(|time| query(STRANGER, time, 40, 90));
    flows.extend(asked.map(|flow| change(Flow { peer_scope: PeerScope::External, ..flow })));
    flows
}

#[test]
fn foreign_resolvers() {
    let findings = check("beside", foreign(END, |flow| flow), Some(("foreign-resolver", Severity::Low)));
    assert_eq!((findings.len(), findings[0].peer), (8, Some(STRANGER)));
    let findings = check("instead", foreign(LATER, |flow| flow), Some(("foreign-resolver", Severity::Medium)));
    assert_eq!(findings[0].severity, Some(Severity::Low), "the class has had no time to follow");
    check("of the class", foreign(LATER, |flow| Flow { peer_prevalence: 8, ..flow }), None);
    check("declared", foreign(LATER, |flow| Flow { peer_group: 1, ..flow }), None);
    check("by its role", foreign(LATER, |flow| Flow { peer_role: PeerRole::NameServer, ..flow }), None);
    check("inside", foreign(LATER, |flow| Flow { peer_scope: PeerScope::OtherInternal, ..flow }), None);
    check("without answer", foreign(END, |flow| Flow { bytes_received: 0, ..flow }), None);
    let of_many = |flow: Flow| Flow { peer: STRANGER + flow.start_time.unsigned_abs() / 300_000_000 % 13, ..flow };
    // As many on one day are no proof yet that it resolves by itself.
    check("of many, suddenly", foreign(END, of_many), Some(("foreign-resolver", Severity::Low)));
    let by_itself = |time: i64| query(1_000 + time.unsigned_abs() / 300_000_000 % 997, time, 40, 90);
    let by_itself = times(MONDAY, END, 5 * MINUTE)
        .map(move |time| Flow { peer_scope: PeerScope::External, ..by_itself(time) })
        .collect::<Vec<_>>();
    check("of one that resolves by itself", beside(workstation(END), by_itself), None);
    let dead =
        times(MONDAY, END, 5 * MINUTE).map(|time| query(1_000 + time.unsigned_abs() / 300_000_000 % 9, time, 40, 0));
    let dead = dead.map(|flow| Flow { peer_scope: PeerScope::External, ..flow }).collect();
    let beside_dead = beside(foreign(END, |flow| flow), dead);
    check("beside dead ones", beside_dead, Some(("foreign-resolver", Severity::Low)));
    let over_tls = |flow: Flow| Flow { protocol: 6, peer_port: 853, service: 0, ..flow };
    check("over TLS", foreign(END, over_tls), Some(("foreign-resolver", Severity::Low)));
}

#[test]
fn a_class_that_is_known_helps_from_the_first_day() {
    let asked = |class| {
        let own = workstation(MONDAY + DAY).into_iter().map(move |flow| Flow { peer_prevalence: class, ..flow });
        let foreign = times(MONDAY, MONDAY + DAY, 5 * MINUTE).map(|time| query(STRANGER, time, 40, 90));
        own.chain(foreign.map(|flow| Flow { peer_scope: PeerScope::External, ..flow })).collect::<Vec<_>>()
    };
    check("known", asked(40), Some(("foreign-resolver", Severity::Low)));
    check("unknown", asked(1), None);
    let often = times(MONDAY, MONDAY + 2 * HOUR, 6 * SECOND).map(|time| query(STRANGER, time, 40, 90));
    let often = often.map(|flow| Flow { peer_scope: PeerScope::External, ..flow }).collect::<Vec<_>>();
    check("unknown, and often", often, Some(("foreign-resolver", Severity::Informational)));
}

#[test]
fn the_state_stays_small() {
    let usual = run(workstation(LATER)).largest_state;
    assert!(usual < 150, "{usual} bytes");
    let crowd = times(MONDAY, MONDAY + DAY, SECOND).enumerate();
    let worst = run(crowd.map(|(n, time)| query(n as u64 * 0x9e37_79b9_7f4a_7c15, time, 200, 90))).largest_state;
    assert!(worst < 700, "{worst} bytes");
}
