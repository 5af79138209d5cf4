//! Whole inputs, and what becomes of their lines.

use std::io::{self, Read};

use super::{
    EveLog,
    flow_tests::{TCP, UDP},
};
use crate::{
    archive::reader::{Place, Reader, Record},
    error::ErrorKind,
};

const TLS: &str = r#"{"flow_id":2,"event_type":"tls","tls":{"sni":"pump.example"}}"#;

/// The records of an input, in words.
fn read_of(input: impl Read, sensor: Option<&str>) -> Vec<String> {
    let mut log = EveLog::new(input, sensor.map(str::to_owned));
    let mut seen = Vec::new();
    while let Some(record) = log.next().unwrap() {
        seen.push(match record {
            Record::Flow(flow) => format!("flow {}", flow.dst_name.unwrap_or("-")),
            Record::Part(flow) => format!("part {}", flow.dst_name.unwrap_or("-")),
            Record::Open(_) => "open".into(),
            Record::Aside(aside) => format!("{} {aside:?}", aside.table().name()),
            Record::Other(kind) => format!("other {kind}"),
            Record::Reject(reject) => {
                let Place::Line(line) = reject.place else { panic!("a log has lines") };
                format!("{line}: {}", reject.reason)
            }
        });
    }
    seen
}

fn read(input: &str) -> Vec<String> {
    read_of(input.as_bytes(), None)
}

#[test]
fn names_come_before_their_flow_and_count_once() {
    let netflow = UDP.replace("\"flow\"", "\"netflow\"");
    let input = [TLS, UDP, UDP, TLS, &netflow, &netflow, TCP].join("\n");
    assert_eq!(
        read(&input.replace("netflow\":{\"pkts_toserver\"", "netflow\":{\"pkts\"")),
        ["other tls", "flow pump.example", "flow -", "other tls", "part pump.example", "part -", "flow -"]
    );
}

#[test]
fn stats_become_reports_of_the_sensor() {
    let stats = |second: u32, packets: u32| {
        format!(
            "{{\"timestamp\":\"2021-06-07T07:34:{second}.000000+0200\",\"event_type\":\"stats\",\
             \"stats\":{{\"decoder\":{{\"pkts\":{packets}}}}},\"host\":\"a\"}}"
        )
    };
    let input = [stats(10, 5), stats(18, 25), stats(26, 25).replace("pkts", "x")].join("\n");
    let seen = read_of(input.as_bytes(), Some("mine"));
    assert_eq!((seen.len(), seen[0].as_str(), seen[2].as_str()), (3, "other stats", "other stats"));
    assert!(seen[1].starts_with("sensor_reports") && seen[1].contains("packets: Some(20)"), "{}", seen[1]);
    assert!(seen[1].contains("sensor: Some(\"mine\")"), "{}", seen[1]);
}

#[test]
fn every_line_is_a_record_unless_it_is_blank() {
    let long = format!(r#"{{"event_type":"x","x":"{}"}}"#, "y".repeat(2 << 20));
    let [dhcp, none, number] = [r#"{"event_type":"dhcp"} "#, r#"{"a":1}"#, r#"{"event_type":7}"#];
    let lines = [UDP, "", "  ", dhcp, "x", "[1]", none, number, "{", &long, UDP];
    let seen = read(&lines.join("\r\n"));
    let expected = [
        "flow -",
        "other dhcp",
        "5: the line is no JSON object: it does not begin with {",
        "6: the line is no JSON object: it does not begin with {",
        "7: event_type is not set; it must be the kind of the event, a word",
        "8: event_type is \"7\"; it must be the kind of the event, a word",
        "9: the line is no JSON object: EOF while parsing an object at line 1 column 1",
        "10: the line is longer than 1 MiB",
        "flow -",
    ];
    assert_eq!(seen, expected);
    let kind = "k".repeat(65);
    let seen = read(&format!("{UDP}\n{{\"event_type\":\"{kind}\"}}"));
    assert_eq!(seen[1], format!("2: event_type is \"{kind}\"; it must be the kind of the event, a word"));
}

#[test]
fn a_line_that_is_cut_is_a_reject_and_one_that_is_whole_is_not() {
    let cut = "the line has no end: it is read again once the log goes on";
    assert_eq!(read(&format!("{UDP}\n{}", &TCP[..300])), ["flow -", &format!("2: {cut}")]);
    assert_eq!(read(&format!("{UDP}\n{TCP}")), ["flow -", "flow -"]);
    assert_eq!(read(&TCP[..300]), [format!("1: {cut}")]);
    assert_eq!(read(&format!("{}\n{UDP}", &TCP[..300]))[1], "flow -");
}

#[test]
fn what_is_no_eve_is_refused() {
    let check = |input: &str, expected: &str| {
        let error = EveLog::new(input.as_bytes(), None).next().unwrap_err();
        assert_eq!(error.to_string(), format!("it is no log of Suricata's EVE: its first line, {expected}"));
        assert!(error.kind() == ErrorKind::Usage && error.remedy_text().is_some());
    };
    check("ts,src\n", "\"ts,src\", is no JSON object");
    check("\n[{}]\n", "\"[{}]\", is no JSON object");
    check("{\"a\":1}\n", "\"{\\\"a\\\":1}\", has no event_type");
    assert_eq!(read(""), Vec::<String>::new());
    assert_eq!(read("\n \n"), Vec::<String>::new());
}

#[test]
fn an_input_may_break_off() {
    struct Broken<'a>(&'a [u8]);
    impl Read for Broken<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() { Err(io::Error::other("corrupt")) } else { self.0.read(buffer) }
        }
    }
    let input = format!("{UDP}\n{}", &TCP[..50]);
    let mut log = EveLog::new(Broken(input.as_bytes()), None);
    assert!(matches!(log.next().unwrap(), Some(Record::Flow(_))));
    assert!(!log.is_broken());
    let Some(Record::Reject(reject)) = log.next().unwrap() else { panic!("no reject") };
    assert_eq!(reject.reason, "the compressed file breaks off here: corrupt");
    assert_eq!((reject.raw, reject.place), (&TCP.as_bytes()[..50], Place::Line(2)));
    assert!(log.next().unwrap().is_none() && log.is_broken());
}

#[test]
fn an_input_that_cannot_be_read_is_an_error() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let error = EveLog::new(Failing, None).next().unwrap_err();
    assert_eq!((error.to_string().as_str(), error.kind()), ("the file cannot be read", ErrorKind::Failed));
}

#[test]
fn garbage_is_as_many_records_as_lines() {
    let mut state = 7_u64;
    let mut random = move |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % end
    };
    for _ in 0..5_000 {
        let mut bytes = [UDP, TLS, TCP, UDP].join("\n").into_bytes();
        let first = UDP.len() + 1;
        for _ in 0..random(8) {
            let at = first + random(bytes.len() - first);
            bytes[at] = u8::try_from(random(256)).unwrap();
        }
        bytes.truncate(first + random(bytes.len() - first));
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        assert_eq!(read_of(&bytes[..], None).len(), lines);
    }
}
