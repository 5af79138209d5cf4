//! What can be known of a plugin's file without running or compiling any of it.

use std::collections::BTreeSet;

use wardflow_manifest::{CONTRACT_VERSIONS, Column, Manifest, SECTION};
use wasmparser::{ComponentTypeRef, Parser, Payload, Validator};

use super::engine::spoken;
use crate::{
    error::{Error, Result},
    limits::{Exceeded, Limits},
};

/// What a plugin exports.
pub(super) const EXPORT: &str = "wardflow:detector/detector@0.1.0";
/// What it may import, without the version.
const IMPORTS: [&str; 3] = ["types", "flows", "diagnostics"];
const PACKAGE: &str = "wardflow:detector/";
/// Bytes of a manifest. The bundled ones have 4 kB; a long list of devices takes some hundred.
const MANIFEST_BYTES: usize = 256 * 1024;
/// Components and modules inside one another. A composed component has a handful; at a hundred thousand, reading takes
/// minutes.
const DEPTH: usize = 64;

/// What a plugin's file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The manifest.
    pub manifest: Manifest,
    /// BLAKE3 of the file, in hex.
    pub digest: String,
    /// Interfaces that it imports, in the order of the file.
    pub imports: Vec<String>,
    /// What it exports. Only the contract's export is ever called.
    pub exports: Vec<String>,
    /// Columns that its code is linked to, whether or not it pulls them. A language runtime links all.
    pub columns: BTreeSet<Column>,
    /// Bytes of the file.
    pub size: usize,
}

/// Reads a plugin's file: its structure, its imports and exports and its manifest. Function bodies are not looked at.
///
/// # Errors
/// The bytes are no component, too many, use what the engine does not speak, import anything but the contract, lack its
/// export, or carry no manifest that can be read, or several.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection> {
    check_size(bytes.len() as u64, limits)?;
    check_form(bytes)?;
    let outline = Outline::read(bytes)?;
    outline.imports.iter().try_for_each(|(name, is_interface)| check_import(name, *is_interface))?;
    check_export(&outline.exports)?;
    Ok(Inspection {
        manifest: manifest(&outline.manifests)?,
        digest: blake3::hash(bytes).to_hex().to_string(),
        imports: outline.imports.into_iter().map(|(name, _)| name.to_owned()).collect(),
        exports: outline.exports.into_iter().map(str::to_owned).collect(),
        columns: outline.columns,
        size: bytes.len(),
    })
}

/// Everything for which [`inspect`] would refuse a file, not only the first.
pub fn problems(bytes: &[u8], limits: &Limits) -> Vec<Error> {
    if let Err(error) = check_size(bytes.len() as u64, limits).and_then(|()| check_form(bytes)) {
        return vec![error];
    }
    let outline = match Outline::read(bytes) {
        Ok(outline) => outline,
        Err(error) => return vec![error],
    };
    let imports = outline.imports.iter().filter_map(|(name, is_interface)| check_import(name, *is_interface).err());
    let rest = [check_export(&outline.exports).err(), manifest(&outline.manifests).err()];
    imports.chain(rest.into_iter().flatten()).collect()
}

/// Refuses a component that is too large.
pub(crate) fn check_size(bytes: u64, limits: &Limits) -> Result<()> {
    let allowed = u64::from(limits.component_mib) << 20;
    if bytes <= allowed {
        return Ok(());
    }
    let exceeded = Exceeded {
        what: "bytes of a component",
        asked: bytes.to_string(),
        allowed: allowed.to_string(),
        setting: "component_mib in [limits]",
    };
    Err(Error::usage(exceeded.to_string())
        .remedy("strip the component's debug information, or raise component_mib in [limits] of wardflow.toml"))
}

/// The top level of a component.
#[derive(Default)]
struct Outline<'a> {
    manifests: Vec<&'a [u8]>,
    imports: Vec<(&'a str, bool)>,
    exports: Vec<&'a str>,
    columns: BTreeSet<Column>,
    /// Whether reading ended early, at [`DEPTH`].
    is_too_deep: bool,
}

