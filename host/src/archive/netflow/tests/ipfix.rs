use super::{
    assert_has,
    build::{EXPORT, enterprise_template, ipfix, ipfix_of, record, set, template},
    only_flow, read, read_with, without_reports,
};

const REVERSE: u64 = 29_305;
const KEY: [(u64, u64, u64); 5] = [(0, 8, 4), (0, 12, 4), (0, 7, 2), (0, 11, 2), (0, 4, 1)];
const TIMES: [(u64, u64, u64); 2] = [(0, 152, 8), (0, 153, 8)];

fn key(protocol: u64) -> Vec<u8> {
    record(&[(0x0a00_0001, 4), (0x0a00_0002, 4), (40_000, 2), (443, 2), (protocol, 1)])
}

fn times() -> Vec<u8> {
    record(&[(EXPORT * 1_000 - 5_000, 8), (EXPORT * 1_000 - 1_000, 8)])
}

/// A message with one TCP record that has these fields too.
fn with(fields: &[(u64, u64, u64)], values: &[(u64, usize)]) -> Vec<u8> {
    with_key(&KEY, &key(6), fields, values)
}

fn with_key(names: &[(u64, u64, u64)], key: &[u8], fields: &[(u64, u64, u64)], values: &[(u64, usize)]) -> Vec<u8> {
    let definition = enterprise_template(300, &[names, &TIMES, fields].concat());
    let data = [key.to_vec(), times(), record(values)].concat();
    ipfix(0, &[set(2, &[definition]), set(300, &[data])])
}

#[test]
fn biflows_are_flows() {
    let input = with(
        &[(0, 1, 8), (0, 2, 4), (0, 6, 2), (REVERSE, 1, 8), (REVERSE, 2, 4), (REVERSE, 6, 1), (0, 136, 1)],
        &[(1_000, 8), (5, 4), (0x501b, 2), (70_000, 8), (60, 4), (0x13, 1), (3, 1)],
    );
    let flow = only_flow(&input, None);
    assert!(flow.starts_with("flow"));
    assert_has(
        &flow,
        &[
            "start_time: 1699999995000000",
            "end_time: 1699999999000000",
            "src_ip: 10.0.0.1",
            "dst_port: 443",
            "src_bytes: Some(1000)",
            "dst_bytes: Some(70000)",
            "src_packets: Some(5)",
            "dst_packets: Some(60)",
            "tcp_flags: Some(27)",
            "conn_state: Some(\"SF\")",
            "observed_sides: Some(2)",
        ],
    );
}

#[test]
fn what_a_timeout_cut_is_a_part() {
    for (reason, whole) in [(1, true), (2, false), (3, true), (4, true), (5, false)] {
        let fields = [(0, 231, 8), (0, 232, 8), (0, 298, 8), (0, 299, 8), (0, 136, 1)];
        let flow = only_flow(&with(&fields, &[(10, 8), (20, 8), (1, 8), (2, 8), (reason, 1)]), None);
        assert_eq!(flow.starts_with("flow"), whole, "{reason}");
        let columns = ["src_bytes: Some(10)", "dst_bytes: Some(20)", "dst_packets: Some(2)", "observed_sides: Some(2)"];
        assert_has(&flow, &columns);
    }
    let one_way = only_flow(&with(&[(0, 85, 8), (0, 86, 8)], &[(10, 8), (2, 8)]), None);
    assert!(one_way.starts_with("part"));
    assert_has(&one_way, &["src_bytes: Some(10)", "src_packets: Some(2)", "dst_bytes: None", "observed_sides: None"]);
}

#[test]
fn reverse_initiators_are_turned() {
    let fields = [(0, 1, 4), (REVERSE, 1, 4), (0, 6, 1), (REVERSE, 6, 1), (0, 56, 6), (0, 239, 1)];
    let flow = only_flow(&with(&fields, &[(10, 4), (20, 4), (0x12, 1), (0x02, 1), (1, 6), (2, 1)]), None);
    assert_has(
        &flow,
        &[
            "src_ip: 10.0.0.2",
            "src_port: 443",
            "dst_ip: 10.0.0.1",
            "dst_port: 40000",
            "src_bytes: Some(20)",
            "dst_bytes: Some(10)",
            "dst_mac: Some([0, 0, 0, 0, 0, 1])",
            "conn_state: Some(\"S1\")",
        ],
    );
}

