use jiff::tz::TimeZone;

use super::{ArgusLog, is_argus};
use crate::archive::{
    reader::{Place, Reader, Record},
    record::FlowRecord,
    values,
};

const HEADER: &str =
    "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,SrcPkts,Label";

fn reader(text: &str) -> ArgusLog<&[u8]> {
    ArgusLog::new(text.as_bytes(), None, TimeZone::get("Europe/Prague").unwrap())
}

/// What each record is, and its reason or kind.
fn kinds(text: &str) -> Vec<String> {
    let mut reader = reader(text);
    let mut kinds = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        kinds.push(match record {
            Record::Flow(_) => "flow".to_owned(),
            Record::Part(_) => "part".to_owned(),
            Record::Other(kind) => format!("other {kind}"),
            Record::Reject(reject) => format!("{:?} {}", reject.place, reject.reason),
            other => panic!("{other:?}"),
        });
    }
    kinds
}

/// Gives the flow of one line to `check`.
fn flow(header: &str, line: &str, check: impl FnOnce(FlowRecord<'_>)) {
    let text = format!("{header}\n{line}\n");
    match reader(&text).next().unwrap() {
        Some(Record::Flow(flow) | Record::Part(flow)) => check(flow),
        other => panic!("{line}: {other:?}"),
    }
}

fn micros(time: &str) -> i64 {
    values::time(time.as_bytes()).unwrap()
}

fn end(ip: &str, port: u16) -> (std::net::IpAddr, u16) {
    (ip.parse().unwrap(), port)
}

/// Packets and bytes of both ends.
fn counts(flow: &FlowRecord<'_>) -> [Option<u64>; 4] {
    [flow.src_packets, flow.dst_packets, flow.src_bytes, flow.dst_bytes]
}

#[test]
fn a_connection() {
    let line =
        "2018/12/18 14:00:00.527012,0.699716,tcp,216.73.23.146,52798,   ->,147.32.81.58,445,S_RA,0,0,2,134,70,1,x=y";
    let times = (micros("2018-12-18T13:00:00.527012Z"), micros("2018-12-18T13:00:01.226728Z"));
    let expected = FlowRecord {
        src_bytes: Some(70),
        dst_bytes: Some(64),
        src_packets: Some(1),
        dst_packets: Some(1),
        conn_state: Some("REJ"),
        tcp_flags: Some(0x16),
        observed_sides: Some(2),
        ..FlowRecord::new(times, end("216.73.23.146", 52_798), end("147.32.81.58", 445), 6)
    };
    flow(HEADER, line, |flow| assert_eq!(flow, expected));
    assert_eq!(
        kinds(&format!("{HEADER}\n{line}")),
        ["flow"],
        "it begins and ends, and the last value that is read is whole"
    );
}

#[test]
fn an_arrow_to_the_source_turns_the_flow() {
    let header = "StartTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,SrcPkts,DstPkts,SrcBytes,DstBytes,SrcMac,\
        DstMac,LastTime";
    let line = "1382361779.5,tcp,10.0.0.1,80,  <-,10.0.0.2,40000,SRPA_S,0,3,0,180,02:00:00:00:00:01,02:00:00:00:00:02,\
        1382361780";
    flow(header, line, |flow| {
        assert_eq!((flow.src_ip, flow.src_port), end("10.0.0.2", 40_000));
        assert_eq!((flow.dst_ip, flow.dst_port), end("10.0.0.1", 80));
        assert_eq!(counts(&flow), [Some(3), Some(0), Some(180), Some(0)]);
        assert_eq!((flow.src_mac, flow.dst_mac), (Some([2, 0, 0, 0, 0, 2]), Some([2, 0, 0, 0, 0, 1])));
        assert_eq!((flow.start_time, flow.end_time), (1_382_361_779_500_000, 1_382_361_780_000_000));
        assert_eq!((flow.conn_state, flow.tcp_flags, flow.observed_sides), (Some("S0"), Some(0x1e), None));
    });
    let icmp = "1382361779,icmp,10.0.0.1,0x0008,  <-,10.0.0.2,0xf095,ECO,0,1,0,42,,,";
    flow(header, icmp, |flow| {
        assert_eq!((flow.src_ip, flow.src_port), end("10.0.0.2", 8));
        assert_eq!((flow.dst_port, flow.src_packets, flow.end_time), (0, Some(1), flow.start_time));
    });
}

#[test]
fn other_columns() {
    let header = "SrcId\tsVlan\tsVid\tDport\tDstAddr\tSport\tSrcAddr\tProto\tStartTime";
    let read = |line: &str, sensor: Option<&str>, check: &dyn Fn(FlowRecord<'_>)| {
        let text = format!("{header}\r\n{line}\r\n");
        let mut reader = ArgusLog::new(text.as_bytes(), sensor.map(str::to_owned), TimeZone::UTC);
        let Some(Record::Part(flow)) = reader.next().unwrap() else { panic!("no part") };
        check(flow);
    };
    let line = "192.168.9.9\t0x600c\t\t53\t2001:db8::2\t4000\t2001:db8::1\trtp\t2013-10-21T13:22:59";
    read(line, None, &|flow| {
        assert_eq!((flow.vlan, flow.sensor, flow.protocol), (Some(12), Some("192.168.9.9"), 17));
        assert_eq!((flow.start_time, flow.dst_port), (micros("2013-10-21T13:22:59Z"), 53));
        assert_eq!((counts(&flow), flow.conn_state, flow.tcp_flags), ([None; 4], None, None));
    });
    read(line, Some("tap"), &|flow| assert_eq!(flow.sensor, Some("tap")));
    read(&line.replace("192.168.9.9\t0x600c\t", "0.0.0.0\t\t13"), None, &|flow| {
        assert_eq!((flow.vlan, flow.sensor), (Some(13), None));
    });
}

#[test]
fn totals_alone() {
    let header = "StartTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,TotPkts,TotBytes";
    for (record, expected, state) in [
        ("udp,1.1.1.1,1,   ->,2.2.2.2,2,INT,5,500", [Some(5), Some(0), Some(500), Some(0)], Some("S0")),
        ("udp,1.1.1.1,1,  <->,2.2.2.2,2,CON,5,500", [None; 4], Some("SF")),
        ("udp,1.1.1.1,1,  <->,2.2.2.2,2,CON,2,500", [Some(1), Some(1), None, None], Some("SF")),
        ("tcp,1.1.1.1,1,   ->,2.2.2.2,2,S_,5,500", [Some(5), Some(0), Some(500), Some(0)], Some("S0")),
        ("tcp,1.1.1.1,1,   ->,2.2.2.2,2,SPA_SPA,5,500", [None; 4], Some("S1")),
        ("tcp,1.1.1.1,1,   ->,2.2.2.2,2,CON,5,500", [None; 4], None),
        ("tcp,1.1.1.1,1,   ?>,2.2.2.2,2,RST,5,500", [Some(5), Some(0), Some(500), Some(0)], None),
        ("icmp,1.1.1.1,0x0008,  <->,2.2.2.2,0x1234,ECO,4,400", [None; 4], Some("OTH")),
        ("gre,1.1.1.1,,   ->,2.2.2.2,,INT,4,400", [Some(4), Some(0), Some(400), Some(0)], None),
    ] {
        flow(header, &format!("0,{record}"), |flow| {
            assert_eq!((counts(&flow), flow.conn_state), (expected, state), "{record}");
        });
    }
    // Bytes tell that no one answered, and so whose the packets are.
    flow(&format!("{header},SrcBytes"), "0,tcp,1.1.1.1,1,   ->,2.2.2.2,2,REQ,3,180,180", |flow| {
        assert_eq!((counts(&flow), flow.conn_state), ([Some(3), Some(0), Some(180), Some(0)], Some("S0")));
    });
    flow(&format!("{header},DstBytes"), "0,tcp,1.1.1.1,1,   ->,2.2.2.2,2,FIN,3,180,80", |flow| {
        assert_eq!((counts(&flow), flow.observed_sides), ([None, None, Some(100), Some(80)], Some(2)));
    });
}

#[test]
fn types_and_codes_of_icmp() {
    let header = "StartTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport";
    for (protocol, first, second, expected) in [
        ("icmp", "0x0303", "0xe914", (3, 3)),
        ("icmp", "0x0d03", "0x0000", (3, 13)),
        ("icmp", "0x0003", "0x0a00", (3, 0)),
        ("icmp", "0x010b", "0x0000", (11, 1)),
        ("icmp", "0x0008", "0x0001", (8, 0)),
        ("icmp", "0x0000", "0x9ac7", (0, 0)),
        ("icmp", "0x03", "0x03", (3, 3)),
        ("icmp", "0x0005", "0x0001", (5, 1)),
        ("icmp", "", "", (0, 0)),
        ("ipv6-icmp", "135", "0", (135, 0)),
        ("ipv6-icmp", "1", "4", (1, 4)),
    ] {
        flow(header, &format!("0,{protocol},::1,{first},->,::2,{second}"), |flow| {
            assert_eq!((flow.src_port, flow.dst_port), expected, "{protocol} {first} {second}");
        });
    }
    flow(header, "0,esp,1.1.1.1,,->,2.2.2.2,0x20205678", |flow| assert_eq!((flow.protocol, flow.dst_port), (50, 0)));
}

#[test]
fn flows_and_parts() {
    let line = |state: &str| format!("0,1,tcp,1.1.1.1,1,->,2.2.2.2,2,{state},0,0,6,360,180,3,");
    for (state, kind) in [
        ("FSPA_FSPA", "flow"),
        ("FSRPA_SPA", "flow"),
        ("SPA_SPA", "part"),
        ("PA_PA", "part"),
        ("FA_FA", "part"),
        ("SPA_FSPA", "part"),
        ("CON", "part"),
    ] {
        assert_eq!(kinds(&format!("{HEADER}\n{}\n", line(state))), [kind], "{state}");
    }
    assert_eq!(kinds(&format!("{HEADER}\n0,1,udp,1.1.1.1,1,<->,2.2.2.2,2,CON,0,0,6,360,180,3,\n")), ["part"]);
}

#[test]
fn what_is_no_flow() {
    let text = [
        HEADER,
        "2018/05/10 10:52:47.283479,0.045010,man,0,0,,0,0,STA,,,0,0,0,0,",
        "1970/01/01 01:00:00.000000,0.000000,llc,00:00:00:00:00:00,0,   ->,00:00:00:00:00:00,0,INT,,,1,60,60,1,",
        "1970/01/01 01:00:06.519466,1999.104004,arp,192.168.1.112,,  who,192.168.1.2,,CON,,,22,924,462,11,",
        "1970/01/01 01:00:06.519466,0,0,30:75:12:ad:fb:8a,1,   ->,ff:ff:ff:ff:ff:ff,0,INT,,,5,300,300,5,",
        "",
        HEADER,
        "0,0,35020,30:75:12:ad:fb:8a,1,   ->,ff:ff:ff:ff:ff:ff,0,INT,,,5,300,300,5,",
    ];
    assert_eq!(kinds(&text.join("\n")), ["other man", "other llc", "other arp", "other ether", "other ether"]);
    assert!(kinds("").is_empty());
    assert!(kinds(HEADER).is_empty());
}

#[test]
fn what_cannot_be_read() {
    let good = ["0", "1", "udp", "1.1.1.1", "1", "->", "2.2.2.2", "2", "INT", "0", "", "6", "360", "360", "6", ""];
    for (field, value, reason) in [
        (0, "13:22:59.340835", "StartTime is \"13:22:59.340835\"; it must be a date with its time"),
        (0, "", "StartTime is \"\"; it must be a date"),
        (0, "99999999999999999999", "StartTime is \"99999999999999999999\"; it must be"),
        (1, "long", "Dur is \"long\"; it must be a number of seconds"),
        (1, "-1", "Dur is \"-1\"; it must be such that the end is not before the start"),
        (1, "9000000000000", "Dur is \"9000000000000\"; it must be such that"),
        (2, "Xy", "Proto is \"Xy\"; it must be a protocol's name or number"),
        (3, "10.0.0.0/24", "SrcAddr is \"10.0.0.0/24\"; it must be an IP address"),
        (6, "host", "DstAddr is \"host\"; it must be an IP address"),
        (7, "https", "Dport is \"https\"; it must be a port from 0 to 65535, and no service's name: run ra with -n"),
        (4, "65536", "Sport is \"65536\"; it must be a port"),
        (4, "0x+1", "Sport is \"0x+1\"; it must be a port"),
        (11, "1.5", "TotPkts is \"1.5\"; it must be a whole number"),
        (12, "359", "TotBytes is \"359\"; it must be at least as much as SrcBytes alone, 360"),
        (13, "18446744073709551616", "SrcBytes is \"18446744073709551616\"; it must be a whole number"),
    ] {
        let mut fields = good;
        fields[field] = value;
        let seen = kinds(&format!("{HEADER}\n{}\n", fields.join(",")));
        assert!(seen.len() == 1 && seen[0].starts_with(&format!("{:?} {reason}", Place::Line(2))), "{seen:?}");
    }
    let seen = kinds(&format!("{HEADER}\n0,1,udp\n{}\n", good.join(",")));
    assert_eq!(seen, [format!("{:?} the line has 3 fields; its header has 16", Place::Line(2)), "part".into()]);
    let icmp = kinds(&format!("{HEADER}\n0,1,icmp,1.1.1.1,echo,->,2.2.2.2,,ECO,,,1,42,42,1,\n"));
    assert!(icmp[0].ends_with("Sport is \"echo\"; it must be type and code of ICMP as 0x0303"), "{icmp:?}");
}

#[test]
fn text_that_breaks_off() {
    let header = "StartTime,Proto,SrcAddr,Sport,DstAddr,Dport,TotBytes";
    let line = "0,udp,1.1.1.1,1,2.2.2.2,2,360";
    assert_eq!(kinds(&format!("{header}\n{line}\n{line}\n")), ["part", "part"]);
    let seen = kinds(&format!("{header}\n{line}\n{line}"));
    assert_eq!(seen[1], format!("{:?} the line has no end: it is read again once the text goes on", Place::Line(3)));
}

#[test]
fn what_is_no_text_of_argus() {
    assert!(is_argus(format!("{HEADER}\n").as_bytes()) && is_argus(HEADER.replace(',', "\t").as_bytes()));
    for text in ["{\"ts\":1}\n", "#separator \\x09\n", "\x0c\u{a5}\0\0", "\n", "", "ts,src,dst\n"] {
        assert!(!is_argus(text.as_bytes()), "{text}");
    }
    let error = reader("{\"ts\":1}\n").next().unwrap_err();
    assert!(error.reason().starts_with("it is no text of Argus: its first line, \"{\\\"ts\\\":1}\", does not name"));
    assert!(error.remedy_text().unwrap().contains("ra -L 0 -u -n -c ,"));
}
