//! Logs in, files and ledger out, whatever happens between.

mod again;
mod disk;
mod grown;
mod joined;
mod killed;
mod parts;
mod sources;

use std::{fs, path::Path};

use arrow::{
    array::AsArray,
    datatypes::{TimestampMicrosecondType, UInt64Type},
};

use super::SourceReport;
use crate::archive::{
    Archive, Format, IngestOptions, SourceEntry, copies, ingest as ingest_sources, ledger, round_trip::read,
};

const CONN: &str = "#separator \\x09\n#path\tconn\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\thistory\n\
    1714521600.5\tC1\t10.0.0.1\t50000\t203.0.113.9\t443\ttcp\t1.25\tShADadFf\n\
    1714521601.5\tC2\t10.0.0.1\t70000\t203.0.113.9\t443\ttcp\t-\tS\n\
    1714521602.5\tC3\tfe80::1\t135\tff02::1\t136\ticmp\t-\t-\n\
    #close\t2024-05-01-01-00-00\n";

fn zeek() -> IngestOptions {
    IngestOptions { format: Some(Format::Zeek), ..IngestOptions::default() }
}

async fn ingest(archive: &Archive, input: &Path) -> SourceReport {
    let lock = archive.lock().unwrap();
    let inputs = [input.display().to_string()];
    let mut report = ingest_sources(&lock, &inputs, None, &zeek()).await.unwrap();
    report.sources.remove(0)
}

fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => directories.push(path),
                false => files.push((path.display().to_string(), fs::read(&path).unwrap())),
            }
        }
    }
    files.sort();
    files
}

/// Two files of one exporter, in which a connection is cut.
fn pieces(directory: &Path) -> [String; 2] {
    let header =
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,SrcPkts,Label\n";
    let piece = |start: &str| {
        format!("2024/05/01 {start},60.000000,tcp,10.0.0.1,50000,   ->,192.0.2.1,443,PA_PA,0,0,10,1000,600,5,\n")
    };
    let whole = "2024/05/01 00:00:01.000000,1.000000,udp,10.0.0.1,50001,  <->,192.0.2.2,53,CON,0,0,2,200,100,1,\n";
    fs::write(
        directory.join("1.binetflow"),
        format!("{header}{whole}{}{}", piece("00:00:00.000000"), piece("00:01:00.100000")),
    )
    .unwrap();
    fs::write(directory.join("2.binetflow"), format!("{header}{}", piece("00:02:00.200000"))).unwrap();
    ["1.binetflow", "2.binetflow"].map(|name| directory.join(name).display().to_string())
}

/// Bytes, start and end in seconds of each flow, in order of end.
fn flows(archive: &Archive) -> Vec<(u64, i64, i64)> {
    let mut flows = Vec::new();
    for (path, _) in tree(archive.directory().unwrap()) {
        if path.contains("/date=") {
            for batch in read(archive, path.split_once("/archive/").unwrap().1) {
                let column = |name: &str| batch.column_by_name(name).unwrap().clone();
                let seconds =
                    |name: &str, row| column(name).as_primitive::<TimestampMicrosecondType>().value(row) / 1_000_000;
                for row in 0..batch.num_rows() {
                    let bytes = column("src_bytes").as_primitive::<UInt64Type>().value(row);
                    flows.push((bytes, seconds("start_time", row) % 86_400, seconds("end_time", row) % 86_400));
                }
            }
        }
    }
    flows.sort_by_key(|flow| flow.2);
    flows
}

const JOINED: [(u64, i64, i64); 2] = [(100, 1, 2), (1_800, 0, 180)];

/// Sensors of the flows, and how many of them each saw.
async fn sensors(archive: &Archive) -> Vec<(String, u64)> {
    let mut sensors = std::collections::BTreeMap::new();
    for hour in archive.list().await.unwrap().files.iter().flat_map(|file| &file.sensors) {
        *sensors.entry(hour.sensor.clone().unwrap_or_default()).or_default() += hour.rows;
    }
    sensors.into_iter().collect()
}

/// A log of so many connections, a second apart.
fn long_log(lines: usize) -> String {
    let mut log = "#separator \\x09\n#path\tconn\n\
                   #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\thistory\n"
        .to_owned();
    for line in 0..lines {
        let time = 1_714_521_600 + line;
        log += &format!("{time}.5\tC{line:08x}\t10.0.0.{}\t9\t203.0.113.9\t443\ttcp\t1.25\tS\n", line % 250);
    }
    log
}

/// Takes the ledger's entry of a source away, and its copy.
fn lose(archive: &Archive, entry: &SourceEntry) {
    for file in [ledger::path(&entry.digest), copies::path(SourceEntry::short(&entry.digest))] {
        fs::remove_file(archive.directory().unwrap().join(file)).unwrap();
    }
}

/// The entry of what was ingested from a path.
async fn entry_of(archive: &Archive, path: &str) -> SourceEntry {
    let entries = archive.sources().await.unwrap();
    entries.into_iter().find(|entry| entry.path.as_deref() == Some(path)).unwrap()
}
