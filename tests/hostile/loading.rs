//! Files that are no plugin, or that say what no plugin may: refused before any code of theirs runs, each with its reason,
//! while the good plugins run as ever.

use std::{fmt::Write, os::unix::fs::symlink};

use serde_json::{Value, json};
use wasm_encoder::{Component, ComponentSection, CustomSection, NestedComponentSection};

use super::hospital::{alone, assert_harmless, check, good_findings, hospital, sql};
use crate::support::guest::{carrying, component, manifest};

const LIMITS: &str = "[limits]\ncomponent_mib = 8\n";

/// Bytes of a component that are within the limit.
const MANY: usize = 4 << 20;

/// A file that is refused, by what is wrong with it.
type File = (String, Vec<u8>);

fn named(name: &str, bytes: Vec<u8>) -> File {
    (name.to_owned(), bytes)
}

/// A component that is as good as its part, with a manifest of its own.
fn with(name: &str, hole: &str, part: &str) -> File {
    named(name, carrying(component(&[(hole, part)]), &manifest(&format!("bad/{name}"))))
}

/// Bytes that are no component, or half of one.
fn bytes() -> Vec<File> {
    let (_, good) = with("good", "observe", "");
    let (mut number, mut random) = (1_u64, Vec::new());
    random.resize_with(4_096, || {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (number >> 56) as u8
    });
    let headed = [&good[..8], &random].concat();
    let mut flipped = good.clone();
    flipped[good.len() / 3] ^= 0x55;
    vec![
        named("empty", Vec::new()),
        named("one-byte", vec![0]),
        named("header-alone", good[..8].to_vec()),
        named("truncated", good[..good.len() / 2].to_vec()),
        named("flipped", flipped),
        named("random", random),
        named("random-behind-a-header", headed),
        named("text", b"#!/bin/sh\n".to_vec()),
        named("core-module", b"\0asm\x01\0\0\0".to_vec()),
        named("too-large", vec![0; (8 << 20) + 1]),
    ]
}

/// Components of which something is far too much.
fn bombs() -> Vec<File> {
    let part = |name: &str, part: &str| with(name, "import", part);
    let (_, mut padded) = part("padded", "");
    for _ in 0..3 {
        CustomSection { name: "padding".into(), data: vec![0; MANY].into() }.append_to_component(&mut padded);
    }
    let mut nested = Component::new();
    for _ in 0..1_000 {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&nested));
        nested = outer;
    }
    let (_, mut nests) = part("nested", "");
    NestedComponentSection(&nested).append_to_component(&mut nests);
    let branches = format!("(core module (func (block (br_table {} (i32.const 0)))))", "0 ".repeat(70_000));
    let costly = format!("(core module (func (local {}) {}))", "i32 ".repeat(40_000), "block end ".repeat(1_000));
    vec![
        named("padded", padded),
        named("nested", nests),
        part("thousand-modules", &"(core module)".repeat(1_001)),
        part("function-of-megabytes", &format!("(core module (func {}))", "nop ".repeat(7_700_000))),
        part("locals", &format!("(core module (func (local {})))", "i64 ".repeat(50_001))),
        part("branches", &branches),
        part("costly", &costly),
        part("memory-of-more-than-4-gib", "(core module (memory 65537))"),
    ]
}

/// Components that want what they are not given, or do not give what is wanted.
fn contracts() -> Vec<File> {
    let import = |name: &str, text: &str| with(name, "import", &format!("(import {text})"));
    let module = |name: &str, text: &str| with(name, "import", &format!("(core module {text})"));
    vec![
        import("imports-wasi-clock", "\"wasi:clocks/monotonic-clock@0.2.0\" (instance)"),
        import("imports-wasi-environment", "\"wasi:cli/environment@0.2.3\" (instance)"),
        import("imports-wasi-sockets", "\"wasi:sockets/tcp@0.2.0\" (instance)"),
        import("imports-unknown-interface", "\"wardflow:detector/clock@0.1.0\" (instance)"),
        import("imports-unknown-function", "\"now\" (func (result u64))"),
        import("imports-a-module", "\"code\" (core module)"),
        named("exports-nothing", carrying(Component::new().finish(), &manifest("bad/exports-nothing"))),
        with("exports-something-else", "export", "example:other/detector@0.1.0"),
        with("export-missing", "save-name", "store"),
        with("export-mistyped", "zone-type", "s32"),
        with("export-of-a-later-contract", "export", "wardflow:detector/detector@9.0.0"),
        with("import-of-a-later-contract", "flows", "wardflow:detector/flows@9.0.0"),
        with("no-valid-code", "open", "(i64.const 0)"),
        module("threads", "(memory 1 1 shared)"),
        module("memory64", "(memory i64 1)"),
        module("exceptions", "(tag)"),
        module("garbage-collection", "(type (struct))"),
        module("tail-calls", "(func return_call 0)"),
        module("several-memories", "(memory 1) (memory 1)"),
    ]
}

