//! What becomes of each field of a flow.

use super::EveLog;
use crate::archive::{
    reader::{Place, Reader, Record},
    record::FlowRecord,
};

/// A flow with all that is read of one.
pub(super) const TCP: &str = concat!(
    r#"{"timestamp":"2021-06-07T09:00:00.000000+0200","flow_id":1374195536821504,"event_type":"flow","vlan":[100,7],"#,
    r#""src_ip":"10.0.0.5","src_port":40000,"dest_ip":"2001:0db8:0000:0000:0000:0000:0000:0001","dest_port":443,"#,
    r#""proto":"TCP","app_proto":"TLS","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":600,"#,
    r#""bytes_toclient":5000,"start":"2021-06-07T07:34:12.260567+0200","end":"2021-06-07T07:34:13.000000+0200","#,
    r#""age":1,"state":"closed","reason":"timeout","alerted":false},"ether":{"dest_macs":["00:00:5e:00:53:02","#,
    r#""00:00:5e:00:53:03"],"src_macs":["00:00:5E:00:53:01"]},"community_id":"1:zfq\/Pdg5t8cd0IJlX4eK1O=","#,
    r#""tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"13","syn":true,"state":"closed"},"host":"ward-1"}"#,
);

/// A flow with little.
pub(super) const UDP: &str = concat!(
    r#"{"flow_id":2,"event_type":"flow","src_ip":"10.0.0.5","src_port":5000,"dest_ip":"10.0.0.1","dest_port":53,"#,
    r#""proto":"UDP","app_proto":"failed","flow":{"pkts_toserver":1,"pkts_toclient":0,"#,
    r#""start":"2021-06-07T07:34:12.260567+0200"}}"#,
);

/// One direction of a flow.
const NETFLOW: &str = concat!(
    r#"{"flow_id":3,"event_type":"netflow","src_ip":"10.0.0.1","src_port":443,"dest_ip":"10.0.0.5","#,
    r#""dest_port":40000,"proto":"TCP","app_proto":"tls","netflow":{"pkts":4,"bytes":5000,"#,
    r#""start":"2021-06-07T07:34:12.260567+0200","end":"2021-06-07T07:34:13.000000+0200","age":1,"min_ttl":64},"#,
    r#""tcp":{"tcp_flags":"12"},"host":"ward-1"}"#,
);

/// When they start.
pub(super) const START: i64 = 1_623_044_052_260_567;

