//! Connections that go on from file to file.

use std::fs;

use super::{JOINED, entry_of, flows, lose, pieces, tree};
use crate::archive::{
    Ingest, IngestOptions, SourceEntry, SourceStatus, check, ingest as ingest_sources, ledger, repair,
    round_trip::empty_archive,
};

#[tokio::test]
async fn a_connection_goes_on_from_file_to_file() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    let lock = archive.lock().unwrap();
    let options = IngestOptions::default();
    let report = ingest_sources(&lock, &inputs, None, &options).await.unwrap();
    let counts: Vec<_> = report
        .sources
        .iter()
        .map(|source| (source.counts.records, source.counts.flows, source.counts.joined, source.counts.waiting))
        .collect();
    assert_eq!((counts, report.settled), (vec![(3, 0, 1, 2), (1, 0, 1, 2)], 2));
    assert_eq!(flows(&archive), JOINED);
    let before = tree(archive.directory().unwrap());
    let again = ingest_sources(&lock, &inputs, None, &options).await.unwrap();
    assert!(again.sources.iter().all(|source| matches!(source.status, SourceStatus::AlreadyThere)), "{again:?}");
    assert_eq!(tree(archive.directory().unwrap()), before);
}

#[tokio::test]
async fn what_waits_outlives_the_process() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    let options = IngestOptions::default();
    let first_alone = async || {
        let lock = archive.lock().unwrap();
        let mut ingest = Ingest::begin(&lock, &options).await.unwrap();
        ingest.add_all(&inputs[..1], None).await;
    };
    first_alone().await;
    assert!(flows(&archive).is_empty());
    let told = check(&archive, &|_| {}).await.unwrap();
    assert!(told.problems[0].what.contains("2 flows of") && !told.is_mended(), "{told:?}");
    // The next run goes on from there, once.
    for _ in 0..2 {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs[1..], None, &options).await.unwrap();
        assert_eq!(flows(&archive), JOINED);
    }
}

/// A capture of another day begins anew: neither is needed to read the other again.
#[tokio::test]
async fn another_recording_does_not_go_on() {
    let (directory, archive) = empty_archive();
    let [first, second] = pieces(directory.path());
    let other = fs::read_to_string(&second).unwrap().replace("2024/05/01 00:02", "2024/07/01 00:02");
    fs::write(&second, other).unwrap();
    let (inputs, options) = ([first.clone(), second], IngestOptions::default());
    let lock = archive.lock().unwrap();
    let report = ingest_sources(&lock, &inputs, None, &options).await.unwrap();
    assert_eq!(report.settled, 3);
    let apart = [(100, 1, 2), (1_200, 0, 120), (600, 120, 180)];
    assert_eq!(flows(&archive), apart);
    assert_eq!(entry_of(&archive, &first).await.counts.waiting, 0);
    let again = IngestOptions { again: true, ..options };
    let report = ingest_sources(&lock, &inputs[..1], None, &again).await.unwrap();
    assert!(matches!(report.sources[0].status, SourceStatus::Added), "{report:?}");
    assert_eq!(flows(&archive), apart);
    drop(lock);
    assert!(check(&archive, &|_| {}).await.unwrap().is_well());
}

#[tokio::test]
async fn what_went_on_from_an_earlier_reading_is_told() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    ingest_sources(&archive.lock().unwrap(), &inputs, None, &IngestOptions::default()).await.unwrap();
    let [first, second] = [entry_of(&archive, &inputs[0]).await, entry_of(&archive, &inputs[1]).await];
    archive.record_source(&SourceEntry { ingested_at: second.ingested_at + 1, ..first }).await.unwrap();
    let told = check(&archive, &|_| {}).await.unwrap();
    assert!(told.problems[0].what.contains("which was read anew since"), "{told:?}");
    let [one, other] = told.ingest_again.as_slice() else { panic!("{told:?}") };
    assert!(one.again && one.goes_with(other));
    let again = IngestOptions { again: true, ..IngestOptions::default() };
    ingest_sources(&archive.lock().unwrap(), &inputs, None, &again).await.unwrap();
    assert_eq!(flows(&archive), JOINED);
    assert!(check(&archive, &|_| {}).await.unwrap().is_well());
}

#[tokio::test]
async fn what_waits_in_vain_is_written_once() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    let options = IngestOptions::default();
    {
        let lock = archive.lock().unwrap();
        let mut ingest = Ingest::begin(&lock, &options).await.unwrap();
        ingest.add_all(&inputs[..1], None).await;
    }
    for settled in [2, 0] {
        let lock = archive.lock().unwrap();
        let report = ingest_sources(&lock, &inputs[..1], None, &options).await.unwrap();
        assert_eq!(report.settled, settled);
        assert!(matches!(report.sources[0].status, SourceStatus::AlreadyThere), "{report:?}");
        assert_eq!(flows(&archive), [(100, 1, 2), (1_200, 0, 120)]);
    }
}

/// Damages the flow files one after the other: what a repair takes out and an ingest adds again is what there was.
#[tokio::test]
async fn what_went_on_from_file_to_file_is_repaired_together() {
    for again in [false, true] {
        let (directory, archive) = empty_archive();
        let inputs = pieces(directory.path());
        let lock = archive.lock().unwrap();
        let options = IngestOptions { again, ..IngestOptions::default() };
        ingest_sources(&lock, &inputs, None, &IngestOptions::default()).await.unwrap();
        if again {
            let one = ingest_sources(&lock, &inputs[..1], None, &options).await.unwrap();
            let SourceStatus::Refused(error) = &one.sources[0].status else { panic!("{one:?}") };
            assert!(error.remedy_text().unwrap().contains("give all of them"), "{error}");
        } else {
            let date = archive.directory().unwrap().join("date=2024-05-01");
            for file in fs::read_dir(date).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
            let alone = ingest_sources(&lock, &inputs, None, &options).await.unwrap();
            assert!(alone.sources.iter().any(|source| matches!(source.status, SourceStatus::Refused(_))), "{alone:?}");
            let report = repair(&lock, &|_| {}).await.unwrap();
            assert_eq!(report.ingest_again.len(), 2, "{report:?}");
        }
        let again = IngestOptions { again: true, ..options };
        ingest_sources(&lock, &inputs, None, &again).await.unwrap();
        assert_eq!(flows(&archive), JOINED);
        drop(lock);
        assert!(check(&archive, &|_| {}).await.unwrap().is_well());
    }
}

#[tokio::test]
async fn an_entry_that_is_lost_costs_no_flows() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    let run = async |again| {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs, None, &IngestOptions { again, ..IngestOptions::default() })
            .await
            .unwrap()
            .sources
    };
    run(false).await;
    let last = entry_of(&archive, &inputs[1]).await;
    fs::remove_file(archive.directory().unwrap().join(ledger::path(&last.digest))).unwrap();
    let sources = run(false).await;
    assert!(matches!(sources[1].status, SourceStatus::AlreadyThere), "{sources:?}");
    assert_eq!((entry_of(&archive, &inputs[1]).await, flows(&archive).as_slice()), (last.clone(), &JOINED[..]));
    // Where its copy is lost too, it is read anew with those whose connections went on in it.
    lose(&archive, &last);
    let sources = run(false).await;
    assert!(matches!(sources[1].status, SourceStatus::Refused(_)), "{sources:?}");
    assert_eq!(flows(&archive), JOINED);
    run(true).await;
    assert_eq!(flows(&archive), JOINED);
    assert!(check(&archive, &|_| {}).await.unwrap().is_well());
}
