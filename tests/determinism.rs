//! The same flows give the same findings, byte for byte, however they are stored, divided, interrupted and scheduled.

use wardflow_datasets::{Flow, Hospital};

use crate::support::{Demo, demo};

/// The results of one run over all, which every other way must give.
fn expected() -> String {
    let results = Demo::analysed().results();
    assert!(results.lines().count() > 20, "the hospital has findings:\n{results}");
    results
}

#[track_caller]
fn check(demo: &Demo, how: &str) {
    compare(&demo.results(), &expected(), how);
}

#[track_caller]
fn compare(found: &str, expected: &str, how: &str) {
    let differences: String = diff(expected, found).into_iter().take(20).collect();
    assert!(differences.is_empty(), "{how}:\n{differences}");
}

/// Lines that only one of both has.
fn diff(expected: &str, found: &str) -> Vec<String> {
    let lacking = expected.lines().filter(|line| !found.lines().any(|other| other == *line));
    let added = found.lines().filter(|line| !expected.lines().any(|other| other == *line));
    let order = (expected != found).then(|| "they differ\n".to_owned());
    lacking.map(|line| format!("- {line}\n")).chain(added.map(|line| format!("+ {line}\n"))).chain(order).collect()
}

#[test]
fn threads() {
    for threads in [1, 2, 8] {
        let demo = Demo::new();
        demo.wardflow(&format!("analyze --threads {threads}"));
        check(&demo, &format!("{threads} threads"));
    }
}

#[test]
fn little_address_space() {
    let demo = Demo::new();
    // KiB: less than the pool of instances would take, and enough for two of them.
    demo.scratch.done("ulimit -v 30000000; wardflow -q -C hospital analyze --threads 2");
    check(&demo, "little address space");
}

#[test]
fn nightly_runs() {
    let demo = Demo::new();
    for day in 3..=8 {
        demo.wardflow(&format!("analyze --to 2026-03-0{day}T04:00:00Z"));
    }
    demo.wardflow("analyze");
    check(&demo, "nightly runs");
}

#[test]
fn flows_that_come_late_are_told_and_made_good() {
    let demo = Demo::new();
    demo.scratch.done("mv hospital/archive/date=2026-03-05 late");
    demo.wardflow("analyze");
    demo.scratch.done("mv late hospital/archive/date=2026-03-05");
    let ran = demo.scratch.run("wardflow -C hospital analyze");
    assert!(ran.code == Some(1) && ran.stdout.contains("slices that flows came late to, or went from"), "{ran:#?}");
    demo.wardflow("analyze --rerun");
    check(&demo, "flows that came late");
}

#[test]
fn a_second_run_changes_nothing() {
    let demo = Demo::analysed();
    let said = demo.wardflow("analyze");
    assert!(said.contains("Nothing is new since the last run."), "{said}");
    check(&demo, "a second run");
    demo.wardflow("analyze --rerun");
    check(&demo, "a rerun");
}

#[test]
fn a_plugin_alone() {
    const FINDINGS: &str =
        "sql \"SELECT * FROM findings WHERE plugin = 'wardflow/NAME' ORDER BY finding_id\" --format json";
    let together = Demo::analysed();
    for name in ["beacon", "scan", "infusion-pump"] {
        let alone = Demo::new();
        alone.wardflow(&format!("analyze --plugin wardflow/{name}"));
        let query = FINDINGS.replace("NAME", name);
        let (expected, found) = (together.wardflow(&query), alone.wardflow(&query));
        assert!(!expected.is_empty(), "{name} has findings");
        assert_eq!(found, expected, "{name} alone");
        let others = format!("sql \"SELECT count(*) FROM findings WHERE plugin <> 'wardflow/{name}'\" --format csv");
        assert_eq!(alone.wardflow(&others).lines().last(), Some("0"), "{name} alone");
    }
}

/// A run of one plugin over slices that were analysed calls no device unwatched that another one watches.
#[test]
fn a_plugin_run_again_alone() {
    let demo = Demo::analysed();
    demo.wardflow("analyze --plugin wardflow/infusion-pump --rerun");
    check(&demo, "a rerun of one plugin");
}

