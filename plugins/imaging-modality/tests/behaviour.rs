//! A modality's usual weeks, and what is reported when one thing changes.

use wardflow_sdk::{
    ConnState, DAY, Device, Direction, HOUR, MINUTE, PeerRole, PeerScope, SECOND, Severity, Slice, name_id,
    native::{Batch, Flow, Harness, Run, times},
};

use Severity::{High, Low, Medium};

/// A Monday, 00:00.
const MONDAY: i64 = 19_723 * DAY;
/// Learning is over by then. A Friday.
const LATER: i64 = MONDAY + 11 * DAY;
const END: i64 = MONDAY + 13 * DAY;

const PACS: u64 = 10;
const RIS: u64 = 11;
const CLOCK: u64 = 12;
const CLOUD: u64 = 13;
const VIEWER: u64 = 14;
const ENGINEER: u64 = 15;
const STRANGER: u64 = 66;

const DICOM: &str = "dicom-outside-groups";
const CONTACT: &str = "contact-outside-groups";
const BULK: &str = "bulk-retrieval";
const HOURS: &str = "unusual-hours";
const SERVICE: &str = "new-service";

fn to(peer: u64, peer_group: u16, peer_port: u16, time: i64) -> Flow {
    let local_port = 40_000 + (time / SECOND).rem_euclid(20_000) as u16;
    Flow { peer, peer_group, peer_port, local_port, bytes_sent: 2_000, bytes_received: 3_000, ..Flow::at(time) }
}

/// A flow that a peer in no group opened to a port of the modality.
fn from(peer: u64, local_port: u16, time: i64) -> Flow {
    Flow { direction: Direction::Inbound, local_port, peer_port: 50_123, ..to(peer, 0, 0, time) }
}

fn workstation(flow: Flow) -> Flow {
    Flow { peer_class: name_id("workstation"), ..flow }
}

fn outside(flow: Flow) -> Flow {
    Flow { peer_scope: PeerScope::External, ..flow }
}

fn is_day(time: &i64) -> bool {
    (7..18).contains(&(time.rem_euclid(DAY) / HOUR))
}

/// What a modality does: worklist, bursts of images by day, confirmations by the archive, the maker's cloud, a viewing
/// workstation that opens associations by day.
fn usual() -> Vec<Flow> {
    let worklist = times(MONDAY, END, 10 * MINUTE).filter(is_day).map(|t| to(RIS, 2, 104, t));
    let images = times(MONDAY + 8 * MINUTE, END, 25 * MINUTE)
        .filter(is_day)
        .flat_map(|t| (0..12).map(move |n| Flow { bytes_sent: 40_000_000, ..to(PACS, 1, 11_112, t + n * SECOND) }));
    let kept = times(MONDAY + 9 * MINUTE, END, HOUR).filter(is_day);
    let kept = kept.map(|t| Flow { peer_group: 1, ..from(PACS, 104, t) });
    let clock = times(MONDAY, END, 17 * MINUTE).map(|t| Flow { protocol: 17, ..to(CLOCK, 3, 123, t) });
    let cloud = times(MONDAY + 5 * MINUTE, END, HOUR).map(|t| outside(to(CLOUD, 0, 443, t)));
    let viewer = times(MONDAY + 11 * MINUTE, END, 2 * HOUR).filter(is_day);
    let viewer = viewer.map(|t| workstation(Flow { bytes_sent: 30_000_000, ..from(VIEWER, 104, t) }));
    worklist.chain(images).chain(kept).chain(clock).chain(cloud).chain(viewer).collect()
}

fn harness() -> Harness {
    let device = Device { pseudonym: 1, class: "imaging-modality".into(), ..Device::default() };
    Harness::of(wardflow_imaging_modality::plugin()).device(device).until(END)
}

fn run(more: impl IntoIterator<Item = Flow>) -> Run {
    harness().run(usual().into_iter().chain(more))
}

/// Asserts what is reported of usual weeks with some flows more: kind and severity of each cause, in order.
#[track_caller]
fn check(more: impl IntoIterator<Item = Flow>, expected: &[(&str, Severity)]) {
    let run = run(more);
    let found = run.findings.iter().map(|found| &found.finding);
    let reported: Vec<_> = found.map(|finding| (finding.kind.as_str(), finding.severity.unwrap())).collect();
    assert_eq!(reported, expected, "{:#?}", run.findings);
}