#[test]
fn addresses_are_of_either_kind() {
    let v6 = [(0, 27, 16), (0, 28, 16), (0, 4, 1)];
    let pair = [(0x2001_0db8_0000_0000, 8), (1, 8), (0x2001_0db8_0000_0000, 8), (2, 8)];
    let icmp = record(&[&pair[..], &[(58, 1)]].concat());
    let flow = only_flow(&with_key(&v6, &icmp, &[(0, 139, 2)], &[(0x8600, 2)]), None);
    assert_has(&flow, &["src_ip: 2001:db8::1", "dst_ip: 2001:db8::2", "src_port: 134", "dst_port: 0", "protocol: 58"]);
    // Of both kinds in one template the unset one does not count.
    let both = [&KEY[..], &v6[..2]].concat();
    let unset = record(&[&[(0, 8), (1, 2), (2, 2), (17, 1)], &pair[..]].concat());
    assert_has(&only_flow(&with_key(&both, &unset, &[], &[]), None), &["src_ip: 2001:db8::1", "dst_port: 2"]);
    let set = [key(17), record(&pair)].concat();
    assert_has(&only_flow(&with_key(&both, &set, &[], &[]), None), &["src_ip: 10.0.0.1", "dst_ip: 10.0.0.2"]);
}

#[test]
fn ports_and_icmp_have_several_names() {
    let bare = [KEY[0], KEY[1], KEY[4]];
    let key = |protocol| record(&[(1, 4), (2, 4), (protocol, 1)]);
    for (protocol, fields, values, ports) in [
        (17, [(0, 180, 2), (0, 181, 2)], [(7, 2), (9, 2)], ["src_port: 7", "dst_port: 9"]),
        (6, [(0, 182, 2), (0, 183, 2)], [(7, 2), (9, 2)], ["src_port: 7", "dst_port: 9"]),
        (1, [(0, 176, 1), (0, 177, 1)], [(3, 1), (4, 1)], ["src_port: 3", "dst_port: 4"]),
        (58, [(0, 178, 1), (0, 179, 1)], [(1, 1), (2, 1)], ["src_port: 1", "dst_port: 2"]),
        (1, [(0, 32, 2), (0, 11, 2)], [(0, 2), (0x0800, 2)], ["src_port: 8", "dst_port: 0"]),
        (1, [(0, 32, 2), (0, 11, 2)], [(0x0b01, 2), (0, 2)], ["src_port: 11", "dst_port: 1"]),
    ] {
        assert_has(&only_flow(&with_key(&bare, &key(protocol), &fields, &values), None), &ports);
    }
}

#[test]
fn lengths_may_vary() {
    let fields = [&KEY[..], &[(0, 96, 65_535), (9, 4_711, 65_535)], &TIMES, &[(0, 1, 3)]].concat();
    let long = vec![b'x'; 300];
    let row = |name: &[u8], octets| {
        let length = if name.len() < 255 {
            vec![name.len() as u8]
        } else {
            [vec![255], 300_u16.to_be_bytes().to_vec()].concat()
        };
        [key(6), length, name.to_vec(), vec![2, 1, 1], times(), record(&[(octets, 3)])].concat()
    };
    let data = set(300, &[row(b"Https", 65_536), row(&long, 2), row(b"", 3)]);
    let input = ipfix(0, &[set(2, &[enterprise_template(300, &fields)]), data]);
    let seen = read_with(&input, None, |flow| format!("{:?} {}", flow.src_bytes, flow.service.unwrap_or("-").len()));
    assert_eq!(seen[..4], ["template", "part Some(65536) 5", "part Some(2) 300", "part Some(3) 1"]);
    assert_eq!(seen[4], "report  Some(3) Some(0) Some(0.0)");
}

#[test]
fn options_tell_of_sampling_and_boot() {
    let fields = [(302, 2), (305, 4), (306, 4), (160, 8)];
    let options = [template(310, &fields)[..4].to_vec(), vec![0, 1], template(0, &fields)[4..].to_vec()].concat();
    let boot = EXPORT * 1_000 - 60_000;
    let learn = ipfix(
        0,
        &[
            set(3, &[options]),
            set(310, &[record(&[(4, 2), (1, 4), (99, 4), (boot, 8)]), record(&[(5, 2), (10, 4), (15, 4), (boot, 8)])]),
        ],
    );
    let fields = [&KEY[..], &[(0, 22, 4), (0, 21, 4), (0, 302, 2)]].concat();
    let data = |selector| [key(6), record(&[(50_000, 4), (55_000, 4), (selector, 2)])].concat();
    let flows = ipfix(2, &[set(2, &[enterprise_template(300, &fields)]), set(300, &[data(4), data(5), data(6)])]);
    let seen = read_with(&[&flows[..], &learn, &flows].concat(), None, |flow| {
        format!("{} {:?}", flow.start_time - i64::try_from(EXPORT).unwrap() * 1_000_000, flow.sampling_interval)
    });
    let parts = ["part -10000000 Some(100)", "part -10000000 Some(3)", "part -10000000 None"];
    // What comes before the boot time waits for it.
    let expected = [&["template", "template", "options", "options"][..], &parts, &["template"], &parts].concat();
    assert_eq!(without_reports(seen), expected);
    let seen = without_reports(read(&flows, None));
    let reason = "reject 0 flowStartSysUpTime is 50000, and when the exporter booted is not known: it sent no \
                  systemInitTimeMilliseconds raw 23";
    assert_eq!(seen, ["template", reason, reason, reason]);
}