/// The same flows as Zeek logs, in one file and in many, out of order.
#[test]
fn files() {
    let log = zeek_log();
    let in_files = |count: usize| {
        let demo = Demo::new();
        demo.scratch.done("rm -r hospital/archive");
        for file in 0..count {
            let part: String = log.iter().skip(file).step_by(count).map(String::as_str).collect();
            demo.scratch.write(&format!("logs/conn.{file:02}.log"), format!("{HEADER}{part}"));
        }
        demo.wardflow("ingest zeek logs");
        demo.wardflow("analyze");
        demo.results()
    };
    let one = in_files(1);
    assert!(one.lines().count() > 20, "the hospital has findings:\n{one}");
    let differences: String = diff(&one, &in_files(7)).into_iter().take(20).collect();
    assert!(differences.is_empty(), "{differences}");
}

/// The same flows as another program writes them: in one file, by port, IPv4 addresses mapped into IPv6.
#[test]
fn parquet_of_another_program() {
    const FLOWS: &str = "
        SELECT * REPLACE (CASE WHEN src_ip LIKE '%:%' THEN src_ip ELSE '::ffff:' || src_ip END AS src_ip,
                          CASE WHEN dst_ip LIKE '%:%' THEN dst_ip ELSE '::ffff:' || dst_ip END AS dst_ip)
        FROM flows ORDER BY dst_port";
    let demo = Demo::new();
    demo.wardflow(&format!("sql \"{FLOWS}\" --format parquet -o foreign.parquet"));
    demo.scratch.done("rm -r hospital/archive/date=* && mv foreign.parquet hospital/archive");
    demo.wardflow("analyze");
    compare(&without_input_digests(&demo.results()), &without_input_digests(&expected()), "Parquet of another program");
    let ids =
        |from: &str| demo.wardflow(&format!("sql \"SELECT DISTINCT finding_id FROM {from} ORDER BY 1\" --format csv"));
    let devices =
        demo.wardflow("sql \"SELECT DISTINCT device_id FROM findings WHERE plugin = 'wardflow/scan'\" --format csv");
    assert!(devices.lines().count() > 1, "a device scans:\n{devices}");
    for device in devices.lines().skip(1) {
        let found = ids(&format!("detect('wardflow/scan') WHERE device_id = '{device}'"));
        let expected = ids(&format!("findings WHERE plugin = 'wardflow/scan' AND device_id = '{device}'"));
        assert_eq!(found, expected, "{device}");
    }
}

/// Of a file of another program the footer tells no digest of its flows, and the one in coverage is of the file.
fn without_input_digests(results: &str) -> String {
    const DIGITS: usize = 32;
    let mut parts = results.split("\"input_digest\":\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + &part[DIGITS..])
}

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\t\
                      id.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t\
                      conn_state\torig_pkts\tresp_pkts\n";

/// The hospital's flows as lines of a `conn.log`, by port and not by time.
fn zeek_log() -> Vec<String> {
    let mut flows: Vec<_> = Hospital::new(demo::options()).unwrap().flows().collect();
    flows.sort_by_key(|flow| (flow.dst_port, flow.uid));
    flows.iter().map(zeek_line).collect()
}

fn zeek_line(flow: &Flow) -> String {
    let seconds = |us: i64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let protocol = match flow.protocol {
        6 => "tcp",
        17 => "udp",
        _ => "icmp",
    };
    let service = if flow.service.is_empty() { "-" } else { flow.service };
    let Flow { src_ip, src_port, dst_ip, dst_port, src_bytes, dst_bytes, conn_state, src_packets, dst_packets, .. } =
        flow;
    let (start, duration) = (seconds(flow.start_us), seconds(flow.end_us - flow.start_us));
    format!(
        "{start}\t{src_ip}\t{src_port}\t{dst_ip}\t{dst_port}\t{protocol}\t{service}\t{duration}\t{src_bytes}\t{dst_bytes}\t\
         {conn_state}\t{src_packets}\t{dst_packets}\n"
    )
}
