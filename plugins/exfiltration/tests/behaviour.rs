//! What is carried off, and what only looks like it.

use wardflow_sdk::{
    DAY, Direction, Finding, HOUR, MINUTE, PeerRole, PeerScope, Severity, UNKNOWN,
    native::{Dice, Flow, Harness, Run, times},
};

/// A Monday.
const MONDAY: i64 = 19_723 * DAY;
/// After two weeks of which nothing is reported.
const LATER: i64 = MONDAY + 14 * DAY;
const END: i64 = MONDAY + 21 * DAY;
/// Amounts are off by a factor of e.
const OCTAVES: f64 = std::f64::consts::LOG2_E;
const CLOUD: u64 = 10;
const STRANGER: u64 = 66;

fn is_by_day(time: &i64) -> bool {
    (8..17).contains(&time.rem_euclid(DAY).div_euclid(HOUR)) && (time - MONDAY).div_euclid(DAY) % 7 < 5
}

fn to(peer: u64, time: i64, bytes_sent: u64, bytes_received: u64) -> Flow {
    let peer_scope = PeerScope::External;
    Flow { end_time: time + 30_000_000, peer, peer_scope, bytes_sent, bytes_received, ..Flow::at(time) }
}

/// A laboratory analyser: some kilobytes to its maker's cloud, which twelve of its class use, and results inside.
fn analyser(until: i64) -> Vec<Flow> {
    let mut dice = Dice::new(1);
    let cloud = times(MONDAY, until, 2 * HOUR)
        .map(|time| Flow { peer_prevalence: 12, ..to(CLOUD, time, dice.about(3_000.0, OCTAVES), 2_400) });
    let inside = times(MONDAY, until, 5 * MINUTE).map(|time| Flow { bytes_sent: 3_000_000, ..Flow::at(time) });
    cloud.chain(inside).collect()
}

/// A workstation that browses: forty peers a day, a good part of them never seen before, mail with attachments.
fn workstation(until: i64) -> Vec<Flow> {
    let mut dice = Dice::new(2);
    let mut flows = Vec::new();
    for time in times(MONDAY, until, 4 * MINUTE).filter(is_by_day) {
        let site =
            if dice.roll() < 0.2 { 1_000 + time.unsigned_abs() % 100_000 } else { 100 + time.unsigned_abs() % 60 };
        flows.push(to(site, time, dice.about(6_000.0, OCTAVES), dice.about(60_000.0, OCTAVES)));
        if dice.roll() < 0.03 {
            flows.push(to(20_000 + time.unsigned_abs() % 500, time, dice.about(800_000.0, OCTAVES), 20_000));
        }
    }
    flows
}

fn run(flows: impl IntoIterator<Item = Flow>) -> Run {
    Harness::of(wardflow_exfiltration::plugin()).run(flows)
}

