//! What the README tells people to type works: the ten minutes on a small log, the SQL on a small hospital.

use std::{fs, path::Path};

use crate::support::{Demo, Scratch};

#[test]
fn ten_minutes() {
    let readme = readme();
    let start = readme.find("## Ten minutes").unwrap();
    let end = readme.find("## SQL").unwrap();
    let commands: Vec<_> = blocks(&readme[start..end], "console").iter().flat_map(|block| commands(block)).collect();
    assert!(commands.len() >= 10, "{commands:?}");
    let scratch = Scratch::new();
    for log in ["conn", "dns", "ssl"] {
        let path = format!("tests/data/zeek/{log}.log");
        scratch.write(&format!("logs/{log}.log"), fs::read_to_string(root().join(path)).unwrap());
    }
    let logs = scratch.path().join("logs").display().to_string();
    let script: String =
        commands.iter().map(|command| format!("{}\n", command.replace("/opt/zeek/logs", &logs))).collect();
    let said = scratch.done(&script);
    for expected in ["many peers", "10.20.0.31", "203.0.113.9", "Nothing is new since the last run."] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
}

#[test]
fn queries() {
    let readme = readme();
    let demo = Demo::analysed();
    let finding = demo.wardflow("sql --format csv 'SELECT min(finding_id) FROM findings' | tail -n 1");
    let queries = blocks(&readme, "sql").concat().replace("00000000000000000000000000000000", finding.trim());
    assert!(queries.matches(';').count() >= 15, "{queries}");
    demo.scratch.write("queries.sql", queries);
    demo.wardflow("sql < queries.sql");
}

#[test]
fn targets() {
    let readme = readme();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let (start, end) = (readme.find("## Two commands").unwrap(), readme.find("## Ten minutes").unwrap());
    let commands: Vec<_> = blocks(&readme[start..end], "console").iter().flat_map(|block| commands(block)).collect();
    assert_eq!(commands, ["make demo", "make test"]);
    for command in commands {
        let target = command.strip_prefix("make ").unwrap().to_owned();
        assert!(makefile.contains(&format!("\n{target}: ")), "the Makefile has no {target}");
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The contents of fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// The commands of a console block: what follows a prompt.
fn commands(block: &str) -> Vec<String> {
    block.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}
