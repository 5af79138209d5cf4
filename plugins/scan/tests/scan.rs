//! What counts as a scan, and what only looks like one.

use wardflow_sdk::{
    ConnState, Device, Direction, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity,
    native::{Flow, Harness, Run},
};

const ECHO: u16 = 8;

fn harness() -> Harness {
    Harness::of(wardflow_scan::plugin())
}

/// A contact every `every` microseconds, shaped by its number.
fn contacts(count: u64, every: i64, shape: impl Fn(u64, Flow) -> Flow) -> Vec<Flow> {
    (0..count).map(|number| shape(number, Flow::at(number as i64 * every))).collect()
}

fn rejected(flow: Flow) -> Flow {
    Flow { conn_state: ConnState::Rej, bytes_received: 0, packets_received: 1, ..flow }
}

fn silent(flow: Flow) -> Flow {
    Flow { conn_state: ConnState::S0, bytes_received: 0, packets_received: 0, ..flow }
}

fn datagram(flow: Flow) -> Flow {
    Flow { protocol: 17, ..flow }
}

/// Kind, peer, port and protocol.
type Cause<'a> = (&'a str, Option<u64>, Option<u16>, Option<u8>);

/// What is reported.
fn causes(run: &Run) -> Vec<Cause<'_>> {
    let findings = run.findings.iter().map(|found| &found.finding);
    findings.map(|finding| (finding.kind.as_str(), finding.peer, finding.peer_port, finding.protocol)).collect()
}

#[test]
fn scans_are_reported() {
    let check = |flows: Vec<Flow>, expected: &[Cause<'_>]| {
        assert_eq!(causes(&harness().run(flows)), expected);
    };
    let on_445 = |number: u64, flow: Flow| silent(Flow { peer: number, peer_port: 445, ..flow });
    check(contacts(50, SECOND, on_445), &[("horizontal-scan", None, Some(445), Some(6))]);
    check(contacts(9, 2 * HOUR / 9, on_445), &[("horizontal-scan", None, Some(445), Some(6))]);
    check(
        contacts(50, SECOND, |number, flow| rejected(Flow { peer: 7, peer_port: number as u16 + 1, ..flow })),
        &[("vertical-scan", Some(7), None, Some(6))],
    );
    check(
        contacts(50, SECOND, |number, flow| {
            silent(Flow { peer: number, protocol: 1, local_port: ECHO, peer_port: 0, ..flow })
        }),
        &[("horizontal-scan", None, None, Some(1))],
    );
    check(
        contacts(50, SECOND, |number, flow| datagram(silent(Flow { peer: number, peer_port: 161, ..flow }))),
        &[("horizontal-scan", None, Some(161), Some(17))],
    );
    // Every port of every peer is one cause in each direction.
    check(
        contacts(100 * 100, SECOND / 10, |number, flow| {
            rejected(Flow { peer: number / 100, peer_port: (number % 100) as u16 + 1, ..flow })
        }),
        &[("horizontal-scan", None, None, Some(6)), ("vertical-scan", None, None, Some(6))],
    );
}

#[test]
fn look_alikes_are_not() {
    let check = |name: &str, flows: Vec<Flow>| assert_eq!(causes(&harness().run(flows)), [], "{name}");
    check("browsing, one server in five dead", {
        contacts(2_000, 20 * SECOND, |number, flow| match number % 5 {
            0 => silent(Flow { peer: number, ..flow }),
            _ => Flow { peer: number, ..flow },
        })
    });
    check("one dead server", contacts(5_000, 10 * SECOND, |_, flow| silent(flow)));
    check("a flood of one service", contacts(50_000, SECOND / 1_000, |_, flow| silent(flow)));
    check(
        "dead servers among new ones, in turn for weeks",
        contacts(3_000, 10 * MINUTE, |number, flow| match number % 3 {
            0 => Flow { peer: number, ..flow },
            _ => silent(Flow { peer: number % 3, ..flow }),
        }),
    );
    check("discovery by multicast and broadcast", {
        contacts(1_000, SECOND, |number, flow| {
            let peer_scope = if number % 2 == 0 { PeerScope::Multicast } else { PeerScope::Broadcast };
            datagram(silent(Flow { peer: number, peer_scope, peer_port: 5_353, ..flow }))
        })
    });
    check("peers with a port each, half of them gone", {
        contacts(4_000, SECOND, |number, flow| {
            let flow = Flow { peer: number, peer_port: 10_000 + (number * 7_919 % 50_000) as u16, ..flow };
            if number % 2 == 0 { silent(flow) } else { flow }
        })
    });
    check("time servers of a pool, none of which answers", {
        contacts(200, 20 * MINUTE, |number, flow| datagram(silent(Flow { peer: number, peer_port: 123, ..flow })))
    });
    check("traceroute", {
        contacts(90, SECOND, |number, flow| datagram(silent(Flow { peer_port: 33_434 + number as u16, ..flow })))
    });
    check("being scanned", {
        contacts(500, SECOND, |number, flow| {
            let direction = Direction::Inbound;
            rejected(Flow { direction, peer: number, peer_port: 50_000, local_port: number as u16, ..flow })
        })
    });
    check("flows of which the start was not seen", {
        contacts(500, SECOND, |number, flow| Flow {
            conn_state: ConnState::Oth,
            packets_received: 0,
            peer: number,
            ..flow
        })
    });
    check("too slow to tell", contacts(30, 25 * HOUR, |number, flow| silent(Flow { peer: number, ..flow })));
}

