use std::{fs, path::Path};

use super::{Config, FILE};

fn read(text: &str) -> (tempfile::TempDir, crate::error::Result<Config>) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), text).unwrap();
    let config = Config::read(dir.path());
    (dir, config)
}

/// The whole text of the error: message, remedy.
fn check(text: &str, expected: &str) {
    let (dir, config) = read(text);
    let error = config.expect_err(text);
    let mut shown = error.to_string();
    if let Some(remedy) = error.remedy_text() {
        shown = format!("{shown}\n{remedy}");
    }
    assert_eq!(shown.replace(&dir.path().display().to_string(), "DIR"), expected);
}

#[test]
fn an_empty_file_has_defaults() {
    let (dir, config) = read("");
    let config = config.unwrap();
    assert_eq!(config.archive, dir.path().join("archive").to_str().unwrap());
    assert_eq!(config.key, dir.path().join("pseudonym.key"));
    assert_eq!((config.inventory, config.slice_hours, config.approval_required), (None, 6, false));
    assert_eq!(config.timezone, jiff::tz::TimeZone::UTC);
    assert_eq!(config.space.internal().len(), 6);
    assert_eq!(config.limits, crate::limits::Limits::default());
}

#[test]
fn every_key_is_read() {
    let (dir, config) = read(
        r#"
archive = "s3://flows/north"
inventory = "/srv/devices.csv"
plugins = "models"
internal = ["10.0.0.0/8", "192.0.2.7"]
timezone = "Europe/Berlin"
slice_hours = 12
approval = "required"

[limits]
memory_mib = 1_024

[[infrastructure]]
role = "scanner"
cidrs = ["10.9.0.0/24", "10.9.1.5"]
hours = "22:00-05:30"

[[infrastructure]]
role = "name-server"
cidr = "10.0.0.53"

[plugin."example/infusion-pump"]
disabled = true
parameters = { night = [1, 2.5], since = 2026-03-02, deep = { on = true } }

[plugin."example/infusion-pump".peer_groups]
gateway = ["10.20.0.5", "*.Pumps.Example.org.", "fd00::/64"]
drug-library-server = { cidrs = ["10.20.0.9"], names = ["library.example.org"] }
"#,
    );
    let config = config.unwrap();
    assert_eq!(config.archive, "s3://flows/north");
    assert_eq!(config.inventory.as_deref(), Some(Path::new("/srv/devices.csv")));
    assert_eq!(config.plugins, dir.path().join("models"));
    assert_eq!((config.slice_hours, config.approval_required, config.limits.memory_mib), (12, true, 1024));
    let declared: Vec<_> = config
        .infrastructure
        .iter()
        .map(|i| (i.cidr.to_string(), i.hours.map(|hours| (hours.start, hours.end))))
        .collect();
    let night = Some((1320, 330));
    assert_eq!(declared, [("10.9.0.0/24".into(), night), ("10.9.1.5/32".into(), night), ("10.0.0.53/32".into(), None)]);
    let pump = &config.plugin["example/infusion-pump"];
    assert!(pump.disabled);
    assert_eq!(
        serde_json::to_string(&pump.parameters).unwrap(),
        r#"{"deep":{"on":true},"night":[1,2.5],"since":"2026-03-02"}"#
    );
    let gateway = &pump.peer_groups["gateway"];
    assert_eq!(gateway.names, ["*.pumps.example.org"]);
    assert_eq!(gateway.cidrs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.20.0.5/32", "fd00::/64"]);
    assert_eq!(pump.peer_groups["drug-library-server"].names, ["library.example.org"]);
}

#[test]
fn the_archive_may_have_a_mapping() {
    let (_dir, config) = read("archive = { url = \"s3://logs/vpc/**/*.parquet\", mapping = \"aws-vpc\" }\n");
    let config = config.unwrap();
    assert_eq!(config.archive, "s3://logs/vpc/**/*.parquet");
    assert!(config.mapping.is_some());
    check(
        "archive = { url = \"flows\", mapping = \"aws-vcp\" }\n",
        "DIR/wardflow.toml:1:38: `archive.mapping` is \"aws-vcp\"; it must be the name of a mapping that comes along, or \
         of a file with one\n  |\n1 | archive = { url = \"flows\", mapping = \"aws-vcp\" }\n  |                             \
         \u{20}        ^^^^^^^^^\ndid you mean \"aws-vpc\"? those that come along are aws-vpc, ocsf-network-activity",
    );
    check(
        "archive = { mapping = \"aws-vpc\" }\n",
        "DIR/wardflow.toml:1:11: `archive` is a table; it must be a path or URL, or a table with a `url`\n  |\n1 | archive \
         = { mapping = \"aws-vpc\" }\n  |           ^^^^^^^^^^^^^^^^^^^^^^^\nwrite archive = { url = \"...\", mapping = \
         \"...\" }",
    );
    check(
        "[plugins.\"wardflow/beacon\"]\n",
        "DIR/wardflow.toml:1:2: `plugins` is a table; it must be text in quotes, not empty\n  |\n1 | \
         [plugins.\"wardflow/beacon\"]\n  |  ^^^^^^^\n`plugins` is the directory that they are in; settings of one go \
         into [plugin.\"vendor/name\"]",
    );
}

#[test]
fn a_directory_without_the_file_is_no_workspace() {
    let dir = tempfile::tempdir().unwrap();
    let error = Config::read(dir.path()).unwrap_err();
    let shown = format!("{error}\n{}", error.remedy_text().unwrap()).replace(&dir.path().display().to_string(), "DIR");
    assert_eq!(
        shown,
        "no wardflow.toml in DIR: it is not a workspace\nname the workspace with `wardflow -C DIR ...`, or make DIR \
         one with `wardflow init DIR`"
    );
}

#[test]
fn keys() {
    check(
        "lake = \"lake\"\n  archve = \"a\"\n",
        "DIR/wardflow.toml:2:3: unknown key `archve`
  |
2 |   archve = \"a\"
  |   ^^^^^^
did you mean `archive`? Allowed: archive, inventory, plugins, lake, key, internal, timezone, slice_hours, approval, \
         limits, infrastructure, plugin",
    );
    check(
        "[limits]\nzzz = 3",
        "DIR/wardflow.toml:2:1: unknown key `zzz` in `limits`
  |
2 | zzz = 3
  | ^^^
allowed: compile_mib, compile_s, component_mib, end_slice_ms, faulted_seconds, faults, findings, findings_mib, instantiate_ms, memory_mib, observe_ms, \
         open_ms, result_bytes, state_bytes, table_elements",
    );
    check(
        "[plugin.pump]\ndisabled = true",
        "DIR/wardflow.toml:1:9: \"pump\" is no plugin id
  |
1 | [plugin.pump]
  |         ^^^^
write [plugin.\"vendor/name\"], with the quotes; `wardflow plugin list` prints the ids",
    );
}

#[test]
fn types() {
    check(
        "archive = 7",
        "DIR/wardflow.toml:1:11: `archive` is 7; it must be text in quotes, not empty
  |
1 | archive = 7
  |           ^",
    );
    check(
        "internal = \"10.0.0.0/8\"",
        "DIR/wardflow.toml:1:12: `internal` is \"10.0.0.0/8\"; it must be a list of CIDRs
  |
1 | internal = \"10.0.0.0/8\"
  |            ^^^^^^^^^^^^",
    );
    check(
        "[plugin.\"a/b\"]\ndisabled = \"no\"",
        "DIR/wardflow.toml:2:12: `plugin.a/b.disabled` is \"no\"; it must be true or false
  |
2 | disabled = \"no\"
  |            ^^^^",
    );
}

#[test]
fn values() {
    check(
        "internal = [\"10.0.0.0/8\", \"10.1.2.3/40\"]",
        "DIR/wardflow.toml:1:27: `internal[1]` is \"10.1.2.3/40\"; it must be an address or a CIDR such as \
         \"10.20.0.0/16\" or \"fd00:20::/32\"
  |
1 | internal = [\"10.0.0.0/8\", \"10.1.2.3/40\"]
  |                           ^^^^^^^^^^^^^",
    );
    check(
        "internal = [\"10.1.2.3/8\"]",
        "DIR/wardflow.toml:1:13: `internal[0]` is \"10.1.2.3/8\"; it must be a network without bits behind its prefix
  |
1 | internal = [\"10.1.2.3/8\"]
  |             ^^^^^^^^^^^^
did you mean the network \"10.0.0.0/8\" or the address \"10.1.2.3/32\"?",
    );
    check(
        "timezone = \"berlin\"",
        "DIR/wardflow.toml:1:12: `timezone` is \"berlin\"; it must be an IANA time zone such as \"Europe/Berlin\" or \
         \"UTC\"
  |
1 | timezone = \"berlin\"
  |            ^^^^^^^^
did you mean \"Europe/Berlin\"?",
    );
    check(
        "slice_hours = 5",
        "DIR/wardflow.toml:1:15: `slice_hours` is 5; it must be a divisor of 24: 1, 2, 3, 4, 6, 8, 12 or 24
  |
1 | slice_hours = 5
  |               ^",
    );
    check(
        "approval = \"require\"",
        "DIR/wardflow.toml:1:12: `approval` is \"require\"; it must be one of \"first-use\", \"required\"
  |
1 | approval = \"require\"
  |            ^^^^^^^^^
did you mean \"required\"?",
    );
    check(
        "[limits]\nfindings = 0",
        "DIR/wardflow.toml:2:12: `limits.findings` is 0; it must be a whole number of at least 1
  |
2 | findings = 0
  |            ^
a limit cannot be switched off, only raised",
    );
    check(
        "[limits]\nmemory_mib = 99_999_999_999",
        "DIR/wardflow.toml:2:14: `limits.memory_mib` is 99_999_999_999; it must be a whole number from 1 to 4294967295
  |
2 | memory_mib = 99_999_999_999
  |              ^^^^^^^^^^^^^^",
    );
    check(
        "[[infrastructure]]\nrole = \"printer\"\ncidr = \"10.0.0.1\"",
        "DIR/wardflow.toml:2:8: `infrastructure[0].role` is \"printer\"; it must be one of \"scanner\", \
         \"network-management\", \"backup\", \"proxy\", \"nat\", \"remote-service\", \"name-server\", \"time-server\", \
         \"domain-controller\", \"dhcp-server\"
  |
2 | role = \"printer\"
  |        ^^^^^^^^^",
    );
    check(
        "[[infrastructure]]\nrole = \"backup\"\ncidr = \"10.0.0.1\"\nhours = \"22-05\"",
        "DIR/wardflow.toml:4:9: `infrastructure[0].hours` is \"22-05\"; it must be hours of the day such as \
         \"22:00-05:00\"
  |
4 | hours = \"22-05\"
  |         ^^^^^^^",
    );
    check(
        "[plugin.\"a/b\".peer_groups]\ngateway = [\"10.0.0.999\"]",
        "DIR/wardflow.toml:2:12: `plugin.a/b.peer_groups.gateway[0]` is \"10.0.0.999\"; it must be an address or a \
         CIDR such as \"10.20.0.0/16\" or \"fd00:20::/32\"
  |
2 | gateway = [\"10.0.0.999\"]
  |            ^^^^^^^^^^^^",
    );
    check(
        "[plugin.\"a/b\".peer_groups]\ngateway = { names = [\"no blanks\"] }",
        "DIR/wardflow.toml:2:22: `plugin.a/b.peer_groups.gateway.names[0]` is \"no blanks\"; it must be a DNS name \
         such as \"pumps.example.org\" or \"*.example.org\"
  |
2 | gateway = { names = [\"no blanks\"] }
  |                      ^^^^^^^^^^^",
    );
}

#[test]
fn syntax() {
    check(
        "archive = \"a\"\nlake = north\n",
        "DIR/wardflow.toml:2:8: invalid float, expected `nan`
  |
2 | lake = north
  |        ^^^^^
in TOML, text stands in \"quotes\", a list in [brackets], and a table begins with [its.name]",
    );
    check(
        "archive = \"a\"\narchive = \"b\"\n",
        "DIR/wardflow.toml:2:1: duplicate key
  |
2 | archive = \"b\"
  | ^^^^^^^
in TOML, text stands in \"quotes\", a list in [brackets], and a table begins with [its.name]",
    );
}
