//! Text that strangers wrote, on its way out: whatever a record, a device list, a plugin or the name of a file says, a
//! terminal, a log and a spreadsheet are given nothing to obey, and a program is given the exact value.

use std::{ffi::OsStr, fmt::Write, fs, os::unix::ffi::OsStrExt};

use serde_json::{Value, json};

use crate::support::{
    Scratch,
    guest::{carrying, component, guest, manifest},
    hostile::{STRINGS, check_csv, check_json, check_text, strings},
};

/// Everything that SQL shows.
const TABLES: [&str; 18] = [
    "flows",
    "device_flows",
    "devices",
    "open_flows",
    "address_bindings",
    "findings",
    "finding_slices",
    "observations",
    "coverage",
    "baselines",
    "runs",
    "plugins",
    "rejects",
    "sensor_health",
    "leases",
    "sensor_reports",
    "ids_events",
    "host_facts",
];

/// What is said of a panic.
const BUG: &str = "this is a bug";

/// Runs a line, whatever its exit code, and checks what it says. Returns its stdout.
#[track_caller]
fn said(scratch: &Scratch, line: &str) -> String {
    let ran = scratch.run(line);
    assert!(matches!(ran.code, Some(0..=2)) && !ran.stderr.contains(BUG), "{ran:#?}");
    check_text(line, &ran.stdout);
    check_text(line, &ran.stderr);
    ran.stdout
}

/// The rows of a query in each format, checked. Returns those of JSON.
#[track_caller]
fn rows(scratch: &Scratch, query: &str) -> Vec<Value> {
    scratch.write("query.sql", query);
    said(scratch, "wardflow -C w sql --format table < query.sql");
    check_csv(query, &scratch.done("wardflow -C w sql --format csv < query.sql"));
    scratch.done("wardflow -C w sql -o rows.csv < query.sql");
    check_csv(query, &fs::read_to_string(scratch.path().join("rows.csv")).unwrap());
    check_json(query, &scratch.done("wardflow -C w sql --format json < query.sql"))
}

/// A workspace `w` in whose records, device list and plugin every string is hostile.
fn workspace() -> Scratch {
    let scratch = Scratch::new();
    let (mut conn, mut ssl, mut eve, mut devices) = (String::new(), String::new(), String::new(), String::new());
    devices.push_str("device,ip,manufacturer,model,serial,firmware,zone,location,owner\n");
    for (i, text) in strings().iter().enumerate() {
        let (ts, ip) = (1_772_460_309.5 + i as f64, format!("10.20.{}.{}", i / 200, i % 200 + 1));
        let (ends, uid) = (("203.0.113.9", 443), format!("C{text}"));
        let connection = json!({
            "ts": ts, "uid": uid, "id.orig_h": ip, "id.orig_p": 40_000 + i, "id.resp_h": ends.0, "id.resp_p": ends.1,
            "proto": "tcp", "service": text, "duration": 1.0, "orig_bytes": 1, "resp_bytes": 2, "conn_state": "SF",
            "orig_pkts": 1, "resp_pkts": 1, "community_id": text, "_system_name": text,
        });
        let mut wrong = connection.clone();
        wrong["orig_l2_addr"] = json!(text);
        writeln!(conn, "{connection}\n{wrong}").unwrap();
        let name = json!({
            "ts": ts, "uid": uid, "id.orig_h": ip, "id.orig_p": 40_000 + i, "id.resp_h": ends.0, "id.resp_p": ends.1,
            "server_name": text,
        });
        writeln!(ssl, "{name}").unwrap();
        let alert = json!({
            "timestamp": "2026-03-02T14:05:09.500000+0000", "event_type": "alert", "flow_id": i + 1, "host": text,
            "src_ip": ip, "src_port": 40_000 + i, "dest_ip": ends.0, "dest_port": ends.1, "proto": "TCP",
            "alert": { "signature": text, "category": text, "signature_id": 1, "gid": 1, "rev": 1, "severity": 1 },
        });
        writeln!(eve, "{alert}").unwrap();
        let quoted = format!("\"{}\"", text.replace('"', "\"\""));
        let device = format!("\"{} {i}\"", text.replace('"', "\"\""));
        writeln!(devices, "{device},{ip}{}", format!(",{quoted}").repeat(7)).unwrap();
    }
    scratch.write("logs/conn.log", conn);
    scratch.write("logs/ssl.log", ssl);
    scratch.write("eve.json", eve);
    scratch.write("devices.csv", devices);
    scratch.done("wardflow init w");
    scratch.write("w/wardflow.toml", "inventory = \"../devices.csv\"\n");
    scratch.write("w/plugins/faulty.wasm", guest("observe", &talk()));
    scratch
}

