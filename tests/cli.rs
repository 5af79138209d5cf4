//! Each command on good and on bad input: all that it prints, and its exit code.

use crate::support::{Demo, FEW, Scratch, check_transcript};

/// A directory with a workspace `w` and logs that fit and that do not.
fn workspace() -> Scratch {
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    scratch.keep_plugins("w", &FEW);
    scratch.write("logs/conn.log", include_str!("data/zeek/conn.log"));
    scratch.write("logs/ssl.log", include_str!("data/zeek/ssl.log"));
    scratch.write("text.log", "This is no log.\nNot at all.\n");
    let broken = include_str!("data/zeek/conn.log").replacen("203.0.113.9", "203.0.113.999", 1);
    scratch.write("broken.log", broken);
    scratch
}

#[test]
fn usage() {
    check_transcript(
        "usage",
        &workspace(),
        &[
            "wardflow --version",
            "wardflow",
            "wardflow frobnicate",
            "wardflow --json frobnicate",
            "wardflow status --jsn",
            "wardflow init",
            "wardflow ingest zeek",
            "wardflow ingest netflow x",
            "wardflow -C w analyze --memory 512",
            "wardflow -C w analyze --from yesterday",
            "wardflow -C w analyze --from 2026-03-02T10:00",
            "wardflow -C w analyze --from 2026-03-02 --to 2026-03-01",
            "wardflow -C w analyze --threads 0",
            "wardflow -C w analyze --plugin 'a['",
            "wardflow -C w sql --format xml 'SELECT 1'",
        ],
    );
}

#[test]
fn help() {
    check_transcript(
        "help",
        &Scratch::new(),
        &[
            "wardflow --help",
            "wardflow demo --help",
            "wardflow init --help",
            "wardflow ingest zeek --help",
            "wardflow analyze --help",
            "wardflow sql --help",
            "wardflow plugin --help",
            "wardflow status --help",
        ],
    );
}

#[test]
fn no_workspace() {
    check_transcript(
        "no_workspace",
        &Scratch::new(),
        &[
            "wardflow analyze",
            "wardflow ingest zeek conn.log",
            "wardflow sql 'SELECT 1'",
            "wardflow plugin list",
            "wardflow plugin approve wardflow/scan",
            "wardflow status",
            "wardflow -C missing status",
            "wardflow --json status",
        ],
    );
}

#[test]
fn init() {
    check_transcript(
        "init",
        &Scratch::new(),
        &[
            "wardflow init hospital",
            "wardflow init hospital",
            "ls -A hospital hospital/plugins",
            "wardflow --json init other",
            "wardflow -C other status",
            "touch file; wardflow init file",
        ],
    );
}

#[test]
fn configuration() {
    let scratch = workspace();
    for (dir, text) in [
        ("key", "archve = \"flows\"\n"),
        ("type", "slice_hours = \"six\"\n"),
        ("cidr", "internal = [\"10.0.0.0/8\", \"10.1.2.3/99\"]\n"),
        ("toml", "archive = flows\n"),
        ("parameter", "[plugin.\"wardflow/beacon\".parameters]\nleast_contact = 5\n"),
        ("range", "[plugin.\"wardflow/beacon\".parameters]\nleast_contacts = 5\n"),
        ("group", "[plugin.\"wardflow/beacon\".peer_groups]\nexpected-clout = [\"192.0.2.1\"]\n"),
        ("unknown", "[plugin.\"wardflow/bacon\"]\ndisabled = true\n"),
        ("inventory", "inventory = \"missing.csv\"\n"),
    ] {
        scratch.done(&format!("wardflow init {dir} && wardflow -C {dir} ingest zeek logs"));
        scratch.write(&format!("{dir}/wardflow.toml"), text);
    }
    check_transcript(
        "configuration",
        &scratch,
        &[
            "wardflow -C key status",
            "wardflow -C type status",
            "wardflow -C cidr status",
            "wardflow -C toml status",
            "wardflow -C parameter analyze",
            "wardflow -C range analyze",
            "wardflow -C group analyze",
            "wardflow -C unknown analyze",
            "wardflow -C unknown status",
            "wardflow -C inventory analyze",
        ],
    );
}

#[test]
fn ingest() {
    check_transcript(
        "ingest",
        &workspace(),
        &[
            "wardflow -C w ingest zeek logs",
            "wardflow -C w ingest zeek logs",
            "wardflow -C w sql 'SELECT count(*) AS flows, min(start_time), max(end_time), count(dst_name) AS named FROM flows'",
            "wardflow -C w ingest zeek broken.log",
            "wardflow -C w sql 'SELECT line, reason FROM rejects'",
            "sed 's/10.20.0.50/10.20.0.60/' logs/conn.log | gzip | wardflow -C w ingest zeek -",
            "wardflow -C w ingest zeek text.log",
            "wardflow -C w ingest zeek missing.log",
            "wardflow -C w ingest zeek text.log logs",
            "wardflow -C w ingest zeek logs/ssl.log",
            "mkdir empty; wardflow -C w ingest zeek empty",
            "wardflow -C w --json ingest zeek text.log",
            "wardflow -C w --json ingest zeek logs",
        ],
    );
}

