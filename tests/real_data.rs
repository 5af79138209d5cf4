//! Logs of real networks: what is in them is found, and what is not is not. Skipped where there are none.

use crate::support::Scratch;

/// A workspace `w` with these logs in it, analysed.
fn analysed(logs: &str) -> Scratch {
    let scratch = ingested(logs);
    scratch.done("wardflow -C w -q analyze");
    scratch
}

fn ingested(logs: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.done(&format!("wardflow init w && wardflow -C w -q ingest zeek {}", real(logs)));
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
    let contact = "SELECT DISTINCT peer_port, protocol FROM findings
                   WHERE plugin = 'wardflow/beacon' AND peer_port = 1177";
    check(&scratch, contact, "1177,6");
}

#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn rotated_logs() {
    let scratch = analysed("rita/proxy_rolling");
    check(&scratch, "SELECT count(*) FROM flows", "7550");
    check(&scratch, "SELECT count(*) > 5000 FROM flows WHERE dst_name IS NOT NULL", "true");
}

/// Lines in are flows and rejects out, as another program counted them.
#[cfg_attr(not(real_data), ignore = "no real data: set WARDFLOW_DATA")]
#[test]
fn every_line_counts() {
    for (logs, flows, rejects) in [
        ("rita/truncated/conn_json.log", 2, 2),
        ("stratosphere/001-zeek-scenario-malicious/conn.log", 992, 0),
        ("stratosphere/002-zeek-scenario-port-scanning", 4_504, 0),
        ("stratosphere/005-zeek-scenario-malicious", 992, 0),
        ("stratosphere/008-zeek-mixed", 5_663, 0),
        ("slips/port-scans", 91, 0),
        ("slips/test9-mixed-zeek-dir", 576, 0),
        ("slips/test10-mixed-zeek-dir", 141, 0),
    ] {
        let scratch = ingested(logs);
        let counts = "SELECT (SELECT count(*) FROM flows) AS flows, (SELECT count(*) FROM rejects) AS rejects";
        check(&scratch, counts, &format!("{flows},{rejects}"));
    }
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
