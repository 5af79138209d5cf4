//! A disk that fails, at every step that an ingest takes on it: told as what it is, and made good by the next run.

use std::{fs, path::Path};

use super::{CONN, ingest_sources, pieces, tree};
use crate::{
    archive::{Archive, IngestOptions, SourceEntry, SourceStatus, check, round_trip::empty_archive},
    disk::failing::{Failing, How},
    error::{Error, Result},
};

/// What is in an archive, but for when it was brought there.
async fn held(archive: &Archive) -> (Vec<(String, Option<Vec<u8>>)>, Vec<SourceEntry>) {
    let root = archive.directory().unwrap();
    let files = tree(root).into_iter().filter(|(path, _)| !path.ends_with("/lock")).map(|(path, bytes)| {
        let name = path.strip_prefix(&root.display().to_string()).unwrap().to_owned();
        let is_flows = name.starts_with("/date=");
        (name, is_flows.then_some(bytes))
    });
    let entries = archive.sources().await.unwrap().into_iter().map(|entry| SourceEntry { ingested_at: 0, ..entry });
    (files.collect(), entries.collect())
}

async fn run(archive: &Archive, inputs: &[String], options: &IngestOptions) -> Result<()> {
    let lock = archive.lock()?;
    let report = ingest_sources(&lock, inputs, None, options).await?;
    for source in report.sources {
        assert!(!matches!(source.status, SourceStatus::Refused(_)), "a source is blamed: {source:?}");
    }
    report.broken_off.map_or(Ok(()), Err)
}

fn check_told(error: &Error, how: How) {
    let reason = error.reason();
    let (cause, remedy) = match how {
        How::Once => ("Input/output error", "the disk failed"),
        How::Full | How::Half => ("No space left on device", "make room on it"),
    };
    assert!(reason.contains(cause) && !reason.contains("panic"), "{reason}");
    assert!(error.remedy_text().is_some_and(|told| told.contains(remedy)), "{error:?}");
}

/// Ingests what `first` and then `second` make of a directory, and lets each step of the second fail.
async fn check_all(options: &IngestOptions, first: fn(&Path) -> Vec<String>, second: fn(&Path) -> Vec<String>) {
    let mut expected = None;
    let mut steps = 1;
    let mut at = 0;
    // The first round is the one in which nothing fails.
    let mut how = None;
    while at < steps {
        let (directory, archive) = empty_archive();
        fs::create_dir(directory.path().join("archive")).unwrap();
        // The same place for the sources each time, since the ledger notes it.
        let sources = tempfile::Builder::new().prefix("sources").rand_bytes(0).tempdir_in(directory.path()).unwrap();
        run(&archive, &first(sources.path()), &IngestOptions::default()).await.unwrap();
        let inputs = second(sources.path());
        let failing = Failing::under(&directory.path().join("archive"));
        match how {
            None => failing.never(),
            Some(how) => failing.at(at, how),
        }
        let ran = run(&archive, &inputs, options).await;
        let done = failing.steps();
        failing.never();
        if let (Err(error), Some(how)) = (&ran, how) {
            check_told(error, how);
        }
        archive.list().await.unwrap();
        run(&archive, &inputs, &IngestOptions { again: false, ..options.clone() }).await.unwrap();
        let (mut files, mut entries) = held(&archive).await;
        // Each round has another directory.
        let here = directory.path().canonicalize().unwrap().display().to_string();
        let there = directory.path().display().to_string();
        for entry in &mut entries {
            entry.name = entry.name.replace(&here, "").replace(&there, "");
            entry.path = entry.path.take().map(|path| path.replace(&here, "").replace(&there, ""));
        }
        files.sort();
        assert!(check(&archive, &|_| {}).await.unwrap().is_well());
        let found = (files, entries);
        match (&expected, how) {
            (Some(expected), Some(how)) => {
                assert!(found == *expected, "{how:?} at {at} of {done:?}:\n{:?}\n{:?}", found.1, names(&found.0));
                at += 1;
            }
            _ => {
                assert!(ran.is_ok() && found.1.len() > 1, "{ran:?}");
                (expected, steps) = (Some(found), done.len());
            }
        }
        how = Some(How::ALL[at % How::ALL.len()]);
    }
    assert!(steps > 50, "{steps}");
}

fn names(files: &[(String, Option<Vec<u8>>)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

fn nothing(_: &Path) -> Vec<String> {
    Vec::new()
}

fn all(directory: &Path) -> Vec<String> {
    let log = directory.join("conn.log");
    fs::write(&log, CONN).unwrap();
    [log.display().to_string()].into_iter().chain(pieces(directory)).collect()
}

/// A log that will grow, and the first of two files that share a connection.
fn beginning(directory: &Path) -> Vec<String> {
    let log = directory.join("conn.log");
    fs::write(&log, &CONN[..CONN.find("1714521602.5").unwrap()]).unwrap();
    let [first, _] = pieces(directory);
    vec![log.display().to_string(), first]
}

#[tokio::test]
async fn it_is_told_and_made_good() {
    check_all(&IngestOptions::default(), nothing, all).await;
}

#[tokio::test]
async fn so_it_is_where_something_is_there_already() {
    check_all(&IngestOptions::default(), beginning, all).await;
}

#[tokio::test]
async fn so_it_is_where_all_is_read_again() {
    check_all(&IngestOptions { again: true, ..IngestOptions::default() }, all, all).await;
}
