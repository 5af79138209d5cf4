//! Flows before and after, whatever happens between.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    fs::File,
    path::{Path, PathBuf},
};

use arrow::row::{RowConverter, SortField};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use tempfile::TempDir;

use super::{CheckReport, CompactReport, ExpireReport, check, compact, expire, repair, would_expire};
use crate::{
    archive::{
        Archive, ArchiveWriter, FlowRecord, FlowsDigest, Format, IngestOptions, SourceEntry, SourceStatus, ingest,
        slices,
    },
    flow,
    zone::AddressSpace,
};

/// A log of so many flows, a minute each from an hour of 2024-05-01 on, and a line that cannot be read.
pub(super) fn log(hour: i64, flows: i64) -> String {
    let start = 1_714_521_600 + hour * 3_600;
    let mut log = "#separator \\x09\n#path\tconn\n\
        #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\thistory\n"
        .to_owned();
    for flow in 0..flows {
        let (time, ip) = (start + flow * 60, format!("10.0.{hour}.{flow}"));
        log += &format!("{time}.5\tC{hour}x{flow}\t{ip}\t50000\t203.0.113.9\t443\ttcp\t1.25\tShADadFf\n");
    }
    log + &format!("{start}.5\tC{hour}\t10.0.0.1\t70000\t203.0.113.9\t443\ttcp\t-\tS\n")
}

pub(super) async fn add(archive: &Archive, log: &Path) -> SourceStatus {
    add_as(archive, log, false).await
}

/// Reads a log anew.
pub(super) async fn add_again(archive: &Archive, log: &Path) -> SourceStatus {
    add_as(archive, log, true).await
}

async fn add_as(archive: &Archive, log: &Path, again: bool) -> SourceStatus {
    let lock = archive.lock().unwrap();
    let options = IngestOptions { format: Some(Format::Zeek), again, ..IngestOptions::default() };
    let mut report = ingest(&lock, &[log.display().to_string()], None, &options).await.unwrap();
    report.sources.remove(0).status
}

/// An archive with a source for each of these logs.
pub(super) async fn archive_of(location: &str, logs: &[(i64, i64)]) -> (TempDir, Archive, Vec<PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open(location, directory.path()).unwrap();
    let mut paths = Vec::new();
    for (hour, flows) in logs {
        let path = directory.path().join(format!("conn.{hour:02}.log"));
        fs::write(&path, log(*hour, *flows)).unwrap();
        assert!(matches!(add(&archive, &path).await, SourceStatus::Added));
        paths.push(path);
    }
    (directory, archive, paths)
}

/// Every flow that a reader sees.
pub(super) async fn flows(archive: &Archive) -> Vec<Vec<u8>> {
    let fields = flow::schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields).unwrap();
    let listing = archive.list().await.unwrap();
    assert_eq!(listing.broken, []);
    let mut flows = Vec::new();
    for file in &listing.files {
        let bytes = archive.store().get(&file.object.location).await.unwrap().bytes().await.unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let rows = converter.convert_columns(batch.unwrap().columns()).unwrap();
            flows.extend(rows.iter().map(|row| AsRef::<[u8]>::as_ref(&row).to_vec()));
        }
    }
    flows.sort();
    flows
}

async fn hours(archive: &Archive) -> Vec<(i64, u64, FlowsDigest)> {
    let slices = slices(&archive.list().await.unwrap().files, 1);
    slices.into_iter().map(|slice| (slice.start, slice.rows, slice.digest)).collect()
}

pub(super) async fn paths(archive: &Archive) -> Vec<String> {
    archive.list().await.unwrap().files.into_iter().map(|file| file.path).collect()
}

pub(super) async fn compacted(archive: &Archive) -> CompactReport {
    let report = compact(&archive.lock().unwrap(), &AddressSpace::default(), &|_| ()).await.unwrap();
    assert!(report.refused.is_empty(), "{report:?}");
    report
}

