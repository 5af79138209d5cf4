//! Files of another program, read where they lie or ingested through a mapping: nothing is lost that is not told of.

use std::{fs::File, sync::Arc};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use wardflow::synthetic;
use wardflow_datasets::{Flow, Hospital, Incident, Options, export::Vpc};

use crate::support::{Scratch, guest};

const COLUMNS: &str = "[columns]\nstart_time = \"to_timestamp_seconds(first)\"\nend_time = \"to_timestamp_seconds(last)\"\n\
                       src_ip = \"src\"\ndst_ip = \"'203.0.113.9'\"\nsrc_port = \"sport\"\ndst_port = \"443\"\n\
                       protocol = \"6\"\n";

/// A workspace `v` over Parquet in `parquet`, with rows as SQL has them, and a mapping of its own.
fn workspace(rows: &str, more: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.done("wardflow init w && wardflow init v && rm -f v/plugins/*; mkdir parquet");
    scratch.write("v/plugins/quiet.wasm", guest("observe", ""));
    scratch.write("v/map.toml", format!("{COLUMNS}{more}"));
    scratch.write("v/wardflow.toml", "archive = { url = \"../parquet\", mapping = \"map.toml\" }\n");
    let query = format!("SELECT * FROM (VALUES {rows}) AS rows (first, last, src, sport)");
    scratch.done(&format!("wardflow -C w sql \"{query}\" -o parquet/a.parquet"));
    scratch
}

