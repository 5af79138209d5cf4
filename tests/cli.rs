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
            "wardflow evaluate --help",
            "wardflow except add --help",
            "wardflow triage --help",
            "wardflow baseline reset --help",
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

/// What people say of findings and devices, and that it stays.
#[test]
fn remarks() {
    let demo = Demo::analysed();
    let add = |condition: &str, until: &str| {
        format!(
            "wardflow -C hospital except add \"{condition}\" --owner 'Medical engineering' --reason 'known' --until {until}"
        )
    };
    let finding =
        demo.wardflow("sql --format csv \"SELECT min(finding_id) FROM findings WHERE kind = 'beacon'\" | tail -n 1");
    let finding = finding.trim();
    demo.scratch.write("id", finding);
    let group = demo.wardflow(
        "sql --format csv \"SELECT group_id FROM findings GROUP BY group_id ORDER BY count(*) DESC, group_id LIMIT 1\" | tail -n 1",
    );
    demo.scratch.write("group", group.trim());
    let triage = |what: &str| format!("wardflow -C hospital triage $(cat id) {what}");
    let shown = "wardflow -C hospital sql \"SELECT (SELECT count(*) FROM findings WHERE kind = 'beacon') AS shown, \
                 (SELECT count(*) > 0 FROM excepted_findings) AS has_excepted, \
                 (SELECT count(*) > 0 FROM evidence('$(cat id)')) AS has_evidence\"";
    check_transcript(
        "remarks",
        &demo.scratch,
        &[
            &add("1 = 1", "2099-01-01"),
            &add("severity = 'low'", "2099-01-01"),
            &add("kind <> 'scan'", "2099-01-01"),
            &add("kind = 'scan' OR cidr_match(peer_ip, '0.0.0.0/0')", "2099-01-01"),
            &add("kind = 'beacon' AND length(summary) > 5", "2099-01-01"),
            &add("kind = 'beacon' AND CAST(summary AS INT) = 5", "2099-01-01"),
            &add("kind = 'beacon' AND cidr_match(peer_ip, '10.0.0.0/99')", "2099-01-01"),
            &add("kind = 'nothing-yet' AND summary > 5", "2099-01-01"),
            &add("kind = 'nothing-yet' AND (severity_id > 2 OR last_seen < title)", "2099-01-01"),
            &add("kind = 'nothing-yet' AND (kind = 'beacon' AND first_seen < title) = true", "2099-01-01"),
            &add("kind = 'nothing-yet' AND (kind = 'beacon' OR severity_id > summary) IS NULL", "2099-01-01"),
            &add("kind = 'nothing-yet' AND (kind = 'beacon' AND score > title) IN (true)", "2099-01-01"),
            &add("kind = 'nothing-yet' AND last_seen BETWEEN first_seen AND title", "2099-01-01"),
            &add("kind = 'nothing-yet' AND cidr_match(ip_scope(peer_ip), '10.0.0.0/99')", "2099-01-01"),
            &add("kind = 'nothing-yet' AND first_seen < ip_scope(device_ip)", "2099-01-01"),
            &add("random() > 0.5", "2099-01-01"),
            &add("device_id IN (SELECT device_id FROM devices)", "2099-01-01"),
            &add("knd = 'beacon'", "2099-01-01"),
            &add("score", "2099-01-01"),
            &add(
                "kind IN ('beacon', 'horizontal-scan', 'vertical-scan', 'bulk-inbound', 'contact-outside-groups')",
                "2099-01-01",
            ),
            &add("kind = 'beacon'", "2001-01-01"),
            &format!("{} | sed 's/ hides [0-9]*/ hides SOME/'", add("kind = 'beacon'", "2099-01-01")),
            shown,
            "wardflow -C hospital sql 'SELECT status, predicate, owner, reason, expires, problem FROM exceptions'",
            "wardflow -C hospital status | grep -o 'Exceptions hide .*' | sed 's/hide [0-9]*/hide SOME/'",
            "wardflow -C hospital baseline reset pump-0001 --since 2099-01-01 --reason 'moved'",
            &triage("--status in-progress --assignee 'Network team'"),
            &triage("--disposition benign --note 'a test of the maker'"),
            &triage(""),
            &triage("--status done"),
            "wardflow -C hospital triage 00000000000000000000000000000000 --status new",
            "wardflow -C hospital triage $(cat group) --status resolved --note 'a poller'",
            "wardflow -C hospital sql \"SELECT count(*) = (SELECT count(DISTINCT finding_id) FROM finding_slices WHERE group_id = '$(cat group)') AS is_all, count(*) > 1 AS are_several FROM triage WHERE note = 'a poller'\"",
            "wardflow -C hospital sql 'SELECT status, disposition, assignee, note FROM triage ORDER BY note'",
            "wardflow -C hospital -q analyze --rerun > /dev/null; wardflow -C hospital sql 'SELECT count(*) FROM triage'",
            "wardflow -C hospital except revoke $(wardflow -C hospital sql 'SELECT exception_id FROM exceptions' --format csv | tail -1)",
            "wardflow -C hospital except revoke nothing",
            "wardflow -C hospital sql 'SELECT count(*) FROM excepted_findings; SELECT status FROM exceptions'",
            &format!(
                "{} | sed 's/^Exception [0-9a-f]*/Exception ID/'",
                add("kind = 'beacon' AND summary LIKE NULL", "2099-01-01")
            ),
            "truncate -s 100 hospital/lake/exceptions/*.parquet hospital/lake/triage/*.parquet",
            "wardflow -C hospital status 2>&1 | grep -o 'nothing of the table exceptions counts'",
            &format!("{} > said 2>&1 || echo refused", add("kind = 'beacon'", "2099-01-01")),
            &format!("{} > said 2>&1 || echo refused", triage("--status new")),
        ],
    );
}

