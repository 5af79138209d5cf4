//! A plugin's file that is replaced after it was checked and before it runs: what runs is what was checked.

use std::fs;

use wardflow::{
    config::Config,
    sandbox::Compiler,
    workspace::{PinStatus, Workspace},
};

use crate::support::{
    Scratch,
    guest::{carrying, component, guest, manifest_of_version},
};

#[tokio::test]
async fn between_check_and_load() {
    let scratch = Scratch::new();
    scratch.done("wardflow -q init w && rm w/plugins/* && mkdir -p w/archive");
    let (first, second) = (guest("observe", ""), guest("observe", "(nop)"));
    scratch.write("w/plugins/faulty.wasm", &first);
    let open = async || Workspace::open(Config::read(&scratch.path().join("w")).unwrap(), &[]).await.unwrap();

    let workspace = open().await;
    let file = scratch.path().join("w/plugins/faulty.wasm");
    fs::write(&file, &second).unwrap();
    let (ready, refused) = workspace.ready(Compiler::here(), |_| true).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(ready[0].detector.digest(), blake3::hash(&first).to_hex().as_str());

    // What was pinned is what ran, so that the other bytes do not run next time.
    workspace.pin(&ready).unwrap();
    let workspace = open().await;
    assert_eq!(workspace.plugins.offered[0].status, PinStatus::Changed);
    assert!(workspace.ready(Compiler::here(), |_| true).unwrap().0.is_empty());
    fs::write(&file, &first).unwrap();
    assert_eq!(open().await.plugins.offered[0].status, PinStatus::Pinned);
}

/// A file with the id of one that is pinned does not silence it.
#[test]
fn beside_a_namesake_the_pinned_one_runs() {
    let scratch = Scratch::new();
    scratch.done("wardflow -q init w && rm w/plugins/*");
    scratch.write("w/plugins/faulty.wasm", guest("observe", ""));
    scratch.done("wardflow -C w -q plugin approve example/faulty");
    scratch.write("w/plugins/another.wasm", carrying(component(&[]), &manifest_of_version("2.0.0")));
    let standing = scratch.done("wardflow -C w -q sql 'SELECT file, status FROM plugins ORDER BY file' --format csv");
    assert_eq!(standing, "file,status\nanother.wasm,refused\nfaulty.wasm,pinned\n");
}
