//! Logs of real networks: what is in them is found, and what is not is not. Skipped where there are none.

use serde_json::Value;

use crate::support::Scratch;

/// A workspace `w` with these logs in it, analysed.
fn analysed(logs: &str) -> Scratch {
    let scratch = ingested(logs);
    scratch.done("wardflow -C w -q analyze");
    scratch
}

fn ingested(logs: &str) -> Scratch {
    let scratch = Scratch::new();
    let start = if is_relative(logs) { "--start 2020-01-01" } else { "" };
    scratch.done(&format!("wardflow init w && wardflow -C w -q ingest zeek {} {start}", real(logs)));
    scratch
}

/// The path of a file or directory of the data.
fn real(path: &str) -> String {
    format!("{}/{path}", option_env!("REAL_DATA").unwrap_or("no-real-data"))
}

#[track_caller]
fn check(scratch: &Scratch, query: &str, expected: &str) {
    let rows = scratch.done(&format!("wardflow -C w sql \"{query}\" --format csv | tail -n +2"));
    assert_eq!(rows.trim_end().replace("\r\n", "\n"), expected, "{query}");
}

#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn iot_23_command_and_control() {
    let scratch = analysed("zeek-iot23-34-1/conn.log.labeled");
    check(&scratch, "SELECT count(*) FROM flows", "23145");
    check(&scratch, "SELECT count(*) FROM rejects", "0");
    let contact = "SELECT DISTINCT device_ip, peer_ip, peer_port, protocol FROM findings
                   WHERE plugin = 'wardflow/beacon' AND peer_ip = '185.244.25.235'";
    check(&scratch, contact, "192.168.1.195,185.244.25.235,6667,6");
    check(&scratch, "SELECT count(*) FROM findings WHERE plugin = 'wardflow/beacon' AND peer_port = 123", "0");
}

#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn one_host_scans() {
    let scratch = analysed("stratosphere/002-zeek-scenario-port-scanning");
    check(&scratch, "SELECT DISTINCT device_ip FROM findings WHERE plugin = 'wardflow/scan'", "172.16.1.11");
}

#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn remote_access_trojan() {
    let scratch = analysed("stratosphere/001-zeek-scenario-malicious/conn.log");
    // Its server is seldom there.
    let contact = "SELECT DISTINCT peer_port, protocol FROM findings
                   WHERE plugin = 'wardflow/failed-contact' AND peer_port = 1177";
    check(&scratch, contact, "1177,6");
}

#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn rotated_logs() {
    let scratch = analysed("rita/proxy_rolling");
    check(&scratch, "SELECT count(*) FROM flows", "7550");
    check(&scratch, "SELECT count(*) > 5000 FROM flows WHERE dst_name IS NOT NULL", "true");
}

/// Records in are flows, parts of flows, rows of other tables, records of other kinds and rejects out, as other programs
/// counted them: every file of the data that holds flows.
#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn every_record_counts() {
    let files = Scratch::new().done(&format!(
        "cd {} && find . -name '*conn*.log*' -o -name '*.binetflow' -o -name '*suricata.json' -o -name '*.nfdump' | sort",
        real("")
    ));
    let has_nfdump = Scratch::new().run("command -v nfdump").code == Some(0);
    let mut checked = 0;
    let mut left_out = Vec::new();
    for file in files.lines().map(|file| file.trim_start_matches("./")) {
        let format = match file.rsplit('.').next() {
            Some("binetflow") => "argus",
            Some("json") => "eve",
            Some("nfdump") => "nfdump",
            _ => "zeek",
        };
        // What these are for is another test's, and a program that is not there cannot be tried.
        if file.starts_with("rita/text_file") || file.ends_with("conn_top.log") || (format == "nfdump" && !has_nfdump) {
            left_out.push(file);
            continue;
        }
        let scratch = Scratch::new();
        scratch.done("wardflow init w");
        let start = if is_relative(file) { "--start 2020-01-01" } else { "" };
        let file = real(file);
        // On its own, without what lies beside it.
        let report = scratch.run(&format!("cp {file} . && wardflow -C w --json -q ingest {format} *.* {start}"));
        let report: Value =
            serde_json::from_str(&report.stdout).unwrap_or_else(|error| panic!("{file}: {error} {report:#?}"));
        let source = &report["sources"][0];
        let number = |field: &str| source[field].as_u64().unwrap();
        let sum = |field: &str| source[field].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
        let numbers = ["flows", "joined", "waiting", "open", "rejects"].map(number).iter().sum::<u64>();
        assert_eq!(numbers + sum("beside") + sum("others"), number("records"), "{file}: {report:#}");
        let counted = scratch.done(&format!("{}/count {format} {file}", env!("CARGO_MANIFEST_DIR")));
        assert_eq!(counted.trim(), number("records").to_string(), "{file}: {report:#}");
        let settled = report["settled"].as_u64().unwrap();
        assert_eq!(settled, number("waiting"), "{file}: {report:#}");
        let counts = "SELECT (SELECT count(*) FROM flows) AS flows, (SELECT count(*) FROM rejects) AS rejects";
        check(&scratch, counts, &format!("{},{}", number("flows") + settled, number("rejects")));
        checked += 1;
    }
    assert!(checked >= 30 && left_out.len() <= 3, "{checked} without {left_out:?}");
}