#[test]
fn baseline() {
    let device = "SELECT status, flows > 1000 AS has_many_flows, since FROM baselines \
                  WHERE device_id = 'infusion-pump-0002' AND plugin = 'wardflow/infusion-pump'";
    let reset = "wardflow -C hospital baseline reset infusion-pump-0002 --reason 'another ward'";
    check_transcript(
        "baseline",
        &Demo::analysed().scratch,
        &[
            &format!("wardflow -C hospital sql \"{device}\""),
            "wardflow -C hospital baseline reset nobody --reason 'another ward'",
            &format!("{reset} --plugin acme/none"),
            "wardflow -C hospital baseline reset infusion-pump-0002",
            reset,
            &format!("{reset} --plugin wardflow/infusion-pump --since 2026-03-06"),
            "wardflow -C hospital status | grep -o '[0-9]* slices.*baseline was reset'",
            "wardflow -C hospital -q analyze --rerun > /dev/null",
            &format!("wardflow -C hospital sql \"{device}\""),
            "wardflow -C hospital sql \"SELECT plugin, slice_start, fault FROM coverage WHERE device_id = 'infusion-pump-0002'\"",
        ],
    );
}

#[test]
fn evaluate() {
    let demo = Demo::analysed();
    demo.scratch.write(
        "other.csv",
        "incident,device_id,first_seen,last_seen\nscan,nobody,2026-03-06T00:00:00Z,2026-03-06T01:00:00Z\n",
    );
    demo.scratch.write(
        "old.csv",
        "incident,device_id,first_seen,last_seen\nscan,10.0.0.9,2001-03-06T00:00:00Z,2001-03-06T01:00:00Z\n",
    );
    demo.scratch.write("conn.log", "#fields\tuid\tlabel\nC1\tMalicious\n");
    demo.scratch.write("none.csv", "incident,device_id,first_seen,last_seen\n");
    let evaluate = |what: &str| format!("wardflow -C hospital evaluate --truth {what}");
    check_transcript(
        "evaluate",
        &demo.scratch,
        &[
            &evaluate("hospital/truth.csv --learning 72h"),
            &format!("{} | sed -n '/^Plugins/,$p'", evaluate("hospital/truth.csv --learning 72h --by detector")),
            &format!("{} --json | tr ',' '\\n' | grep -c incident", evaluate("hospital/truth.csv --learning 3d")),
            &evaluate("none.csv --learning 72h --severity high --by device"),
            &evaluate("missing.csv"),
            &evaluate("hospital/truth.csv"),
            &evaluate("hospital/truth.csv --learning soon"),
            &evaluate("other.csv --learning 72h"),
            &evaluate("old.csv --learning 72h"),
            &evaluate("conn.log --learning 72h"),
            &evaluate("hospital/inventory.csv --learning 72h"),
            "rm -r hospital/lake; wardflow -C hospital evaluate --truth hospital/truth.csv",
        ],
    );
}
