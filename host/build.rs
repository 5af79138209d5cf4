//! Lists the bundled plugins for the binary to carry: `plugins/dist/*.wasm`, where `make plugins` puts them.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../plugins/dist");
    // Cargo takes a directory that is not there for changed, and would build the host again each time.
    fs::create_dir_all(&dist)?;
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = fs::read_dir(&dist)?.collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| Path::new(&file.file_name()).extension().is_some_and(|extension| extension == "wasm"));
    files.sort_by_key(fs::DirEntry::file_name);
    let mut list = String::from("&[\n");
    for file in files {
        let path = file.path().canonicalize()?;
        println!("cargo:rerun-if-changed={}", path.display());
        writeln!(list, "    ({:?}, include_bytes!({:?})),", file.file_name(), path)?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("bundled.rs"), list)?;
    Ok(())
}
