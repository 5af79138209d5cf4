//! When silence is unusual, and when it is not.

use wardflow_sdk::{
    ConnState, DAY, Finding, HOUR, MINUTE, PeerScope, Severity,
    native::{Flow, Harness, Run, times},
};

const MONDAY: i64 = 19_723 * DAY;
/// On a Wednesday.
const LATER: i64 = MONDAY + 16 * DAY + 10 * HOUR;
const END: i64 = MONDAY + 22 * DAY;

/// Contact every minute, day and night.
fn monitor() -> Vec<Flow> {
    times(MONDAY, END, MINUTE).map(Flow::at).collect()
}

/// Contact every two minutes, on working days from 7 to 18.
fn office() -> Vec<Flow> {
    let is_open = |time: &i64| {
        let (day, hour) = ((time - MONDAY) / DAY, (time - MONDAY) / HOUR % 24);
        day % 7 < 5 && (7..18).contains(&hour)
    };
    times(MONDAY, END, 2 * MINUTE).filter(is_open).map(Flow::at).collect()
}

/// Takes away what lies in [`from`, `from` + `length`).
fn silent(flows: Vec<Flow>, from: i64, length: i64) -> Vec<Flow> {
    flows.into_iter().filter(|flow| !(from..from + length).contains(&flow.start_time)).collect()
}

/// Attempts to reach a server that is not there.
fn attempts(from: i64, length: i64) -> impl Iterator<Item = Flow> {
    times(from + MINUTE, from + length, 5 * MINUTE).map(|time| Flow {
        conn_state: ConnState::S0,
        packets_received: 0,
        bytes_received: 0,
        ..Flow::at(time)
    })
}

fn harness() -> Harness {
    Harness::of(wardflow_silence::plugin()).until(END)
}

#[track_caller]
fn check_run(run: Run, expected: &[(&str, Severity)]) -> Vec<Finding> {
    let found: Vec<_> =
        run.findings.iter().map(|found| (found.finding.kind.as_str(), found.finding.severity.unwrap())).collect();
    assert_eq!(found, expected, "{:#?}", run.findings);
    run.findings.into_iter().map(|found| found.finding).collect()
}

#[track_caller]
fn check(flows: Vec<Flow>, expected: &[(&str, Severity)]) -> Vec<Finding> {
    check_run(harness().run(flows), expected)
}

#[test]
fn usual_weeks_report_nothing() {
    for flows in [monitor(), office()] {
        let run = harness().run(flows);
        assert_eq!(run.findings, []);
        assert!(run.ready && run.largest_state < 512, "{} bytes", run.largest_state);
    }
}

#[test]
fn a_monitor_that_falls_silent_is_found() {
    check(silent(monitor(), LATER, 25 * MINUTE), &[]);
    let findings = check(silent(monitor(), LATER, 40 * MINUTE), &[("silence", Severity::Low)]);
    assert!((39.0..42.0).contains(&findings[0].observations[0].measured), "{findings:#?}");
    check(silent(monitor(), LATER, 90 * MINUTE), &[("silence", Severity::Medium)]);
    let cut_off = silent(monitor(), LATER, 40 * MINUTE).into_iter().chain(attempts(LATER, 40 * MINUTE));
    check(cut_off.collect(), &[("silence", Severity::Medium)]);
}

#[test]
fn what_was_reported_is_no_habit_at_once() {
    let nights = (0..3).fold(monitor(), |flows, night| silent(flows, LATER + night * DAY - 8 * HOUR, 2 * HOUR));
    check(nights, &[("silence", Severity::Medium), ("silence", Severity::Medium), ("silence", Severity::Low)]);
}

#[test]
fn what_goes_on_is_told_at_once() {
    let flows: Vec<_> = silent(monitor(), LATER, 3 * DAY).into_iter().chain(attempts(LATER, DAY)).collect();
    let findings = check(flows, &[("silence", Severity::Medium); 2]);
    assert!(findings[0].summary.contains("goes on") && findings[0].confidence <= 0.5, "{findings:#?}");
    assert_eq!(findings[0].first_time, findings[1].first_time, "one cause");
}

#[test]
fn a_device_of_the_day_is_low() {
    check(silent(office(), LATER, HOUR), &[]);
    check(silent(office(), LATER, 2 * HOUR), &[("silence", Severity::Low)]);
}