fn rows(scratch: &Scratch, workspace: &str, query: &str) -> Vec<String> {
    let said = scratch.done(&format!("wardflow -C {workspace} sql --format csv \"{query}\""));
    said.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn rows_that_are_no_flows_are_counted_and_shown() {
    let scratch = workspace(
        "(1772409600, 1772409630, '10.20.0.1', '40000'), (1772409600, 1772409630, '10.20.0.1', 'x'), \
         (1772409600, 1772409630, NULL, '1'), (NULL, 1772409630, '10.20.0.1', '1'), \
         (1772409600, NULL, '10.20.0.1', '1'), (1772409630, 1772409620, '10.20.0.1', '1'), \
         (1772409600, 1772409630, 'nobody', '1'), (1772409600, 1772409630, '10.20.0.1', '-')",
        "[source]\nwhere = \"sport <> '-'\"\n",
    );
    assert!(!scratch.done("wardflow -C v status").contains("cannot be read as flows"), "nobody looked yet");
    let said = scratch.done("wardflow -C v analyze");
    let note = "6 rows of 1 file cannot be read as flows; the first, in a.parquet: `src_port` is \"x\"; it must be a whole \
                number from 0 to 65535";
    assert!(said.contains(note), "{said}");
    assert!(said.contains("not so 6 rows that cannot be read as flows"), "{said}");
    let status = scratch.done("wardflow -C v status");
    assert!(status.contains(note) && status.contains("8 rows from"), "{status}");
    assert_eq!(rows(&scratch, "v", "SELECT count(*) FROM flows"), ["1"]);
    // A file that is mended is counted anew.
    scratch.done("wardflow -C w sql \"SELECT 1772409600 AS first, 1772409600 AS last, '10.20.0.1' AS src, '1' AS sport\" -o parquet/a.parquet");
    let status = scratch.done("wardflow -C v analyze --rerun > /dev/null; wardflow -C v status");
    assert!(!status.contains("cannot be read as flows"), "{status}");
}

/// It is read again each time then, and that is said through the doors that errors go through.
#[test]
fn what_cannot_be_kept_of_files_is_told_and_no_failure() {
    let scratch = workspace("(1772409600, 1772409630, '10.20.0.1', '40000')", "");
    scratch.write("v/.wardflow-archive", "no directory");
    let told = "what was read of the archive's files cannot be kept in ";
    let ran = scratch.run("wardflow -C v analyze");
    assert!(ran.code == Some(0) && ran.stderr.contains(&format!("warning: {told}")), "{ran:#?}");
    let ran = scratch.run("wardflow -C v --json analyze --rerun");
    assert!(ran.code == Some(0) && ran.stderr.contains(&format!("{{\"warning\":\"{told}")), "{ran:#?}");
}

#[test]
fn records_of_one_direction_are_told_of() {
    let row = "(1772409600, 1772409630, '10.20.0.1', '40000')";
    let note = "1 of 1 flow that tell show one side of a conversation";
    for (sides, parts, is_told) in
        [("1", false, true), ("2", false, false), ("NULL", false, true), ("1", true, false), ("NULL", true, false)]
    {
        let scratch = workspace(row, &format!("observed_sides = \"{sides}\"\n[source]\nparts = {parts}\n"));
        let said = [scratch.done("wardflow -C v analyze"), scratch.done("wardflow -C v status")];
        for said in &said {
            assert_eq!(said.contains(note), is_told, "{said}");
        }
        assert_eq!(said[1].contains("its rows are parts of flows"), parts, "{}", said[1]);
    }
}

#[test]
fn a_place_without_a_file_is_an_error() {
    let scratch = workspace("(1, 1, '10.20.0.1', '1')", "");
    for (url, sought) in [
        ("../parquet/*.pq", "no file is one whose path there matches *.pq; there is a.parquet"),
        ("../v/plugins", "no file is one whose name ends in .parquet; there is quiet.wasm"),
    ] {
        scratch.write("v/wardflow.toml", format!("archive = {{ url = \"{url}\", mapping = \"map.toml\" }}\n"));
        for command in ["analyze", "status"] {
            let ran = scratch.run(&format!("wardflow -C v {command}"));
            assert_eq!(ran.code, Some(2), "{ran:#?}");
            assert!(ran.stderr.contains("has no flows") && ran.stderr.contains(sought), "{ran:#?}");
        }
    }
}

#[test]
fn one_file_is_a_place_too() {
    let scratch = workspace("(1772409600, 1772409630, '10.20.0.1', '1')", "");
    scratch.done("cp parquet/a.parquet parquet/b.parquet");
    for (url, expected) in [("../parquet", "2"), ("../parquet/a.parquet", "1")] {
        scratch.write("v/wardflow.toml", format!("archive = {{ url = \"{url}\", mapping = \"map.toml\" }}\n"));
        assert_eq!(rows(&scratch, "v", "SELECT count(*) FROM flows"), [expected], "{url}");
    }
}

/// What the statistics of a file that is not in order tell of its times is too little.
#[test]
fn a_file_of_many_days_has_the_slices_that_its_flows_end_in() {
    let scratch =
        workspace("(1772409600, 1772409630, '10.20.0.1', '1'), (1780185600, 1780185630, '10.20.0.1', '1')", "");
    let status: serde_json::Value = serde_json::from_str(&scratch.done("wardflow -C v --json status")).unwrap();
    let archive = &status["archive"];
    assert_eq!([&archive["slices"], &archive["flows"]], [2, 2]);
    assert_eq!([&archive["first"], &archive["last"]], ["2026-03-02T00:00:00Z", "2026-05-31T06:00:00Z"]);
}

#[test]
fn text_is_read_in_its_zone_and_a_cut_line_again() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    let columns = COLUMNS.replace("to_timestamp_seconds", "to_timestamp").replace("\"443\"", "\"dport\"");
    scratch.write("map.toml", columns);
    let ingest = "wardflow -C w ingest csv flows.csv --mapping map.toml --timezone Europe/Berlin";
    let head = "first,last,src,sport,dport\n2026-07-01 12:00:00,2026-07-01 12:00:00,10.0.0.1,1,443\n\
                2026-07-01 12:00:00,2026-07-01T10:00:01Z,10.0.0.1,2,44";
    scratch.write("flows.csv", head);
    scratch.done(ingest);
    let first = "2026-07-01T10:00:00Z,2026-07-01T10:00:00Z,443";
    let query = "SELECT start_time, end_time, dst_port FROM flows ORDER BY end_time";
    assert_eq!(rows(&scratch, "w", query), [first]);
    assert_eq!(rows(&scratch, "w", "SELECT count(*) FROM rejects WHERE reason LIKE 'the line has no end%'"), ["1"]);
    scratch.write("flows.csv", format!("{head}3\n"));
    scratch.done(ingest);
    assert_eq!(rows(&scratch, "w", query), [first, "2026-07-01T10:00:00Z,2026-07-01T10:00:01Z,443"]);
    assert_eq!(rows(&scratch, "w", "SELECT count(*) FROM rejects"), ["0"]);
}

const MINUTE: i64 = 60_000_000;

/// Whether a flow is far enough from midnight, UTC, for no conversation to go on past it.
fn is_of_one_day(flow: &Flow) -> bool {
    let [first, last] = [flow.start_us - 10 * MINUTE, flow.end_us + 10 * MINUTE];
    first.div_euclid(24 * 60 * MINUTE) == last.div_euclid(24 * 60 * MINUTE)
}

/// VPC flow logs as text, in the order in which rows are joined where they lie.
fn vpc(flows: impl Iterator<Item = Flow>) -> Vec<String> {
    let mut log = Vpc::new(Vec::new()).unwrap();
    flows.for_each(|flow| log.write(&flow).unwrap());
    let text = String::from_utf8(log.finish().unwrap()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[1..].sort_by_cached_key(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let number = |field: usize| fields[field].parse::<i64>().unwrap();
        let ends = (fields[3].to_owned(), fields[4].to_owned());
        ([number(10), number(11)], ends, [number(5), number(6), number(7)])
    });
    lines
}