#[test]
fn analyze() {
    check_transcript(
        "analyze",
        &workspace(),
        &[
            "wardflow -C w analyze",
            "wardflow -C w ingest zeek logs",
            "wardflow -C w analyze",
            "wardflow -C w analyze",
            "wardflow -C w sql 'SELECT device_id, title, severity, peer_ip, peer_port, flow_count FROM findings ORDER BY device_id, title'",
            "wardflow -C w analyze --plugin 'nobody/*'",
            "wardflow -C w analyze --plugin 'wardflow/scan' --rerun",
            "wardflow -C w analyze --memory 1MiB --rerun",
            "rm w/plugins/*; wardflow -C w analyze",
        ],
    );
}

#[test]
fn status() {
    check_transcript(
        "status",
        &workspace(),
        &[
            "wardflow -C w status",
            "wardflow -C w -q ingest zeek logs",
            "wardflow -C w status",
            "wardflow -C w -q analyze",
            "wardflow -C w status",
        ],
    );
}

/// What was open goes when it was dealt with, and what another configuration may change is told.
#[test]
fn open() {
    let coverage = "wardflow -C w sql \"SELECT plugin, status, devices, flows, fault FROM coverage ORDER BY 1\"";
    check_transcript(
        "open",
        &workspace(),
        &[
            "sed -i 's/^#internal = .*/internal = [\"198.51.100.0\\/24\"]/' w/wardflow.toml; grep ^internal w/wardflow.toml",
            "wardflow -C w -q ingest zeek logs | tail -1",
            "wardflow -C w -q analyze | tail -2",
            coverage,
            "sed -i 's/^internal = /#internal = /' w/wardflow.toml; echo broken > w/plugins/broken.wasm",
            "wardflow -C w -q analyze | tail -1",
            "wardflow -C w status | sed -n '/^Coverage/,$p'",
            "wardflow -C w -q analyze --rerun | tail -2",
            coverage,
            "rm w/plugins/broken.wasm; wardflow -C w status | sed -n '/^Coverage/,$p'",
        ],
    );
}

#[test]
fn sql() {
    let demo = Demo::analysed();
    check_transcript(
        "sql",
        &demo.scratch,
        &[
            "wardflow -C hospital sql 'SELECT 1 AS one, NULL AS nothing; VALUES (2)'",
            "wardflow -C hospital sql \"SELECT '=1+1' AS formula, 'a,b' AS comma\" --format csv",
            "wardflow -C hospital --json sql \"SELECT 1 AS one, 'x' AS text\"",
            "echo 'SELECT 1; SELECT 2;' | wardflow -C hospital sql --format csv",
            "wardflow -C hospital sql 'SELECT 1 AS one' -o one.csv --format csv; cat one.csv",
            "wardflow -C hospital sql 'SELECT 1 AS one' -o one.parquet --format parquet; head -c 4 one.parquet",
            "wardflow -C hospital sql 'SELECT 1; SELECT 2' -o two.csv",
            "wardflow -C hospital sql ''",
            "wardflow -C hospital sql 'SELEKT 1'",
            "wardflow -C hospital sql 'SELECT * FROM fidings'",
            "wardflow -C hospital sql 'SELECT devce_id FROM findings'",
            "wardflow -C hospital sql 'SELECT nofunction(1)'",
            "wardflow -C hospital sql \"SELECT cidr_match('10.0.0.1', '10.0.0.0/99')\"",
            "wardflow -C hospital sql \"SELECT * FROM detect('nobody/nothing')\"",
            "wardflow -C hospital sql \"SELECT * FROM evidence('0')\"",
            "wardflow -C hospital sql 'DROP TABLE findings'",
            "wardflow -C hospital sql \"COPY findings TO 'x.csv'\"",
            "wardflow -C hospital sql 'SELECT * FROM flows' | head -n 3 | wc -l",
        ],
    );
}

#[test]
fn plugin() {
    let scratch = workspace();
    scratch.write("text.wasm", "This is no plugin.");
    // An empty module, which is no component.
    scratch.write("module.wasm", b"\0asm\x01\0\0\0");
    check_transcript(
        "plugin",
        &scratch,
        &[
            "wardflow -C w plugin list",
            "wardflow -C w plugin inspect w/plugins/scan.wasm",
            "wardflow plugin inspect missing.wasm",
            "wardflow plugin inspect text.wasm",
            "wardflow plugin inspect module.wasm",
            "wardflow -C w plugin approve wardflow/scan",
            "wardflow -C w plugin approve wardflow/scam",
            "wardflow -C w plugin approve scan",
            "wardflow -C w plugin list",
            // A section with the name x and no content: other bytes, the same plugin.
            r"printf '\0\2\1x' >> w/plugins/scan.wasm; wardflow -C w plugin list",
            "wardflow -C w -q ingest zeek logs",
            "wardflow -C w analyze",
            "wardflow -C w sql 'SELECT plugin, status, fault FROM coverage GROUP BY ALL ORDER BY 1, 2'",
            "wardflow -C w plugin approve wardflow/scan",
            "wardflow -C w analyze",
            "wardflow -C w plugin list",
            "cp w/plugins/beacon.wasm w/plugins/other.wasm; wardflow -C w plugin list",
            "cp text.wasm w/plugins/other.wasm; wardflow -C w plugin list",
        ],
    );
}

#[test]
fn demo() {
    check_transcript(
        "demo",
        &Demo::new().scratch,
        &[
            "wardflow demo hospital",
            "wardflow demo x --devices 7",
            "wardflow demo x --days 0",
            "wardflow demo x --flows 12",
            "wardflow demo x --incident beacn",
            "ls",
        ],
    );
}