/// Says every string, and then traps.
fn talk() -> String {
    let mut instructions = String::new();
    let last = "\u{1b}]0;last\u{7}\nforged: \u{202e}";
    for text in STRINGS.iter().take(60).chain([&last]) {
        for (i, byte) in text.bytes().enumerate() {
            write!(instructions, "(i32.store8 (i32.const {}) (i32.const {byte}))", 2048 + i).unwrap();
        }
        write!(instructions, "(call $log (i32.const 2048) (i32.const {}))", text.len()).unwrap();
    }
    instructions + "(unreachable)"
}

#[test]
fn records_devices_and_what_a_plugin_says() {
    let scratch = workspace();
    said(&scratch, "wardflow -C w ingest zeek logs");
    said(&scratch, "wardflow -C w ingest eve eve.json");
    said(&scratch, "wardflow -C w analyze");
    said(&scratch, "wardflow -C w status");
    let trace = said(&scratch, "wardflow -C w plugin run w/plugins/faulty.wasm --trace");
    assert!(trace.contains("said: ") && trace.contains("\\u{1b}]0;last\\u{7}"), "{trace:.2000}");
    for line in ["ingest zeek logs", "analyze", "status", "plugin list", "archive check"] {
        check_json(line, &said(&scratch, &format!("wardflow -C w --json {line} 2> err")));
        check_json(line, &fs::read_to_string(scratch.path().join("err")).unwrap());
    }

    let found: Vec<Vec<Value>> = TABLES.iter().map(|table| rows(&scratch, &format!("SELECT * FROM {table}"))).collect();
    let column = |table: &str, name: &str| -> Vec<String> {
        let place = TABLES.iter().position(|known| *known == table).unwrap();
        let mut values: Vec<_> = found[place].iter().filter_map(|row| row[name].as_str()).map(str::to_owned).collect();
        values.sort();
        values
    };
    let mut wanted = strings();
    wanted.sort();
    // Exactly what came is what a program gets.
    for (table, name) in
        [("flows", "community_id"), ("flows", "sensor"), ("flows", "dst_name"), ("ids_events", "signature")]
    {
        assert_eq!(column(table, name), wanted, "{table}.{name}");
    }
    let mut trimmed: Vec<_> = wanted.iter().map(|text| text.trim().to_owned()).collect();
    trimmed.sort();
    assert_eq!(column("devices", "manufacturer"), trimmed);
    assert_eq!(column("rejects", "raw").len(), wanted.len());
    let coverage = column("coverage", "fault").join("\n");
    assert!(coverage.contains("it said last"), "{coverage:.2000}");
}

#[test]
fn names_of_columns() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    let named = |(i, text): (usize, &String)| format!("{i} AS \"{}\"", text.replace('"', "\"\""));
    let columns: Vec<_> = strings().iter().filter(|text| !text.contains('\0')).enumerate().map(named).collect();
    let shown = rows(&scratch, &format!("SELECT {}", columns.join(", ")));
    assert_eq!(shown[0].as_object().unwrap().len(), columns.len());
}

/// Places in a manifest where text stands.
const FIELDS: [&str; 18] = [
    "/version",
    "/contract",
    "/publisher",
    "/intended_use",
    "/security_contact",
    "/columns/0",
    "/scope/device_classes/0",
    "/scope/models/0",
    "/peer_groups/0/name",
    "/peer_groups/0/title",
    "/peer_groups/0/names/0",
    "/findings/0/kind",
    "/findings/0/title",
    "/findings/0/shows",
    "/findings/0/possible_causes/0",
    "/findings/0/technique",
    "/parameters/properties/x/description",
    "/parameters/properties/x/default",
];

/// A manifest that has all of these.
fn whole_manifest() -> Value {
    let mut whole: Value = serde_json::from_slice(&manifest("example/faulty")).unwrap();
    whole["security_contact"] = json!("https://example.com/security");
    whole["scope"] = json!({ "device_classes": ["pump"], "models": ["A"] });
    whole["peer_groups"] = json!([{ "name": "gateway", "title": "A gateway", "names": ["example.com"] }]);
    whole["findings"][0]["possible_causes"] = json!(["Maintenance"]);
    whole["findings"][0]["technique"] = json!("T1071");
    whole["parameters"] = json!({
        "type": "object", "properties": { "x": { "type": "string", "default": "y", "description": "An x." } },
    });
    whole
}