#[test]
fn usual_weeks_are_learned_and_report_nothing() {
    let run = run([]);
    assert_eq!(run.findings, []);
    assert!(run.ready && run.learned >= 1.0, "{}", run.learned);
    assert!(run.largest_state < 1_024, "{} bytes", run.largest_state);
}

#[test]
fn the_internet_never_may_come_in() {
    for time in [MONDAY + 9 * HOUR, LATER + 9 * HOUR] {
        check([outside(from(STRANGER, 22, time))], &[(CONTACT, High)]);
        check([outside(from(STRANGER, 104, time))], &[(DICOM, High)]);
        let failed = Flow { conn_state: ConnState::S0, ..outside(from(STRANGER, 22, time)) };
        check([failed], &[(CONTACT, Low)]);
    }
    let each_day = times(MONDAY + 9 * HOUR, END, DAY).map(|time| outside(from(STRANGER, 22, time)));
    check(each_day, &[(CONTACT, High); 13]);
}

#[test]
fn images_that_leave_the_hospital_are_reported_from_the_first_day() {
    let time = MONDAY + 9 * HOUR;
    check([outside(to(STRANGER, 0, 11_112, time))], &[(DICOM, High)]);
    check([outside(Flow { service: name_id("dicom"), ..to(STRANGER, 0, 8_104, time) })], &[(DICOM, High)]);
    let much = Flow { bytes_sent: 400_000_000, ..to(STRANGER, 0, 2_762, time) };
    check([outside(much.clone())], &[(DICOM, High), (BULK, High)]);
    check([outside(Flow { peer_prevalence: 3, ..much })], &[]);
}

#[test]
fn peers_inside_are_reported_after_learning() {
    check([workstation(from(STRANGER, 104, MONDAY + HOUR))], &[]);
    let time = LATER + 9 * HOUR;
    check([workstation(from(STRANGER, 104, time))], &[(DICOM, Medium)]);
    check([from(STRANGER, 104, time)], &[(DICOM, Low)]);
    check([to(STRANGER, 0, 104, time)], &[(DICOM, Low)]);
    check([workstation(from(STRANGER, 3_389, time))], &[(CONTACT, Medium)]);
    check([workstation(from(STRANGER, 8_080, time))], &[(CONTACT, Low)]);
    check([to(STRANGER, 0, 445, time)], &[(CONTACT, Low)]);
    check([Flow { peer_prevalence: 3, ..to(STRANGER, 0, 445, time) }], &[]);
    check([Flow { conn_state: ConnState::Rej, ..from(STRANGER, 445, time) }], &[]);
    let habit = [MONDAY + 9 * HOUR, MONDAY + DAY + 9 * HOUR, time];
    check(habit.map(|time| to(STRANGER, 0, 445, time)), &[]);
    let weekly = [MONDAY + 9 * HOUR, MONDAY + 7 * DAY + 9 * HOUR, time];
    check(weekly.map(|time| to(STRANGER, 0, 445, time)), &[]);
}

#[test]
fn a_cloud_of_many_addresses_is_no_news() {
    let time = LATER + 9 * HOUR;
    check([outside(to(STRANGER, 0, 443, time))], &[(CONTACT, Low)]);
    let much = Flow { bytes_sent: 200_000_000, ..to(STRANGER, 0, 443, time) };
    check([outside(much)], &[(CONTACT, Medium)]);
    let rotating = times(MONDAY + 8 * HOUR, END, 7 * HOUR).enumerate();
    check(rotating.map(|(n, time)| outside(to(1_000 + n as u64, 0, 443, time))), &[]);
}

#[test]
fn a_stranger_outside_that_stays_stays_reported() {
    let daily = times(LATER + 9 * HOUR, END, 6 * HOUR).map(|time| outside(to(STRANGER, 0, 443, time)));
    check(daily, &[(CONTACT, Low); 7]);
}