#[test]
fn haste_is_reported_though_most_is_answered() {
    let check = |every: i64, one_in: u64, expected: &[Cause<'_>]| {
        let run = harness().run(contacts(40, every, |number, flow| {
            let flow = Flow { peer: number, peer_port: 80, ..flow };
            if number % one_in == 1 { silent(flow) } else { flow }
        }));
        assert_eq!(causes(&run), expected, "every {every} us, one in {one_in} fails");
        assert!(run.findings.iter().all(|found| found.finding.severity == Some(Severity::Low)), "{run:?}");
    };
    check(SECOND / 4, 2, &[("horizontal-scan", None, Some(80), Some(6))]);
    check(SECOND, 2, &[]);
    check(SECOND / 4, 5, &[]);
}

#[test]
fn a_connection_of_long_ago_makes_no_haste() {
    let mut flows = contacts(12, 11 * SECOND, |number, flow| silent(Flow { peer: number, peer_port: 80, ..flow }));
    let answered = contacts(12, 11 * SECOND, |number, flow| Flow { peer: 100 + number, peer_port: 80, ..flow });
    flows.extend(answered);
    let long = Flow { peer: 1_000, peer_port: 80, end_time: HOUR, ..Flow::at(0) };
    flows.push(long);
    assert_eq!(causes(&harness().run(flows)), []);
}

#[test]
fn a_device_that_the_internet_reaches_is_reported() {
    let outside = |number: u64, flow: Flow| Flow {
        direction: Direction::Inbound,
        peer: 10_000 + number,
        peer_scope: PeerScope::External,
        peer_port: 50_000,
        local_port: 20 + (number % 10) as u16,
        ..flow
    };
    let tries = |count| contacts(count, MINUTE, |number, flow| silent(outside(number, flow)));
    let found = |flows| harness().run(flows).findings.into_iter().map(|found| found.finding).collect::<Vec<_>>();
    let findings = found(tries(60));
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = &findings[0];
    assert_eq!((finding.kind.as_str(), finding.severity), ("scanned-from-outside", None), "as the manifest says");
    assert_eq!(finding.summary, "60 hosts outside tried 10 TCP ports of the device in vain");
    assert_eq!((finding.first_time, finding.flow_count, finding.cause_key.as_str()), (0, 60, "outside"));
    assert!((0.3..0.6).contains(&finding.score), "{finding:?}");
    let quiet = |name: &str, flows| assert_eq!(found(flows), [], "{name}");
    quiet("eight", tries(8));
    quiet("three ports", tries(60).into_iter().filter(|flow| flow.local_port < 23).collect());
    let change = |change: fn(Flow) -> Flow| tries(60).into_iter().map(change).collect::<Vec<_>>();
    quiet("from inside", change(|flow| Flow { peer_scope: PeerScope::OtherInternal, ..flow }));
    quiet("answered", change(|flow| Flow { conn_state: ConnState::Sf, packets_received: 9, ..flow }));
    quiet("late packets", change(|flow| Flow { conn_state: ConnState::Oth, ..flow }));
    quiet("datagrams", change(datagram));
    quiet("remote service", change(|flow| Flow { peer_role: PeerRole::RemoteService, ..flow }));
    quiet("NAT", change(|flow| Flow { local_role: PeerRole::Nat, ..flow }));
    let calls = |number: u64, flow| Flow { peer: 10_000 + number, peer_scope: PeerScope::External, ..flow };
    quiet("hosts that it contacts", tries(60).into_iter().chain(contacts(60, MINUTE, calls)).collect());
    // A server outside of its hours: its ports answered on the day before.
    let serve = contacts(60, MINUTE, |number, flow| outside(number % 10, flow));
    let later = tries(60).into_iter();
    let later =
        later.map(|flow| Flow { start_time: flow.start_time + 24 * HOUR, end_time: flow.end_time + 24 * HOUR, ..flow });
    quiet("a server that is down", serve.into_iter().chain(later).collect());
}

