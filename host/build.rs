//! Puts into the binary the files of a new plugin's project: `plugins/kit`, with the SDK; and tells whether the bundled plugins
//! are built, `plugins/dist/*.wasm`, where `make plugins` puts them.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("kit.rs"), kit(&root)?)?;
    println!("cargo:rustc-check-cfg=cfg(has_plugins)");
    if has_plugins(&root.join("plugins"))? {
        println!("cargo:rustc-cfg=has_plugins");
    }
    Ok(())
}

/// Whether each plugin is built. Once it is, only the file that includes it looks at it, so that a plugin that changes does
/// not compile the library anew.
fn has_plugins(plugins: &Path) -> Result<bool, Box<dyn Error>> {
    let dist = plugins.join("dist");
    for entry in fs::read_dir(plugins)? {
        let (folder, name) = {
            let entry = entry?;
            (entry.path(), entry.file_name().to_string_lossy().into_owned())
        };
        let is_bundled = folder.join("plugin.toml").is_file() && name != "hostile" && !name.starts_with("bench-");
        if is_bundled && !dist.join(format!("{name}.wasm")).is_file() {
            // Cargo takes a directory that is not there for changed, and would build the host again each time.
            fs::create_dir_all(&dist)?;
            println!("cargo:rerun-if-changed={}", dist.display());
            return Ok(false);
        }
    }
    Ok(true)
}

/// Path, bytes and whether it can be run, of each file of a project.
fn kit(root: &Path) -> Result<String, Box<dyn Error>> {
    let kit = root.join("plugins/kit");
    let mut list = String::from("&[\n");
    let mut add = |path: &Path, name: &Path| -> Result<(), Box<dyn Error>> {
        println!("cargo:rerun-if-changed={}", path.display());
        let is_program = fs::metadata(path)?.permissions().mode() & 0o100 != 0;
        Ok(writeln!(list, "    ({name:?}, include_bytes!({path:?}), {is_program}),")?)
    };
    for folder in ["common", "rust", "c", "python"] {
        for path in files(&kit.join(folder))? {
            add(&path, path.strip_prefix(&kit)?)?;
        }
    }
    // As they lie to each other in the repository, since the SDK names the contract by a relative path.
    for part in ["plugins/sdk", "wit/manifest", "wit/detector.wit", "wit/manifest.md"] {
        for path in files(&root.join(part))? {
            add(&path, &Path::new("sdk").join(path.strip_prefix(root)?))?;
        }
    }
    list.push_str("]\n");
    Ok(list)
}

/// A file, or all below a directory, in order.
fn files(path: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    println!("cargo:rerun-if-changed={}", path.display());
    let mut found = Vec::new();
    let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        found.extend(files(&entry.path())?);
    }
    Ok(found)
}