#[test]
fn who_takes_much_is_reported() {
    let taken = |bytes_sent, flow: Flow| Flow { bytes_sent, ..flow };
    let time = LATER + 9 * HOUR;
    let mb = 1_000_000;
    check([taken(900 * mb, workstation(from(STRANGER, 445, time)))], &[(CONTACT, Medium), (BULK, High)]);
    let in_parts = (0..30).map(|n| taken(30 * mb, workstation(from(STRANGER, 104, time + n * MINUTE))));
    check(in_parts, &[(DICOM, Medium), (BULK, High)]);
    let seen_midstream = |flow: Flow| Flow { direction: Direction::Outbound, conn_state: ConnState::Oth, ..flow };
    check([taken(900 * mb, seen_midstream(workstation(from(STRANGER, 104, time))))], &[(DICOM, Medium), (BULK, High)]);
    check([taken(900 * mb, to(STRANGER, 0, 104, time))], &[(DICOM, Low), (BULK, Medium)]);
    check([taken(3_000 * mb, workstation(from(VIEWER, 104, time)))], &[(BULK, Medium)]);
    check([taken(90 * mb, workstation(from(VIEWER, 104, time)))], &[]);
    check([taken(9_000 * mb, Flow { peer_group: 1, ..from(PACS, 104, time) })], &[]);
    check([taken(9_000 * mb, to(PACS, 1, 104, time))], &[]);
    let backup = Flow { peer_role: PeerRole::Backup, ..from(STRANGER, 445, time) };
    check([taken(9_000 * mb, backup)], &[]);
}

#[test]
fn hours_without_visits_are_unusual() {
    let night = LATER + 3 * HOUR;
    check([workstation(from(VIEWER, 104, night))], &[(HOURS, Low)]);
    check([workstation(from(VIEWER, 104, LATER + 7 * HOUR + MINUTE))], &[]);
    check([to(PACS, 1, 104, night)], &[]);
}

#[test]
fn engineers_come_in_their_hours() {
    let session = |peer_role, time| outside(Flow { peer_role, ..from(ENGINEER, 22, time) });
    let declared = [2, 9].map(|day| session(PeerRole::RemoteService, MONDAY + day * DAY + 10 * HOUR));
    check(declared.clone(), &[]);
    let at_night = session(PeerRole::None, LATER + 2 * HOUR);
    check(declared.into_iter().chain([at_night.clone()]), &[(HOURS, Medium)]);
    check([at_night], &[(CONTACT, High)]);
    let mapped = Flow { peer_group: 5, ..session(PeerRole::None, LATER + 2 * HOUR) };
    check([mapped.clone()], &[]);
    let hours = harness().parameter("service_from_hour", 8).parameter("service_to_hour", 18);
    assert_eq!(hours.run(usual().into_iter().chain([mapped])).kinds(), [HOURS]);
}

#[test]
fn services_of_known_peers_are_new_once_learned() {
    let time = LATER + 9 * HOUR;
    check([to(PACS, 1, 443, time)], &[(SERVICE, Low)]);
    check([Flow { peer_group: 1, ..from(PACS, 445, time) }], &[(SERVICE, Medium)]);
    check([workstation(from(VIEWER, 5_900, time))], &[(SERVICE, Medium)]);
    check([Flow { conn_state: ConnState::Rej, peer_group: 1, ..from(PACS, 445, time) }], &[]);
    let habit = [MONDAY + 9 * HOUR, MONDAY + DAY + 9 * HOUR, time];
    check(habit.map(|time| to(PACS, 1, 443, time)), &[]);
}

#[test]
fn declared_hosts_and_groups_of_receivers_are_not_judged() {
    let role = |peer_role| move |flow: Flow| Flow { peer_role, ..flow };
    let time = LATER + 9 * HOUR;
    for peer_role in [PeerRole::Scanner, PeerRole::NetworkManagement, PeerRole::Backup, PeerRole::DomainController] {
        check((1..500).map(|port| role(peer_role)(from(STRANGER, port, time))), &[]);
    }
    check([Flow { peer_scope: PeerScope::Multicast, protocol: 17, ..to(STRANGER, 0, 5_353, time) }], &[]);
    check([Flow { protocol: 17, local_port: 68, ..to(STRANGER, 0, 67, time) }], &[]);
    check([Flow { protocol: 1, local_port: 8, peer_port: 0, ..to(STRANGER, 0, 0, time) }], &[]);
    let turned = Flow { direction: Direction::Inbound, conn_state: ConnState::Oth, ..to(PACS, 1, 104, time) };
    check([turned], &[]);
}

