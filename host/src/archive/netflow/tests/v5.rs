use super::{
    assert_has,
    build::{EXPORT, RECORD, V5, v5},
    only_flow, read, read_with, without_reports,
};
use crate::archive::record::FlowRecord;

#[test]
fn every_column() {
    let seen = read_with(&v5(1, 0, &[RECORD]), None, |flow| {
        let expected = FlowRecord {
            src_bytes: Some(900),
            src_packets: Some(7),
            tcp_flags: Some(0x1b),
            sensor: Some("core"),
            ..FlowRecord::new(
                (1_699_999_990_250_000, 1_699_999_991_750_000),
                ("10.0.0.1".parse().unwrap(), 40_000),
                ("10.0.0.2".parse().unwrap(), 443),
                6,
            )
        };
        assert_eq!(FlowRecord { sensor: Some("core"), ..*flow }, expected);
        format!("{:?}", flow.sensor)
    });
    assert_eq!(seen, ["part None", "report  Some(1) Some(0) Some(0.0)"]);
    assert_has(&only_flow(&v5(1, 0, &[RECORD]), Some("core")), &["sensor: Some(\"core\")"]);
}

#[test]
fn sampling_is_in_the_header() {
    for (header, interval) in [(0, "None"), (0x4064, "Some(100)"), (0x8001, "Some(1)"), (100, "Some(100)")] {
        let interval = format!("sampling_interval: {interval}");
        assert_has(&only_flow(&v5(1, header, &[RECORD]), None), &["src_packets: Some(7)", &interval]);
    }
}

#[test]
fn icmp_is_in_the_destination_port() {
    let icmp = V5 { src: (RECORD.src.0, 0), dst: (RECORD.dst.0, 3 * 256 + 1), protocol: 1, ..RECORD };
    assert_has(&only_flow(&v5(1, 0, &[icmp]), None), &["src_port: 3", "dst_port: 1", "tcp_flags: None"]);
    let already = V5 { src: (RECORD.src.0, 8), dst: (RECORD.dst.0, 0), protocol: 1, ..RECORD };
    assert_has(&only_flow(&v5(1, 0, &[already]), None), &["src_port: 8", "dst_port: 0"]);
    let gre = V5 { protocol: 47, ..RECORD };
    assert_has(&only_flow(&v5(1, 0, &[gre]), None), &["src_port: 0", "dst_port: 0", "protocol: 47"]);
}

#[test]
fn datagrams_follow_each_other_and_may_be_lost() {
    let datagrams = [v5(100, 0, &[RECORD; 30]), v5(130, 0, &[]), v5(140, 0, &[RECORD; 10])];
    let seen = read(&datagrams.concat(), Some("core"));
    assert_eq!(seen.len(), 41);
    assert_eq!(seen[40], "report core Some(40) Some(10) Some(0.2)");
    // In another order nothing is missing.
    let datagrams = [v5(100, 0, &[RECORD; 30]), v5(140, 0, &[RECORD; 10]), v5(130, 0, &[RECORD; 10])];
    assert_eq!(read(&datagrams.concat(), None)[50], "report  Some(50) Some(0) Some(0.0)");
}

#[test]
fn hours_are_reported_as_they_end() {
    let mut later = v5(1, 0, &[RECORD]);
    later[8..12].copy_from_slice(&u32::try_from(EXPORT + 3_600).unwrap().to_be_bytes());
    let seen = read(&[v5(0, 0, &[RECORD]), later].concat(), None);
    let kinds: Vec<_> = seen.iter().map(|text| &text[..6]).collect();
    assert_eq!(kinds, ["part S", "report", "part S", "report"]);
}

#[test]
fn wrong_records_are_rejects() {
    let turned = V5 { first: RECORD.last, last: RECORD.first, ..RECORD };
    let seen = without_reports(read(&[v5(1, 0, &[]), v5(1, 0, &[turned, RECORD])].concat(), None));
    let reject = "reject 24 the flow begins at 1699999991750000 and ends at 1699999990250000, in microseconds since \
                  1970; it must end no earlier, and before the year 10000 raw 48";
    assert_eq!(seen, [reject, "part Some(900) None"]);
}
