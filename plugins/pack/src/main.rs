//! `wardflow-pack MODULE.wasm plugin.toml PLUGIN.wasm` makes a plugin: the module as a component, the manifest inside.
//!
//! The same input gives the same bytes. Nothing is written unless everything holds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use wardflow_pack::{PackError, pack, write};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command")]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, manifest, plugin] = arguments.as_slice() else {
        eprintln!("usage: wardflow-pack MODULE.wasm plugin.toml PLUGIN.wasm");
        return ExitCode::from(2);
    };
    match run(module, manifest, plugin) {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(module: &Path, manifest: &Path, plugin: &Path) -> Result<String, PackError> {
    let wasm = fs::read(module).map_err(|error| PackError::read(module, &error))?;
    let text = fs::read_to_string(manifest).map_err(|error| PackError::read(manifest, &error))?;
    let parsed = wardflow_manifest::Manifest::from_toml(&text)
        .map_err(|error| PackError::Manifest { path: manifest.display().to_string(), error })?;
    let bytes = pack(&wasm, &parsed)?;
    write(plugin, &bytes).map_err(|error| PackError::write(plugin, &error))?;
    Ok(format!("{}: {} {}, {} bytes", plugin.display(), parsed.id, parsed.version, bytes.len()))
}
