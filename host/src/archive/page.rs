//! The page of all sources, made of what their readers say of themselves.

use std::{env, fmt::Write, fs, path::Path};

/// The readers in the order of the command's help, with their code.
const READERS: [(&str, &str); 7] = [
    ("zeek", include_str!("zeek/mod.rs")),
    ("eve", include_str!("eve/mod.rs")),
    ("netflow", include_str!("netflow/mod.rs")),
    ("nfdump", include_str!("nfdump/mod.rs")),
    ("argus", include_str!("argus/mod.rs")),
    ("pcap", include_str!("pcap.rs")),
    ("csv", include_str!("delimited/mod.rs")),
];

const HEAD: &str = "\
# Sources

What `wardflow ingest SOURCE` reads, and what becomes of each field. `src` is who began a flow; the columns of `flows` are
described in [`flow.rs`](../flow.rs). This page is made of the readers' own documentation: change it there, and run
`WARDFLOW_WRITE_PAGES=1 cargo test --release -p wardflow page`.
";

/// The documentation of a module.
fn documentation(code: &str) -> String {
    let lines = code.lines().map_while(|line| line.strip_prefix("//!"));
    let mut text = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (name, code) in READERS {
        let _ = write!(page, "\n## {name}\n\n{}", documentation(code));
    }
    page
}

#[test]
fn the_page_is_what_the_readers_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/archive/README.md");
    if env::var_os("WARDFLOW_WRITE_PAGES").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "{} is not what the readers say; its head says how to write it", path.display());
}
