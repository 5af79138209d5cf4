//! What the tests of damaged data share.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::PathBuf,
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array, UInt16Array},
    datatypes::Schema,
};
use datafusion::parquet::{arrow::ArrowWriter, file::properties::WriterProperties};
use wardflow_datasets::{Hospital, export::Eve};

use crate::support::{FEW, Ran, Scratch, demo};

/// 2026-03-02T00:00:00Z, microseconds UTC.
pub(super) const MIDNIGHT: i64 = 1_772_409_600_000_000;

pub(super) const SECOND: i64 = 1_000_000;

/// A workspace `w` with the hospital's flows, ingested from `eve.json`.
pub(super) fn ingested() -> Scratch {
    let scratch = Scratch::new();
    let hospital = Hospital::new(demo::options()).unwrap();
    let mut eve = Eve::new(BufWriter::new(File::create(scratch.path().join("eve.json")).unwrap()));
    hospital.flows().for_each(|flow| eve.write(&flow).unwrap());
    eve.finish().unwrap();
    scratch.done("wardflow init w && wardflow -C w -q ingest eve eve.json");
    scratch.keep_plugins("w", &FEW);
    scratch
}

/// A workspace `w` whose archive has one good file of Parquet, `good.parquet`, of one slice.
pub(super) fn with_good_file() -> Scratch {
    let scratch = Scratch::new();
    scratch.done("wardflow init w && mkdir -p w/archive");
    scratch.keep_plugins("w", &FEW);
    write(&scratch, "good.parquet", &[flows(&[(MIDNIGHT, MIDNIGHT + SECOND); 3])]);
    scratch
}

/// Columns of flows of 10.20.0.1 with these times, microseconds UTC.
pub(super) fn columns(times: &[(i64, i64)]) -> Vec<(&'static str, ArrayRef)> {
    let time = |of: fn(&(i64, i64)) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(times.iter().map(of)).with_timezone("UTC"))
    };
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(times.iter().map(|_| text))) };
    let port = |port: u16| -> ArrayRef { Arc::new(UInt16Array::from_value(port, times.len())) };
    vec![
        ("start_time", time(|times| times.0)),
        ("end_time", time(|times| times.1)),
        ("src_ip", text("10.20.0.1")),
        ("dst_ip", text("203.0.113.9")),
        ("src_port", port(50_000)),
        ("dst_port", port(443)),
        ("protocol", Arc::new(UInt8Array::from_value(6, times.len()))),
    ]
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

pub(super) fn flows(times: &[(i64, i64)]) -> RecordBatch {
    batch(columns(times))
}

/// Writes a file into the archive of `w`, each batch a row group.
pub(super) fn write(scratch: &Scratch, file: &str, batches: &[RecordBatch]) {
    write_as(scratch, file, batches, WriterProperties::default());
}

pub(super) fn write_as(scratch: &Scratch, file: &str, batches: &[RecordBatch], properties: WriterProperties) {
    let path = scratch.path().join("w/archive").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, Some(properties)).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

/// The lines of a query's answer, without its header.
pub(super) fn rows(scratch: &Scratch, query: &str) -> Vec<String> {
    let csv = scratch.done(&format!("wardflow -C w -q sql \"{query}\" --format csv"));
    csv.lines().skip(1).map(str::to_owned).collect()
}

/// Analyses `w`, where it must say that not all was covered, and name this file.
#[track_caller]
pub(super) fn analyse_without(scratch: &Scratch, file: &str) -> Ran {
    let ran = scratch.run("wardflow -C w analyze");
    assert!(ran.code == Some(1) && ran.stdout.contains("Not everything was covered"), "{ran:#?}");
    assert!(ran.stdout.contains(file), "{ran:#?}");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("bug"), "{ran:#?}");
    ran
}

/// What coverage says of the slices that lack a file.
pub(super) fn lacking(scratch: &Scratch, file: &str) -> Vec<String> {
    let query = format!(
        "SELECT DISTINCT slice_start, status FROM coverage WHERE plugin = 'wardflow/beacon' AND device_id IS NULL AND \
         fault LIKE '%{file} is left out, since it cannot be read; %wardflow archive check%' ORDER BY slice_start"
    );
    rows(scratch, &query)
}

/// The largest flow file of `w`.
pub(super) fn largest(scratch: &Scratch) -> PathBuf {
    let file = scratch.done("ls -S w/archive/date=*/*.parquet | head -1");
    scratch.path().join(file.trim())
}

/// Overwrites the middle half of a file.
pub(super) fn spoil(path: &PathBuf) {
    let mut bytes = fs::read(path).unwrap();
    let quarter = bytes.len() / 4;
    bytes[quarter..3 * quarter].fill(0xff);
    fs::write(path, bytes).unwrap();
}
