//! Logs of real networks, where they are present.

use std::path::{Path, PathBuf};

use super::{Archive, IngestOptions, SourceReport, SourceStatus, ingest_zeek};

/// A file or directory of the real data; none, with a word about it, where there is none.
fn real(path: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("WARDFLOW_DATA").map_or_else(|| workspace.join("shared/data"), PathBuf::from);
    let path = data.join(path);
    if path.exists() {
        return Some(path);
    }
    let mut out = std::io::stdout();
    let _ = std::io::Write::write_all(&mut out, format!("skipped: {} is not present\n", path.display()).as_bytes());
    None
}

async fn ingest(inputs: &[PathBuf]) -> (tempfile::TempDir, Archive, Vec<SourceReport>) {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open("archive", directory.path()).unwrap();
    let lock = archive.lock().unwrap();
    let inputs: Vec<String> = inputs.iter().map(|path| path.display().to_string()).collect();
    let report = ingest_zeek(&lock, &inputs, None, &IngestOptions::default()).await.unwrap();
    (directory, archive, report.sources)
}

/// Every source of `path` is added, with these many flows, rejects and names together.
async fn check(path: &str, flows: u64, rejects: u64, names: u64) {
    let Some(path) = real(path) else { return };
    let (_directory, archive, sources) = ingest(&[path]).await;
    assert!(sources.iter().all(|source| matches!(source.status, SourceStatus::Added)), "{sources:?}");
    assert!(sources.iter().all(|source| source.notes.is_empty()), "{sources:?}");
    let total = |count: fn(&SourceReport) -> u64| sources.iter().map(count).sum::<u64>();
    assert_eq!([total(|s| s.flows), total(|s| s.rejects), total(|s| s.names_joined)], [flows, rejects, names]);
    let listing = archive.list().await.unwrap();
    assert_eq!(listing.files.iter().map(|file| file.rows).sum::<u64>(), flows);
}

#[tokio::test]
async fn iot_23() {
    check("zeek-iot23-34-1/conn.log.labeled", 23_145, 0, 0).await;
}

#[tokio::test]
async fn rita_rotated_directory() {
    check("rita/proxy_rolling", 7_550, 0, 5_714).await;
}

#[tokio::test]
async fn rita_broken_files() {
    check("rita/truncated/conn.log", 58, 1, 0).await;
    check("rita/truncated/conn_json.log", 2, 2, 0).await;
}

#[tokio::test]
async fn stratosphere() {
    check("stratosphere/001-zeek-scenario-malicious/conn.log", 992, 0, 0).await;
    check("stratosphere/002-zeek-scenario-port-scanning", 4_504, 0, 0).await;
    check("stratosphere/005-zeek-scenario-malicious", 992, 0, 553).await;
    check("stratosphere/008-zeek-mixed", 5_663, 0, 540).await;
}

#[tokio::test]
async fn slips() {
    check("slips/port-scans", 91, 0, 0).await;
    check("slips/test9-mixed-zeek-dir", 576, 0, 413).await;
    check("slips/test10-mixed-zeek-dir", 141, 0, 77).await;
}

#[tokio::test]
async fn refuses_what_is_no_conn_log() {
    let paths = ["rita/text_file/conn.log", "rita/truncated/conn_top.log", "rita/has_unknown_field/http.log"];
    let Some(paths) = paths.into_iter().map(real).collect::<Option<Vec<_>>>() else { return };
    let (_directory, _, sources) = ingest(&paths).await;
    assert!(sources.iter().all(|source| matches!(source.status, SourceStatus::Refused(_))), "{sources:?}");
}
