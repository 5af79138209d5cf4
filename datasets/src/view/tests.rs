use super::*;
use crate::{ConnState, Hospital, Options};
use std::collections::BTreeMap;

fn flows() -> Vec<Flow> {
    let options = Options { days: 1, flows: Some(50_000), ..Options::default() };
    Hospital::new(options).unwrap().flows().collect()
}

fn seen(kind: ViewKind, flows: &[Flow]) -> Vec<Flow> {
    View::new(kind).of(flows.to_vec()).collect()
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[track_caller]
fn about(actual: f64, expected: f64, within: f64) {
    assert!((actual - expected).abs() < within, "{actual} is not {expected} within {within}");
}

fn packets(flows: &[Flow]) -> usize {
    flows.iter().map(|flow| flow.src_packets + flow.dst_packets).sum::<u64>() as usize
}

#[test]
fn views_are_the_same_each_time() {
    let flows = flows();
    for kind in [
        ViewKind::North { overlap: 0.2 },
        ViewKind::South { overlap: 0.2 },
        ViewKind::Lossy { ratio: 0.1 },
        ViewKind::Sampled { one_in: 10 },
        ViewKind::Asymmetric { ratio: 1.0 },
    ] {
        let whole = seen(kind, &flows);
        let mut reversed: Vec<Flow> = View::new(kind).of(flows.iter().rev().cloned()).collect();
        reversed.reverse();
        assert!(whole == reversed && whole.len() < flows.len(), "{kind:?}");
    }
}

#[test]
fn a_sensor_that_sees_everything_changes_its_name_only() {
    let flows = flows();
    let named: Vec<Flow> = flows.iter().map(|flow| Flow { sensor: "core", ..flow.clone() }).collect();
    assert!(seen(ViewKind::Everything { sensor: "core" }, &flows) == named);
    assert!(seen(ViewKind::Lossy { ratio: 0.0 }, &flows) == flows);
    assert!(seen(ViewKind::Sampled { one_in: 1 }, &flows) == flows);
    assert!(seen(ViewKind::Lossy { ratio: 1.0 }, &flows).is_empty());
    assert!(seen(ViewKind::TimedOut { after_us: i64::MAX }, &flows) == flows);
    assert!(seen(ViewKind::Asymmetric { ratio: 0.0 }, &flows) == flows);
}

#[test]
fn two_sensors_see_all_and_share_as_much_as_is_stated() {
    let flows = flows();
    for overlap in [0.0, 0.3, 1.0] {
        let north = seen(ViewKind::North { overlap }, &flows);
        let south = seen(ViewKind::South { overlap }, &flows);
        about(share(north.len(), flows.len()), (1.0 + overlap) / 2.0, 0.01);
        let mut sights: BTreeMap<u64, u32> = flows.iter().map(|flow| (mix(flow.uid), 0)).collect();
        for uid in north.iter().map(|flow| mix(flow.uid)).chain(south.iter().map(|flow| flow.uid)) {
            *sights.get_mut(&uid).unwrap() += 1;
        }
        assert!(sights.values().all(|&sensors| sensors > 0));
        about(share(sights.values().filter(|&&sensors| sensors == 2).count(), flows.len()), overlap, 0.01);
        assert!(north.iter().all(|flow| flow.sensor == "north") && south.iter().all(|flow| flow.sensor == "south"));
    }
}

#[test]
fn what_is_lost_and_what_is_seen_is_all_there_is() {
    for flow in flows() {
        let half = |kept| thin(flow.clone(), |packet| packet.is_multiple_of(2) == kept);
        let halves = [half(true), half(false)];
        let sum = |count: fn(&Flow) -> u64| halves.iter().flatten().map(count).sum::<u64>();
        assert_eq!(sum(|flow| flow.src_packets), flow.src_packets);
        assert_eq!(sum(|flow| flow.dst_packets), flow.dst_packets);
        assert_eq!(sum(|flow| flow.src_bytes), flow.src_bytes);
        assert_eq!(sum(|flow| flow.dst_bytes), flow.dst_bytes);
        for half in halves.iter().flatten() {
            let within = flow.start_us <= half.start_us && half.start_us <= half.end_us && half.end_us <= flow.end_us;
            assert!(within, "{half:#?} of {flow:#?}");
        }
    }
}

#[test]
fn losses_are_as_stated_and_leave_a_state_that_flags_tell() {
    let flows = flows();
    let lossy = seen(ViewKind::Lossy { ratio: 0.2 }, &flows);
    about(share(packets(&lossy), packets(&flows)), 0.64, 0.03);
    // A connection stays in order if the flow and its two SYNs and two FINs are seen.
    let is_in_order = |flow: &&Flow| flow.service == "ssl" && flow.conn_state == ConnState::Sf;
    let in_order = |flows: &[Flow]| flows.iter().filter(is_in_order).count();
    about(share(in_order(&lossy), in_order(&flows)), 0.8_f64.powi(5), 0.02);
    for flow in &lossy {
        let sides = Side::both(flow);
        let told = state(flow.protocol, sides.map(|side| side.packets), sides.map(|side| side.flags()));
        assert_eq!(told, flow.conn_state, "{flow:#?}");
    }
    assert!(lossy.iter().any(|flow| flow.service.is_empty() && flow.dst_port == 443 && flow.dst_bytes > 0));
}

#[test]
fn one_packet_in_so_many_is_seen_and_short_flows_vanish() {
    let flows = flows();
    let sampled = seen(ViewKind::Sampled { one_in: 10 }, &flows);
    about(share(packets(&sampled), packets(&flows)), 0.1, 0.005);
    let is_short = |flow: &&Flow| flow.src_packets == 1 && flow.dst_packets == 1;
    let short: Vec<Flow> = flows.iter().filter(is_short).cloned().collect();
    about(share(seen(ViewKind::Sampled { one_in: 10 }, &short).len(), short.len()), 0.19, 0.02);
}

#[test]
fn a_clock_that_is_off_moves_both_times() {
    let flows = flows();
    let late = seen(ViewKind::Skewed { by_us: -2_500_000 }, &flows);
    let back = seen(ViewKind::Skewed { by_us: 2_500_000 }, &late);
    assert!(back == flows && late[0].start_us + 2_500_000 == flows[0].start_us);
    assert!(late.iter().zip(&flows).all(|(late, flow)| flow.end_us - late.end_us == 2_500_000));
}

#[test]
fn pieces_are_no_longer_than_the_timeout_and_all_there_is() {
    const AFTER_US: i64 = 60_000_000;
    let mut uids = BTreeMap::new();
    let (mut cut, mut whole) = (0, 0);
    for flow in flows() {
        let pieces = seen(ViewKind::TimedOut { after_us: AFTER_US }, std::slice::from_ref(&flow));
        if flow.end_us - flow.start_us < AFTER_US {
            assert!(pieces == [flow], "a short flow is changed");
            whole += 1;
            continue;
        }
        let sum = |count: fn(&Flow) -> u64| pieces.iter().map(count).sum::<u64>();
        assert_eq!(sum(|piece| piece.src_packets), flow.src_packets);
        assert_eq!(sum(|piece| piece.dst_packets), flow.dst_packets);
        assert_eq!(sum(|piece| piece.src_bytes), flow.src_bytes);
        assert_eq!(sum(|piece| piece.dst_bytes), flow.dst_bytes);
        assert!(pieces.iter().all(|piece| piece.end_us - piece.start_us < AFTER_US), "{pieces:#?}");
        assert!(pieces.windows(2).all(|pair| pair[0].end_us < pair[1].start_us), "{pieces:#?}");
        pieces.iter().for_each(|piece| *uids.entry(piece.uid).or_insert(0) += 1);
        cut += usize::from(pieces.len() > 1);
    }
    assert!(cut > 100 && whole > 100, "{cut} flows are cut and {whole} are not");
    assert!(uids.values().all(|&times| times == 1));
}

#[test]
fn a_later_piece_has_no_beginning() {
    let flows = flows();
    let is_long = |flow: &&Flow| flow.service == "ssl" && flow.conn_state == ConnState::Sf && flow.src_packets > 100;
    let long = flows.iter().filter(is_long).max_by_key(|flow| flow.end_us - flow.start_us).unwrap();
    let after_us = (long.end_us - long.start_us) / 3;
    let pieces = seen(ViewKind::TimedOut { after_us }, std::slice::from_ref(long));
    assert_eq!(pieces[0].uid, long.uid);
    let told: Vec<(&str, ConnState)> = pieces.iter().map(|piece| (piece.service, piece.conn_state)).collect();
    let [first, middle, ..] = told[..] else { panic!("{told:?}") };
    assert_eq!((first, middle), (("ssl", ConnState::S1), ("", ConnState::Oth)));
}

#[test]
fn of_a_share_of_flows_one_side_is_seen_and_of_each_side_as_often() {
    let flows: Vec<Flow> = flows().into_iter().filter(|flow| flow.src_packets > 0 && flow.dst_packets > 0).collect();
    let seen = seen(ViewKind::Asymmetric { ratio: 0.4 }, &flows);
    assert_eq!(seen.len(), flows.len());
    let count = |is_so: fn(&Flow) -> bool| share(seen.iter().filter(|flow| is_so(flow)).count(), flows.len());
    about(count(|flow| flow.dst_packets == 0), 0.2, 0.01);
    about(count(|flow| flow.src_packets == 0), 0.2, 0.01);
    for (flow, whole) in seen.iter().zip(&flows).filter(|(flow, _)| flow.src_packets * flow.dst_packets == 0) {
        assert_eq!(
            flow.src_bytes + flow.dst_bytes,
            if flow.dst_packets == 0 { whole.src_bytes } else { whole.dst_bytes }
        );
        assert!(flow.protocol != 6 || !matches!(flow.conn_state, ConnState::Sf | ConnState::S1), "{flow:#?}");
    }
}