#[test]
fn manifests() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w && rm w/plugins/*");
    for (i, field) in FIELDS.iter().enumerate() {
        for (k, text) in STRINGS.iter().enumerate() {
            let mut manifest = whole_manifest();
            manifest["id"] = json!(format!("example/plugin-{i}-{k}"));
            *manifest.pointer_mut(field).unwrap_or_else(|| panic!("no {field}")) = json!(text);
            scratch.write(
                &format!("w/plugins/{i}-{k}.wasm"),
                carrying(component(&[]), &manifest.to_string().into_bytes()),
            );
        }
    }
    for (k, text) in STRINGS.iter().enumerate() {
        let mut manifest = whole_manifest();
        manifest["id"] = json!(text);
        scratch.write(&format!("w/plugins/id-{k}.wasm"), carrying(component(&[]), &manifest.to_string().into_bytes()));
    }
    said(&scratch, "wardflow -C w plugin list");
    let listed = check_json("plugin list", &said(&scratch, "wardflow -C w --json plugin list"));
    assert_eq!(listed[0].as_array().unwrap().len(), (FIELDS.len() + 1) * STRINGS.len());
    assert_eq!(rows(&scratch, "SELECT * FROM plugins").len(), (FIELDS.len() + 1) * STRINGS.len());
    said(&scratch, "wardflow -C w status");
    // Line forging, an escape, and what turns text round, in each field.
    for (i, _) in FIELDS.iter().enumerate() {
        for k in [0, 29, 37] {
            let inspect = format!("plugin inspect w/plugins/{i}-{k}.wasm");
            said(&scratch, &format!("wardflow {inspect}"));
            check_json(&inspect, &said(&scratch, &format!("wardflow --json {inspect} 2> err")));
            check_json(&inspect, &fs::read_to_string(scratch.path().join("err")).unwrap());
        }
    }
}

#[test]
fn names_of_files() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w && rm w/plugins/*");
    let log = include_str!("data/zeek/conn.log");
    fs::create_dir(scratch.path().join("logs")).unwrap();
    let names = strings().into_iter().filter(|text| !text.contains(['/', '\0']) && text.len() < 200);
    for (i, name) in names.enumerate() {
        let mut manifest = whole_manifest();
        manifest["id"] = json!(format!("example/plugin-{i}"));
        let plugin = if i % 2 == 0 {
            carrying(component(&[]), &manifest.to_string().into_bytes())
        } else {
            b"no plugin".to_vec()
        };
        scratch.write(&format!("w/plugins/{name}.wasm"), plugin);
        let content = match i % 3 {
            0 => log.replacen("203.0.113.9", &format!("203.0.113.{}", i % 200), 1),
            1 => format!("no log {i}\n"),
            _ => log.replacen("203.0.113.9", &format!("203.0.113.{}", 300 + i), 1),
        };
        scratch.write(&format!("logs/{name}.log"), content);
    }
    let foreign = OsStr::from_bytes(b"\xff\x1b[2J\nforged: x.wasm");
    fs::write(scratch.path().join("w/plugins").join(foreign), b"no plugin").unwrap();
    said(&scratch, "wardflow -C w plugin list");
    said(&scratch, "wardflow -C w ingest auto logs");
    said(&scratch, "wardflow -C w ingest zeek logs");
    said(&scratch, "wardflow -C w analyze");
    said(&scratch, "wardflow -C w status");
    rows(&scratch, "SELECT * FROM plugins");
    rows(&scratch, "SELECT DISTINCT source FROM rejects");
    // A log that is gone, and a file of the archive that is damaged, are named.
    scratch.done("for file in w/archive/date=*/*.parquet; do echo damaged > \"$file\"; done");
    for line in ["archive check", "plugin list", "ingest zeek logs"] {
        said(&scratch, &format!("wardflow -C w {line}"));
        check_json(line, &said(&scratch, &format!("wardflow -C w --json {line} 2> err")));
        check_json(line, &fs::read_to_string(scratch.path().join("err")).unwrap());
    }
}

#[test]
fn what_is_typed() {
    let scratch = Scratch::new();
    scratch.done("wardflow init w");
    let typed: Vec<u8> =
        STRINGS.iter().filter(|text| !text.contains('\0')).flat_map(|text| [text, "\0"]).collect::<String>().into();
    scratch.write("typed", typed);
    for line in [
        "wardflow -C w sql \"SELECT \\\"$it\\\" FROM flows\"",
        "wardflow -C w --json sql \"SELECT * FROM \\\"$it\\\"\"",
        "wardflow plugin inspect \"$it\"",
        "wardflow -C w --json ingest zeek -- \"$it\"",
        "wardflow \"$it\"",
        "wardflow --json status \"$it\"",
        "wardflow -C \"$it\" status",
    ] {
        let each = format!("while IFS= read -r -d '' it <&3; do {line} >> out 2>> err || true; done 3< typed");
        scratch.done(&format!("rm -f out err; {each}"));
        for file in ["out", "err"] {
            let text = String::from_utf8(fs::read(scratch.path().join(file)).unwrap()).unwrap();
            check_text(line, &text);
            assert!(!text.contains(BUG), "{line}: {text}");
            if line.contains("--json") {
                check_json(line, &text);
            }
        }
    }
}