/// Asserts the greatest severity that is reported, if any, and that all findings are about one peer.
#[track_caller]
fn check(flows: impl IntoIterator<Item = Flow>, expected: Option<(u64, Severity)>) -> Vec<Finding> {
    let findings: Vec<_> = run(flows).findings.into_iter().map(|found| found.finding).collect();
    let worst = findings.iter().filter_map(|finding| Some((finding.severity?, finding.peer?))).max();
    assert_eq!(worst.map(|(severity, peer)| (peer, severity)), expected, "{findings:#?}");
    assert!(expected.is_some() || findings.is_empty(), "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.peer == expected.map(|(peer, _)| peer)), "{findings:#?}");
    findings
}

fn beside(usual: Vec<Flow>, more: impl IntoIterator<Item = Flow>) -> Vec<Flow> {
    usual.into_iter().chain(more).collect()
}

#[test]
fn megabytes_every_quarter_of_an_hour_are_found_at_once() {
    let uploads = times(LATER, LATER + 3 * DAY, 15 * MINUTE).map(|time| to(STRANGER, time, 6_000_000, 14_000));
    let findings = check(beside(analyser(END), uploads), Some((STRANGER, Severity::High)));
    assert_eq!(findings.len(), 12, "one in each slice");
    assert_eq!(findings[0].severity, Some(Severity::Medium), "{:#?}", findings[0]);
    let last = findings.last().unwrap();
    assert!(last.score > 0.65 && last.confidence > 0.8 && last.flow_count == 24, "{last:#?}");
    assert!(last.summary.starts_with("sent 1.5 GB to a new outside peer on port 443/tcp"), "{}", last.summary);
}

#[test]
fn small_pieces_in_working_hours_add_up_over_days() {
    let pieces = |bytes| {
        let times = times(LATER, END, 15 * MINUTE).filter(is_by_day);
        times.map(move |time| to(STRANGER, time, bytes, 9_000)).collect::<Vec<_>>()
    };
    let findings = check(beside(analyser(END), pieces(250_000)), Some((STRANGER, Severity::Medium)));
    assert!(findings[0].first_time >= LATER + DAY, "{:#?}", findings[0]);
    check(beside(analyser(END), pieces(100_000)), Some((STRANGER, Severity::Low)));
    check(beside(analyser(END), pieces(20_000)), None);
}

#[test]
fn a_known_peer_that_gets_far_more_than_ever_is_found() {
    let more = |bytes| times(LATER, LATER + 4 * HOUR, 15 * MINUTE).map(move |time| to(CLOUD, time, bytes, 9_000));
    check(beside(analyser(END), more(600_000)), None);
    check(beside(analyser(END), more(4_000_000)), Some((CLOUD, Severity::Low)));
    check(beside(analyser(END), more(100_000_000)), Some((CLOUD, Severity::Medium)));
}

#[test]
fn a_share_that_gives_much_may_be_sent_no_more_than_ever() {
    let given = || times(MONDAY, END, HOUR).map(|time| to(STRANGER, time, 40_000, 90_000_000));
    let taken = || times(LATER, LATER + 5 * HOUR, 10 * MINUTE).map(|time| to(STRANGER, time, 170_000_000, 9_000));
    check(beside(analyser(END), given()), None);
    check(beside(analyser(END), given().chain(taken())), Some((STRANGER, Severity::Low)));
    let long_ago = Flow { bytes_received: UNKNOWN, ..to(CLOUD, MONDAY + DAY, 900, 0) };
    let more = times(LATER, LATER + 4 * HOUR, 15 * MINUTE).map(|time| to(CLOUD, time, 100_000_000, 9_000));
    check(beside(analyser(END), more.chain([long_ago])), Some((CLOUD, Severity::Medium)));
}

#[test]
fn who_sends_to_many_more_hides_nothing() {
    let large = to(STRANGER, LATER + HOUR, 5_000_000_000, 90_000);
    let many = (0..80).map(|n| to(5_000 + n, LATER + 2 * HOUR + n as i64 * MINUTE, 260_000, 900));
    let findings = run(beside(analyser(END), many.chain([large])));
    assert_eq!(findings.of_kind("exfiltration")[0].peer, Some(STRANGER), "{:#?}", findings.findings);
}

#[test]
fn thousands_of_peers_in_a_slice_push_out_no_large_one() {
    let large = to(STRANGER, LATER + HOUR, 200_000_000, 4_000);
    let more = to(STRANGER, LATER + 5 * HOUR, 50_000_000, 4_000);
    let many = |(n, time)| to(5_000 + n as u64, time, 2_000, 900);
    let many: Vec<_> = times(LATER + 2 * HOUR, LATER + 4 * HOUR, 2_000_000).enumerate().map(many).collect();
    let sent = |flows: Vec<Flow>| {
        let found = run(beside(analyser(LATER + 6 * HOUR), flows)).findings;
        let found = found.into_iter().find(|found| found.finding.peer == Some(STRANGER)).unwrap().finding;
        (found.flow_count, found.observations[0].measured)
    };
    assert_eq!(sent(many.iter().cloned().chain([large.clone()]).collect()), (1, 200e6));
    assert_eq!(sent(many.into_iter().chain([large, more]).collect()), (2, 250e6), "and comes back");
}

#[test]
fn one_finding_hides_no_many_peers() {
    let one = times(LATER, LATER + 5 * HOUR, 10 * MINUTE).map(|time| to(STRANGER, time, 3_000_000, 10_000));
    let many = (0..120).map(|n| to(5_000 + n % 60, LATER + n as i64 * 2 * MINUTE, 1_000_000, 900));
    let run = run(beside(analyser(LATER + 6 * HOUR), one.chain(many)));
    let peers: Vec<_> = run.findings.iter().map(|found| found.finding.peer).collect();
    assert_eq!(peers, [Some(STRANGER), None], "{:#?}", run.findings);
}

#[test]
fn company_and_ratio_weigh() {
    let upload = |change: fn(Flow) -> Flow| {
        let flows = times(LATER, LATER + 5 * HOUR, 10 * MINUTE).map(|time| to(STRANGER, time, 3_000_000, 10_000));
        beside(analyser(END), flows.map(change).collect::<Vec<_>>())
    };
    check(upload(|flow| flow), Some((STRANGER, Severity::Medium)));
    check(upload(|flow| Flow { peer_prevalence: 9, ..flow }), Some((STRANGER, Severity::Low)));
    check(upload(|flow| Flow { bytes_received: 2_000_000, ..flow }), Some((STRANGER, Severity::Low)));
    check(upload(|flow| Flow { bytes_received: 3_100_000, ..flow }), None);
    check(upload(|flow| Flow { bytes_received: UNKNOWN, ..flow }), Some((STRANGER, Severity::Low)));
    check(upload(|flow| Flow { direction: Direction::Inbound, ..flow }), Some((STRANGER, Severity::Medium)));
    check(upload(|flow| Flow { bytes_sent: UNKNOWN, ..flow }), None);
}

#[test]
fn what_is_declared_or_inside_is_not_judged() {
    let check = |change: fn(Flow) -> Flow| {
        let flows = times(LATER, LATER + DAY, 10 * MINUTE).map(|time| change(to(STRANGER, time, 9_000_000, 10_000)));
        check(beside(analyser(END), flows.collect::<Vec<_>>()), None);
    };
    check(|flow| Flow { peer_group: 1, ..flow });
    check(|flow| Flow { peer_role: PeerRole::RemoteService, ..flow });
    check(|flow| Flow { peer_role: PeerRole::Backup, ..flow });
    check(|flow| Flow { local_role: PeerRole::Proxy, ..flow });
    check(|flow| Flow { local_role: PeerRole::Backup, ..flow });
    for peer_scope in [PeerScope::OtherInternal, PeerScope::Multicast, PeerScope::Broadcast] {
        let flows = times(LATER, LATER + DAY, 10 * MINUTE).map(|time| to(STRANGER, time, 9_000_000, 10_000));
        let run = run(beside(analyser(END), flows.map(|flow| Flow { peer_scope, ..flow })));
        assert_eq!(run.findings, []);
    }
}

#[test]
fn browsing_mail_and_calls_are_quiet() {
    check(workstation(MONDAY + 42 * DAY), None);
    let call = times(LATER, END, 30 * MINUTE).filter(is_by_day);
    let call =
        call.map(|time| Flow { protocol: 17, ..to(9_000 + time.unsigned_abs() % 77, time, 90_000_000, 110_000_000) });
    check(beside(workstation(END), call), None);
}

#[test]
fn a_workstation_hides_no_large_upload() {
    let upload =
        times(LATER + 9 * HOUR, LATER + 11 * HOUR, 10 * MINUTE).map(|time| to(STRANGER, time, 60_000_000, 90_000));
    let run = run(beside(workstation(END), upload));
    let found = &run.of_kind("exfiltration")[0];
    assert_eq!((found.peer, run.findings.len()), (Some(STRANGER), 1), "{:#?}", run.findings);
    assert!(found.severity >= Some(Severity::Medium), "{found:#?}");
}

#[test]
fn a_cloud_that_moves_to_other_addresses_is_low_at_most() {
    let cloud = |from, until, peer| {
        times(from, until, 150_000_000).map(move |time| to(peer, time, 48_000, 2_200)).collect::<Vec<_>>()
    };
    let flows = beside(cloud(MONDAY, LATER, CLOUD), cloud(LATER, END, CLOUD + 1));
    let severity = run(flows).findings.iter().filter_map(|found| found.finding.severity).max();
    assert!(severity <= Some(Severity::Low), "{severity:?}");
}

#[test]
fn a_peer_that_only_takes_is_seen_on_the_first_day() {
    let browsing = || times(MONDAY, MONDAY + 5 * HOUR, 5 * MINUTE).map(|time| to(CLOUD, time, 2_000, 40_000));
    let taken = || {
        times(MONDAY + HOUR, MONDAY + 3 * HOUR, 20 * MINUTE)
            .map(|time| Flow { peer_port: 1_337, ..to(STRANGER, time, 7_000_000, 60) })
    };
    let run = |flows: Vec<Flow>| Harness::of(wardflow_exfiltration::plugin()).run(flows);
    let found = run(browsing().chain(taken()).collect());
    assert_eq!(found.of_kind("exfiltration").iter().map(|found| found.peer).collect::<Vec<_>>(), [Some(STRANGER)]);
    assert_eq!(found.findings[0].finding.severity, Some(Severity::Low));
    let answered = taken().map(|flow| Flow { bytes_received: 200_000, ..flow });
    assert_eq!(run(browsing().chain(answered).collect()).findings, []);
    let web = taken().map(|flow| Flow { peer_port: 443, ..flow });
    assert_eq!(run(browsing().chain(web).collect()).findings, []);
}

#[test]
fn a_class_that_is_known_helps_from_the_first_day() {
    let uploads = times(MONDAY + 2 * HOUR, MONDAY + DAY, 15 * MINUTE).map(|time| to(STRANGER, time, 9_000_000, 9_000));
    let uploads: Vec<_> = uploads.collect();
    check(beside(analyser(MONDAY + DAY), uploads.clone()), Some((STRANGER, Severity::Low)));
    let alone = analyser(MONDAY + DAY).into_iter().map(|flow| Flow { peer_prevalence: 1, ..flow });
    check(alone.chain(uploads), None);
}

#[test]
fn who_was_on_the_shelf_for_weeks_learns_anew() {
    let back = MONDAY + 30 * DAY;
    let elsewhere = times(back, back + 2 * DAY, 15 * MINUTE).map(|time| to(CLOUD + 1, time, 500_000, 2_400));
    let alone = analyser(LATER).into_iter().map(|flow| Flow { peer_prevalence: 1, ..flow });
    check(alone.chain(elsewhere), None);
}

#[test]
fn many_new_peers_are_one_finding() {
    let spread = |peers: i64, bytes| {
        let flows = times(LATER, LATER + 5 * HOUR, MINUTE);
        flows.map(move |time| to(5_000 + (time / MINUTE % peers).unsigned_abs(), time, bytes, 900)).collect::<Vec<_>>()
    };
    let small = run(beside(analyser(END), spread(60, 300_000)));
    assert_eq!(small.kinds(), ["exfiltration"], "{:#?}", small.findings);
    assert_eq!((small.findings[0].finding.peer, small.findings[0].finding.flow_count), (None, 300));
    let large = run(beside(analyser(END), spread(30, 9_000_000)));
    assert_eq!(large.findings.len(), 9, "{:#?}", large.findings);
}

#[test]
fn an_upload_to_thousands_of_peers_is_told_as_a_whole() {
    let many = (0..3_000).map(|n| to(5_000 + n, LATER + n as i64 * 5_000_000, 5_000_000, 900));
    let run = run(beside(analyser(LATER + 6 * HOUR), many));
    let finding = &run.of_kind("exfiltration")[0];
    assert_eq!((finding.peer, finding.severity), (None, Some(Severity::Medium)), "{finding:#?}");
    assert!(finding.observations[0].measured >= 14.9e9, "{finding:#?}");
    assert!(finding.summary.starts_with("sent 15.0 GB to more than "), "{finding:#?}");
}

#[test]
fn the_state_stays_small() {
    let usual = run(analyser(END)).largest_state;
    assert!(usual < 300, "{usual} bytes");
    let crowd = times(MONDAY, MONDAY + 3 * DAY, 5_000_000).enumerate();
    let crowd = crowd.map(|(n, time)| to(n as u64 * 0x9e37_79b9_7f4a_7c15, time, 1_000_000_007 * (n as u64 % 2), 3));
    let worst = run(crowd).largest_state;
    assert!(worst < 10 * 1_024, "{worst} bytes");
}

#[test]
fn the_slice_does_not_matter_to_what_was_learned() {
    let uploads = times(LATER, LATER + DAY, 15 * MINUTE).map(|time| to(STRANGER, time, 6_000_000, 14_000));
    let flows = beside(analyser(LATER + DAY), uploads);
    let last = |slice| {
        let run = Harness::of(wardflow_exfiltration::plugin()).slice(slice).run(flows.clone());
        let finding = run.findings.last().unwrap().finding.clone();
        (finding.score, finding.severity, finding.observations[0].clone())
    };
    assert_eq!(last(6 * HOUR), last(3 * HOUR));
}
