//! A plugin in WebAssembly text that misbehaves as a test wants.

use wardflow_manifest::{Manifest, SECTION};
use wasm_encoder::{ComponentSection, CustomSection};

const TEMPLATE: &str = include_str!("../../host/src/sandbox/testing/detector.wat");

const MANIFEST: &str = r#"
id = "example/faulty"
version = "1.0.0"
contract = "0.1.0"
publisher = "Example"
intended_use = "A test."
columns = ["peer", "end-time"]
memory_mib = 1

[[findings]]
kind = "loud"
title = "Loud"
severity = "low"
shows = "Much."
first_action = "Ask."
"#;

/// A component that reports nothing, with instructions put into one of its functions.
pub(crate) fn guest(function: &str, instructions: &str) -> Vec<u8> {
    let mut text = TEMPLATE.to_owned();
    for (hole, filling) in [
        (function, instructions),
        ("types", "wardflow:detector/types@0.1.0"),
        ("flows", "wardflow:detector/flows@0.1.0"),
        ("export", "wardflow:detector/detector@0.1.0"),
        ("save-name", "save"),
        ("zone-type", "u32"),
        ("memory", "1"),
        ("table", "1"),
        ("score", "0.5"),
        ("end-slice", "(return (call $reports (i32.const 256) (i32.const 0)))"),
    ] {
        text = text.replace(&format!("{{{{{hole}}}}}"), filling);
    }
    for hole in ["import", "realloc", "drop", "items", "open", "observe", "save", "post-return"] {
        text = text.replace(&format!("{{{{{hole}}}}}"), "");
    }
    let mut component = wat::parse_str(&text).unwrap();
    let manifest = Manifest::from_toml(MANIFEST).unwrap().to_json().unwrap();
    CustomSection { name: SECTION.into(), data: manifest.into() }.append_to_component(&mut component);
    component
}
