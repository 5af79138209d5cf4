//! The vendor kit, from outside: cases tested, versions compared, findings captured. Projects are built in `.ci/kit`.

use std::fs;

use crate::support::Demo;

/// A project whose plugin is the bundled `scan`, with one case.
fn project(demo: &Demo, flows: &str, expected: &str) {
    demo.scratch.done("mkdir -p project/cases/one && cp hospital/plugins/scan.wasm project/");
    demo.scratch.write("project/cases/one/flows.csv", flows);
    demo.scratch.write("project/cases/one/expected.json", expected);
}

/// A device that knocks at fifty doors, and is not answered.
fn knocking() -> String {
    let header = "start_time,end_time,src_ip,dst_ip,src_port,dst_port,protocol,conn_state,src_packets,dst_packets\n";
    let knock = |number: u32| {
        let time = format!("2026-03-02T01:{number:02}:00Z");
        format!("{time},{time},10.0.0.9,10.0.1.{number},50000,445,6,S0,1,0\n")
    };
    (1..50).fold(header.to_owned(), |flows, number| flows + &knock(number))
}

#[test]
fn a_case_tells_what_differs() {
    let demo = Demo::new();
    project(&demo, &knocking(), "[]");
    let check = |code: i32, expected: &str| {
        let ran = demo.scratch.run("wardflow -q plugin test project");
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert!(ran.stdout.contains(expected), "{ran:#?}");
    };
    check(1, "+ found, not expected: 2026-03-02 00:00 10.0.0.9 horizontal-scan");
    let expect = |expected: &str| demo.scratch.write("project/cases/one/expected.json", expected);
    expect(r#"[{ "kind": "horizontal-scan", "device_id": "10.0.0.9", "peer_port": 445 }]"#);
    check(0, "1 passed, 0 failed");
    expect(r#"[{ "kind": "horizontal-scan", "device_id": "10.0.0.9", "severity": "low" }]"#);
    check(1, "severity: low expected, high found");
    expect(r#"[{ "kind": "vertical-scan" }]"#);
    check(1, "- expected, not found: {\"kind\":\"vertical-scan\"}");
    expect(r#"[{ "knd": "vertical-scan" }]"#);
    check(1, "\"knd\" is no field of a finding");
    demo.scratch.done("wardflow -q plugin test project --bless");
    check(0, "1 passed, 0 failed");
    demo.scratch.write("project/cases/one/flows.csv", knocking().replace("src_port", "src_prt"));
    check(1, "did you mean \"src_port\"?");
    demo.scratch.write("project/cases/one/flows.csv", knocking().replace(",6,S0", ",tcp,S0"));
    check(1, "flows.csv, line 2: protocol is \"tcp\"; it must be a whole number from 0 to 255");
    demo.scratch.write("project/cases/one/case.toml", "[plugin.\"wardflow/scn\"]\ndisabled = false\n");
    demo.scratch.write("project/cases/one/flows.csv", knocking());
    check(1, "has settings of wardflow/scn; the plugin is wardflow/scan");
    demo.scratch
        .done("rm project/cases/one/case.toml project/cases/one/flows.csv && mkfifo project/cases/one/flows.csv");
    check(1, "flows.csv is no regular file");
    demo.scratch.done("rm project/cases/one/flows.csv");
    check(1, "has no flows; give it one of flows.csv, flows.parquet, hospital.toml");
}

#[test]
fn a_case_says_when_the_sensors_were_down() {
    let demo = Demo::new();
    project(&demo, &knocking(), "[]");
    let gaps = |text: &str| {
        demo.scratch.write("project/cases/one/gaps.csv", text);
        demo.scratch.run("wardflow plugin run project/scan.wasm --case project/cases/one --trace").stdout
    };
    assert!(gaps("start,end\n").contains("to 2026-03-02T06:00:00Z, no gaps"));
    let said = gaps("start,end\n2026-03-01T22:00,2026-03-02T00:30\n2026-03-02T05:00,2026-03-02T07:00\n");
    assert!(said.contains("to 2026-03-02T06:00:00Z, 2 gaps"), "{said}");
    demo.scratch.done("rm project/cases/one/gaps.csv");
    let said = demo.scratch.run("wardflow plugin run project/scan.wasm --case project/cases/one --trace").stdout;
    assert!(said.contains("to 2026-03-02T06:00:00Z, 2 gaps"), "{said}");
}

#[test]
fn a_trace_shows_each_call() {
    let demo = Demo::new();
    project(&demo, &knocking(), "[]");
    let said = demo
        .scratch
        .done("wardflow -q plugin run project/scan.wasm --case project/cases/one --device 10.0.0.9 --trace");
    for expected in
        ["instantiate  ", "open  ", "observe  ", "pulled ", "end-slice  ", "save  ", "finding horizontal-scan"]
    {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
}

#[test]
fn a_version_is_compared_with_itself() {
    let demo = Demo::new();
    let said = demo.wardflow("plugin diff hospital/plugins/scan.wasm hospital/plugins/scan.wasm");
    assert!(said.contains("0 gone, 0 new, 0 changed, ") && !said.contains(", 0 the same"), "{said}");
    demo.scratch.done("truncate -s 1000 $(ls -d hospital/archive/date=*/* | head -1)");
    let ran =
        demo.scratch.run("wardflow -C hospital plugin diff hospital/plugins/scan.wasm hospital/plugins/scan.wasm");
    assert!(ran.code == Some(1) && ran.stderr.contains(" is left out: "), "{ran:#?}");
}

#[test]
fn another_version_says_what_it_asks_for() {
    let demo = Demo::new();
    let ran =
        demo.scratch.run("wardflow -C hospital plugin diff hospital/plugins/scan.wasm hospital/plugins/beacon.wasm");
    assert!(
        ran.stdout.contains("+ columns: bytes-sent\n") && ran.stdout.contains("  memory_mib: 16 -> 32\n"),
        "{ran:#?}"
    );
    assert!(ran.stderr.contains("both say that they are version"), "{ran:#?}");
}

#[test]
fn learning_that_begins_anew_is_said() {
    let demo = Demo::new();
    demo.wardflow("analyze --to 2026-03-05");
    let config = fs::read_to_string(demo.scratch.path().join("hospital/wardflow.toml")).unwrap();
    let changed = format!("{config}\n[plugin.\"wardflow/scan\".parameters]\npatience_hours = 23\n");
    demo.scratch.write("hospital/wardflow.toml", changed);
    let said = demo.wardflow("analyze");
    let expected = "(its settings or the pseudonym key changed: learning began anew). `wardflow analyze --rerun`";
    assert!(said.contains("wardflow/scan knows nothing any more of ") && said.contains(expected), "{said}");
    let query = "SELECT plugin, device_id FROM coverage WHERE device_id IS NULL AND fault LIKE '%began anew'";
    assert_eq!(demo.wardflow(&format!("sql --format csv \"{query}\"")), "plugin,device_id\nwardflow/scan,\n");
    let query = "SELECT count(*) > 0 AS any FROM baselines WHERE plugin = 'wardflow/scan' AND status = 'ready'";
    assert_eq!(demo.wardflow(&format!("sql --format csv \"{query}\"")), "any\ntrue\n");
}

#[test]
fn bundled_plugins_pass_the_check() {
    let demo = Demo::new();
    for plugin in ["beacon", "scan", "infusion-pump"] {
        let said = demo.scratch.done(&format!("wardflow -q plugin check hospital/plugins/{plugin}.wasm"));
        assert!(said.contains("would be taken"), "{said}");
    }
}

#[test]
fn a_captured_finding_holds_nothing_of_the_hospital() {
    let demo = Demo::analysed();
    let query =
        "SELECT finding_id, device_id, device_ip FROM findings WHERE plugin = 'wardflow/scan' ORDER BY 1 LIMIT 1";
    let row = demo.wardflow(&format!("sql --format csv \"{query}\" | tail -n 1"));
    let parts: Vec<_> = row.trim().split(',').collect();
    let [finding, device, ip] = parts.as_slice() else { panic!("{row}") };
    let shown = demo.wardflow(&format!("plugin capture --finding {finding}"));
    assert!(shown.contains("shifted by whole weeks") && !demo.scratch.path().join("case").exists(), "{shown}");
    let ran = demo
        .scratch
        .run(&format!("wardflow -C hospital plugin capture --finding {finding} -o project/cases/one </dev/null"));
    assert!(ran.code == Some(2) && ran.stderr.contains("nobody is there to agree"), "{ran:#?}");
    demo.scratch.done("mkdir -p project/cases && cp hospital/plugins/scan.wasm project/");
    demo.wardflow(&format!("plugin capture --finding {finding} -o project/cases/one --yes"));
    for file in ["flows.csv", "devices.csv", "case.toml", "expected.json"] {
        let text = fs::read_to_string(demo.scratch.path().join("project/cases/one").join(file)).unwrap();
        assert!(!text.contains(device) && !text.contains(&format!("{ip},")), "{file}");
    }
    let expected = fs::read_to_string(demo.scratch.path().join("project/cases/one/expected.json")).unwrap();
    assert!(expected.contains("-scan\""), "the plugin finds it in the case too: {expected}");
    demo.scratch.done("wardflow -q plugin test project");
    // Another plugin of that id could name what is to be left as it is.
    demo.scratch.done(r"printf '\000\002\001x' >>hospital/plugins/scan.wasm");
    let ran = demo.scratch.run(&format!("wardflow -C hospital plugin capture --finding {finding}"));
    assert!(ran.code == Some(2) && ran.stderr.contains("is not the plugin that was analysed"), "{ran:#?}");
}

#[test]
fn what_a_hospital_wrote_is_left_out_of_a_case() {
    let demo = Demo::analysed();
    let query = "SELECT finding_id FROM findings WHERE plugin = 'wardflow/infusion-pump' ORDER BY 1 LIMIT 1";
    let finding = demo.wardflow(&format!("sql --format csv \"{query}\" | tail -n 1"));
    let config = fs::read_to_string(demo.scratch.path().join("hospital/wardflow.toml")).unwrap();
    assert!(config.contains("[plugin.\"wardflow/infusion-pump\".peer_groups]"), "{config}");
    // Without a day before, some peer groups have no member in the case.
    demo.scratch
        .run(&format!("wardflow -C hospital plugin capture --finding {} --days 0 -o case --yes", finding.trim()));
    let case = fs::read_to_string(demo.scratch.path().join("case/case.toml")).unwrap();
    assert!(case.contains("timezone = \"Etc/GMT-1\"") && !case.contains("[]"), "{case}");
    for own in config.split('"').filter(|text| text.starts_with("10.") || text.starts_with("fd77")) {
        let own = own.split('/').next().unwrap_or_default();
        assert!(!case.contains(&format!("\"{own}\"")), "{own} is in {case}");
    }
    demo.scratch.done("ls case/expected.json case/gaps.csv && test -z \"$(ls -d .wardflow-capture-* 2>/dev/null)\"");
}

#[test]
fn a_project_is_not_made_over_another() {
    let demo = Demo::new();
    let check = |line: &str, code: i32, expected: &str| {
        let ran = demo.scratch.run(line);
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(expected), "{ran:#?}");
    };
    check("wardflow plugin new acme/drip --device-class infusion-pump", 0, "drip is the project of acme/drip");
    check("grep -c infusion-pump drip/plugin.toml", 0, "1");
    check("wardflow plugin new acme/drip", 2, "drip is there already");
    check("wardflow plugin new drip", 2, "vendor/name");
    check("wardflow plugin new acme/other --lang cobol", 2, "[possible values: rust, c, python]");
    check("wardflow plugin test drip", 2, "build it first");
    check("wardflow plugin pack drip/plugin.toml drip/plugin.toml -o x.wasm; ls x.wasm", 2, "not WebAssembly");
}
