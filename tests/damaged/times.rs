//! Times that are none, tied, or in no order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, TimestampMicrosecondArray};

use super::support::{MIDNIGHT, SECOND, analyse_without, batch, columns, flows, rows, with_good_file, write};
use crate::support::Scratch;

const COVERED: &str = "SELECT sum(flows) FROM coverage WHERE plugin = 'wardflow/beacon' AND device_id IS NULL";

/// Runs a command with at most so much address space: what would take memory without bounds fails.
#[track_caller]
fn bounded(scratch: &Scratch, command: &str) -> crate::support::Ran {
    let ran = scratch.run(&format!("ulimit -v 12000000; timeout 120 wardflow -C w {command}"));
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:#?}");
    ran
}

#[test]
fn a_time_of_another_age_takes_no_memory() {
    let years = |years: i64| MIDNIGHT + years * 365 * 24 * 3600 * SECOND;
    for time in [years(300), years(-300), years(7_000), 0] {
        let scratch = with_good_file();
        write(&scratch, "far.parquet", &[flows(&[(time, time + SECOND)])]);
        let ran = bounded(&scratch, "analyze");
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert_eq!(rows(&scratch, COVERED), ["4"], "{time}");
        bounded(&scratch, "status");
    }
}

#[test]
fn a_time_that_is_none_is_named() {
    for time in [i64::MAX - SECOND, i64::MIN] {
        let scratch = with_good_file();
        write(&scratch, "far.parquet", &[flows(&[(time, time + SECOND)])]);
        bounded(&scratch, "status");
        let ran = analyse_without(&scratch, "far.parquet");
        assert!(ran.stdout.contains("is no time"), "{ran:#?}");
        assert_eq!(rows(&scratch, COVERED), ["3"], "{time}");
    }
}

#[test]
fn one_row_group_from_here_to_nowhere_is_named() {
    let scratch = with_good_file();
    write(&scratch, "wide.parquet", &[flows(&[(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)])]);
    let ran = analyse_without(&scratch, "wide.parquet");
    assert!(ran.stdout.contains("spans more than ten years"), "{ran:#?}");
}

/// The same flows in whatever order, of however many at one moment, come to the same.
#[test]
fn order_and_ties_do_not_matter() {
    let mut times: Vec<(i64, i64)> = (0..2_000).map(|i| (MIDNIGHT + i / 40 * 600 * SECOND, 0)).collect();
    times.iter_mut().for_each(|(start, end)| *end = *start + SECOND);
    let peers: Vec<String> = (0..times.len()).map(|i| format!("203.0.113.{}", i % 7)).collect();
    let mut found = Vec::new();
    for order in 0..3 {
        let scratch = with_good_file();
        let mut places: Vec<usize> = (0..times.len()).collect();
        match order {
            0 => {}
            1 => places.reverse(),
            _ => places.sort_by_key(|place| (place * 7_919) % 2_003),
        }
        let ordered: Vec<_> = places.iter().map(|place| times[*place]).collect();
        let peers = StringArray::from_iter_values(places.iter().map(|place| &peers[*place]));
        let mut columns = columns(&ordered);
        columns[3].1 = Arc::new(peers);
        let batch = batch(columns);
        let halves = [batch.slice(0, 700), batch.slice(700, batch.num_rows() - 700)];
        write(&scratch, "ties.parquet", if order == 1 { &halves } else { std::slice::from_ref(&batch) });
        scratch.done("wardflow -C w -q analyze");
        let query = "SELECT finding_id IS NULL, kind, device_id, peer_ip, severity, score, flow_count, first_seen, \
                     last_seen, summary FROM findings ORDER BY kind, peer_ip, first_seen";
        found.push([rows(&scratch, query), rows(&scratch, COVERED)]);
    }
    assert!(found[0] == found[1] && found[1] == found[2], "{found:#?}");
    assert_eq!(found[0][1], ["2003"]);
}

#[test]
fn a_flow_that_ends_at_no_time_or_before_it_began() {
    let scratch = with_good_file();
    write(&scratch, "backwards.parquet", &[flows(&[(MIDNIGHT + 9 * SECOND, MIDNIGHT + SECOND)])]);
    scratch.done("wardflow -C w -q analyze");
    assert_eq!(rows(&scratch, COVERED), ["4"]);

    let mut columns = columns(&[(MIDNIGHT, MIDNIGHT); 2]);
    let ends = TimestampMicrosecondArray::from(vec![None, Some(MIDNIGHT)]).with_timezone("UTC");
    assert_eq!(ends.null_count(), 1);
    columns[1].1 = Arc::new(ends) as ArrayRef;
    write(&scratch, "null.parquet", &[batch(columns)]);
    analyse_without(&scratch, "null.parquet");
    assert_eq!(rows(&scratch, COVERED), ["4"]);
}