/// Every third line, from one of the first three on, as Parquet as AWS writes it: so an answer is seldom where its question is.
fn write_parquet(scratch: &Scratch, lines: &[String], from: usize) {
    let names: Vec<String> = lines[0].split(' ').map(|name| name.replace('-', "_")).collect();
    let rows: Vec<Vec<&str>> = lines[1..].iter().skip(from).step_by(3).map(|line| line.split(' ').collect()).collect();
    let columns = names.iter().enumerate().map(|(place, name)| {
        let texts = rows.iter().map(|row| row[place]);
        let values: ArrayRef = match name.as_str() {
            "version" | "srcport" | "dstport" | "protocol" => {
                Arc::new(Int32Array::from_iter_values(texts.map(|text| text.parse::<i32>().unwrap())))
            }
            "packets" | "bytes" | "start" | "end" => {
                Arc::new(Int64Array::from_iter_values(texts.map(|text| text.parse::<i64>().unwrap())))
            }
            _ => Arc::new(StringArray::from_iter_values(texts)),
        };
        (name.as_str(), values, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let file = File::create(scratch.path().join(format!("parquet/{from}.parquet"))).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A workspace `w` of the hospital, whose slices are days, with more of its configuration.
fn of_days(hospital: &Hospital, more: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    scratch.write("w/wardflow.toml", format!("slice_hours = 24\n{more}{}", synthetic::config(hospital)));
    synthetic::write_inventory(hospital, &scratch.path().join("w/inventory.csv")).unwrap();
    scratch
}

#[test]
fn parts_where_they_lie_are_the_flows_that_ingest_makes_of_them() {
    let options = Options {
        devices: 60,
        days: 4,
        flows: Some(60_000),
        incidents: vec![Incident::Beacon, Incident::Scan],
        ..Options::default()
    };
    let hospital = Hospital::new(options).unwrap();
    let lines = vpc(hospital.flows().filter(is_of_one_day));

    let ingested = of_days(&hospital, "");
    ingested.write("vpc.txt", lines.join("\n") + "\n");
    ingested.done("wardflow -C w -q ingest csv vpc.txt --mapping aws-vpc");
    let lying = of_days(&hospital, "archive = { url = \"../parquet\", mapping = \"aws-vpc\" }\n");
    std::fs::create_dir(lying.path().join("parquet")).unwrap();
    (0..3).for_each(|from| write_parquet(&lying, &lines, from));

    // SQL's `flows` shows what was recorded.
    let recorded = rows(&lying, "w", "SELECT count(*), sum(src_packets), count(dst_packets) FROM flows");
    assert!(recorded[0].starts_with(&format!("{},", lines.len() - 1)) && recorded[0].ends_with(",0"), "{recorded:?}");
    let seen = "SELECT device_id, direction, CAST(start_time AS BIGINT), CAST(end_time AS BIGINT), local_ip, local_port, \
                peer_ip, peer_port, protocol, bytes_sent, bytes_received, packets_sent, packets_received, conn_state, \
                sensor FROM device_flows";
    let sorted = |scratch: &Scratch, query: &str| {
        let mut rows = rows(scratch, "w", query);
        rows.sort();
        rows
    };
    let [expected, joined] = [&ingested, &lying].map(|scratch| sorted(scratch, seen));
    let first = expected.iter().zip(&joined).find(|(expected, joined)| expected != joined);
    assert!(first.is_none(), "ingested, where it lies: {first:#?}");
    assert!(expected.len() == joined.len() && expected.len() > 40_000, "{} {}", expected.len(), joined.len());

    for scratch in [&ingested, &lying] {
        scratch.done("wardflow -C w -q analyze");
    }
    for query in [
        "SELECT plugin, kind, device_id, peer_ip, peer_port, protocol, severity, round(score, 6), flow_count, first_seen, \
         last_seen FROM findings",
        "SELECT plugin, slice_start, status, devices, flows FROM coverage WHERE device_id IS NULL",
        "SELECT kind, device_id, flow_count FROM detect('wardflow/scan')",
    ] {
        let [expected, seen] = [&ingested, &lying].map(|scratch| sorted(scratch, query));
        assert_eq!(seen, expected, "{query}");
        assert!(!seen.is_empty(), "{query}");
    }
    let statuses = "SELECT DISTINCT status FROM coverage WHERE plugin = 'wardflow/scan'";
    assert_eq!(rows(&lying, "w", statuses), ["complete"]);
    let [expected, evidence] = [&ingested, &lying].map(|scratch| {
        let first =
            "SELECT finding_id FROM findings ORDER BY plugin, kind, device_id, peer_ip, peer_port, protocol LIMIT 1";
        let id = &rows(scratch, "w", first)[0];
        rows(scratch, "w", &format!("SELECT count(*), sum(bytes_received) FROM evidence('{id}')"))
    });
    assert_eq!(evidence, expected);
    let status = lying.done("wardflow -C w status");
    assert!(status.contains("its rows are parts of flows") && !status.contains("show one side"), "{status}");
}