pub(super) async fn checked(archive: &Archive, is_repair: bool) -> CheckReport {
    if is_repair {
        repair(&archive.lock().unwrap(), &|_| ()).await.unwrap()
    } else {
        check(archive, &|_| ()).await.unwrap()
    }
}

/// A footer whose length is as damaged as can be, and one whose bytes are: each is a damaged file, and the rest is read.
#[tokio::test]
async fn a_footer_at_which_the_decoder_panics_is_a_damaged_file() {
    let (_directory, archive, _logs) = archive_of("archive", &NIGHT[..2]).await;
    let listing = archive.list().await.unwrap();
    let path = archive.directory().unwrap().join(&listing.files[0].path);
    let whole = fs::read(&path).unwrap();
    let with_length = |length: u32| {
        let mut bytes = whole.clone();
        let end = bytes.len();
        bytes[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    let length = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap());
    let lengths = (0..31).map(|bit| with_length(length ^ (1 << bit)));
    for damaged in lengths.chain([b"PAR1xxxxPAR1".to_vec()]) {
        fs::write(&path, damaged).unwrap();
        let listing = archive.list().await.unwrap();
        assert_eq!((listing.files.len(), listing.broken.len()), (1, 1), "{listing:?}");
        assert_eq!(checked(&archive, false).await.problems[0].file, listing.broken[0].path);
    }
}

async fn expired(archive: &Archive, before: &str, is_dry_run: bool) -> ExpireReport {
    let before = before.parse().unwrap();
    match is_dry_run {
        true => would_expire(archive, before).await.unwrap(),
        false => expire(&archive.lock().unwrap(), before).await.unwrap(),
    }
}

/// Changes a byte of a page.
pub(super) fn damage(archive: &Archive, file: &str) {
    let path = archive.directory().unwrap().join(file);
    let footer = ArrowReaderMetadata::load(&File::open(&path).unwrap(), Default::default()).unwrap();
    let column = flow::schema().index_of("flow_uid").unwrap();
    let (start, length) = footer.metadata().row_group(0).column(column).byte_range();
    let mut bytes = fs::read(&path).unwrap();
    bytes[(start + length - 1) as usize] ^= 0xff;
    fs::write(&path, bytes).unwrap();
}

/// The Parquet files of a local archive.
fn parquet(archive: &Archive) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![archive.directory().unwrap().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|ending| ending == "parquet") {
                files.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

pub(super) const NIGHT: [(i64, i64); 4] = [(0, 3), (1, 4), (2, 5), (23, 70)];

#[tokio::test]
async fn every_flow_is_there_before_and_after() {
    for location in ["archive", "memory:///flows"] {
        let (_directory, archive, logs) = archive_of(location, &NIGHT).await;
        let full = FlowRecord {
            service: Some("ssl"),
            src_bytes: Some(0),
            dst_bytes: Some(u64::MAX),
            src_packets: Some(3),
            dst_packets: Some(4),
            conn_state: Some(""),
            tcp_flags: Some(0x13),
            src_mac: Some([0, 0x1a, 0x2b, 0, 0xff, 0x10]),
            dst_mac: Some([0xff; 6]),
            vlan: Some(42),
            flow_uid: Some("C1"),
            community_id: Some("1:abc="),
            dst_name: Some("pump.example"),
            sensor: Some("ward-3"),
            sampling_interval: Some(100),
            observed_sides: Some(1),
            ..FlowRecord::new(
                (1_714_521_600_000_000, 1_714_521_600_000_001),
                ("10.0.0.1".parse().unwrap(), 1),
                ("2001:db8::1".parse().unwrap(), 65_535),
                6,
            )
        };
        let mut writer = ArchiveWriter::new(&archive.lock().unwrap(), AddressSpace::default()).unwrap();
        writer.push(&full).unwrap();
        writer.finish("flows").await.unwrap();
        let before = (flows(&archive).await, hours(&archive).await);
        assert_eq!((before.0.len(), paths(&archive).await.len()), (83, 6));

        let report = compacted(&archive).await;
        let replaced: Vec<_> = report.compacted.iter().map(|new| (new.replaces, new.rows)).collect();
        assert_eq!(replaced, [(5, 73), (4, 4)], "{location}");
        assert_eq!((flows(&archive).await, hours(&archive).await), before, "{location}");
        assert_eq!(paths(&archive).await.len(), 2);
        assert_eq!(archive.reject_files().await.unwrap().len(), 1);
        for log in &logs {
            assert!(matches!(add(&archive, log).await, SourceStatus::AlreadyThere));
        }
        assert!(compacted(&archive).await.compacted.is_empty());
        let well = checked(&archive, false).await;
        assert!(well.is_well() && well.flows == 83, "{location}: {well:?}");
    }
}

#[tokio::test]
async fn what_was_compacted_is_compacted_with_what_follows() {
    let (directory, archive, mut logs) = archive_of("archive", &NIGHT).await;
    compacted(&archive).await;
    for hour in 3..6 {
        let path = directory.path().join(format!("conn.{hour:02}.log"));
        fs::write(&path, log(hour, 2)).unwrap();
        assert!(matches!(add(&archive, &path).await, SourceStatus::Added));
        logs.push(path);
    }
    let before = flows(&archive).await;
    assert_eq!(compacted(&archive).await.compacted[0].replaces, 4);
    assert_eq!((flows(&archive).await, paths(&archive).await.len()), (before, 2));
    for log in &logs {
        assert!(matches!(add(&archive, log).await, SourceStatus::AlreadyThere));
    }
    assert!(checked(&archive, false).await.is_well());
}

#[tokio::test]
async fn whenever_it_is_killed_a_reader_sees_every_flow_once() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
    let before = flows(&archive).await;
    let small = parquet(&archive);
    let report = compacted(&archive).await;
    let after = parquet(&archive);
    assert_eq!(flows(&archive).await, before);
    for is_noted in [true, false] {
        // It was killed before it had deleted all that is replaced.
        for (path, bytes) in small.iter().skip(1) {
            fs::write(path, bytes).unwrap();
        }
        for new in report.compacted.iter().filter(|_| is_noted) {
            archive.begin_replacing(&new.file).await.unwrap();
        }
        assert_eq!((flows(&archive).await, archive.reject_files().await.unwrap().len()), (before.clone(), 1));
        let left = checked(&archive, false).await;
        assert!(!left.is_well() && left.problems.len() >= 6, "{left:?}");
        if is_noted {
            assert!(matches!(add(&archive, &logs[0]).await, SourceStatus::AlreadyThere));
        } else {
            assert!(compacted(&archive).await.compacted.is_empty());
        }
        assert!(parquet(&archive) == after && checked(&archive, false).await.is_well());
    }
    // It was killed before anything had appeared.
    for path in after.keys() {
        fs::remove_file(path).unwrap();
    }
    small.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    for new in &report.compacted {
        archive.begin_replacing(&new.file).await.unwrap();
    }
    assert!(matches!(add(&archive, &logs[0]).await, SourceStatus::AlreadyThere));
    assert_eq!((flows(&archive).await, parquet(&archive) == small), (before, true));
}

#[tokio::test]
async fn a_damaged_byte_is_found_and_its_sources_restored() {
    for is_compacted in [false, true] {
        let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
        if is_compacted {
            compacted(&archive).await;
        }
        let before = flows(&archive).await;
        let file = paths(&archive).await.remove(0);
        damage(&archive, &file);
        let files = parquet(&archive);
        let found = checked(&archive, false).await;
        assert!(found.problems.iter().any(|problem| problem.file == file && !problem.mended), "{found:?}");
        assert!(!found.is_well() && found.ingest_again.is_empty() && parquet(&archive) == files);

        let repaired = checked(&archive, true).await;
        let damaged = archive.directory().unwrap().join("_wardflow/damaged").join(&file);
        assert_eq!(fs::read(&damaged).unwrap(), files[&archive.directory().unwrap().join(&file)]);
        assert_eq!(repaired.ingest_again.len(), if is_compacted { 4 } else { 1 }, "{repaired:?}");
        for log in &logs {
            let status = add(&archive, log).await;
            let is_lost = repaired.ingest_again.iter().any(|source| Path::new(&source.name) == log);
            assert_eq!(matches!(status, SourceStatus::Added), is_lost, "{status:?}");
        }
        assert_eq!(flows(&archive).await, before);
        assert!(checked(&archive, true).await.is_well() && damaged.is_file());
        assert!(checked(&archive, false).await.is_well());
    }
}

#[tokio::test]
async fn a_compacted_file_that_is_gone_is_missed() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
    let before = flows(&archive).await;
    let file = compacted(&archive).await.compacted.remove(0).file;
    let path = archive.directory().unwrap().join(&file);
    let whole = fs::read(&path).unwrap();
    for is_torn in [false, true] {
        fs::remove_file(&path).unwrap();
        if is_torn {
            fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        }
        for log in &logs {
            assert!(matches!(add(&archive, log).await, SourceStatus::Added));
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(flows(&archive).await, before, "once it is back, it is what counts");
        compacted(&archive).await;
    }
}

#[tokio::test]
async fn a_log_that_has_grown_is_restored_as_what_it_is_now() {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open("archive", directory.path()).unwrap();
    let (path, text) = (directory.path().join("conn.log"), log(0, 9));
    for flows in [3, 6, 9] {
        let next = format!("C0x{flows}\t");
        let until = text.find(&next).map_or(text.len(), |at| text[..at].rfind('\n').unwrap() + 1);
        fs::write(&path, &text[..until]).unwrap();
        assert!(matches!(add(&archive, &path).await, SourceStatus::Added));
    }
    let before = flows(&archive).await;
    assert_eq!(before.len(), 9);
    let first = archive.sources().await.unwrap().into_iter().find(|entry| entry.continues.is_none()).unwrap();
    damage(&archive, &first.files[0]);
    let repaired = checked(&archive, true).await;
    let again: BTreeSet<String> = repaired.ingest_again.iter().map(|source| source.command(&[])).collect();
    assert_eq!(again, [format!("wardflow ingest zeek {} --again", path.display())].into());
    // What is sound stays until then, and a check goes on saying what is missing.
    assert_eq!((flows(&archive).await.len(), archive.sources().await.unwrap().len()), (6, 3));
    assert!(!checked(&archive, false).await.is_well());
    assert!(matches!(add_again(&archive, &path).await, SourceStatus::Added));
    assert_eq!(flows(&archive).await, before);
    assert!(checked(&archive, false).await.is_well());
}

#[tokio::test]
async fn a_source_that_lies_partly_in_a_sound_compacted_file_is_restored_too() {
    let (_directory, archive, logs) = archive_of("archive", &NIGHT).await;
    compacted(&archive).await;
    let before = flows(&archive).await;
    let file = paths(&archive).await.remove(1);
    damage(&archive, &file);
    let repaired = checked(&archive, true).await;
    let bytes = fs::metadata(&logs[3]).unwrap().len();
    assert_eq!((repaired.ingest_again.len(), repaired.ingest_again[0].bytes), (1, Some(bytes)), "{repaired:?}");
    assert!(matches!(add(&archive, &logs[3]).await, SourceStatus::Added));
    assert_eq!(flows(&archive).await, before);
    compacted(&archive).await;
    assert_eq!(flows(&archive).await, before);
    assert!(matches!(add(&archive, &logs[3]).await, SourceStatus::AlreadyThere));
    assert!(checked(&archive, false).await.is_well());
}

#[tokio::test]
async fn what_is_compacted_is_not_replaced_and_what_may_grow_is_not_compacted() {
    let (_directory, archive, _logs) = archive_of("archive", &NIGHT).await;
    let capture =
        |entry: &SourceEntry, ingested_at| SourceEntry { format: Some("nfdump".into()), ingested_at, ..entry.clone() };
    let entries = archive.sources().await.unwrap();
    for entry in &entries {
        archive.record_source(&capture(entry, entry.ingested_at)).await.unwrap();
    }
    let report = compacted(&archive).await;
    assert_eq!((report.growing, report.compacted.len()), (4, 0));
    for entry in &entries {
        archive.record_source(&capture(entry, 0)).await.unwrap();
    }
    assert_eq!(compacted(&archive).await.compacted.len(), 2);

    let before = flows(&archive).await;
    let error = archive.refuse_compacted(&entries[0]).await.unwrap_err();
    assert!(error.to_string().contains(&entries[0].name) && error.remedy_text().is_some(), "{error}");
    assert!(archive.forget(&entries[0]).await.is_err());
    assert_eq!((flows(&archive).await, archive.sources().await.unwrap().len()), (before, 4));
}

#[tokio::test]
async fn what_is_old_goes_and_is_not_read_in_again() {
    for is_compacted in [false, true] {
        let logs = NIGHT.into_iter().chain([(30, 2)]).collect::<Vec<_>>();
        let (_directory, archive, logs) = archive_of("archive", &logs).await;
        if is_compacted {
            compacted(&archive).await;
        }
        let before = flows(&archive).await;
        let may = expired(&archive, "2024-05-02T00:05:00Z", true).await;
        assert_eq!((may.reaching, may.flows_reaching), (1, 10), "{may:?}");
        assert_eq!(expired(&archive, "2024-05-02T00:10:00Z", true).await.reaching, 0);
        assert_eq!(flows(&archive).await, before);

        // A run that was killed had recorded it, and deleted nothing.
        let first = archive.list().await.unwrap().files.remove(0);
        if !is_compacted {
            archive.record_expired(&BTreeMap::from([(first.path, first.rows)])).await.unwrap();
        }
        let gone = expired(&archive, "2024-05-02T00:00:00Z", false).await;
        let flows_gone: u64 = gone.files.iter().map(|file| file.flows).sum();
        assert_eq!((gone.files.len(), flows_gone), (if is_compacted { 1 } else { 4 }, 72), "{gone:?}");
        assert_eq!((gone.reaching, gone.tables.len()), (0, if is_compacted { 0 } else { 3 }), "{gone:?}");
        assert_eq!(flows(&archive).await.len(), 12);
        for log in &logs {
            assert!(matches!(add(&archive, log).await, SourceStatus::AlreadyThere));
        }
        let well = checked(&archive, false).await;
        assert!(well.is_well(), "{well:?}");

        let rest = expired(&archive, "2025-01-01T00:00:00Z", false).await;
        assert_eq!((rest.files.len(), rest.tables.len()), (2, if is_compacted { 1 } else { 2 }), "{rest:?}");
        assert!(flows(&archive).await.is_empty() && parquet(&archive).is_empty());
        assert!(matches!(add(&archive, &logs[4]).await, SourceStatus::AlreadyThere));
        assert!(expired(&archive, "2025-01-01T00:00:00Z", false).await.files.is_empty());
        assert!(checked(&archive, false).await.is_well());
    }
}

#[tokio::test]
async fn a_file_of_no_source_is_told_and_stays() {
    let (_directory, archive, _logs) = archive_of("archive", &NIGHT[..1]).await;
    let before = flows(&archive).await;
    let entry = archive.sources().await.unwrap().remove(0);
    let note = format!("_wardflow/sources/{}.json", entry.digest);
    let json = fs::read(archive.directory().unwrap().join(&note)).unwrap();
    fs::write(archive.directory().unwrap().join(&note), &json[..20]).unwrap();
    archive.forget_copy(&entry.digest).await.unwrap();
    let repaired = checked(&archive, true).await;
    let told: Vec<_> = repaired.problems.iter().map(|problem| (&*problem.file, problem.mended)).collect();
    assert_eq!(told, [(&*note, true), (&*entry.files[0], false)]);
    assert_eq!(flows(&archive).await, before);
}