impl<'a> Outline<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut outline = Self::default();
        outline.walk(bytes).map_err(|error| {
            Error::usage("it is no valid component").because(error).remedy(
                "copy the file again; its author builds it for wasm32, with no proposal beyond the compiler's defaults",
            )
        })?;
        if outline.is_too_deep {
            let exceeded = Exceeded {
                what: "components inside one another",
                asked: format!("over {DEPTH}"),
                allowed: DEPTH.to_string(),
                setting: "set by Wardflow",
            };
            return Err(Error::usage(exceeded.to_string()).remedy("compose it of fewer parts"));
        }
        Ok(outline)
    }

    fn walk(&mut self, bytes: &'a [u8]) -> wasmparser::Result<()> {
        let mut validator = Validator::new_with_features(spoken());
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            validator.payload(&payload)?;
            match payload {
                Payload::Version { .. } if depth == DEPTH => {
                    self.is_too_deep = true;
                    return Ok(());
                }
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::CustomSection(section) if depth == 1 && section.name() == SECTION => {
                    self.manifests.push(section.data());
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let method = import?.name.strip_prefix("[method]flow-batch.");
                        self.columns.extend(Column::ALL.into_iter().find(|column| method == Some(column.name())));
                    }
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        let import = import?;
                        self.imports.push((import.name.name, matches!(import.ty, ComponentTypeRef::Instance(_))));
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        self.exports.push(export?.name.name);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn check_form(bytes: &[u8]) -> Result<()> {
    let what = if bytes.is_empty() {
        "the file is empty"
    } else if Parser::is_core_wasm(bytes) {
        "it is a core module; a plugin is a component"
    } else if Parser::is_component(bytes) {
        return Ok(());
    } else {
        "it is no WebAssembly component"
    };
    Err(Error::usage(what)
        .remedy("copy the file again; its author builds it with `plugins/build` or any toolchain for components"))
}

fn check_import(name: &str, is_interface: bool) -> Result<()> {
    let interface = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
    match interface {
        Some((interface, version)) if is_interface && IMPORTS.contains(&interface) => check_version(version),
        _ => Err(Error::usage(format!(
            "it imports {name:?}; a plugin may import the contract only, {PACKAGE}flows and {PACKAGE}diagnostics"
        ))
        .remedy(
            "build it without a standard library that needs WASI: no clock, file, socket, environment or random number",
        )),
    }
}

fn check_export(exports: &[&str]) -> Result<()> {
    if exports.contains(&EXPORT) {
        return Ok(());
    }
    let other = exports.iter().find_map(|name| name.strip_prefix(PACKAGE)?.strip_prefix("detector@"));
    other.map_or(Ok(()), check_version)?;
    Err(Error::usage(format!("it does not export {EXPORT}"))
        .remedy("build it against the world `plugin` of wit/detector.wit"))
}

fn check_version(version: &str) -> Result<()> {
    if CONTRACT_VERSIONS.contains(&version) {
        return Ok(());
    }
    let spoken = CONTRACT_VERSIONS.join(", ");
    Err(Error::usage(format!("it speaks version {version:?} of the contract; spoken here: {spoken}"))
        .remedy("get the plugin built for one of these, or a Wardflow that speaks its version"))
}

fn manifest(sections: &[&[u8]]) -> Result<Manifest> {
    let section = match sections {
        [section] => section,
        [] => {
            return Err(Error::usage(format!("it has no manifest, the custom section {SECTION:?}"))
                .remedy("build it with the SDK, or add the section to the component"));
        }
        more => {
            return Err(Error::usage(format!("it has {} manifests; there must be one", more.len()))
                .remedy(format!("leave one section {SECTION:?} in the component")));
        }
    };
    if section.len() > MANIFEST_BYTES {
        let exceeded = Exceeded {
            what: "bytes of a manifest",
            asked: section.len().to_string(),
            allowed: MANIFEST_BYTES.to_string(),
            setting: "set by Wardflow",
        };
        return Err(Error::usage(exceeded.to_string()).remedy("shorten its texts and lists"));
    }
    Manifest::from_json(section).map_err(|error| {
        Error::usage(format!("its manifest is refused: {error}")).remedy("correct plugin.toml and build it again")
    })
}

#[cfg(test)]
mod tests {
    use wardflow_manifest::CONTRACT_VERSIONS;

    use super::{DEPTH, EXPORT, MANIFEST_BYTES, inspect};
    use crate::{
        limits::Limits,
        sandbox::testing::{Guest, limits},
    };

    fn check(bytes: &[u8], expected: &str) {
        let error = inspect(bytes, &limits()).expect_err("was not refused");
        assert!(error.reason().contains(expected), "{error}\nlacks {expected:?}");
        assert!(error.remedy_text().is_some(), "{error} has no remedy");
    }

    #[test]
    fn tells_what_a_file_says_of_itself() {
        let bytes = Guest::default().build();
        let inspection = inspect(&bytes, &limits()).unwrap();
        assert_eq!(inspection.manifest.id.as_str(), "example/quiet");
        let imports = ["types", "flows", "diagnostics"].map(|name| format!("wardflow:detector/{name}@0.1.0"));
        assert_eq!(inspection.imports, imports);
        assert_eq!(inspection.exports, [EXPORT]);
        assert_eq!(inspection.digest, blake3::hash(&bytes).to_hex().to_string());
        assert_eq!(inspection.size, bytes.len());
    }

    #[test]
    fn the_export_is_that_of_a_version_that_is_spoken() {
        assert!(CONTRACT_VERSIONS.iter().any(|version| EXPORT.ends_with(&format!("@{version}"))));
    }

    #[test]
    fn refuses_what_is_no_component() {
        let bytes = Guest::default().build();
        check(b"", "the file is empty");
        check(b"GIF89a", "it is no WebAssembly component");
        check(b"\0asm\x01\0\0\0", "it is a core module");
        check(&bytes[..bytes.len() / 2], "it is no valid component: unexpected end");
        let mut broken = bytes.clone();
        broken[9] = 0x7f;
        check(&broken, "it is no valid component");
        let threads = wat::parse_str("(component (core module (memory 1 1 shared)))").unwrap();
        check(&threads, "it is no valid component: threads must be enabled for shared memories");
        let small = Limits { component_mib: 1, ..limits() };
        let error = inspect(&vec![0; (1 << 20) + 1], &small).unwrap_err().to_string();
        assert_eq!(error, "bytes of a component: 1048577 asked, 1048576 allowed (component_mib in [limits])");
    }

    #[test]
    fn refuses_any_import_but_the_contract() {
        for import in [
            "(import \"wasi:clocks/monotonic-clock@0.2.0\" (instance))",
            "(import \"wardflow:detector/clock@0.1.0\" (instance))",
            "(import \"wardflow:detector/flows\" (instance))",
            "(import \"now\" (func (result u64)))",
        ] {
            let name = import.split('"').nth(1).unwrap();
            check(&Guest::default().with("import", import).build(), &format!("it imports {name:?}"));
        }
    }

    #[test]
    fn says_which_versions_are_spoken() {
        let spoken = "speaks version \"9.0.0\" of the contract; spoken here: 0.1.0";
        check(&Guest::default().with("export", "wardflow:detector/detector@9.0.0").build(), spoken);
        check(&Guest::default().with("flows", "wardflow:detector/flows@9.0.0").build(), spoken);
        check(&Guest::default().with("export", "example:other/detector@0.1.0").build(), "it does not export wardflow:");
    }

    #[test]
    fn parts_are_not_nested_without_end() {
        let nested = |depth: usize| {
            let inner = "(component ".repeat(depth) + &")".repeat(depth);
            Guest::default().with("import", &inner).build()
        };
        inspect(&nested(DEPTH - 1), &limits()).unwrap();
        check(&nested(DEPTH), "components inside one another: over 64 asked, 64 allowed (set by Wardflow)");
    }

    #[test]
    fn there_is_one_manifest_and_it_is_small() {
        let manifests = |sections: &[&[u8]]| {
            Guest::default().sections(sections.iter().map(|section| section.to_vec()).collect()).build()
        };
        check(&manifests(&[]), "it has no manifest");
        check(&manifests(&[b"{}", b"{}"]), "it has 2 manifests");
        check(&manifests(&[b"{}"]), "its manifest is refused: missing field `id`");
        check(&manifests(&[b"\xff"]), "its manifest is refused");
        check(&manifests(&[&vec![b' '; MANIFEST_BYTES + 1]]), "262145 asked, 262144 allowed");
    }
}
