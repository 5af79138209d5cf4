//! What was lost is found, and is there again after what a check says is done.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    CheckReport,
    tests::{NIGHT, add, archive_of, checked, compacted, damage, flows, log, paths},
};
use crate::archive::{Archive, Format, IngestOptions, SourceEntry, SourceStatus, ingest};

fn own(archive: &Archive, file: &str) -> PathBuf {
    archive.directory().unwrap().join(file)
}

fn entry_path(entry: &SourceEntry) -> String {
    format!("_wardflow/sources/{}.json", entry.digest)
}

fn copy_path(entry: &SourceEntry) -> String {
    format!("_wardflow/copies/{}.json", &entry.digest[..16])
}

/// Takes the ledger's entry of a source away, and its copy.
fn lose(archive: &Archive, entry: &SourceEntry) {
    for file in [entry_path(entry), copy_path(entry)] {
        fs::remove_file(own(archive, &file)).unwrap();
    }
}

async fn entry_of(archive: &Archive, log: &Path) -> SourceEntry {
    let entries = archive.sources().await.unwrap();
    entries.into_iter().find(|entry| Path::new(&entry.name) == log).unwrap()
}

/// Adds a log that grows twice, and three others on the same date. Returns its last part, and its entries in order.
async fn grown(directory: &Path, archive: &Archive) -> (PathBuf, Vec<SourceEntry>) {
    for hour in 1..4 {
        let path = directory.join(format!("conn.{hour:02}.log"));
        fs::write(&path, log(hour, 2)).unwrap();
        assert!(matches!(add(archive, &path).await, SourceStatus::Added));
    }
    let (path, text) = (directory.join("conn.log"), log(0, 9));
    for flows in [3, 6, 9] {
        let next = format!("C0x{flows}\t");
        let until = text.find(&next).map_or(text.len(), |at| text[..at].rfind('\n').unwrap() + 1);
        fs::write(&path, &text[..until]).unwrap();
        assert!(matches!(add(archive, &path).await, SourceStatus::Added));
    }
    let mut entries = archive.sources().await.unwrap();
    entries.retain(|entry| Path::new(&entry.name) == path);
    entries.sort_by_key(|entry| entry.bytes);
    (path, entries)
}

async fn rejects(archive: &Archive) -> usize {
    archive.reject_files().await.unwrap().len()
}

fn stays(report: &CheckReport) -> Vec<&str> {
    report.problems.iter().filter(|problem| !problem.mended).map(|problem| problem.file.as_str()).collect()
}

#[tokio::test]
async fn an_entry_that_is_gone_is_missed_though_its_flows_were_compacted() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
    compacted(&archive).await;
    let before = flows(&archive).await;
    let holder = paths(&archive).await.remove(0);
    let entry = entry_of(&archive, &logs[1]).await;
    lose(&archive, &entry);
    for is_repair in [false, true] {
        let found = checked(&archive, is_repair).await;
        assert_eq!(stays(&found), [&holder], "{found:?}");
        let problem = &found.problems[0];
        assert!(problem.what.contains("4 of its rows") && problem.remedy.contains("ingest"), "{problem:?}");
    }
    assert!(matches!(add(&archive, &logs[1]).await, SourceStatus::Added));
    assert_eq!(flows(&archive).await, before);
    checked(&archive, true).await;
    assert!(checked(&archive, false).await.is_well());
}

#[tokio::test]
async fn an_entry_that_is_gone_is_missed_though_only_rejects_are_left() {
    let (_directory, archive, _logs) = archive_of("archive", &NIGHT[..1]).await;
    let entry = archive.sources().await.unwrap().remove(0);
    fs::remove_file(own(&archive, &entry.files[0])).unwrap();
    lose(&archive, &entry);
    let found = checked(&archive, false).await;
    assert_eq!(stays(&found), [format!("_wardflow/rejects/{}.parquet", &entry.digest[..16])], "{found:?}");
}

