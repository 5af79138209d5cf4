use std::borrow::Cow;

use wardflow_manifest::{Manifest, SECTION};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::error::PackError;

/// What the contract's interfaces are named after.
const PACKAGE: &str = "wardflow:detector/";

/// Makes a plugin of a core module, or of a component that another toolchain made, and a manifest.
///
/// # Errors
/// The module imports something else than the contract, does not export a detector of the manifest's contract version,
/// or is no module at all.
pub(crate) fn pack(wasm: &[u8], manifest: &Manifest) -> Result<Vec<u8>, PackError> {
    let contract = manifest.contract.to_string();
    if !wasm.starts_with(b"\0asm") {
        return Err(PackError::Module("it is not WebAssembly; give the .wasm file that cargo wrote".to_owned()));
    }
    let mut component = match Parser::is_component(wasm) {
        true => wasm.to_vec(),
        false => encode(wasm, &contract)?,
    };
    check(&component, &contract)?;
    let json = manifest.to_json().map_err(|error| PackError::Module(error.to_string()))?;
    CustomSection { name: Cow::Borrowed(SECTION), data: Cow::Owned(json) }.append_to_component(&mut component);
    Validator::new_with_features(WasmFeatures::default()).validate_all(&component).map_err(broken)?;
    Ok(component)
}

fn encode(module: &[u8], contract: &str) -> Result<Vec<u8>, PackError> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(imports) = payload.map_err(broken)? {
            for import in imports.into_imports() {
                let import = import.map_err(broken)?;
                // The name is mangled in more than one way; the version shows when it is a component.
                if !import.module.contains(PACKAGE) {
                    return Err(foreign(import.name, import.module, contract));
                }
            }
        }
    }
    let mut encoder = ComponentEncoder::default();
    encoder
        .validate(true)
        .module(module)
        .and_then(ComponentEncoder::encode)
        .map_err(|error| PackError::Module(format!("{error:#}")))
}

/// The component's outside: imports of the contract only, and a detector.
fn check(component: &[u8], contract: &str) -> Result<(), PackError> {
    let expected = format!("wardflow:detector/detector@{contract}");
    let mut depth = 0_u32;
    let mut is_detector = false;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(broken)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let name = import.map_err(broken)?.name.name;
                    let version = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
                    if version.is_none_or(|(_, version)| version != contract) {
                        return Err(foreign("*", name, contract));
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    is_detector |= export.map_err(broken)?.name.name == expected;
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                return Err(PackError::Packed(SECTION));
            }
            _ => {}
        }
    }
    if is_detector { Ok(()) } else { Err(PackError::Export { expected, contract: contract.to_owned() }) }
}

fn foreign(name: &str, from: &str, contract: &str) -> PackError {
    let allowed = format!("{PACKAGE}*@{contract}");
    PackError::Import { name: name.to_owned(), from: from.to_owned(), allowed }
}

fn broken(error: wasmparser::BinaryReaderError) -> PackError {
    PackError::Module(error.to_string())
}

#[cfg(test)]
mod tests {
    use wasmparser::{Parser, Payload};
    use wit_component::StringEncoding;
    use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

    use super::{Manifest, SECTION, pack};

    const WIT: &str = include_str!("../../../wit/detector.wit");

    const CLOCK: &str = "
        package a:b;
        world w { import wasi:clocks/now@0.2.0; }
        package wasi:clocks@0.2.0 { interface now { now: func() -> u64; } }
    ";

    fn manifest() -> Manifest {
        let text = r#"
            id = "example/quiet"
            version = "1.0.0"
            contract = "0.1.0"
            publisher = "Example"
            intended_use = "A test."
            columns = ["peer"]
            [[findings]]
            kind = "loud"
            title = "Device talks"
            severity = "low"
            shows = "Flows."
            first_action = "Ask."
        "#;
        Manifest::from_toml(text).unwrap()
    }

    /// A module of the given world, whose functions trap.
    fn module(wit: &str) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("test.wit", wit).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    #[test]
    fn a_plugin_carries_its_manifest_and_is_made_alike_twice() {
        let plugin = pack(&module(WIT), &manifest()).unwrap();
        assert_eq!(plugin, pack(&module(WIT), &manifest()).unwrap());
        let sections = Parser::new(0).parse_all(&plugin).filter_map(|payload| match payload.unwrap() {
            Payload::CustomSection(section) if section.name() == SECTION => Some(section.data().to_vec()),
            _ => None,
        });
        let manifests: Vec<_> = sections.map(|json| Manifest::from_json(&json).unwrap()).collect();
        assert_eq!(manifests, [manifest()]);
    }

    #[test]
    fn what_is_no_plugin_is_refused() {
        let check = |wasm: &[u8], expected: &str| {
            let error = pack(wasm, &manifest()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}\nlacks {expected:?}");
        };
        check(b"ELF", "it is not WebAssembly; give the .wasm file");
        check(b"\0asm\x01\0\0\0\xff", "cannot be made a component");
        check(&module(CLOCK), "imports `now` from `wasi:clocks/now@0.2.0`");
        check(&module(CLOCK), "nothing but `wardflow:detector/*@0.1.0`");
        check(&module(&WIT.replace("@0.1.0", "@0.2.0")), "from `wardflow:detector/types@0.2.0`");
        check(&module("package a:b; world w {}"), "does not export `wardflow:detector/detector@0.1.0`");
        check(&pack(&module(WIT), &manifest()).unwrap(), "already has a section `wardflow:manifest`");
    }
}