/// Gives the flow of a line to a check.
fn with_flow(line: &str, check: impl Fn(FlowRecord<'_>)) {
    let mut log = EveLog::new(line.as_bytes(), None);
    match log.next().unwrap() {
        Some(Record::Flow(flow)) => check(flow),
        other => panic!("{other:?} of {line}"),
    }
    assert!(log.next().unwrap().is_none());
}

/// Why a line is a reject.
pub(super) fn reason(line: &str) -> String {
    let mut log = EveLog::new(line.as_bytes(), None);
    match log.next().unwrap() {
        Some(Record::Reject(reject)) => {
            assert_eq!((reject.raw, reject.place), (line.as_bytes(), Place::Line(1)));
            reject.reason
        }
        other => panic!("{other:?} of {line}"),
    }
}

#[test]
fn a_flow_has_every_column() {
    let end = |ip: &str, port| (ip.parse().unwrap(), port);
    let expected = FlowRecord {
        service: Some("tls"),
        src_bytes: Some(600),
        dst_bytes: Some(5_000),
        src_packets: Some(5),
        dst_packets: Some(4),
        conn_state: Some("SF"),
        tcp_flags: Some(0x1b),
        src_mac: Some([0, 0, 0x5e, 0, 0x53, 1]),
        dst_mac: Some([0, 0, 0x5e, 0, 0x53, 2]),
        vlan: Some(100),
        flow_uid: Some("1374195536821504"),
        community_id: Some("1:zfq/Pdg5t8cd0IJlX4eK1O="),
        sensor: Some("ward-1"),
        ..FlowRecord::new((START, START + 739_433), end("10.0.0.5", 40_000), end("2001:db8::1", 443), 6)
    };
    with_flow(TCP, |flow| assert_eq!(flow, expected));
    with_flow(&TCP.replace(r#""host":"#, r#""sensor_name":"#), |flow| assert_eq!(flow, expected));
}

#[test]
fn a_flow_may_have_little() {
    let end = |ip: &str, port| (ip.parse().unwrap(), port);
    let expected = FlowRecord {
        src_packets: Some(1),
        dst_packets: Some(0),
        conn_state: Some("S0"),
        flow_uid: Some("2"),
        ..FlowRecord::new((START, START), end("10.0.0.5", 5_000), end("10.0.0.1", 53), 17)
    };
    with_flow(UDP, |flow| assert_eq!(flow, expected));
    let bare = concat!(
        r#"{"event_type":"flow","src_ip":"::1","dest_ip":"::2","proto":"ESP","spi":7,"#,
        r#""flow":{"start":"2021-06-07T05:34:12.260567Z"}}"#,
    );
    with_flow(bare, |flow| assert_eq!(flow, FlowRecord::new((START, START), end("::1", 0), end("::2", 0), 50)));
}

#[test]
fn icmp_has_type_and_code_for_ports() {
    let line = UDP.replace(r#""src_port":5000"#, r#""icmp_type":8,"icmp_code":1"#).replace("UDP", "ICMP");
    with_flow(&line, |flow| {
        assert_eq!((flow.protocol, flow.src_port, flow.dst_port, flow.conn_state), (1, 8, 1, Some("OTH")));
    });
    with_flow(&line.replace("ICMP", "IPv6-ICMP"), |flow| assert_eq!((flow.protocol, flow.src_port), (58, 8)));
    assert_eq!(
        reason(&line.replace("icmp_code", "code")),
        "icmp_type or icmp_code is not set; a flow of ICMP must have both"
    );
    assert_eq!(
        reason(&line.replace(r#""icmp_type":8"#, r#""icmp_type":256"#)),
        "icmp_type is \"256\"; it must be a number from 0 to 255"
    );
}

#[test]
fn fields_have_other_shapes() {
    with_flow(&TCP.replace("[100,7]", "100"), |flow| assert_eq!(flow.vlan, Some(100)));
    let one =
        TCP.replace("dest_macs", "x").replace(r#"src_macs":["00:00:5E:00:53:01"]"#, r#"src_mac":"00:00:5e:0:53:9""#);
    with_flow(&one, |flow| assert_eq!((flow.src_mac, flow.dst_mac), (Some([0, 0, 0x5e, 0, 0x53, 9]), None)));
    with_flow(&TCP.replace("1374195536821504", "\"a-7\""), |flow| assert_eq!(flow.flow_uid, Some("a-7")));
    with_flow(&TCP.replace(":40000", ":\"40000\""), |flow| assert_eq!(flow.src_port, 40_000));
    with_flow(&TCP.replace(r#":"ward-1""#, r#":{"name":"shipper"}"#), |flow| assert_eq!(flow.sensor, None));
    with_flow(&TCP.replace(r#""TLS""#, r#""unknown""#), |flow| assert_eq!(flow.service, None));
}

#[test]
fn states_follow_from_flags_else_from_suricatas_state() {
    let check = |flags: [&str; 2], state: &str, expected: Option<&str>, all: Option<u16>| {
        let line = TCP
            .replace(r#""tcp_flags":"1b","#, "")
            .replace(r#""tcp_flags_ts":"1b""#, &format!(r#""tcp_flags_ts":"{}""#, flags[0]))
            .replace(r#""tcp_flags_tc":"13""#, &format!(r#""tcp_flags_tc":"{}""#, flags[1]))
            .replace(r#""state":"closed"}"#, &format!(r#""state":"{state}"}}"#));
        with_flow(&line, |flow| assert_eq!((flow.conn_state, flow.tcp_flags), (expected, all), "{flags:?} {state}"));
    };
    check(["02", "14"], "closed", Some("REJ"), Some(0x16));
    check(["13", "12"], "close_wait", Some("S2"), Some(0x13));
    check(["1a", "1a"], "established", Some("S1"), Some(0x1a));
    check(["00", "00"], "", None, None);
    check(["", ""], "established", Some("S1"), None);
    check(["", ""], "time_wait", Some("SF"), None);
    check(["", ""], "closed", None, None);
    check(["", ""], "syn_sent", None, None);
    let unanswered = TCP.replace("\"pkts_toclient\":4", "\"pkts_toclient\":0");
    with_flow(&unanswered.replace("tcp_flags", "f").replace("\"closed\"}", "\"syn_sent\"}"), |flow| {
        assert_eq!((flow.conn_state, flow.tcp_flags), (Some("S0"), None));
    });
    with_flow(&TCP.replace("pkts_", "p_"), |flow| assert_eq!(flow.conn_state, None));
    with_flow(&TCP.replace("\"closed\",\"reason\"", "\"bypassed\",\"reason\""), |flow| {
        assert_eq!((flow.conn_state, flow.tcp_flags), (None, Some(0x1b)));
    });
}

#[test]
fn says_what_is_wrong_with_a_flow() {
    let check = |from: &str, to: &str, expected: &str| {
        let line = TCP.replacen(from, to, 1);
        assert_ne!(line, TCP);
        assert_eq!(reason(&line), expected, "{line}");
    };
    let time = "it must be a time in ISO 8601 with an offset";
    check("\"start\"", "\"x\"", &format!("flow.start is not set; {time}"));
    check("12.260567+0200", "12", &format!("flow.start is \"2021-06-07T07:34:12\"; {time}"));
    check("\"2021-06-07T07:34:12.260567+0200\"", "1623044052", &format!("flow.start is \"1623044052\"; {time}"));
    check("07:34:13.000000", "never", &format!("flow.end is \"2021-06-07Tnever+0200\"; {time}"));
    let (start, end) = ("2021-06-07T07:34:12.260567+0200", "2021-06-07T07:34:12.260566+0200");
    check("13.000000", "12.260566", &format!("flow.end is {end}; it must not be before flow.start, {start}"));
    let ip = "it must be an IP address";
    check("src_ip", "ip", &format!("src_ip is not set; {ip}"));
    check("10.0.0.5", "10.0.0.5.6", &format!("src_ip is \"10.0.0.5.6\"; {ip}"));
    check("dest_ip", "ip", &format!("dest_ip is not set; {ip}"));
    check("\"TCP\"", "\"TPC\"", "proto is \"TPC\"; it must be a transport protocol");
    check("\"proto\"", "\"p\"", "proto is not set; it must be a transport protocol");
    check("src_port", "p", "src_port or dest_port is not set; a flow of TCP, UDP or SCTP must have both");
    check(":40000", ":70000", "src_port is \"70000\"; it must be a port from 0 to 65535");
    check(":443", ":-1", "dest_port is \"-1\"; it must be a port from 0 to 65535");
    let count = "it must be a whole number";
    check(":600,", ":6e2,", &format!("flow.bytes_toserver is \"600\"; {count}"));
    check(":5000,", ":18446744073709551616,", &format!("flow.bytes_toclient is \"18446744073709552000\"; {count}"));
    check(":5,", ":true,", &format!("flow.pkts_toserver is \"true\"; {count}"));
    check(":4,", ":-4,", &format!("flow.pkts_toclient is \"-4\"; {count}"));
    check("[100", "[65536", "vlan is \"65536\"; it must be a VLAN id");
    check("00:00:5E", "00:00", "ether.src_macs is \"00:00:00:53:01\"; it must be a MAC address");
    let flags = "it must be TCP flags in hexadecimal";
    check("flags\":\"1b", "flags\":\"+b", &format!("tcp.tcp_flags is \"+b\"; {flags}"));
    check("_tc\":\"13\"", "_tc\":13", &format!("tcp.tcp_flags_tc is \"13\"; {flags}"));
}

#[test]
fn netflow_is_one_direction() {
    let mut log = EveLog::new(NETFLOW.as_bytes(), Some("mine".into()));
    let Some(Record::Part(flow)) = log.next().unwrap() else { panic!("no part") };
    let end = |ip: &str, port| (ip.parse().unwrap(), port);
    let expected = FlowRecord {
        service: Some("tls"),
        src_bytes: Some(5_000),
        src_packets: Some(4),
        tcp_flags: Some(0x12),
        flow_uid: Some("3"),
        sensor: Some("mine"),
        ..FlowRecord::new((START, START + 739_433), end("10.0.0.1", 443), end("10.0.0.5", 40_000), 6)
    };
    assert_eq!(flow, expected);
    assert_eq!(reason(&NETFLOW.replace(":4,", ":-4,")), "netflow.pkts is \"-4\"; it must be a whole number");
    assert_eq!(
        reason(&NETFLOW.replace("\"start\"", "\"s\"")),
        "netflow.start is not set; it must be a time in ISO 8601 with an offset"
    );
}
