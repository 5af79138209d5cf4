//! Logs that have grown since they were ingested.

use std::{fs, io::Write};

use super::{CONN, ingest, tree};
use crate::archive::{
    Archive, SourceStatus,
    round_trip::{empty_archive, read},
};

#[tokio::test]
async fn of_a_log_that_grew_only_what_is_new_is_added() {
    let end = |line: &str| CONN.find(line).unwrap() + line.len();
    for has_heads in [true, false] {
        let (directory, archive) = empty_archive();
        let log = directory.path().join("conn.log");
        let mut rows = 0;
        // To the end of a line, into the middle of one, and to the whole.
        for (until, flows, rejects) in [(end("ShADadFf\n"), 1, 0), (end("C2\t"), 0, 1), (CONN.len(), 1, 1)] {
            fs::write(&log, &CONN[..until]).unwrap();
            let added = ingest(&archive, &log).await;
            assert!(matches!(added.status, SourceStatus::Added), "{added:?}");
            assert_eq!((added.counts.flows, added.counts.rejects), (flows, rejects), "{added:?}");
            rows += flows;
            if !has_heads {
                forget_heads(&archive);
            }
        }
        let packed = directory.path().join("conn.1.log.zst");
        fs::write(&packed, zstd::encode_all(CONN.as_bytes(), 1).unwrap()).unwrap();
        assert!(matches!(ingest(&archive, &packed).await.status, SourceStatus::AlreadyThere));
        let held = archive.list().await.unwrap().files.iter().map(|file| file.rows).sum::<u64>();
        assert_eq!((held, rows), (2, 2));
        // A line that was cut and is whole by now is no reject any more.
        let files = archive.reject_files().await.unwrap();
        let told = files.iter().flat_map(|file| read(&archive, archive.file(&file.location)));
        assert_eq!(told.map(|batch| batch.num_rows()).sum::<usize>(), 1);
    }
}

#[tokio::test]
async fn a_last_line_is_read_again_only_where_it_could_not_be_read() {
    let end = |text: &str| CONN.find(text).unwrap() + text.len();
    // Broken off, though all of what there is are whole lines.
    let mut broken = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    broken.write_all(&CONN.as_bytes()[..end("ShADadFf\n")]).unwrap();
    broken.flush().unwrap();
    let cases = [
        // In the last field of a flow, right behind it, and in a header. A log of one line that is cut is none yet.
        (CONN.as_bytes()[..end("ShADad")].to_vec(), (0, 0), (2, 1)),
        (CONN.as_bytes()[..end("icmp\t-\t-")].to_vec(), (1, 2), (1, 0)),
        (CONN.as_bytes()[..end("#clo")].to_vec(), (2, 1), (0, 0)),
        (CONN.as_bytes()[..end("ShADadFf")].to_vec(), (0, 0), (2, 1)),
        (broken.get_ref().clone(), (1, 1), (1, 1)),
    ];
    for (first, before, after) in cases {
        let (directory, archive) = empty_archive();
        let log = directory.path().join("conn.log");
        for (content, expected) in [(first.as_slice(), before), (CONN.as_bytes(), after)] {
            fs::write(&log, content).unwrap();
            let added = ingest(&archive, &log).await;
            assert_eq!((added.counts.flows, added.counts.rejects), expected, "{added:?}");
        }
        assert_eq!(archive.list().await.unwrap().files.iter().map(|file| file.rows).sum::<u64>(), 2);
    }
}

#[tokio::test]
async fn what_a_log_goes_on_from_is_missed() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    fs::write(&log, &CONN[..CONN.find("1714521602.5").unwrap()]).unwrap();
    ingest(&archive, &log).await;
    let first = archive.list().await.unwrap().files.remove(0);
    fs::write(&log, CONN).unwrap();
    fs::remove_file(archive.directory().unwrap().join(&first.path)).unwrap();
    for (status, flows) in [("Added", 1), ("AlreadyThere", 1)] {
        let told = ingest(&archive, &log).await;
        assert_eq!((format!("{:?}", told.status).as_str(), told.counts.flows), (status, flows));
        assert!(told.notes.iter().any(|note| note.contains("files are gone or damaged")), "{told:?}");
    }
}

/// Leaves the ledger as an earlier version would have written it.
fn forget_heads(archive: &Archive) {
    for (path, json) in tree(&archive.directory().unwrap().join("_wardflow/sources")) {
        let mut entry: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let fields = entry.as_object_mut().unwrap();
        for field in ["head", "seal"] {
            fields.remove(field);
        }
        fs::write(path, entry.to_string()).unwrap();
    }
}
