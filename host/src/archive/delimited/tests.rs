use std::{path::Path, sync::Arc};

use jiff::tz::TimeZone;

use super::Delimited;
use crate::{
    archive::reader::{Place, Reader, Record},
    mapping::Mapping,
};

const COLUMNS: &str = "
[columns]
start_time = 'to_timestamp_seconds(CAST(start AS BIGINT))'
end_time = 'to_timestamp_seconds(CAST(start AS BIGINT) + CAST(duration AS BIGINT))'
src_ip = \"src\"
dst_ip = \"dst\"
src_port = \"sport\"
dst_port = \"dport\"
protocol = \"CASE proto WHEN 'tcp' THEN 6 WHEN 'udp' THEN 17 END\"
src_bytes = \"bytes_sent\"
service = [\"lower(app)\", \"NULL\"]
src_mac = [\"mac\", \"NULL\"]
";

const HEADER: &str = "Start,Duration,src,dst,sport,dport,proto,Bytes Sent\n";

fn mapping(source: &str) -> Arc<Mapping> {
    Arc::new(Mapping::parse(Path::new("map.toml"), &format!("[source]\n{source}\n{COLUMNS}")).unwrap())
}

/// Every record in a line: its place, and what it is.
fn read(source: &str, text: &str) -> Vec<String> {
    let mut reader =
        Delimited::new(std::io::Cursor::new(text.to_owned().into_bytes()), mapping(source), None, TimeZone::UTC);
    let mut seen = Vec::new();
    loop {
        let shown = match reader.next().unwrap() {
            None => return seen,
            Some(Record::Flow(flow)) => {
                let ends = format!("{}:{} {}:{}", flow.src_ip, flow.src_port, flow.dst_ip, flow.dst_port);
                let times = (flow.start_time / 1_000_000, flow.end_time / 1_000_000);
                format!("{times:?} {ends} {} {:?} {:?}", flow.protocol, flow.src_bytes, flow.service)
            }
            Some(Record::Part(flow)) => format!("part {}", flow.src_ip),
            Some(Record::Other(kind)) => kind.to_owned(),
            Some(Record::Reject(reject)) => {
                assert_eq!(reject.place, Place::Line(line(reject.place)));
                format!("{} <- {}", reject.reason, String::from_utf8_lossy(reject.raw))
            }
            Some(other) => panic!("{other:?}"),
        };
        seen.push(format!("{} {shown}", line(reader.place())));
    }
}

fn line(place: Place) -> u64 {
    let Place::Line(line) = place else { panic!("{place:?}") };
    line
}

#[track_caller]
fn check(source: &str, text: &str, expected: &[&str]) {
    let seen = read(source, text);
    assert_eq!(seen.len(), expected.len(), "{seen:#?}");
    for (seen, expected) in seen.iter().zip(expected) {
        assert!(seen.starts_with(expected), "{seen}\nis not\n{expected}");
    }
}

#[test]
fn records_become_flows() {
    let text =
        format!("\u{feff}{HEADER}100,5,10.0.0.1,10.0.0.2,40000,443,tcp,7\n200,0,fe80::1,FE80::2,1,2,udp,\n{HEADER}");
    check(
        "",
        &text,
        &["2 (100, 105) 10.0.0.1:40000 10.0.0.2:443 6 Some(7) None", "3 (200, 200) fe80::1:1 fe80::2:2 17 None None"],
    );
    let flow = |line: &str| format!("{line} (1, 2) 10.0.0.1:3 10.0.0.2:4 6 Some(5) Some(\"https\")");
    let source = "delimiter = ' '\ncomment = '#'\nnull = ['-']\ncolumns = ['start', 'duration', 'src', 'dst', 'sport', \
                  'dport', 'proto', 'bytes_sent', 'app']";
    check(source, "# none\n1 1 10.0.0.1 10.0.0.2 3 4 tcp 5 \"HTTPS\"\n", &[&flow("2")]);
    check("parts = true", &format!("{HEADER}1,1,10.0.0.1,10.0.0.2,3,4,tcp,5\n"), &["2 part 10.0.0.1"]);
    check("where = \"proto <> 'x'\"", &format!("{HEADER}1,1,10.0.0.1,10.0.0.2,3,4,x,5\n"), &["2 left out"]);
    check("", "", &[]);
    check("", HEADER, &[]);
}

#[test]
fn what_is_wrong_is_rejected_alone_with_its_line() {
    let good = "100,5,10.0.0.1,10.0.0.2,40000,443,tcp,7";
    let text = format!(
        "{HEADER}{good}\n\
         x,5,10.0.0.1,10.0.0.2,40000,443,tcp,7\n\
         100,5,10.0.0.1,10.0.0.2,70000,443,tcp,7\n\
         100,5,10.0.0.1,10.0.0.256,40000,443,tcp,7\n\
         100,5,,10.0.0.2,40000,443,tcp,7\n\
         100,5,10.0.0.1,10.0.0.2,40000,443,gre,7\n\
         100,-5,10.0.0.1,10.0.0.2,40000,443,tcp,7\n\
         100,5,10.0.0.1,10.0.0.2,40000,443,tcp,7,8\n\
         \"100,5,10.0.0.1,10.0.0.2,40000,443,tcp,7\n\
         {good}\n"
    );
    check(
        "",
        &text,
        &[
            "2 (100, 105)",
            "3 `start_time` cannot be computed: ",
            "4 `src_port` is \"70000\"; it must be a whole number from 0 to 65535 <- 100,5,10.0.0.1,10.0.0.2,70000,",
            "5 `dst_ip` is \"10.0.0.256\"; it must be an IP address <- ",
            "6 `src_ip` is not set; it must be an IP address <- ",
            "7 `protocol` is not set; it must be a whole number from 0 to 255 <- ",
            "8 `end_time` is -5000000 microseconds after `start_time`; ",
            "9 the record has 9 fields where there are 8 columns <- ",
            "10 a quote in the line is not closed <- \"100,5,",
            "11 (100, 105)",
        ],
    );
}

#[test]
fn a_last_value_may_be_cut_off() {
    let line = "100,5,10.0.0.1,10.0.0.2,40000,443,tcp,7";
    check("", &format!("{HEADER}{line}"), &["2 the line has no end, so that its last value may be cut off: "]);
    check("", &format!("{HEADER}{line}\n"), &["2 (100, 105)"]);
    check("", &format!("{HEADER}100,5,10.0.0.1,10.0.0.2"), &["2 the record has 4 fields where there are 8"]);
    // Nobody reads the note.
    let header = HEADER.replace('\n', ",note\n");
    check("", &format!("{header}{line},cut o"), &["2 (100, 105)"]);
    check("", &format!("{header}{line},"), &["2 (100, 105)"]);
}

#[test]
fn a_record_that_is_cut_in_quotes_is_read_again() {
    let line = "100,5,10.0.0.1,10.0.0.2,40000,443,tcp,7";
    for (cut, is_broken) in
        [("200,5,\"10.0.0.1\n", true), ("200,5,\"10.0.0.1\nand, on\n", true), ("200,5,\"10.0", false)]
    {
        let text = format!("{HEADER}{line}\n{cut}");
        check("", &text, &["2 (100, 105)", "3 a quote in the line is not closed <- 200,5,\"10.0"]);
        let mut reader = Delimited::new(text.as_bytes(), mapping(""), None, TimeZone::UTC);
        while reader.next().unwrap().is_some() {}
        assert_eq!((reader.is_broken(), reader.place()), (is_broken, Place::Line(3)), "{cut:?}");
    }
}

#[test]
fn a_batch_ends_nowhere_special() {
    let lines: String = (0..20_000)
        .map(|line| format!("{line},1,10.0.0.1,10.0.0.2,3,4,tcp,{}\n", if line % 7_000 == 0 { "x" } else { "5" }))
        .collect();
    let seen = read("", &format!("{HEADER}{lines}"));
    assert_eq!(seen.len(), 20_000);
    for (number, record) in seen.iter().enumerate() {
        let line = number + 2;
        let expected = match number % 7_000 {
            0 => format!("{line} `src_bytes` is \"x\"; it must be a whole number of 64 bits <- {number},1,"),
            _ => format!("{line} ({number}, {}) 10.0.0.1:3", number + 1),
        };
        assert!(record.starts_with(&expected), "{record}\nis not\n{expected}");
    }
}

#[test]
fn a_mapping_of_other_columns_is_refused() {
    let text = HEADER.replace("sport", "src_prt");
    let mut reader = Delimited::new(std::io::Cursor::new(text.into_bytes()), mapping(""), None, TimeZone::UTC);
    let error = reader.next().unwrap_err();
    assert!(error.to_string().contains("`src_port` needs the column \"sport\", which is not there"), "{error}");
    assert!(error.remedy_text().unwrap().contains("there are start, duration, src, dst, src_prt"), "{error:?}");
}

#[test]
fn vpc_flow_logs_in_text() {
    let vpc = Arc::new(Mapping::find("aws-vpc", Path::new("/")).unwrap());
    let text = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
        action log-status\n\
        2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n\
        2 123456789010 eni-1 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK\n\
        2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\n";
    let mut reader = Delimited::new(text.as_bytes(), vpc, None, TimeZone::UTC);
    let Some(Record::Part(flow)) = reader.next().unwrap() else { panic!("no part") };
    assert_eq!((flow.start_time, flow.end_time), (1_418_530_010_000_000, 1_418_530_070_000_000));
    assert_eq!((flow.src_bytes, flow.src_packets, flow.dst_bytes), (Some(4249), Some(20), None));
    assert_eq!((flow.sensor, flow.observed_sides, flow.conn_state), (Some("eni-1"), Some(1), None));
    let Some(Record::Part(flow)) = reader.next().unwrap() else { panic!("no part") };
    assert_eq!(flow.conn_state, Some("S0"));
    assert!(matches!(reader.next().unwrap(), Some(Record::Other("left out by the mapping"))));
    assert!(reader.next().unwrap().is_none());
}

/// The start of a flow in seconds as an expression has it, with clocks of a zone: 2024-07-01 12:00:00 of some columns.
#[track_caller]
fn check_start(expression: &str, zone: &str, expected: Result<i64, &str>) {
    let text = "wall,zulu,secs,dated,twice\n2024-07-01 12:00:00,2024-07-01T12:00:00Z,1719835200,2024-07-01,\
                2024-10-27 02:30:00\n";
    let columns = format!(
        "[columns]\nstart_time = \"{expression}\"\nend_time = \"to_timestamp('2030-01-01')\"\nsrc_ip = \"'10.0.0.1'\"\n\
         dst_ip = \"'10.0.0.2'\"\nsrc_port = \"1\"\ndst_port = \"2\"\nprotocol = \"6\"\n"
    );
    let mapping = Arc::new(Mapping::parse(Path::new("mapping.toml"), &columns).unwrap());
    let mut reader = Delimited::new(text.as_bytes(), mapping, None, TimeZone::get(zone).unwrap());
    match (reader.next().unwrap().unwrap(), expected) {
        (Record::Flow(flow), Ok(expected)) => assert_eq!(flow.start_time, expected * 1_000_000, "{expression} {zone}"),
        (Record::Reject(reject), Err(expected)) => assert!(reject.reason.contains(expected), "{}", reject.reason),
        other => panic!("{expression} {zone}: {other:?}"),
    }
}

#[test]
fn times_without_an_offset_are_of_the_zone() {
    let noon = 1_719_835_200;
    let summer = noon - 7_200;
    for expression in [
        "wall",
        "to_timestamp(wall)",
        "to_timestamp_seconds(wall, '%Y-%m-%d %H:%M:%S')",
        "CAST(wall AS TIMESTAMP)",
        "coalesce(to_timestamp(wall), to_timestamp_seconds(CAST(secs AS BIGINT)))",
        "to_timestamp(wall) + INTERVAL '1 hour' - INTERVAL '60 minutes'",
    ] {
        check_start(expression, "UTC", Ok(noon));
        check_start(expression, "Europe/Berlin", Ok(summer));
    }
    for expression in [
        "zulu",
        "to_timestamp(zulu)",
        "CAST(zulu AS TIMESTAMP)",
        "to_timestamp(CAST(secs AS BIGINT))",
        "to_timestamp_seconds(CAST(secs AS BIGINT))",
        "coalesce(to_timestamp_seconds(CAST(secs AS BIGINT)), to_timestamp(wall))",
        "to_timestamp(wall) AT TIME ZONE 'UTC'",
    ] {
        check_start(expression, "Europe/Berlin", Ok(noon));
    }
    check_start("to_timestamp(wall) AT TIME ZONE 'America/New_York'", "Europe/Berlin", Ok(noon + 4 * 3_600));
    check_start("CAST(dated AS DATE)", "Europe/Berlin", Ok(noon - 14 * 3_600));
    check_start("CASE WHEN to_timestamp(wall) < to_timestamp(zulu) THEN zulu END", "Europe/Berlin", Ok(noon));
    check_start("to_timestamp(twice)", "UTC", Ok(1_729_996_200));
    // The first of the two.
    for expression in ["twice", "to_timestamp(twice)", "CAST(twice AS TIMESTAMP)"] {
        check_start(expression, "Europe/Berlin", Ok(1_729_996_200 - 7_200));
    }
    check_start("replace(twice, '10-27', '03-31')", "Europe/Berlin", Ok(1_711_848_600));
    for zone in ["UTC", "America/New_York"] {
        check_start("to_timestamp(twice) AT TIME ZONE 'Europe/Berlin'", zone, Ok(1_729_996_200 - 7_200));
    }
    // Which of two zones has changed its clocks is not known.
    let two = "to_timestamp(CAST(to_timestamp(twice) AT TIME ZONE 'Europe/Berlin' AS TEXT)) AT TIME ZONE 'Europe/Rome'";
    check_start(two, "UTC", Err("`start_time` cannot be computed: "));
}

#[test]
fn an_end_in_the_hour_that_comes_twice_is_after_its_start() {
    let check = |[start_time, end_time]: [&str; 2], [start, end]: [&str; 2], expected: (i64, i64)| {
        let columns = format!(
            "[columns]\nstart_time = \"{start_time}\"\nend_time = \"{end_time}\"\nsrc_ip = \"'10.0.0.1'\"\n\
             dst_ip = \"'10.0.0.2'\"\nsrc_port = \"1\"\ndst_port = \"2\"\nprotocol = \"6\"\n"
        );
        let mapping = Arc::new(Mapping::parse(Path::new("mapping.toml"), &columns).unwrap());
        let text = format!("a,b\n2024-10-27 {start},{end}\n");
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut reader = Delimited::new(text.as_bytes(), mapping, None, zone);
        let Some(Record::Flow(flow)) = reader.next().unwrap() else { panic!("no flow: {text}") };
        let minutes = |time: i64| (time / 1_000_000 - 1_729_987_200) / 60;
        assert_eq!((minutes(flow.start_time), minutes(flow.end_time)), expected, "{text}");
    };
    // Minutes since midnight, UTC: two o'clock comes at 0 and at 60.
    let two = ["a", "b"];
    check(two, ["02:50:00", "2024-10-27 02:10:00"], (50, 70));
    check(two, ["02:10:00", "2024-10-27 02:50:00"], (10, 50));
    check(two, ["01:50:00", "2024-10-27 02:10:00"], (-10, 10));
    check(two, ["02:50:00", "2024-10-27 03:10:00"], (50, 130));
    let duration = [
        "to_timestamp(a) AT TIME ZONE 'Europe/Berlin'",
        "to_timestamp(a) AT TIME ZONE 'Europe/Berlin' + CAST(b || ' minutes' AS INTERVAL)",
    ];
    check(duration, ["02:50:00", "5"], (50, 55));
    check(duration, ["02:50:00", "20"], (50, 70));
    check(duration, ["01:50:00", "20"], (-10, 10));
}

#[test]
fn functions_that_are_computed_otherwise_work() {
    let text = "start,src,dst,sport\n2024-05-01T00:00:00Z,10.0.0.1,10.0.0.2,\n";
    let mapping = "[source]\nwhere = \"coalesce(src, '') <> ''\"\n[columns]\nstart_time = \"to_timestamp(start)\"\n\
                   end_time = \"to_timestamp(start)\"\nsrc_ip = \"src\"\ndst_ip = \"dst\"\n\
                   src_port = \"coalesce(sport, '7')\"\ndst_port = \"nvl(sport, '8')\"\nprotocol = \"1\"\n";
    let mapping = Arc::new(Mapping::parse(Path::new("mapping.toml"), mapping).unwrap());
    let mut reader = Delimited::new(text.as_bytes(), mapping, None, TimeZone::UTC);
    let Some(Record::Flow(flow)) = reader.next().unwrap() else { panic!("no flow") };
    assert_eq!((flow.src_port, flow.dst_port), (7, 8));
    assert!(reader.next().unwrap().is_none());
}