#[test]
fn who_leaves_and_stays_away_was_put_away() {
    check(silent(monitor(), LATER, 3 * DAY), &[]);
    check(silent(monitor(), LATER, 8 * HOUR), &[("silence", Severity::Medium)]);
    check(silent(monitor(), LATER, 20 * HOUR), &[]);
    check(silent(office(), LATER, 5 * HOUR), &[("silence", Severity::Low)]);
    // To the evening, and over the weekend.
    check(silent(office(), LATER + 5 * HOUR, 3 * HOUR), &[]);
    check(silent(office(), MONDAY + 18 * DAY + 15 * HOUR, 3 * HOUR), &[]);
    // A holiday, and a ward that is closed for days.
    check(silent(office(), MONDAY + 15 * DAY, DAY), &[]);
    check(silent(office(), MONDAY + 14 * DAY, 4 * DAY), &[]);
}

#[test]
fn pauses_that_a_device_makes_are_learned() {
    let transports = |last: i64| {
        let mut flows = monitor();
        for day in 0..9 {
            flows = silent(flows, MONDAY + day * DAY + 9 * HOUR, (20 + day * 5 % 40) * MINUTE);
        }
        silent(flows, LATER, last)
    };
    check(transports(HOUR), &[]);
    check(transports(100 * MINUTE), &[]);
}

#[test]
fn gaps_of_the_sensors_are_no_silence() {
    let flows = silent(monitor(), LATER, 4 * HOUR);
    let run = harness().gap(LATER - MINUTE, LATER + 230 * MINUTE).run(flows.clone());
    check_run(run, &[]);
    let run = harness().gap(LATER, LATER + HOUR).run(flows);
    check_run(run, &[("silence", Severity::Medium)]);
}

#[test]
fn lossy_sensors_and_long_connections_make_no_silence() {
    let lossy = monitor().into_iter().enumerate().filter(|(number, _)| number * number % 7 == 0).map(|(_, flow)| flow);
    check(lossy.collect(), &[]);
    let stream = Flow { end_time: LATER + 2 * HOUR + MINUTE, ..Flow::at(LATER - HOUR) };
    let flows = silent(monitor(), LATER, 2 * HOUR);
    check(flows.into_iter().chain([stream]).collect(), &[]);
}

#[test]
fn a_stream_takes_a_pause_back_whenever_it_ends() {
    let (from, length) = (LATER + 2 * HOUR + HOUR / 2, 90 * MINUTE);
    let flows = silent(monitor(), from, length);
    check(flows.clone(), &[("silence", Severity::Medium)]);
    let stream = |start, end| Flow { end_time: end, ..Flow::at(start) };
    check(flows.iter().cloned().chain([stream(from - HOUR / 2, from + length + HOUR)]).collect(), &[]);
    let later = stream(from + MINUTE, from + length + HOUR);
    check(flows.into_iter().chain([later]).collect(), &[("silence", Severity::Medium)]);
}

#[test]
fn a_single_flow_is_no_use() {
    let flows = silent(office(), LATER, 8 * HOUR);
    let call = Flow::at(LATER + 2 * HOUR);
    check(flows.into_iter().chain([call]).collect(), &[]);
    let announces = |time| Flow { peer_scope: PeerScope::Broadcast, packets_received: 0, ..Flow::at(time) };
    check(times(MONDAY, END, 3 * HOUR).map(announces).collect(), &[]);
}

#[test]
fn who_is_back_after_a_week_is_learned_anew() {
    let until = END + 12 * DAY;
    let flows = monitor().into_iter().chain(times(END + 8 * DAY, until, MINUTE).map(Flow::at)).collect();
    let silent_again = silent(flows, END + 9 * DAY, HOUR);
    let findings = check(silent_again, &[("returning", Severity::Informational)]);
    assert_eq!(findings[0].observations[0].measured.round(), 8.0);
}

#[test]
fn slices_make_no_difference() {
    let run = |slice| {
        let run = harness().slice(slice).run(silent(monitor(), LATER + HOUR, 2 * HOUR));
        run.findings.into_iter().map(|found| (found.finding.severity, found.finding.score)).collect::<Vec<_>>()
    };
    assert_eq!(run(HOUR), run(DAY));
    assert_eq!(run(6 * HOUR).len(), 1);
}
