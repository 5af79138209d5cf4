//! Flows in, files out, and back again.

use std::{fs, fs::File, net::IpAddr, path::Path};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampMicrosecondType, UInt16Type, UInt64Type};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use tempfile::TempDir;

use super::{Archive, ArchiveWriter, FlowRecord, FlowsDigest, Written, slices};
use crate::{flow, time::DAY, zone::AddressSpace};

pub(super) fn empty_archive() -> (TempDir, Archive) {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open("archive", directory.path()).unwrap();
    (directory, archive)
}

fn record<'a>(end_time: i64, src: &str, dst: &str) -> FlowRecord<'a> {
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let flow = FlowRecord::new((end_time - 5, end_time), (ip(src), 40_000), (ip(dst), 443), 6);
    FlowRecord { flow_uid: Some("CuniqueOfThisFlow1"), src_bytes: Some(7), service: Some("ssl"), ..flow }
}

/// Flows of `days` days whose order in time is as bad as `stride` makes it.
fn many(rows: i64, days: i64, stride: i64) -> Vec<FlowRecord<'static>> {
    (0..rows)
        .map(|row| {
            let time = (row * stride).rem_euclid(rows) * (days * DAY / rows) + 17;
            let inside = format!("10.0.{}.{}", row % 3, row % 200);
            match row % 4 {
                0 => record(time, &inside, "203.0.113.9"),
                1 => record(time, "2001:db8::9", &inside),
                2 => record(time, &inside, "10.9.9.9"),
                _ => record(time, &inside, "ff02::fb"),
            }
        })
        .collect()
}

