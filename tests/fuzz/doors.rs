//! What takes bytes from strangers, but for plugins and Parquet, which `tests/torture` mutates: each as a function that must
//! come back: with whether it made sense of them, without a panic, and in bounded memory. Fuzzing goes through these doors,
//! and so do tests.
#![allow(dead_code, reason = "a target goes through one of them")]

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use wardflow::{
    archive::{Format, read_all, read_inventory_csv},
    config::Config,
    mapping::Mapping,
};
use wardflow_manifest::Manifest;

/// A door: its name, which is that of its seeds and of its target, and the function.
pub(crate) type Door = (&'static str, fn(&[u8]) -> bool);

/// All of them.
pub(crate) const DOORS: [Door; 12] = [
    ("argus", argus),
    ("config", config),
    ("csv", csv),
    ("eve", eve),
    ("inventory", inventory),
    ("manifest-json", manifest_json),
    ("manifest-toml", manifest_toml),
    ("mapping", mapping),
    ("netflow", netflow),
    ("nfdump", nfdump),
    ("told", told),
    ("zeek", zeek),
];

/// Argus flows as text.
pub(crate) fn argus(content: &[u8]) -> bool {
    holds(Format::Argus, content)
}

/// `wardflow.toml`.
pub(crate) fn config(content: &[u8]) -> bool {
    text(content, |text| Config::parse(Path::new("wardflow.toml"), text, Path::new("/")).is_ok())
}

/// Text in columns.
pub(crate) fn csv(content: &[u8]) -> bool {
    static MAPPING: LazyLock<Arc<Mapping>> = LazyLock::new(|| {
        let seed = include_str!("seeds/mapping/text.toml");
        Arc::new(Mapping::parse(Path::new("text.toml"), seed).expect("a seed that is right"))
    });
    read_all(Format::Csv, content, Some(Arc::clone(&MAPPING))).is_ok_and(|held| held.flows > 0)
}

/// Suricata's log.
pub(crate) fn eve(content: &[u8]) -> bool {
    holds(Format::Eve, content)
}

/// A device list.
pub(crate) fn inventory(content: &[u8]) -> bool {
    read_inventory_csv(content).is_ok()
}

/// A manifest as a component carries it.
pub(crate) fn manifest_json(content: &[u8]) -> bool {
    Manifest::from_json(content).is_ok()
}

/// A manifest as an author writes it.
pub(crate) fn manifest_toml(content: &[u8]) -> bool {
    text(content, |text| Manifest::from_toml(text).is_ok())
}

/// A mapping.
pub(crate) fn mapping(content: &[u8]) -> bool {
    text(content, |text| Mapping::parse(Path::new("mapping.toml"), text).is_ok())
}

/// NetFlow and IPFIX, in a capture or not.
pub(crate) fn netflow(content: &[u8]) -> bool {
    holds(Format::Netflow, content)
}

/// What `nfdump` writes.
pub(crate) fn nfdump(content: &[u8]) -> bool {
    holds(Format::Nfdump, content)
}

/// A content whose format is to be told, a capture among others.
pub(crate) fn told(content: &[u8]) -> bool {
    Format::of(content, "content", false).is_ok()
}

/// Zeek's `conn.log`.
pub(crate) fn zeek(content: &[u8]) -> bool {
    holds(Format::Zeek, content)
}

fn holds(format: Format, content: &[u8]) -> bool {
    read_all(format, content, None).is_ok_and(|held| held.flows > 0)
}

fn text(content: &[u8], takes: impl FnOnce(&str) -> bool) -> bool {
    std::str::from_utf8(content).is_ok_and(takes)
}
