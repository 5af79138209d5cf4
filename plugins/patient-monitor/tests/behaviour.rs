//! A monitor's usual weeks, and what is reported when one thing changes.

use wardflow_sdk::{
    ConnState, DAY, Device, Direction, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, Slice, name_id,
    native::{Batch, Dice, Flow, Harness, Run, times},
};

use Severity::{High, Low, Medium};

/// A Monday, 00:00.
const MONDAY: i64 = 19_723 * DAY;
/// Learning is over by then.
const LATER: i64 = MONDAY + 6 * DAY;
const END: i64 = MONDAY + 8 * DAY;

const STATION: u64 = 10;
const GATEWAY: u64 = 11;
const CLOCK: u64 = 12;
const LOGS: u64 = 14;
const STRANGER: u64 = 66;

const CONTACT: &str = "contact-outside-groups";
const CHANGED: &str = "central-changed";
const LOST: &str = "continuity-lost";
const SERVICE: &str = "new-service";

fn to(peer: u64, peer_group: u16, peer_port: u16, time: i64) -> Flow {
    let local_port = 40_000 + (time / SECOND).rem_euclid(20_000) as u16;
    Flow { peer, peer_group, peer_port, local_port, bytes_sent: 1_400, bytes_received: 160, ..Flow::at(time) }
}

/// A flow that a peer in no group opened to a port of the monitor.
fn from(peer: u64, local_port: u16, time: i64) -> Flow {
    Flow { direction: Direction::Inbound, local_port, peer_port: 50_123, ..to(peer, 0, 0, time) }
}

/// A piece of a stream of waves, of ten minutes until `time`.
fn waves(peer: u64, peer_group: u16, time: i64) -> Flow {
    Flow {
        start_time: time - 10 * MINUTE,
        bytes_sent: 7_000_000,
        conn_state: ConnState::Oth,
        ..to(peer, peer_group, 4601, time)
    }
}

fn workstation(flow: Flow) -> Flow {
    Flow { peer_class: name_id("workstation"), ..flow }
}

fn outside(flow: Flow) -> Flow {
    Flow { peer_scope: PeerScope::External, ..flow }
}

fn usual(until: i64) -> Vec<Flow> {
    let stream = times(MONDAY + 10 * MINUTE, until, 10 * MINUTE).map(|t| waves(STATION, 1, t));
    let signs = times(MONDAY + 7 * SECOND, until, MINUTE).map(|t| to(GATEWAY, 2, 2575, t));
    let clock = times(MONDAY, until, 17 * MINUTE).map(|t| Flow { protocol: 17, ..to(CLOCK, 3, 123, t) });
    let logs = times(MONDAY + 11 * MINUTE, until, 6 * HOUR).map(|t| to(LOGS, 0, 6_514, t));
    stream.chain(signs).chain(clock).chain(logs).collect()
}

fn harness() -> Harness {
    let device = Device { pseudonym: 1, class: "patient-monitor".into(), ..Device::default() };
    Harness::of(wardflow_patient_monitor::plugin()).device(device).until(END)
}

/// Kind and severity of each cause, in order.
fn reported(run: &Run) -> Vec<(&str, Severity)> {
    run.findings.iter().map(|found| (found.finding.kind.as_str(), found.finding.severity.unwrap())).collect()
}

/// Asserts what is reported of usual weeks with some flows more.
#[track_caller]
fn check(more: impl IntoIterator<Item = Flow>, expected: &[(&str, Severity)]) {
    let run = harness().run(usual(END).into_iter().chain(more));
    assert_eq!(reported(&run), expected, "{:#?}", run.findings);
}

#[test]
fn a_usual_week_is_learned_and_reports_nothing() {
    let run = harness().run(usual(END));
    assert_eq!(run.findings, []);
    assert!(run.ready && run.learned >= 1.0, "{}", run.learned);
    assert!(run.largest_state < 512, "{} bytes", run.largest_state);
}

#[test]
fn workstations_and_the_internet_are_reported_from_the_first_day() {
    for time in [MONDAY + HOUR, LATER] {
        check([workstation(from(STRANGER, 8_443, time))], &[(CONTACT, High)]);
        check([workstation(to(STRANGER, 0, 445, time))], &[(CONTACT, High)]);
        check([outside(to(STRANGER, 0, 515, time))], &[(CONTACT, High)]);
        let failed = Flow { conn_state: ConnState::Rej, ..from(STRANGER, 22, time) };
        check([workstation(failed)], &[(CONTACT, Low)]);
    }
    let visits = times(MONDAY + HOUR, END, DAY).map(|time| workstation(from(STRANGER, 8_443, time)));
    check(visits, &[(CONTACT, High); 8]);
}