#[test]
fn ordinary_traffic_does_not_hide_a_scan() {
    let flows = contacts(3_000, 10 * SECOND, |number, flow| match number % 3 {
        0 => silent(Flow { peer: 1_000_000 + number, peer_port: 22, ..flow }),
        _ => Flow { peer: number, ..flow },
    });
    let run = harness().run(flows);
    let is_ssh_scan = |cause: &_| *cause == ("horizontal-scan", None, Some(22), Some(6));
    assert_eq!(run.findings.len(), run.slices, "one finding a slice");
    assert!(causes(&run).iter().all(is_ssh_scan), "{:?}", causes(&run));
}

#[test]
fn a_finding_says_what_the_flows_show() {
    let run = harness().run(contacts(182, SECOND, |number, flow| {
        let flow = Flow { peer: number, peer_port: 22, ..flow };
        if number % 10 == 9 { flow } else { rejected(flow) }
    }));
    let finding = &run.findings[0].finding;
    assert_eq!(finding.summary, "tried many peers on TCP port 22: 164 of 182 tries failed");
    assert_eq!((finding.first_time, finding.last_time, finding.flow_count), (0, 181 * SECOND, 164));
    assert_eq!(finding.examples[..3], [0, 1, 2]);
    assert!(finding.score > 0.9 && finding.confidence > 0.8, "{finding:?}");
}

#[test]
fn flows_that_try_again_are_counted_as_flows_and_not_as_tries() {
    let run =
        harness().run(contacts(180, SECOND, |number, flow| silent(Flow { peer: number / 3, peer_port: 23, ..flow })));
    let finding = &run.findings[0].finding;
    // Those of the first eight are of peers that are as yet in no scan.
    assert_eq!(
        (finding.summary.as_str(), finding.flow_count),
        ("tried many peers on TCP port 23: 60 of 60 tries failed", 180 - 16)
    );
}

#[test]
fn a_slow_scan_is_seen_over_many_slices() {
    let run = harness().run(contacts(30, 7 * HOUR, |number, flow| silent(Flow { peer: number, ..flow })));
    assert_eq!(run.kinds().len(), 30 - 8, "from the ninth contact on, each in a slice of its own");
}

#[test]
fn a_device_that_is_meant_to_scan_is_left_alone() {
    let scan = contacts(500, SECOND, |number, flow| silent(Flow { peer: number, ..flow }));
    let device = Device { class: "Vulnerability-Scanner".into(), ..Device::default() };
    assert_eq!(harness().device(device).run(scan.clone()).kinds(), <[&str; 0]>::default());
    let all = harness().parameter("exempt_classes", serde_json::json!([]));
    assert_eq!(all.run(scan.clone()).kinds(), ["horizontal-scan"]);
    let declared = |local_role| {
        let run = harness().run(scan.iter().map(|flow| Flow { local_role, ..flow.clone() }));
        run.findings.len()
    };
    assert_eq!(declared(PeerRole::Scanner) + declared(PeerRole::NetworkManagement), 0);
    assert_eq!(declared(PeerRole::RemoteService), 1);
}

#[test]
fn the_score_is_that_of_the_likelihood_ratio() {
    let score = |failed, answered| {
        let flows = contacts(failed + answered, SECOND, |number, flow| {
            let flow = Flow { peer: number, peer_port: 22, ..flow };
            if number < failed { rejected(flow) } else { flow }
        });
        harness().run(flows).findings[0].finding.score
    };
    assert!((score(20, 0) - 40.0 / 60.0).abs() < 1e-9, "{}", score(20, 0));
    assert!((score(20, 5) - 30.0 / 50.0).abs() < 1e-9, "{}", score(20, 5));
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let plugin = wardflow_scan::plugin().unwrap();
    let parameters = r#"{"false_positive_rate": 0.01, "missed_rate": 0.01, "answered_normally": 0.3,
        "answered_scanning": 0.4, "patience_hours": 24, "exempt_classes": []}"#;
    let error = plugin.open(&Device::default(), parameters, None).err().unwrap();
    assert!(format!("{error:?}").contains("answered_scanning is 0.4 and answered_normally is 0.3"), "{error:?}");
}

#[test]
fn the_worst_device_needs_little_memory() {
    let run = harness().run(contacts(60_000, SECOND / 4, |number, flow| {
        let flow =
            Flow { peer: number.wrapping_mul(0x9e37_79b9_7f4a_7c15), peer_port: (number % 5_000) as u16, ..flow };
        if number % 2 == 0 { silent(flow) } else { flow }
    }));
    assert!(run.largest_state < 12 * 1_024, "{}", run.largest_state);
}
