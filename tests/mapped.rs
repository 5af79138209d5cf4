//! Files of another program, read where they lie or ingested through a mapping: nothing is lost that is not told of.

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
         (1772409600, 1772409630, '10.20.0.1', '-')",
        "[source]\nwhere = \"sport <> '-'\"\n",
    );
    assert!(!scratch.done("wardflow -C v status").contains("cannot be read as flows"), "nobody looked yet");
    let said = scratch.done("wardflow -C v analyze");
    let note = "5 rows of 1 file cannot be read as flows; the first, in a.parquet: `src_port` is \"x\"; it must be a whole \
                number from 0 to 65535";
    assert!(said.contains(note), "{said}");
    assert!(said.contains("not so 5 rows that cannot be read as flows"), "{said}");
    let status = scratch.done("wardflow -C v status");
    assert!(status.contains(note) && status.contains("7 rows from"), "{status}");
    assert_eq!(rows(&scratch, "v", "SELECT count(*) FROM flows"), ["1"]);
    // A file that is mended is counted anew.
    scratch.done("wardflow -C w sql \"SELECT 1772409600 AS first, 1772409600 AS last, '10.20.0.1' AS src, '1' AS sport\" -o parquet/a.parquet");
    let status = scratch.done("wardflow -C v analyze --rerun > /dev/null; wardflow -C v status");
    assert!(!status.contains("cannot be read as flows"), "{status}");
}

#[test]
fn records_of_one_direction_are_told_of() {
    let row = "(1772409600, 1772409630, '10.20.0.1', '40000')";
    let note = "1 of 1 flow show one side of a conversation";
    for (sides, is_told) in [("1", true), ("2", false)] {
        let scratch = workspace(row, &format!("observed_sides = \"{sides}\"\n"));
        for said in [scratch.done("wardflow -C v analyze"), scratch.done("wardflow -C v status")] {
            assert_eq!(said.contains(note), is_told, "{said}");
        }
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
