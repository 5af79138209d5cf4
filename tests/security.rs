//! `SECURITY.md` names tests that there are, and the version of wasmtime that is built in.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_promise_has_its_tests() {
    let page = read("SECURITY.md");
    let table = page.split_once("| promise | shown by |\n").unwrap().1.split_once("\n\n").unwrap().0;
    let mut tests = 0;
    for row in table.lines().skip(1) {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut content = None;
        for name in shown_by.split('`').skip(1).step_by(2) {
            if name.contains('/') {
                content = Some(read(name));
            } else {
                let content = content.as_deref().unwrap_or_else(|| panic!("no file before {name}"));
                assert!(content.contains(&format!("fn {name}(")), "there is no test {name}: {row}");
                tests += 1;
            }
        }
        assert!(content.is_some(), "nothing shows it: {row}");
    }
    assert!(tests > 20, "{tests} tests");
}

#[test]
fn the_advisories_are_those_of_what_is_built_in() {
    let lock = read("Cargo.lock");
    let version = lock.split_once("name = \"wasmtime\"\nversion = \"").unwrap().1.split('"').next().unwrap();
    let said = format!("Plugins run in wasmtime {version}, ");
    assert!(
        read("SECURITY.md").contains(&said),
        "SECURITY.md is of another version than {version}: look at each advisory anew"
    );
}