#[tokio::test]
async fn a_damaged_entry_of_a_log_that_has_grown_is_got_over() {
    for is_compacted in [false, true] {
        for damaged in 0..3 {
            let directory = tempfile::tempdir().unwrap();
            let archive = Archive::open("archive", directory.path()).unwrap();
            let (path, entries) = grown(directory.path(), &archive).await;
            if is_compacted {
                assert!(!compacted(&archive).await.compacted.is_empty());
            }
            let before = flows(&archive).await;
            lose(&archive, &entries[damaged]);
            fs::write(own(&archive, &entry_path(&entries[damaged])), "{\"digest\": \"").unwrap();
            assert!(!checked(&archive, false).await.is_well());
            assert_eq!(flows(&archive).await, before);

            let repaired = checked(&archive, true).await;
            let is_last = damaged == 2;
            assert_eq!(repaired.is_mended(), !is_last, "{is_compacted} {damaged} {repaired:?}");
            let again = usize::from(!is_compacted) * (2 - damaged);
            assert_eq!(repaired.ingest_again.len(), again.min(1), "{is_compacted} {damaged} {repaired:?}");
            let status = add(&archive, &path).await;
            let is_added = !is_compacted || is_last;
            assert_eq!(matches!(status, SourceStatus::Added), is_added, "{is_compacted} {damaged} {status:?}");
            assert_eq!(flows(&archive).await, before, "{is_compacted} {damaged}");
            checked(&archive, true).await;
            let well = checked(&archive, false).await;
            assert!(well.is_well(), "{is_compacted} {damaged} {well:?}");

            // What grows then is added, and no more.
            let line = log(5, 1).lines().nth(3).unwrap().to_owned();
            fs::write(&path, format!("{}{line}\n", fs::read_to_string(&path).unwrap())).unwrap();
            assert!(matches!(add(&archive, &path).await, SourceStatus::Added));
            assert_eq!(flows(&archive).await.len(), before.len() + 1);
        }
    }
}

#[tokio::test]
async fn what_was_put_right_is_told_from_what_stays() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
    damage(&archive, &paths(&archive).await[0]);
    let found = checked(&archive, false).await;
    assert!(!found.is_mended() && found.ingest_again.is_empty(), "{found:?}");
    fs::write(own(&archive, "foreign.parquet"), "PAR1").unwrap();
    let repaired = checked(&archive, true).await;
    assert_eq!((stays(&repaired), repaired.ingest_again.len()), (vec!["foreign.parquet"], 1), "{repaired:?}");
    assert!(repaired.problems.iter().any(|problem| problem.mended && problem.remedy.contains("damaged now")));
    fs::remove_file(own(&archive, "foreign.parquet")).unwrap();
    assert!(!checked(&archive, true).await.is_well());
    for log in &logs {
        add(&archive, log).await;
    }
    assert!(checked(&archive, true).await.is_well());
}

#[tokio::test]
async fn rejects_come_back() {
    for is_missing in [false, true] {
        let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
        let before = flows(&archive).await;
        let entry = entry_of(&archive, &logs[0]).await;
        let file = own(&archive, &format!("_wardflow/rejects/{}.parquet", &entry.digest[..16]));
        if is_missing {
            fs::remove_file(&file).unwrap();
        } else {
            let whole = fs::read(&file).unwrap();
            fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        }
        let command = format!("wardflow ingest zeek {} --again", logs[0].display());
        let found = checked(&archive, false).await;
        assert!(found.problems.iter().any(|problem| problem.remedy.contains(&command)), "{found:?}");
        let repaired = checked(&archive, true).await;
        assert!(repaired.is_mended() && !repaired.is_well(), "{repaired:?}");
        assert_eq!(repaired.ingest_again[0].command(&[]), command);
        assert_eq!(rejects(&archive).await, 3);

        let options = IngestOptions { format: Some(Format::Zeek), again: true, ..IngestOptions::default() };
        let inputs = [logs[0].display().to_string()];
        ingest(&archive.lock().unwrap(), &inputs, None, &options).await.unwrap();
        assert_eq!((flows(&archive).await, rejects(&archive).await), (before, 4));
        assert!(checked(&archive, false).await.is_well());
    }
}

#[tokio::test]
async fn rejects_come_back_that_were_compacted() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
    let report = compacted(&archive).await;
    let before = flows(&archive).await;
    fs::write(own(&archive, &report.compacted[1].file), "PAR1").unwrap();
    let repaired = checked(&archive, true).await;
    assert_eq!((repaired.is_mended(), repaired.ingest_again.len()), (true, 4), "{repaired:?}");
    for source in &repaired.ingest_again {
        fs::remove_file(own(&archive, source.without.as_ref().unwrap())).unwrap();
    }
    for log in &logs {
        assert!(matches!(add(&archive, log).await, SourceStatus::Added));
    }
    assert_eq!((flows(&archive).await, rejects(&archive).await), (before, 4));
    checked(&archive, true).await;
    assert!(checked(&archive, false).await.is_well());
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_named_with_the_remedy() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT[..2]).await;
    let file = entry_path(&entry_of(&archive, &logs[0]).await);
    fs::write(own(&archive, &file), "{").unwrap();
    let error = archive.sources().await.unwrap_err();
    let remedy = error.remedy_text().unwrap();
    assert!(error.to_string().contains(&file) && remedy.contains("wardflow archive check --repair"), "{error:?}");
    checked(&archive, true).await;
    assert!(matches!(add(&archive, &logs[0]).await, SourceStatus::AlreadyThere));
    assert!(checked(&archive, false).await.is_well());
}