#[test]
fn without_groups_archives_are_learned() {
    let unmapped = |flow: Flow| Flow { peer_group: 0, ..flow };
    let flows: Vec<_> = usual().into_iter().map(unmapped).collect();
    assert_eq!(harness().run(flows.clone()).findings, []);
    let cloud_pacs = times(MONDAY + 9 * HOUR, END, DAY);
    let cloud_pacs = cloud_pacs.map(|time| outside(Flow { bytes_sent: 500_000_000, ..to(70, 0, 2_762, time) }));
    assert_eq!(harness().run(flows.clone().into_iter().chain(cloud_pacs)).findings, []);
    let stranger = workstation(from(STRANGER, 104, LATER + 9 * HOUR));
    assert_eq!(harness().run(flows.into_iter().chain([stranger])).kinds(), [DICOM]);
    let by_class = usual().into_iter().map(|flow| {
        let class = ["", "pacs", "radiology-information-system", "ntp-server"][usize::from(flow.peer_group)];
        let peer_class = if class.is_empty() { flow.peer_class } else { name_id(class) };
        Flow { peer_group: 0, peer_class, ..flow }
    });
    let leaves = outside(to(STRANGER, 0, 104, MONDAY + 9 * HOUR));
    assert_eq!(harness().run(by_class.chain([leaves])).kinds(), [DICOM]);
}

#[test]
fn after_a_week_away_learning_begins_anew() {
    let back = END + 8 * DAY;
    let stranger = to(STRANGER, 0, 445, back + 9 * HOUR);
    let again = usual().into_iter().filter(|flow| flow.start_time < MONDAY + 2 * DAY);
    let again = again.map(|flow| {
        let shift = back - MONDAY;
        Flow { start_time: flow.start_time + shift, end_time: flow.end_time + shift, ..flow }
    });
    let run = harness().run(usual().into_iter().chain(again).chain([stranger]));
    assert_eq!((run.findings, run.ready), (vec![], false));
}

#[test]
fn many_causes_are_capped_and_the_state_stays_small() {
    let strangers = (0..3_000).map(|n| from(1_000 + n, 8_443, LATER + 9 * HOUR + n as i64 * SECOND));
    let run = run(strangers);
    assert_eq!(run.findings.len(), 9, "{:#?}", run.findings);
    let all = times(MONDAY, MONDAY + 4 * DAY, 5 * SECOND);
    let all =
        all.map(|time| Flow { bytes_sent: 9, ..from(time.unsigned_abs(), (time / SECOND % 60_000) as u16, time) });
    let both =
        all.flat_map(|flow| [Flow { peer_scope: PeerScope::External, ..to(flow.peer, 0, 443, flow.end_time) }, flow]);
    let run = harness().run(usual().into_iter().chain(both));
    assert!(run.largest_state < 8 * 1_024, "{} bytes", run.largest_state);
}

#[test]
fn hours_that_are_none_are_refused() {
    let plugin = wardflow_imaging_modality::plugin().unwrap();
    let parameters = r#"{"learning_hours":240,"least_flows":500,"bulk_bytes":100000000,"service_from_hour":8,
        "service_to_hour":8}"#;
    let error = plugin.open(&Device::default(), parameters, None).err().map(|error| format!("{error:?}"));
    assert!(error.as_ref().is_some_and(|error| error.contains("are both 8")), "{error:?}");
}

#[test]
fn batches_may_be_cut_anywhere() {
    let mut flows: Vec<_> = usual().into_iter().filter(|flow| flow.end_time < MONDAY + 12 * HOUR).collect();
    flows.extend([outside(from(STRANGER, 22, MONDAY + 9 * HOUR)), outside(to(STRANGER, 0, 104, MONDAY + 10 * HOUR))]);
    flows.sort_by_key(|flow| flow.end_time);
    let run = |length: usize| {
        let plugin = wardflow_imaging_modality::plugin().unwrap();
        let parameters = r#"{"learning_hours":240,"least_flows":500,"bulk_bytes":100000000,"service_from_hour":0,
            "service_to_hour":24}"#;
        let mut session = plugin.open(&Device::default(), parameters, None).unwrap();
        let mut findings = Vec::new();
        for (number, chunk) in flows.chunks(length).enumerate() {
            findings.extend(session.observe(&Batch::new((number * length) as u32, chunk)));
        }
        findings.extend(session.end_slice(&Slice { start: MONDAY, end: MONDAY + DAY, gaps: &[] }));
        (findings, session.save())
    };
    let whole = run(flows.len());
    assert_eq!(whole.0.len(), 2, "{:#?}", whole.0);
    for length in [1, 7, 100] {
        assert_eq!(run(length), whole, "{length}");
    }
}
