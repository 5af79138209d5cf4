use super::{
    assert_has,
    build::{ethernet, ip, pcap, record, set, template, v9},
    only_flow, read, read_with, without_reports,
};

/// Addresses, ports, protocol, flags, counts, uptimes.
const FIELDS: [(u64, u64); 10] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (1, 4), (2, 4), (22, 4), (21, 4)];

fn flow(octets: u64) -> Vec<u8> {
    let [src, dst] = [0x0a00_0001, 0x0a00_0002];
    record(&[(src, 4), (dst, 4), (53, 2), (5353, 2), (17, 1), (0, 1), (octets, 4), (1, 4), (90_000, 4), (91_000, 4)])
}

fn with(fields: &[(u64, u64)], values: &[(u64, usize)]) -> Vec<u8> {
    let definition = template(300, &[&FIELDS[..], fields].concat());
    v9(0, &[set(0, &[definition]), set(300, &[[flow(60), record(values)].concat()])])
}

#[test]
fn every_column() {
    let capture = pcap(
        1,
        &[ethernet(&ip(
            "192.0.2.7",
            9_995,
            &with(
                &[(56, 6), (57, 6), (58, 2), (96, 8), (148, 4)],
                &[
                    (0x0200_0000_0001, 6),
                    (0x0200_0000_0002, 6),
                    (12, 2),
                    (u64::from_be_bytes(*b"DNS-X\0\0\0"), 8),
                    (4_711, 4),
                ],
            ),
        ))],
    );
    let columns = [
        "start_time: 1699999990000000",
        "end_time: 1699999991000000",
        "src_ip: 10.0.0.1",
        "dst_ip: 10.0.0.2",
        "src_port: 53",
        "dst_port: 5353",
        "protocol: 17",
        "service: Some(\"dns-x\")",
        "src_bytes: Some(60)",
        "dst_bytes: None",
        "src_packets: Some(1)",
        "conn_state: None",
        "tcp_flags: None",
        "src_mac: Some([2, 0, 0, 0, 0, 1])",
        "dst_mac: Some([2, 0, 0, 0, 0, 2])",
        "vlan: Some(12)",
        "flow_uid: Some(\"4711\")",
        "sampling_interval: None",
        "observed_sides: None",
    ];
    let found = only_flow(&capture, None);
    assert!(found.starts_with("part"));
    assert_has(&found, &columns);
    assert_has(&found, &["sensor: Some(\"192.0.2.7\")"]);
    assert_has(&only_flow(&capture, Some("core")), &["sensor: Some(\"core\")"]);
}

#[test]
fn zeros_stand_for_none() {
    let zeros = with(&[(56, 6), (80, 6), (243, 2), (58, 2), (130, 4)], &[(0, 6), (0, 6), (0, 2), (7, 2), (0, 4)]);
    let columns = ["src_mac: None", "dst_mac: None", "vlan: Some(7)", "sensor: None"];
    assert_has(&only_flow(&zeros, None), &columns);
    let named = with(&[(80, 6), (57, 6), (130, 4)], &[(1, 6), (2, 6), (0xc000_0207, 4)]);
    assert_has(&only_flow(&named, None), &["dst_mac: Some([0, 0, 0, 0, 0, 1])", "sensor: Some(\"192.0.2.7\")"]);
}

