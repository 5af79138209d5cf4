//! Makes a plugin of a core module, or of a component that another toolchain made, and a manifest.
//!
//! The same input gives the same bytes. A module need not carry the contract's types: those that a toolchain did not put
//! in, as a C compiler does not, are added. A module that imports WASI preview 1, as a language runtime does, is given a
//! stub of it to take along, `preview1.wat`: nothing of the machine can be reached by it, and the component imports the
//! contract alone.

mod error;

use std::{
    borrow::Cow,
    fs,
    io::{self, Write},
    path::Path,
};

use wardflow_manifest::{Manifest, SECTION};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

pub use error::PackError;

/// What the contract's interfaces are named after.
const PACKAGE: &str = "wardflow:detector/";

/// What a language runtime imports for clocks, files and random numbers, and what it is given in their place.
const PREVIEW1: &str = "wasi_snapshot_preview1";
const PREVIEW1_STUB: &str = include_str!("preview1.wat");

/// The contract.
const WIT: &str = include_str!("../../../wit/detector.wit");

/// Makes a plugin of a core module, or of a component that another toolchain made, and a manifest.
///
/// # Errors
/// The module imports something else than the contract, does not export a detector of the manifest's contract version,
/// or is no module at all.
pub fn pack(wasm: &[u8], manifest: &Manifest) -> Result<Vec<u8>, PackError> {
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
    let mut needs_stub = false;
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(imports) = payload.map_err(broken)? {
            for import in imports.into_imports() {
                let import = import.map_err(broken)?;
                // The name is mangled in more than one way; the version shows when it is a component.
                needs_stub |= import.module == PREVIEW1;
                if !import.module.contains(PACKAGE) && import.module != PREVIEW1 {
                    return Err(foreign(import.name, import.module, contract));
                }
            }
        }
    }
    let typed = if has_types(module)? { Cow::Borrowed(module) } else { Cow::Owned(with_types(module)?) };
    let stub = needs_stub.then(|| wat::parse_str(PREVIEW1_STUB)).transpose();
    let stub = stub.map_err(|error| PackError::Module(error.to_string()))?;
    let mut encoder = ComponentEncoder::default();
    let mut encoded = encoder.validate(true).module(&typed);
    if let Some(stub) = &stub {
        encoded = encoded.and_then(|encoder| encoder.adapter(PREVIEW1, stub));
    }
    encoded.and_then(ComponentEncoder::encode).map_err(|error| PackError::Module(format!("{error:#}")))
}

/// Whether the module says which types its imports and exports have.
fn has_types(module: &[u8]) -> Result<bool, PackError> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload.map_err(broken)?
            && section.name().starts_with("component-type")
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The module with the contract's types.
fn with_types(module: &[u8]) -> Result<Vec<u8>, PackError> {
    let mut typed = module.to_vec();
    let mut resolve = Resolve::default();
    let embedded = resolve.push_str("detector.wit", WIT).and_then(|package| {
        let world = resolve.select_world(&[package], Some("plugin"))?;
        wit_component::embed_component_metadata(&mut typed, &resolve, world, StringEncoding::UTF8)
    });
    embedded.map(|()| typed).map_err(|error| PackError::Module(format!("{error:#}")))
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

/// Writes a file whole or not at all, with its folder.
///
/// # Errors
/// The folder or the file cannot be written; nothing is left of it then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A device or a pipe would be replaced by the file.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("it is there, and no regular file"));
    }
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    let written = fs::File::create(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
        let _ = fs::remove_file(&unfinished);
    })
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

    use super::{Manifest, PREVIEW1, SECTION, WIT, pack};

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
        build(wit, true)
    }

    fn build(wit: &str, is_typed: bool) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("test.wit", wit).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
        if is_typed {
            wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        }
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
    fn types_are_added_where_there_are_none() {
        let plugin = pack(&build(WIT, false), &manifest()).unwrap();
        assert_eq!(plugin.len(), pack(&module(WIT), &manifest()).unwrap().len());
    }

    #[test]
    fn a_runtime_takes_a_stub_of_wasi_along() {
        let text = format!(
            r#"(module
                (import "{PREVIEW1}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
                (import "{PREVIEW1}" "random_get" (func $random (param i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
                (func (export "wardflow:detector/detector@0.1.0#[static]session.open")
                    (param i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                    (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 0)))
                    (drop (call $random (i32.const 0) (i32.const 8))) (i32.const 0))
                (func (export "wardflow:detector/detector@0.1.0#[method]session.observe")
                    (param i32 i32) (result i32) (i32.const 0))
                (func (export "wardflow:detector/detector@0.1.0#[method]session.end-slice")
                    (param i32 i64 i64 i32 i32) (result i32) (i32.const 0))
                (func (export "wardflow:detector/detector@0.1.0#[method]session.save") (param i32) (result i32)
                    (i32.const 0)))"#
        );
        let plugin = pack(&wat::parse_str(text).unwrap(), &manifest()).unwrap();
        let mut imports = Vec::new();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(&plugin) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 0 => {
                    imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
                }
                _ => {}
            }
        }
        assert!(imports.iter().all(|import| import.starts_with("wardflow:detector/")), "{imports:?}");
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
