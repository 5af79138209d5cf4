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

/// The manifest of [`guest`], as a component carries it.
pub(crate) fn manifest() -> Vec<u8> {
    Manifest::from_toml(MANIFEST).unwrap().to_json().unwrap()
}

/// A component that reports nothing, with a manifest that need not be right.
pub(crate) fn guest_with(manifest: &[u8]) -> Vec<u8> {
    with_section(component("observe", ""), manifest)
}

/// A component that reports nothing, with instructions put into one of its functions.
pub(crate) fn guest(function: &str, instructions: &str) -> Vec<u8> {
    with_section(component(function, instructions), &manifest())
}

fn with_section(mut component: Vec<u8>, manifest: &[u8]) -> Vec<u8> {
    CustomSection { name: SECTION.into(), data: manifest.into() }.append_to_component(&mut component);
    component
}

fn component(function: &str, instructions: &str) -> Vec<u8> {
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
    wat::parse_str(&text).unwrap()
}