/// Good components with manifests that are not.
fn manifests() -> Vec<File> {
    let carries = |name: &str, text: &[u8]| named(name, carrying(component(&[]), text));
    let changed = |name: &str, key: &str, value: Value| {
        let mut manifest: Value = serde_json::from_slice(&manifest(&format!("bad/{name}"))).unwrap();
        manifest[key] = value;
        carries(name, &serde_json::to_vec(&manifest).unwrap())
    };
    let (_, twice) = carries("manifest-twice", &manifest("bad/manifest-twice"));
    let mut files = vec![
        named("manifest-missing", component(&[])),
        named("manifest-twice", carrying(twice, &manifest("bad/manifest-twice"))),
        carries("manifest-empty", b""),
        carries("manifest-no-json", b"id = \"example/faulty\""),
        carries("manifest-no-text", b"{\"id\": \"\xff\"}"),
        carries("manifest-deep", format!("{{\"parameters\": {}", "{\"a\":".repeat(40_000)).as_bytes()),
        carries("manifest-huge", &vec![b' '; 262_145]),
        changed("manifest-with-more", "run_as_root", json!(true)),
        changed("manifest-memory", "memory_mib", json!(65)),
        changed("manifest-column", "columns", json!(["src-ip"])),
        changed("manifest-version", "version", json!("1.0.0\u{1b}[2J")),
        changed("manifest-contract", "contract", json!("9.0.0")),
        changed("twin-1", "id", json!("bad/twin")),
        changed("twin-2", "id", json!("bad/twin")),
    ];
    for (name, id) in [
        ("id-of-a-parent", "../../etc/passwd"),
        ("id-absolute", "/etc/passwd"),
        ("id-of-three", "a/b/c"),
        ("id-with-nul", "example/faulty\0"),
        ("id-with-a-break", "example/faulty\r\nexample/good"),
        ("id-confusable", "w\u{430}rdflow/scan"),
        ("id-in-capitals", "Wardflow/Scan"),
        ("id-turned-around", "example/\u{202e}ytluaf"),
        ("id-with-a-formula", "=cmd/c"),
    ] {
        files.push(changed(name, "id", json!(id)));
    }
    for (name, text) in [
        ("publisher-with-escape", "a\u{1b}[2J"),
        ("publisher-with-bidi", "a\u{202e}b"),
        ("publisher-with-link", "\u{1b}]8;;https://x\u{7}y"),
        ("publisher-with-break", "a\nb"),
    ] {
        files.push(changed(name, "publisher", json!(text)));
    }
    files
}

#[test]
fn what_is_no_plugin_is_refused_and_harms_no_other() {
    let scratch = hospital(&["ordinary".to_owned()], LIMITS);
    let alone = alone(&scratch);
    let files = [bytes(), bombs(), contracts(), manifests()].concat();
    for (name, bytes) in &files {
        scratch.write(&format!("w/plugins/{name}.wasm"), bytes);
    }
    // What is no file at all, and a name that a terminal would obey.
    scratch.done("cd w/plugins && mkdir directory.wasm && mkfifo fifo.wasm && ln -s missing dangling.wasm");
    symlink("/dev/zero", scratch.path().join("w/plugins/endless.wasm")).unwrap();
    scratch.write("w/plugins/\u{1b}[2J\u{202e}.wasm", b"no");

    let ran = scratch.run("wardflow -C w analyze");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_harmless(&ran.stdout);
    assert_harmless(&ran.stderr);
    assert_eq!(good_findings(&scratch), alone, "the good plugins found something else");
    let listed = scratch.run("wardflow -C w --json plugin list").stdout;
    assert_harmless(&listed);
    let mut table = String::new();
    for row in serde_json::from_str::<Vec<Value>>(&listed).unwrap() {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        writeln!(
            table,
            "{} {}: {}",
            text("file").rsplit('/').next().unwrap_or_default().escape_debug(),
            text("status"),
            text("reason")
        )
        .unwrap();
    }
    // What only compiling tells, as coverage has it.
    table.push('\n');
    table.push_str(&sql(
        &scratch,
        "SELECT DISTINCT plugin, status, fault FROM coverage WHERE plugin LIKE 'bad/%' ORDER BY plugin",
    ));
    check("hostile_loading", &table.replace(&scratch.path().display().to_string(), "DIR"));
    assert_harmless(&sql(&scratch, "SELECT * FROM plugins"));
    assert_harmless(&scratch.run("wardflow -C w plugin list").stdout);
}
