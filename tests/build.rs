//! Tells the tests where the logs of real networks are, so that tests of them are skipped where there are none.

use std::{env, path::Path};

fn main() {
    println!("cargo::rustc-check-cfg=cfg(real_data)");
    println!("cargo::rerun-if-env-changed=WARDFLOW_DATA");
    println!("cargo::rerun-if-changed=build.rs");
    // The Makefile says where they are: what a build script finds for itself is kept from one checkout to the next.
    let Some(path) = env::var_os("WARDFLOW_DATA").filter(|path| !path.is_empty()) else { return };
    let index = Path::new(&path).join("README.md");
    // A file that is not there counts as changed, and would build the tests again each time.
    if let Ok(index) = index.canonicalize() {
        println!("cargo::rerun-if-changed={}", index.display());
        println!("cargo::rustc-cfg=real_data");
        println!("cargo::rustc-env=REAL_DATA={}", index.parent().unwrap_or(&index).display());
    }
}