#[test]
fn other_internal_peers_are_reported_after_learning() {
    check([from(STRANGER, 22, MONDAY + HOUR)], &[]);
    check([from(STRANGER, 22, LATER)], &[(CONTACT, Medium)]);
    check([from(STRANGER, 8_443, LATER)], &[(CONTACT, Low)]);
    check([to(STRANGER, 0, 443, LATER)], &[(CONTACT, Low)]);
    check([Flow { peer_prevalence: 3, ..to(STRANGER, 0, 443, LATER) }], &[]);
    let habit = [MONDAY + HOUR, MONDAY + DAY, LATER];
    check(habit.map(|time| from(STRANGER, 22, time)), &[]);
}

#[test]
fn declared_hosts_are_not_judged() {
    let role = |peer_role| move |flow: Flow| Flow { peer_role, ..flow };
    for peer_role in [PeerRole::Scanner, PeerRole::NetworkManagement, PeerRole::Backup, PeerRole::RemoteService] {
        check((1..500).map(|port| role(peer_role)(from(STRANGER, port, LATER))), &[]);
    }
    check([Flow { peer_scope: PeerScope::Multicast, protocol: 17, ..to(STRANGER, 0, 4_600, LATER) }], &[]);
    check([Flow { protocol: 17, local_port: 68, ..to(STRANGER, 0, 67, LATER) }], &[]);
    check([Flow { protocol: 17, ..to(STRANGER, 0, 67, LATER) }], &[(CONTACT, Low)]);
    check([Flow { protocol: 1, local_port: 8, peer_port: 0, ..from(STRANGER, 8, LATER) }], &[]);
}

#[test]
fn new_services_are_reported_after_learning() {
    check([to(STATION, 1, 21, MONDAY + HOUR)], &[]);
    check([to(STATION, 1, 21, LATER)], &[(SERVICE, Low)]);
    check([Flow { peer_group: 1, ..from(STATION, 23, LATER) }], &[(SERVICE, Medium)]);
    check([from(LOGS, 8_080, LATER)], &[(SERVICE, Low)]);
    check([Flow { conn_state: ConnState::S0, ..from(LOGS, 8_080, LATER) }], &[]);
}

#[test]
fn telemetry_beside_the_station_is_reported() {
    let day = LATER + 6 * HOUR;
    check([waves(STRANGER, 0, day + 40 * MINUTE)], &[(CONTACT, Low), (CHANGED, High)]);
    let other_port = Flow { peer_port: 9_000, bytes_sent: 40_000_000, ..to(STRANGER, 0, 9_000, day) };
    check([other_port], &[(CONTACT, Low), (CHANGED, High)]);
    let pulled = Flow { bytes_sent: 40_000_000, ..from(STRANGER, 8_443, day) };
    check([workstation(pulled)], &[(CONTACT, High), (CHANGED, High)]);
    check([Flow { bytes_sent: 40_000_000, ..to(GATEWAY, 2, 2575, day) }], &[(CHANGED, High)]);
    let numbers = |peer_group| {
        let numbers = times(day, day + HOUR, 2 * MINUTE).map(move |time| to(STRANGER, peer_group, 2575, time));
        numbers.collect::<Vec<_>>()
    };
    check(numbers(0), &[(CONTACT, Low), (CHANGED, Medium)]);
    check(numbers(2), &[]);
    check([Flow { bytes_sent: 2_000_000, ..to(LOGS, 0, 6_514, day) }], &[]);
}

#[test]
fn three_monitors_that_send_to_a_thief_make_no_station_of_him() {
    let first = LATER + 6 * HOUR + 40 * MINUTE;
    let wave = |time, peer_prevalence| Flow { peer_prevalence, ..waves(STRANGER, 0, time) };
    let run = harness().run(usual(END).into_iter().chain([wave(first, 0), wave(first + 6 * HOUR, 3)]));
    assert_eq!(run.of_kind(CHANGED).len(), 2, "{:#?}", run.findings);
    let run = harness().run(usual(END).into_iter().chain([wave(first, 3), wave(first + 6 * HOUR, 3)]));
    assert_eq!(run.of_kind(CHANGED).len(), 0, "{:#?}", run.findings);
}