#[test]
fn samplers_and_interfaces_have_intervals() {
    // Options template 310 has no scope that is read, and 311 an interface.
    let options = |id: u64, scope: u64, fields: &[(u64, u64)]| {
        let numbers = record(&[(id, 2), (4, 2), (fields.len() as u64 * 4, 2), (scope, 2), (4, 2)]);
        [numbers, template(0, fields)[4..].to_vec()].concat()
    };
    let learn = v9(
        0,
        &[
            set(1, &[options(310, 1, &[(48, 1), (50, 4)])]),
            set(1, &[options(311, 2, &[(34, 4)])]),
            set(1, &[options(312, 1, &[(34, 4)])]),
            set(310, &[record(&[(1, 4), (5, 1), (512, 4)])]),
            set(311, &[record(&[(9, 4), (64, 4)])]),
            set(312, &[record(&[(1, 4), (10, 4)])]),
        ],
    );
    for (fields, values, interval) in [
        ([(48, 1), (10, 2)], [(5, 1), (9, 2)], 512),
        ([(48, 1), (10, 2)], [(6, 1), (9, 2)], 64),
        ([(48, 1), (10, 2)], [(6, 1), (8, 2)], 10),
        ([(48, 1), (34, 4)], [(5, 1), (3, 4)], 3),
    ] {
        let input = [learn.clone(), with(&fields, &values)].concat();
        assert_has(&only_flow(&input, None), &[&format!("sampling_interval: Some({interval})")]);
    }
    let kinds = without_reports(read(&learn, None));
    assert_eq!(kinds, ["template", "template", "template", "options", "options", "options"]);
}

#[test]
fn late_templates_are_waited_for() {
    // The clock of the first datagram is its own.
    let mut early = v9(7, &[set(256, &[flow(1), flow(2)])]);
    early[8..12].copy_from_slice(&1_600_000_000_u32.to_be_bytes());
    let input = [early, v9(8, &[set(257, &[flow(3)]), set(0, &[template(256, &FIELDS)]), set(256, &[flow(4)])])];
    let seen = without_reports(read_with(&input.concat(), None, |flow| {
        format!("{:?} {}", flow.src_bytes, flow.start_time / 1_000_000)
    }));
    assert_eq!(
        seen,
        [
            "template",
            "part Some(1) 1599999990",
            "part Some(2) 1599999990",
            "part Some(4) 1699999990",
            "reject 84 template 257 of the file's exporter, domain 77, has not come before the end of the input raw 32",
        ]
    );
}

#[test]
fn templates_are_of_an_exporter() {
    let data = v9(1, &[set(256, &[flow(1)])]);
    let learn = v9(0, &[set(0, &[template(256, &FIELDS)])]);
    let frames = [ip("192.0.2.1", 1, &learn), ip("192.0.2.1", 2, &data), ip("192.0.2.1", 1, &data)];
    let seen = read(&pcap(101, &frames), None);
    let reject = "reject 180 template 256 of exporter 192.0.2.1 port 2, domain 77, has not come before the end of the \
                  input raw 32";
    let reports = ["report 192.0.2.1 Some(1) None Some(0.0)", "report 192.0.2.1 Some(0) None Some(0.0)"];
    assert_eq!(seen, ["template", "part Some(1) None", reject, reports[0], reports[1]]);
}

#[test]
fn a_template_replaces_another() {
    let shorter: Vec<_> = FIELDS.iter().copied().filter(|(id, _)| *id != 1).collect();
    let mut short = flow(9);
    short.drain(14..18);
    let input = v9(
        0,
        &[
            set(0, &[template(256, &FIELDS), template(256, &shorter)]),
            set(256, &[short]),
            set(0, &[template(256, &[(8, 5), (12, 4)])]),
            set(256, &[flow(1)]),
        ],
    );
    assert_eq!(
        without_reports(read(&input, None)),
        [
            "template",
            "template",
            "part None None",
            "reject 0 template 256 gives sourceIPv4Address 5 bytes; it must have 4 raw 48",
            "reject 0 template 256 of the file's exporter, domain 77, has not come before the end of the input raw 32",
        ]
    );
}

#[test]
fn lost_datagrams_have_a_share() {
    let input = [v9(1, &[set(0, &[template(256, &FIELDS)]), set(256, &[flow(1)])]), v9(4, &[set(256, &[flow(1)])])];
    let seen = read(&input.concat(), None);
    assert_eq!(seen[3..], ["report  Some(2) None Some(0.5)"]);
}
