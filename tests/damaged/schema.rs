//! Columns that are missing, have another name or another type, or say what is not so.

use std::{fs, sync::Arc};

use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, UInt64Array, types::Int32Type};
use datafusion::parquet::{
    basic::{Compression, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
};

use super::support::{
    MIDNIGHT, SECOND, analyse_without, batch, columns, ingested, lacking, largest, rows, with_good_file, write,
    write_as,
};

const COVERED: &str = "SELECT sum(flows) FROM coverage WHERE plugin = 'wardflow/beacon' AND device_id IS NULL";

/// Analyses an archive with a file whose columns are others: it is left out and named, and the other one is analysed.
#[track_caller]
fn is_left_out(columns: Vec<(&str, ArrayRef)>) {
    let scratch = with_good_file();
    write(&scratch, "other.parquet", &[batch(columns)]);
    analyse_without(&scratch, "other.parquet");
    assert_eq!(rows(&scratch, COVERED), ["3"]);
    let ran = scratch.run("wardflow -C w -q sql 'SELECT * FROM flows'");
    let is_named = ran.stderr.contains("other.parquet");
    assert!(is_named && !ran.stderr.contains("bug"), "{ran:#?}");
}

fn good() -> Vec<(&'static str, ArrayRef)> {
    columns(&[(MIDNIGHT, MIDNIGHT + SECOND); 2])
}

#[test]
fn a_missing_column() {
    for missing in 0..good().len() {
        let mut columns = good();
        columns.remove(missing);
        is_left_out(columns);
    }
}

#[test]
fn a_column_of_another_name() {
    let mut columns = good();
    columns[2].0 = "source_ip";
    is_left_out(columns);
}

#[test]
fn a_column_of_another_type() {
    let number: ArrayRef = Arc::new(Int64Array::from(vec![443, 70_000]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["443", "https"]));
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), Some([Some(2)])]);
    for other in [number, text, Arc::new(lists)] {
        let mut columns = good();
        columns[5].1 = other;
        is_left_out(columns);
    }
}

#[test]
fn a_column_that_says_the_same_in_another_type() {
    let scratch = with_good_file();
    let mut columns = good();
    columns[5].1 = Arc::new(Int64Array::from(vec![443, 443]));
    columns.push(("src_bytes", Arc::new(UInt64Array::from(vec![None, Some(u64::MAX)]))));
    columns.push(("of_another_program", Arc::new(StringArray::from(vec!["a", "b"]))));
    write(&scratch, "other.parquet", &[batch(columns)]);
    scratch.done("wardflow -C w -q analyze");
    assert_eq!(rows(&scratch, COVERED), ["5"]);
}

#[test]
fn a_device_that_is_null() {
    let mut columns = good();
    columns[2].1 = Arc::new(StringArray::from(vec![None, Some("10.20.0.1")]));
    is_left_out(columns);
}

/// What is no address is no device's, and is counted as such.
#[test]
fn a_device_that_is_no_address() {
    let scratch = with_good_file();
    let mut columns = good();
    columns[2].1 = Arc::new(StringArray::from(vec!["", "no address"]));
    write(&scratch, "other.parquet", &[batch(columns)]);
    let ran = scratch.run("wardflow -C w analyze");
    assert!(ran.code == Some(0) && ran.stdout.contains("2 flows with no internal end"), "{ran:#?}");
    assert_eq!(rows(&scratch, COVERED), ["3"]);
}

#[test]
fn no_statistics_of_the_times() {
    let scratch = with_good_file();
    let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build();
    write_as(&scratch, "other.parquet", &[batch(good())], properties);
    let ran = analyse_without(&scratch, "other.parquet");
    assert!(ran.stdout.contains("has no statistics of end_time"), "{ran:#?}");
    assert_eq!(rows(&scratch, COVERED), ["3"]);
}

/// Bytes that say the same in statistics as in the data, changed in the statistics alone: flows are not where their file says.
#[test]
fn statistics_that_lie() {
    let scratch = ingested();
    let path = largest(&scratch);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut bytes = fs::read(&path).unwrap();
    let footer = bytes.len() - 8 - u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let date = path.parent().unwrap().file_name().unwrap().to_str().unwrap().trim_start_matches("date=");
    let query = format!("SELECT max(CAST(end_time AS BIGINT)) FROM flows WHERE CAST(end_time AS DATE) = '{date}'");
    let last: i64 = rows(&scratch, &query)[0].parse().unwrap();
    // The last end of all, which some row group has for its greatest.
    let places: Vec<usize> =
        (footer..bytes.len() - 16).filter(|place| bytes[*place..].starts_with(&last.to_le_bytes())).collect();
    assert!(!places.is_empty(), "the footer of {name} does not have {last}");
    for place in places {
        bytes[place..place + 8].copy_from_slice(&(last - 86_400 * SECOND).to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    analyse_without(&scratch, &name);
    assert!(!lacking(&scratch, &name).is_empty());
}

/// A page of zeros inflates to a thousand times its size, and a page header may claim any size.
#[test]
fn pages_that_inflate() {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(19).unwrap());
    let properties = || WriterProperties::builder().set_compression(zstd).set_dictionary_enabled(false);
    let scratch = with_good_file();
    let text = "a".repeat(60_000);
    let mut columns = columns(&[(MIDNIGHT, MIDNIGHT + SECOND); 2_000]);
    columns.push(("service", Arc::new(StringArray::from_iter_values((0..2_000).map(|_| &text)))));
    let properties = properties().set_data_page_row_count_limit(100).build();
    write_as(&scratch, "bomb.parquet", &[batch(columns)], properties);
    let size = fs::metadata(scratch.path().join("w/archive/bomb.parquet")).unwrap().len();
    assert!(size < 1 << 20, "{size}");
    // 120 MB of text.
    let ran = scratch.run("ulimit -v 12000000; wardflow -C w analyze --memory 256MiB");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(rows(&scratch, COVERED), ["2003"]);
    assert_eq!(rows(&scratch, "SELECT max(length(service)) FROM flows"), ["60000"]);
}

/// Numbers of a dictionary's entries that it does not have.
#[test]
fn numbers_beyond_the_dictionary() {
    let scratch = with_good_file();
    // Of one column 16 values in 2,000 rows: numbers of four bits, which 0xff takes to the 15th of 16 and, where the dictionary
    // is shorter, beyond it.
    let text = StringArray::from_iter_values((0..2_000).map(|row| format!("10.20.0.{}", row % 9)));
    let mut columns = columns(&[(MIDNIGHT, MIDNIGHT + SECOND); 2_000]);
    columns[2].1 = Arc::new(text);
    let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build();
    write_as(&scratch, "numbers.parquet", &[batch(columns)], properties);
    let path = scratch.path().join("w/archive/numbers.parquet");
    let mut bytes = fs::read(&path).unwrap();
    // Numbers 0 to 8 by turns, four bits each, low first.
    let pattern = [0x10, 0x32, 0x54, 0x76, 0x08, 0x21, 0x43];
    let place = bytes.windows(pattern.len()).position(|window| window == pattern).unwrap();
    bytes[place..place + pattern.len()].fill(0xff);
    fs::write(&path, bytes).unwrap();
    analyse_without(&scratch, "numbers.parquet");
    assert_eq!(rows(&scratch, COVERED), ["3"]);
    assert!(!lacking(&scratch, "numbers.parquet").is_empty());
}