#[test]
fn telemetry_in_place_of_the_station_is_reported() {
    let (from, until) = (LATER + 6 * HOUR, LATER + 12 * HOUR);
    let moved = |peer_group, peer_class: &str, peer_prevalence| {
        let flows = usual(END).into_iter().map(|flow| {
            let is_moved = flow.peer == STATION && (from..until).contains(&flow.end_time);
            let other = Flow { peer: 77, peer_group, peer_class: name_id(peer_class), peer_prevalence, ..flow.clone() };
            if is_moved { other } else { flow }
        });
        harness().run(flows)
    };
    let kinds = |run: Run| run.findings.into_iter().map(|found| found.finding.kind).collect::<Vec<_>>();
    let replaced = moved(0, "", 0);
    assert_eq!(replaced.of_kind(CHANGED)[0].severity, Some(Medium), "{:#?}", replaced.findings);
    assert_eq!(replaced.of_kind(CHANGED).len(), 1);
    assert_eq!(kinds(moved(1, "", 0)), [""; 0]);
    assert_eq!(kinds(moved(0, "central-station", 0)), [""; 0]);
    assert_eq!(moved(0, "", 3).of_kind(CHANGED).len(), 0);
}

/// A usual week in which, from `from` until `until`, no flow is left but those that `stays` keeps.
fn silent(from: i64, until: i64, stays: fn(&Flow) -> bool) -> Vec<Flow> {
    let mut flows = usual(END);
    flows.retain(|flow| !(from..=until).contains(&flow.end_time) || stays(flow));
    flows
}

#[test]
fn a_monitor_on_the_network_without_its_station_is_reported() {
    let check = |minutes, expected: &[(&str, Severity)]| {
        let from = LATER + 7 * HOUR + MINUTE;
        let run = harness().run(silent(from, from + minutes * MINUTE, |flow| flow.peer != STATION));
        assert_eq!(reported(&run), expected, "{minutes} min: {:#?}", run.findings);
    };
    check(10, &[]);
    check(30, &[(LOST, Low)]);
    check(100, &[(LOST, Medium)]);
    check(8 * 60, &[(LOST, Medium), (LOST, Medium)]);
}

#[test]
fn a_sensor_that_loses_flows_is_no_loss_of_contact() {
    let lost = |minutes: i64| {
        let mut dice = Dice::new(7);
        let mut flows = usual(END);
        flows.retain(|flow| flow.peer != STATION);
        for time in times(MONDAY + 30 * MINUTE, END, 30 * MINUTE) {
            let from = LATER + 8 * HOUR;
            if dice.roll() > 0.1 && !(from..from + minutes * MINUTE).contains(&time) {
                flows.push(Flow { start_time: time - 30 * MINUTE, ..waves(STATION, 1, time) });
            }
        }
        reported(&harness().run(flows)).len()
    };
    assert_eq!([lost(0), lost(60), lost(200)], [0, 0, 1]);
}

#[test]
fn a_monitor_that_is_carried_along_or_switched_off_is_not() {
    let check = |minutes, expected: &[(&str, Severity)]| {
        let from = LATER + 7 * HOUR + MINUTE;
        let run = harness().run(silent(from, from + minutes * MINUTE, |_| false));
        assert_eq!(reported(&run), expected, "{minutes} min: {:#?}", run.findings);
    };
    check(45, &[]);
    check(120, &[(LOST, Low)]);
    check(8 * 60, &[(LOST, Low)]);
    check(13 * 60, &[]);
    check(26 * 60, &[]);
    let from = LATER + 7 * HOUR + MINUTE;
    let moved = silent(from, from + 45 * MINUTE, |flow| flow.peer != STATION);
    let pauses = moved.iter().filter(|flow| !(from..from + 12 * MINUTE).contains(&flow.end_time)).cloned();
    assert_eq!(harness().run(pauses).findings, []);
    let asks = |local_port| {
        let flow = to(9, 0, 67, from + 20 * MINUTE);
        moved.iter().cloned().chain([Flow { protocol: 17, local_port, peer_scope: PeerScope::Broadcast, ..flow }])
    };
    assert_eq!(harness().run(asks(68)).findings, []);
    assert_ne!(harness().run(asks(50_000)).findings, []);
}

#[test]
fn gaps_of_the_sensors_are_no_break() {
    let check = |from: i64, length: i64, until: i64, kinds: &[&str]| {
        let flows = silent(from, from + length, |flow| flow.peer != STATION);
        let run = harness().gap(from - 10 * MINUTE, until).run(flows);
        assert_eq!(run.kinds(), kinds, "{:#?}", run.findings);
    };
    let from = LATER + 10 * HOUR;
    check(from, 90 * MINUTE, from + 2 * HOUR, &[]);
    check(from, 4 * HOUR, from + 5 * HOUR, &[]);
    check(from, 4 * HOUR, from + HOUR, &[LOST, LOST]);
}