#[tokio::test]
async fn an_entry_that_is_lost_or_damaged_is_put_back_from_its_copy() {
    for is_compacted in [false, true] {
        let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
        if is_compacted {
            compacted(&archive).await;
        }
        let (before, entries) = (flows(&archive).await, archive.sources().await.unwrap());
        let [one, two, three, four] = entries.as_slice() else { panic!("{entries:?}") };
        fs::remove_file(own(&archive, &entry_path(one))).unwrap();
        fs::write(own(&archive, &entry_path(two)), "{\"digest\": \"").unwrap();
        fs::write(own(&archive, &copy_path(four)), "").unwrap();
        let damaged = SourceEntry { files: Vec::new(), ..three.clone() };
        let json = serde_json::to_vec_pretty(&damaged).unwrap();
        fs::write(own(&archive, &entry_path(three)), json).unwrap();
        let told = [entry_path(two), copy_path(four), entry_path(one), entry_path(three)];
        let found = checked(&archive, false).await;
        assert_eq!(stays(&found), told, "{found:?}");
        let repaired = checked(&archive, true).await;
        assert!(repaired.is_well() && repaired.problems.len() == told.len(), "{repaired:?}");
        assert!(checked(&archive, false).await.problems.is_empty());
        assert_eq!((flows(&archive).await, archive.sources().await.unwrap()), (before, entries.clone()));
        for entry in &entries {
            let [entry, copy] =
                [entry_path(entry), copy_path(entry)].map(|file| fs::read(own(&archive, &file)).unwrap());
            assert_eq!(entry, copy);
        }
        for log in &logs {
            assert!(matches!(add(&archive, log).await, SourceStatus::AlreadyThere));
        }
    }
}

/// What a disk changed of an entry is not believed, whatever it is.
#[tokio::test]
async fn a_digit_that_was_changed_is_put_back_from_the_copy() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT[..1]).await;
    let entry = entry_of(&archive, &logs[0]).await;
    let file = own(&archive, &entry_path(&entry));
    let written = fs::read(&file).unwrap();
    for place in (0..written.len()).filter(|place| written[*place].is_ascii_digit()) {
        let mut changed = written.clone();
        changed[place] = b'0' + (changed[place] - b'0' + 1) % 10;
        fs::write(&file, changed).unwrap();
        assert!(archive.sources().await.is_err());
        assert!(checked(&archive, true).await.is_well());
        assert_eq!(fs::read(&file).unwrap(), written);
    }
}

#[tokio::test]
async fn what_shares_connections_with_what_is_damaged_is_not_compacted() {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open("archive", directory.path()).unwrap();
    let paths = following(directory.path(), &archive).await;
    let before = flows(&archive).await;
    let entry = entry_of(&archive, Path::new(&paths[2])).await;
    fs::remove_file(own(&archive, &entry.files[0])).unwrap();
    let report = compacted(&archive).await;
    assert!(report.compacted.is_empty() && report.incomplete == 1, "{report:?}");
    let repaired = checked(&archive, true).await;
    assert!(repaired.is_mended(), "{repaired:?}");
    assert!(compacted(&archive).await.compacted.is_empty());
    let named: Vec<String> = repaired.ingest_again.iter().map(|one| one.name.clone()).collect();
    assert_eq!(named, paths);
    let again = IngestOptions { again: repaired.ingest_again[0].again, ..IngestOptions::default() };
    ingest(&archive.lock().unwrap(), &named, None, &again).await.unwrap();
    assert_eq!(flows(&archive).await, before);
    assert!(checked(&archive, false).await.is_well());
}

#[tokio::test]
async fn lost_entries_of_a_log_that_has_grown_are_put_back() {
    for is_compacted in [false, true] {
        for lost in [&[0, 1][..], &[1, 2], &[0, 2], &[0, 1, 2]] {
            for is_repaired in [true, false] {
                let directory = tempfile::tempdir().unwrap();
                let archive = Archive::open("archive", directory.path()).unwrap();
                let (path, entries) = grown(directory.path(), &archive).await;
                if is_compacted {
                    compacted(&archive).await;
                }
                let before = flows(&archive).await;
                for index in lost {
                    fs::remove_file(own(&archive, &entry_path(&entries[*index]))).unwrap();
                }
                if is_repaired {
                    assert!(checked(&archive, true).await.is_well());
                }
                assert!(matches!(add(&archive, &path).await, SourceStatus::AlreadyThere));
                assert_eq!(flows(&archive).await, before);
                let well = checked(&archive, false).await;
                assert!(well.problems.is_empty(), "{is_compacted} {lost:?} {is_repaired} {well:?}");
            }
        }
    }
}

