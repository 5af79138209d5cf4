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
    carrying(component(&[(function, instructions)]), &to_json(MANIFEST))
}

/// The same with several holes filled, as `vendor/name`, for devices of one model.
pub(crate) fn guest_for(id: &str, model: &str, holes: &[(&str, &str)]) -> Vec<u8> {
    let scope = format!("[scope]\nmodels = [\"{model}\"]\n[[findings]]");
    let manifest = MANIFEST.replace("example/faulty", id).replace("[[findings]]", &scope);
    carrying(component(holes), &to_json(&manifest))
}

/// The component without a manifest, holes filled.
pub(crate) fn component(holes: &[(&str, &str)]) -> Vec<u8> {
    let mut text = TEMPLATE.to_owned();
    let defaults = [
        ("types", "wardflow:detector/types@0.1.0"),
        ("flows", "wardflow:detector/flows@0.1.0"),
        ("export", "wardflow:detector/detector@0.1.0"),
        ("save-name", "save"),
        ("zone-type", "u32"),
        ("memory", "1"),
        ("table", "1"),
        ("score", "0.5"),
        ("end-slice", "(return (call $reports (i32.const 256) (i32.const 0)))"),
    ];
    for (hole, filling) in holes.iter().chain(&defaults) {
        text = text.replace(&format!("{{{{{hole}}}}}"), filling);
    }
    for hole in ["import", "realloc", "drop", "items", "open", "observe", "save", "post-return"] {
        text = text.replace(&format!("{{{{{hole}}}}}"), "");
    }
    wat::parse_str(&text).unwrap()
}

/// The manifest of [`guest`] as it stands in a component, of another id.
pub(crate) fn manifest(id: &str) -> Vec<u8> {
    to_json(&MANIFEST.replace("example/faulty", id))
}

/// The manifest of a later version of [`guest`].
pub(crate) fn manifest_of_version(version: &str) -> Vec<u8> {
    to_json(&MANIFEST.replace("version = \"1.0.0\"", &format!("version = \"{version}\"")))
}

/// A component with a manifest put into it, whatever that is.
pub(crate) fn carrying(mut component: Vec<u8>, manifest: &[u8]) -> Vec<u8> {
    CustomSection { name: SECTION.into(), data: manifest.into() }.append_to_component(&mut component);
    component
}

fn to_json(manifest: &str) -> Vec<u8> {
    Manifest::from_toml(manifest).unwrap().to_json().unwrap()
}