#[test]
fn breaks_that_are_usual_are_learned() {
    let mut flows = usual(END);
    flows.retain(|flow| flow.peer != STATION || (flow.end_time / HOUR).rem_euclid(6) != 4);
    assert_eq!(harness().run(flows).findings, []);
}

#[test]
fn connections_that_are_recorded_at_their_end_are_no_breaks() {
    let daily = times(MONDAY + DAY, END + DAY, DAY).map(|time| Flow {
        start_time: time - DAY,
        end_time: time - SECOND,
        bytes_sent: 1_000_000_000,
        ..to(STATION, 1, 4601, time)
    });
    let polls = times(MONDAY + 9 * MINUTE, END, HOUR).map(|time| to(STATION, 1, 443, time));
    let others = usual(END).into_iter().filter(|flow| flow.peer != STATION);
    assert_eq!(harness().run(others.chain(polls).chain(daily)).findings, []);
}

#[test]
fn without_groups_the_station_is_who_is_sent_most() {
    let unmapped = || usual(END).into_iter().map(|flow| Flow { peer_group: 0, ..flow });
    assert_eq!(harness().run(unmapped()).findings, []);
    let check = |more: Flow, expected: &[(&str, Severity)]| {
        let run = harness().run(unmapped().chain([more]));
        assert_eq!(reported(&run), expected, "{:#?}", run.findings);
    };
    check(workstation(from(STRANGER, 22, LATER)), &[(CONTACT, Medium)]);
    check(outside(to(STRANGER, 0, 443, MONDAY + HOUR)), &[(CONTACT, Medium)]);
    let copy = waves(STRANGER, 0, LATER + 7 * HOUR);
    check(copy.clone(), &[(CONTACT, Low), (CHANGED, Medium)]);
    check(Flow { peer_prevalence: 1, ..copy }, &[(CONTACT, Low)]);
    let from = LATER + 7 * HOUR + MINUTE;
    let gone = unmapped().filter(|flow| flow.peer != STATION || !(from..from + 2 * HOUR).contains(&flow.end_time));
    assert_eq!(reported(&harness().run(gone)), [(LOST, Medium)]);
}

#[test]
fn many_causes_are_capped_and_the_state_stays_small() {
    let strangers = (0..3_000).map(|n| from(1_000 + n, 8_443, LATER + n as i64 * SECOND));
    let run = harness().run(usual(END).into_iter().chain(strangers));
    assert_eq!(run.findings.len(), 9, "{:#?}", run.findings);
    let strangers = times(MONDAY, MONDAY + 3 * DAY, 3 * SECOND);
    let strangers = strangers.map(|time| from(time.unsigned_abs(), (time % 60_000) as u16, time));
    let run = harness().run(usual(END).into_iter().chain(strangers));
    assert!(run.largest_state < 6 * 1_024, "{} bytes", run.largest_state);
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let plugin = wardflow_patient_monitor::plugin().unwrap();
    let check = |least: u32, transport: u32| {
        let parameters = format!(
            r#"{{"learning_hours":96,"least_flows":300,"break_minutes":{least},"transport_minutes":{transport},
            "shelved_hours":6}}"#
        );
        let error = plugin.open(&Device::default(), &parameters, None).err().map(|error| format!("{error:?}"));
        assert!(error.as_ref().is_some_and(|error| error.contains("longer than the one before")), "{error:?}");
    };
    check(90, 60);
    check(15, 360);
}

#[test]
fn batches_may_be_cut_anywhere() {
    let mut flows = usual(MONDAY + 6 * HOUR);
    flows.extend([workstation(from(STRANGER, 22, MONDAY + HOUR)), outside(to(STRANGER, 0, 443, MONDAY + HOUR))]);
    flows.sort_by_key(|flow| flow.end_time);
    let run = |length: usize| {
        let plugin = wardflow_patient_monitor::plugin().unwrap();
        let parameters = r#"{"learning_hours":96,"least_flows":300,"break_minutes":15,"transport_minutes":60,
            "shelved_hours":6}"#;
        let mut session = plugin.open(&Device::default(), parameters, None).unwrap();
        let mut findings = Vec::new();
        for (number, chunk) in flows.chunks(length).enumerate() {
            findings.extend(session.observe(&Batch::new((number * length) as u32, chunk)));
        }
        findings.extend(session.end_slice(&Slice { start: MONDAY, end: MONDAY + 6 * HOUR, gaps: &[] }));
        (findings, session.save())
    };
    let whole = run(flows.len());
    assert_eq!(whole.0.len(), 2, "{:#?}", whole.0);
    for length in [1, 7, 100] {
        assert_eq!(run(length), whole, "{length}");
    }
}