async fn write(archive: &Archive, flows: &[FlowRecord<'_>], budget: usize, row_group_rows: usize) -> Written {
    let lock = archive.lock().unwrap();
    let mut writer = ArchiveWriter::with_limits(&lock, AddressSpace::default(), budget, row_group_rows).unwrap();
    for flow in flows {
        writer.push(flow).unwrap();
    }
    writer.finish("source").await.unwrap()
}

pub(super) fn read(archive: &Archive, file: &str) -> Vec<RecordBatch> {
    let file = File::open(archive.directory().unwrap().join(file)).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

fn sum(flows: &[FlowRecord<'_>]) -> FlowsDigest {
    let mut total = FlowsDigest::default();
    flows.iter().for_each(|flow| total += flow.digest(&mut Vec::new()));
    total
}

#[tokio::test]
async fn nothing_is_lost_whatever_the_order_and_the_memory() {
    for (stride, days, budget, row_group_rows) in
        [(1, 3, usize::MAX, 100), (7, 3, usize::MAX, 1 << 20), (7, 3, 20_000, 1_000), (999, 70, 20_000, 50)]
    {
        let (_directory, archive) = empty_archive();
        let flows = many(1_000, days, stride);
        let written = write(&archive, &flows, budget, row_group_rows).await;
        let listing = archive.list().await.unwrap();
        assert_eq!(listing.broken, []);
        assert_eq!(listing.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), written.files);
        assert_eq!(written.rows, 1_000);
        let mut hours = FlowsDigest::default();
        for file in &listing.files {
            assert!(!file.foreign);
            let in_hours: u64 = file.hours.iter().map(|hour| hour.rows).sum();
            let in_rows: usize = read(&archive, &file.path).iter().map(RecordBatch::num_rows).sum();
            assert_eq!((in_hours, in_rows as u64), (file.rows, file.rows));
            file.hours.iter().for_each(|hour| hours += hour.digest);
        }
        assert_eq!(hours, sum(&flows), "stride {stride}, budget {budget}");
        let of_slices: u64 = slices(&listing.files, 6).iter().map(|slice| slice.rows).sum();
        assert_eq!(of_slices, 1_000);
    }
}

#[tokio::test]
async fn values_come_back() {
    let (_directory, archive) = empty_archive();
    let full = FlowRecord {
        dst_bytes: Some(u64::MAX),
        src_packets: Some(3),
        conn_state: Some("SF"),
        tcp_flags: Some(0x13),
        src_mac: Some([0, 0x1a, 0x2b, 0, 0xff, 0x10]),
        vlan: Some(42),
        community_id: Some("1:abc="),
        dst_name: Some("pump.example"),
        sensor: Some("ward-3"),
        sampling_interval: Some(1),
        observed_sides: Some(2),
        ..record(1_714_521_600_000_000, "10.0.0.1", "2001:DB8:0:0::1")
    };
    let written = write(&archive, &[full], usize::MAX, 10).await;
    assert_eq!(written.files, ["date=2024-05-01/source-0.parquet"]);
    let batch = &read(&archive, &written.files[0])[0];
    assert_eq!(batch.schema().fields(), flow::schema().fields());
    let text = |name: &str| batch.column_by_name(name).unwrap().as_string_view().value(0).to_owned();
    assert_eq!([text("src_ip"), text("dst_ip")], ["10.0.0.1", "2001:db8::1"]);
    assert_eq!([text("service"), text("conn_state"), text("src_mac")], ["ssl", "SF", "00:1a:2b:00:ff:10"]);
    assert_eq!([text("flow_uid"), text("community_id")], ["CuniqueOfThisFlow1", "1:abc="]);
    assert_eq!([text("dst_name"), text("sensor")], ["pump.example", "ward-3"]);
    let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<UInt64Type>().value(0);
    assert_eq!([number("src_bytes"), number("dst_bytes"), number("src_packets")], [7, u64::MAX, 3]);
    let small = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<UInt16Type>().value(0);
    assert_eq!([small("src_port"), small("dst_port"), small("tcp_flags"), small("vlan")], [40_000, 443, 0x13, 42]);
    assert!(["dst_packets", "dst_mac"].iter().all(|name| batch.column_by_name(name).unwrap().is_null(0)));
}

#[tokio::test]
async fn row_groups_keep_internal_flows_apart_and_devices_together() {
    let (_directory, archive) = empty_archive();
    let written = write(&archive, &many(2_000, 1, 1), usize::MAX, 500).await;
    let file = File::open(archive.directory().unwrap().join(&written.files[0])).unwrap();
    let groups = ArrowReaderMetadata::load(&file, Default::default()).unwrap().metadata().num_row_groups();
    let space = AddressSpace::default();
    let mut kinds = Vec::new();
    for group in 0..groups {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.try_clone().unwrap()).unwrap();
        let batch = reader.with_row_groups(vec![group]).build().unwrap().next().unwrap().unwrap();
        let ips = ["src_ip", "dst_ip"].map(|name| batch.column_by_name(name).unwrap().as_string_view().clone());
        let internal = |side: usize, row| space.scope(ips[side].value(row).parse().unwrap()).name() == "internal";
        let times = batch.column_by_name("end_time").unwrap().as_primitive::<TimestampMicrosecondType>();
        let keys: Vec<_> = (0..batch.num_rows())
            .map(|row| {
                let side = usize::from(!internal(0, row));
                (side, ips[side].value(row), times.value(row))
            })
            .collect();
        assert!(keys.is_sorted(), "row group {group}");
        let both = (0..batch.num_rows()).filter(|&row| internal(0, row) && internal(1, row)).count();
        assert!(both == 0 || both == batch.num_rows(), "row group {group} mixes them");
        kinds.push(both > 0);
    }
    assert!(kinds.contains(&true) && kinds.contains(&false));
}

#[tokio::test]
async fn the_same_flows_give_the_same_files() {
    let bytes = async || {
        let (_directory, archive) = empty_archive();
        let written = write(&archive, &many(3_000, 3, 7), 50_000, 300).await;
        let read = |file: &String| (file.clone(), fs::read(archive.directory().unwrap().join(file)).unwrap());
        written.files.iter().map(read).collect::<Vec<_>>()
    };
    assert!(bytes().await == bytes().await);
}

#[tokio::test]
async fn nothing_is_visible_before_the_end() {
    let (_directory, archive) = empty_archive();
    assert_eq!(archive.list().await.unwrap().files.len(), 0);
    let lock = archive.lock().unwrap();
    let mut writer = ArchiveWriter::with_limits(&lock, AddressSpace::default(), 1_000, 10).unwrap();
    for flow in many(1_000, 3, 1) {
        writer.push(&flow).unwrap();
    }
    assert_eq!(archive.list().await.unwrap().files.len(), 0);
    drop(writer);
    drop(lock);
    archive.lock().unwrap();
    assert!(!archive.directory().unwrap().join("_wardflow/unfinished").exists());
}

#[tokio::test]
async fn foreign_and_broken_files_are_told_apart() {
    let (_directory, archive) = empty_archive();
    let written = write(&archive, &many(1_000, 1, 1), usize::MAX, 500).await;
    let root = archive.directory().unwrap();
    let batches = read(&archive, &written.files[0]);
    let plain = |path: &Path, batch: &RecordBatch| {
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
    };
    plain(&root.join("foreign.parquet"), &batches[0]);
    plain(&root.join("other.parquet"), &batches[0].project(&[2]).unwrap());
    fs::write(root.join("torn.parquet"), "PAR1 and no more").unwrap();
    fs::write(root.join("notes.txt"), "no flows").unwrap();
    let listing = archive.list().await.unwrap();
    let broken: Vec<_> = listing.broken.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(broken, ["other.parquet", "torn.parquet"]);
    assert!(listing.broken[0].reason.contains("end_time"), "{}", listing.broken[0].reason);
    let foreign = listing.files.iter().find(|file| file.foreign).unwrap();
    assert_eq!((foreign.path.as_str(), foreign.rows), ("foreign.parquet", batches[0].num_rows() as u64));
    assert_eq!(foreign.span(), listing.files[0].span());
    let before = foreign.hours.clone();
    plain(&root.join("foreign.parquet"), &batches[0].slice(0, 990));
    let after = archive.list().await.unwrap();
    assert_ne!(after.files.iter().find(|file| file.foreign).unwrap().hours, before);
}