/// Every IP packet of a capture is one of a flow, and every conversation one of the flows, as a program counted them that
/// knows nothing of `nfpcapd`: every capture of the data.
#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
#[expect(clippy::print_stderr, reason = "a test that could not be made must not look like one that was passed")]
fn every_packet_counts() {
    // Ports of ICMP are a type and a code, which an answer has others of.
    const COUNTS: &str = "
        SELECT sum(coalesce(src_packets, 0) + coalesce(dst_packets, 0)) AS packets,
               count(DISTINCT protocol || least(src, dst) || greatest(src, dst)) AS conversations
        FROM (SELECT *, ' ' || src_ip || ' ' || CASE WHEN protocol IN (6, 17) THEN src_port ELSE 0 END AS src,
                        ' ' || dst_ip || ' ' || CASE WHEN protocol IN (6, 17) THEN dst_port ELSE 0 END AS dst
              FROM flows)";
    if let Some(lacking) = ["nfpcapd", "nfdump", "python3"]
        .into_iter()
        .find(|program| Scratch::new().run(&format!("command -v {program}")).code != Some(0))
    {
        eprintln!("skipped: {lacking} is not installed");
        return;
    }
    let captures = Scratch::new().done(&format!("cd {} && find . -name '*.pcap' | sort", real("")));
    for capture in captures.lines().map(|file| file.trim_start_matches("./")) {
        let start = if is_relative(capture) { "--start 2020-01-01" } else { "" };
        let file = real(capture);
        let scratch = Scratch::new();
        scratch.done(&format!("wardflow init w && wardflow -C w -q ingest pcap {file} {start}"));
        let counted = scratch.done(&format!("python3 {}/count_packets.py {file}", env!("CARGO_MANIFEST_DIR")));
        check(&scratch, COUNTS, counted.trim());
        check(&scratch, "SELECT count(*) FROM rejects", "0");
    }
    assert!(captures.lines().count() >= 15, "{captures}");
}

/// Whether the times of a capture count from its beginning.
fn is_relative(file: &str) -> bool {
    let relative = [
        "001-zeek",
        "005-zeek",
        "horizontal",
        "sality",
        "syslog",
        "test13",
        "test14",
        "test15",
        "test5",
        "test9-mixed",
        "win1.malicious",
    ];
    relative.iter().any(|name| file.contains(name))
}

#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn truncated_logs() {
    let scratch = ingested("rita/truncated/conn.log");
    check(&scratch, "SELECT count(*) FROM flows", "58");
    check(&scratch, "SELECT count(*) FROM rejects", "1");
}

#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn no_conn_logs() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    for (log, reason) in [
        ("rita/text_file/conn.log", "Zeek log"),
        ("rita/truncated/conn_top.log", "Zeek log"),
        ("rita/has_unknown_field/http.log", "http.log"),
    ] {
        let ran = scratch.run(&format!("wardflow -C w ingest zeek {}", real(log)));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:#?}");
        assert!(ran.stderr.starts_with("error: cannot ingest ") && ran.stderr.contains(reason), "{ran:#?}");
    }
    check(&scratch, "SELECT count(*) FROM flows", "0");
}
