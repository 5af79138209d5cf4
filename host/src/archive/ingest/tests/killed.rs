//! Runs that were killed.

use std::{fs, path::Path};

use super::{CONN, JOINED, entry_of, flows, ingest, lose, pieces, sensors, tree};
use crate::archive::{
    Ingest, IngestOptions, check, ingest as ingest_sources, ledger, repair, round_trip::empty_archive,
};

#[tokio::test]
async fn a_killed_ingest_is_made_good() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    fs::write(&log, CONN).unwrap();
    let added = ingest(&archive, &log).await;
    let root = archive.directory().unwrap();
    let flows = |root: &Path| tree(root).into_iter().filter(|(path, _)| path.contains("date=")).collect::<Vec<_>>();
    let expected = flows(root);
    // What a run leaves that was killed before it could record the source: its files, one of which this run would not write.
    lose(&archive, &entry_of(&archive, &log.display().to_string()).await);
    let date = root.join("date=2024-05-01");
    fs::copy(
        fs::read_dir(&date).unwrap().next().unwrap().unwrap().path(),
        date.join(format!("{}-1.parquet", &added.digest[..16])),
    )
    .unwrap();
    fs::create_dir_all(root.join("_wardflow/unfinished/part-x")).unwrap();
    fs::write(root.join("_wardflow/unfinished/part-x/file"), "torn").unwrap();
    ingest(&archive, &log).await;
    assert_eq!(flows(root), expected);
    assert!(!root.join("_wardflow/unfinished/part-x").exists());
}

#[tokio::test]
async fn what_a_killed_ingest_showed_of_a_log_that_grew_goes() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    fs::write(&log, &CONN[..CONN.find("1714521602.5").unwrap()]).unwrap();
    let killed = ingest(&archive, &log).await;
    let root = archive.directory().unwrap();
    // Killed when its files were there and the ledger did not have it; and later, when only the note was left.
    fs::remove_file(root.join(ledger::path(&killed.digest))).unwrap();
    archive.begin(&killed.digest[..16], "conn.log").await.unwrap();
    fs::write(&log, CONN).unwrap();
    for (flows, status) in [(2, "Added"), (2, "AlreadyThere")] {
        let told = ingest(&archive, &log).await;
        assert_eq!((told.counts.flows, format!("{:?}", told.status).as_str()), (flows, status));
        let held = archive.list().await.unwrap().files.iter().map(|file| file.rows).sum::<u64>();
        assert_eq!((held, archive.reject_files().await.unwrap().len()), (2, 1));
        assert_eq!(tree(&root.join("_wardflow/begun")), []);
        archive.begin(&told.digest[..16], "conn.log").await.unwrap();
    }
}

#[tokio::test]
async fn what_was_taken_out_and_not_read_is_told() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    let lock = archive.lock().unwrap();
    let again = IngestOptions { again: true, ..IngestOptions::default() };
    ingest_sources(&lock, &inputs, None, &IngestOptions::default()).await.unwrap();
    {
        // A run that ends between taking both out and reading them.
        let mut ingest = Ingest::begin(&lock, &again).await.unwrap();
        let entries = archive.sources().await.unwrap();
        let entry = entries.into_iter().find(|entry| entry.path.as_deref() == Some(&inputs[1])).unwrap();
        ingest.note_taken_out(&entry).await.unwrap();
        ingest.take_out(&[entry]).await.unwrap();
    }
    let other = directory.path().join("3.binetflow");
    fs::write(&other, fs::read_to_string(&inputs[1]).unwrap().replace("10.0.0.1", "10.0.0.2")).unwrap();
    let report = ingest_sources(&lock, &[other.display().to_string()], None, &IngestOptions::default()).await.unwrap();
    assert_eq!(report.unfinished, [inputs[1].clone()]);
    let report = ingest_sources(&lock, &inputs, None, &again).await.unwrap();
    assert!(report.unfinished.is_empty(), "{report:?}");
    assert_eq!(flows(&archive).iter().filter(|flow| flow.0 == 1_800).count(), 1);
}

/// Killed while it took out what goes together, and again once it had read the first of it anew.
#[tokio::test]
async fn what_was_half_taken_out_is_read_anew_once() {
    for again in [true, false] {
        let (directory, archive) = empty_archive();
        let inputs = pieces(directory.path());
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs, None, &IngestOptions::default()).await.unwrap();
        let mut entries = archive.sources().await.unwrap();
        entries.sort_by_key(|entry| entry.ingested_at);
        let options = IngestOptions { again: true, ..IngestOptions::default() };
        {
            let mut ingest = Ingest::begin(&lock, &options).await.unwrap();
            for entry in &entries {
                ingest.note_taken_out(entry).await.unwrap();
            }
            ingest.take_out(&entries[..1]).await.unwrap();
        }
        let options = IngestOptions { again, ..options };
        {
            let mut ingest = Ingest::begin(&lock, &options).await.unwrap();
            ingest.add_all(&inputs[..1], None).await;
        }
        let report = ingest_sources(&lock, &inputs, None, &options).await.unwrap();
        assert!(report.unfinished.is_empty(), "{report:?}");
        assert_eq!(flows(&archive), JOINED, "{report:?}");
        drop(lock);
        assert!(check(&archive, &|_| {}).await.unwrap().is_well());
    }
}

#[tokio::test]
async fn what_a_killed_run_was_asked_for_is_said() {
    // Killed when it had taken out both, or one of them, which go together.
    for (order, taken_out) in [([0, 1], 0..2), ([1, 0], 0..2), ([0, 1], 0..1), ([0, 1], 1..2)] {
        let (directory, archive) = empty_archive();
        let inputs = pieces(directory.path());
        let inputs = order.map(|index| inputs[index].clone());
        let lock = archive.lock().unwrap();
        let north = IngestOptions { sensor: Some("north".into()), ..IngestOptions::default() };
        ingest_sources(&lock, &inputs, None, &north).await.unwrap();
        let held = sensors(&archive).await[0].1;
        let mut entries = archive.sources().await.unwrap();
        entries.sort_by_key(|entry| entry.ingested_at);
        let south = IngestOptions { sensor: Some("south".into()), again: true, ..IngestOptions::default() };
        {
            let mut ingest = Ingest::begin(&lock, &south).await.unwrap();
            for entry in &entries {
                ingest.note_taken_out(entry).await.unwrap();
            }
            ingest.take_out(&entries[taken_out]).await.unwrap();
        }
        let report = repair(&lock, &|_| {}).await.unwrap();
        let [first, second] = report.ingest_again.as_slice() else { panic!("{report:?}") };
        let inputs: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        let command = format!("wardflow ingest argus {} {} --sensor south --again", inputs[0], inputs[1]);
        assert!(first.goes_with(second));
        assert_eq!(first.command(&[second]), command);
        ingest_sources(&lock, &inputs, None, &south).await.unwrap();
        let report = repair(&lock, &|_| {}).await.unwrap();
        assert!(report.is_well(), "{report:?}");
        assert_eq!(sensors(&archive).await, [("south".to_owned(), held)]);
    }
}