#[test]
fn firewalls_tell_of_events() {
    for (event, expected) in [(1, "event"), (2, "part Some(10) Some(20)"), (3, "event"), (5, "part Some(10) Some(20)")]
    {
        let input = with(&[(0, 231, 4), (0, 232, 4), (0, 233, 1)], &[(10, 4), (20, 4), (event, 1)]);
        assert_eq!(read(&input, None)[1], expected, "{event}");
    }
    assert_eq!(read(&with(&[(0, 233, 1)], &[(2, 1)]), None)[1], "event");
    assert_eq!(read(&with(&[(0, 230, 1)], &[(4, 1)]), None)[1], "event");
    assert_eq!(read(&with(&[(0, 230, 1), (0, 1, 4)], &[(4, 1), (6, 4)]), None)[1], "part Some(6) None");
    assert_eq!(read(&with(&[(0, 233, 1)], &[(0, 1)]), None)[1], "part None None");
}

#[test]
fn records_without_addresses_are_no_flows() {
    let input = ipfix(0, &[set(2, &[template(256, &[(10, 4), (1, 8)])]), set(256, &[record(&[(1, 4), (2, 8)])])]);
    assert_eq!(without_reports(read(&input, None)), ["template", "no flow"]);
}

#[test]
fn templates_are_withdrawn() {
    let fields: Vec<_> = KEY.iter().chain(&TIMES).map(|(_, id, length)| (*id, *length)).collect();
    let learn = || set(2, &[template(256, &fields), template(257, &fields)]);
    let data = |id| set(id, &[[key(6), times()].concat()]);
    for (withdrawal, held) in [(256, 1), (2, 0), (3, 2)] {
        let kind = if withdrawal == 3 { 3 } else { 2 };
        let withdraw = set(kind, &[record(&[(withdrawal, 2), (0, 2)])]);
        let seen = without_reports(read(&ipfix(0, &[learn(), withdraw, data(256), data(257)]), None));
        assert_eq!(seen[..3], ["template"; 3]);
        assert_eq!(seen[3..].iter().filter(|text| *text == "part None None").count(), held, "{seen:?}");
        assert_eq!(seen.len(), 5);
    }
}

#[test]
fn domains_are_apart_and_losses_are_records() {
    let learn = |domain, sequence| {
        let fields: Vec<_> = KEY.iter().chain(&TIMES).map(|(_, id, length)| (*id, *length)).collect();
        let data = [key(6), times()].concat();
        ipfix_of(domain, sequence, &[set(2, &[template(256, &fields)]), set(256, &[data.clone(), data])])
    };
    let seen = read(&[learn(1, 0), learn(2, 1_000), learn(1, 2), learn(2, 1_006)].concat(), None);
    assert_eq!(seen.last().unwrap(), &format!("report  Some(8) Some(4) Some({:?})", 4.0 / 12.0));
}

#[test]
fn wrong_values_have_reasons() {
    let check = |fields: &[(u64, u64, u64)], values: &[(u64, usize)], reason: &str| {
        let seen = read(&with(fields, values), None);
        assert!(seen[1].starts_with(&format!("reject 0 {reason}")), "{}", seen[1]);
    };
    check(&[(0, 58, 4)], &[(65_536, 4)], "vlanId is 65536; it must fit 16 bits raw 33");
    check(&[(0, 6, 4)], &[(65_536, 4)], "tcpControlBits is 65536; it must fit 16 bits");
    check(&[(0, 154, 8)], &[(0, 8)], "the flow begins at 2085978496000000 and ends at 1699999999000000");
    let no_protocol = with_key(&KEY[..4], &key(6)[..12], &[], &[]);
    assert!(read(&no_protocol, None)[1].contains("protocolIdentifier is not in the record's template"));
    let wide = with_key(&[KEY[0], KEY[1], (0, 4, 2)], &record(&[(1, 4), (2, 4), (256, 2)]), &[], &[]);
    assert!(read(&wide, None)[1].contains("protocolIdentifier is 256; it must fit 8 bits"));
    let timeless = ipfix(0, &[set(2, &[enterprise_template(300, &KEY)]), set(300, &[key(6)])]);
    assert!(read(&timeless, None)[1].contains("the record has no time"));
}