/// Files of one exporter, each of which writes a flow of its own and the one that waited in the file before.
async fn following(directory: &Path, archive: &Archive) -> Vec<String> {
    let header =
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,SrcPkts,Label\n";
    let mut paths = Vec::new();
    for number in 0..6 {
        let path = directory.join(format!("{number}.binetflow"));
        let flow = |time: &str| {
            let ends = format!("10.0.0.1,5000{number},  <->,192.0.2.2,53");
            format!("2024/05/01 00:{number}{time}.000000,1.000000,udp,{ends},CON,0,0,2,200,100,1,\n")
        };
        fs::write(&path, format!("{header}{}{}", flow("0:01"), flow("9:30"))).unwrap();
        paths.push(path.display().to_string());
    }
    ingest(&archive.lock().unwrap(), &paths, None, &IngestOptions::default()).await.unwrap();
    paths
}

#[tokio::test]
async fn a_lost_entry_of_sources_that_share_connections_costs_nothing() {
    for lost in 0..6 {
        for has_copy in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let archive = Archive::open("archive", directory.path()).unwrap();
            let paths = following(directory.path(), &archive).await;
            assert_eq!(compacted(&archive).await.compacted.len(), 1);
            let before = flows(&archive).await;
            assert_eq!(before.len(), 12);
            let entry = entry_of(&archive, Path::new(&paths[lost])).await;
            fs::remove_file(own(&archive, &entry_path(&entry))).unwrap();
            if !has_copy {
                archive.forget_copy(&entry.digest).await.unwrap();
            }
            for is_first in [true, false] {
                let repaired = checked(&archive, true).await;
                // Of the last one alone nothing is known before it is given.
                assert_eq!(repaired.is_well(), has_copy || lost < 5 || !is_first, "{lost} {has_copy} {repaired:?}");
                let lock = archive.lock().unwrap();
                let report = ingest(&lock, &paths, None, &IngestOptions::default()).await.unwrap();
                assert!(report.sources.iter().all(|source| !matches!(source.status, SourceStatus::Refused(_))));
                assert_eq!(flows(&archive).await, before, "{lost} {has_copy} {report:?}");
            }
            let well = checked(&archive, false).await;
            assert!(well.problems.is_empty(), "{lost} {has_copy} {well:?}");
        }
    }
}

#[tokio::test]
async fn what_went_on_from_a_source_that_is_not_known_is_not_silent() {
    let (directory, archive, logs) = archive_of("archive", &NIGHT[..2]).await;
    let [one, two] = [entry_of(&archive, &logs[0]).await, entry_of(&archive, &logs[1]).await];
    let two = SourceEntry { follows: Some(one.digest.clone()), ..two };
    archive.record_source(&two).await.unwrap();
    lose(&archive, &one);
    for is_repair in [false, true] {
        let found = checked(&archive, is_repair).await;
        let problem = found.problems.iter().find(|problem| problem.file == entry_path(&one)).unwrap();
        let command = format!("wardflow ingest zeek {} --again", directory.path().display());
        assert!(!problem.mended && problem.remedy.contains(&command), "{found:?}");
        assert!(problem.what.contains(&two.name), "{found:?}");
    }
}

/// Every file and directory, and when it was changed.
fn state(root: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut state = BTreeMap::new();
    let mut places = vec![root.to_owned()];
    while let Some(place) = places.pop() {
        let metadata = fs::metadata(&place).unwrap();
        if metadata.is_dir() {
            places.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        }
        state.insert(place, metadata.modified().unwrap());
    }
    state
}

#[tokio::test]
async fn a_check_writes_nothing() {
    let (directory, archive, logs) = archive_of("archive", &NIGHT).await;
    compacted(&archive).await;
    damage(&archive, &paths(&archive).await[0]);
    fs::remove_file(own(&archive, &entry_path(&entry_of(&archive, &logs[0]).await))).unwrap();
    fs::remove_file(own(&archive, "_wardflow/lock")).unwrap();
    let before = state(directory.path());
    assert!(!checked(&archive, false).await.is_well());
    assert_eq!(state(directory.path()), before);
}

#[test]
fn what_is_another_programs_is_left_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let error = Archive::open("logs/*.parquet", directory.path()).unwrap().refuse_foreign().unwrap_err();
    assert!(error.to_string().contains("`wardflow archive` looks after") && error.remedy_text().is_some(), "{error}");
    Archive::open("archive", directory.path()).unwrap().refuse_foreign().unwrap();
}
