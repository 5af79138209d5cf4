//! Plugins in WebAssembly text, good but for what is put into them.

use wardflow_manifest::{Manifest, SECTION};
use wasm_encoder::{ComponentSection, CustomSection};

use crate::Result;

const TEMPLATE: &str = include_str!("../../../host/src/sandbox/testing/detector.wat");

const MANIFEST: &str = r#"
id = "torture/guest"
version = "1.0.0"
contract = "0.1.0"
publisher = "Example"
intended_use = "A test."
columns = ["peer", "protocol", "end-time"]
memory_mib = 64

[[findings]]
kind = "loud"
title = "Loud"
severity = "low"
shows = "Much."
first_action = "Ask."
"#;

/// Never ends.
pub(crate) const SPIN: &str = "(loop (br 0))";

/// A plugin with instructions put into functions of it. The holes are those of the template.
///
/// # Errors
/// The instructions are none.
pub(crate) fn guest(holes: &[(&str, &str)]) -> Result<Vec<u8>> {
    const FILLED: [(&str, &str); 8] = [
        ("types", "wardflow:detector/types@0.1.0"),
        ("flows", "wardflow:detector/flows@0.1.0"),
        ("export", "wardflow:detector/detector@0.1.0"),
        ("save-name", "save"),
        ("zone-type", "u32"),
        ("memory", "1"),
        ("table", "1"),
        ("score", "0.5"),
    ];
    const EMPTY: [&str; 9] =
        ["import", "realloc", "drop", "items", "open", "observe", "end-slice", "save", "post-return"];
    let fillings = holes.iter().copied().chain(FILLED).chain(EMPTY.map(|hole| (hole, "")));
    let text =
        fillings.fold(TEMPLATE.to_owned(), |text, (hole, filling)| text.replace(&format!("{{{{{hole}}}}}"), filling));
    let mut component = wat::parse_str(text)?;
    append_manifest(&mut component, &Manifest::from_toml(MANIFEST)?)?;
    Ok(component)
}

/// Adds a manifest to a component.
///
/// # Errors
/// None that is known: a manifest is JSON.
pub(crate) fn append_manifest(component: &mut Vec<u8>, manifest: &Manifest) -> Result<()> {
    CustomSection { name: SECTION.into(), data: manifest.to_json()?.into() }.append_to_component(component);
    Ok(())
}

/// The manifest of the guests.
///
/// # Errors
/// None that is known.
pub(crate) fn manifest() -> Result<Manifest> {
    Ok(Manifest::from_toml(MANIFEST)?)
}
