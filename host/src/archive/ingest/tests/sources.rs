//! Files in, and what becomes of each.

use std::fs;

use arrow::{array::AsArray, datatypes::UInt64Type};

use super::{CONN, ingest, tree, zeek};
use crate::archive::{
    SourceStatus, ingest as ingest_sources, rejects,
    round_trip::{empty_archive, read},
};

#[tokio::test]
async fn a_source_is_ingested_once() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    fs::write(&log, CONN).unwrap();
    fs::write(directory.path().join("ssl.log"), "#path\tssl\n#fields\tuid\tserver_name\nC1\tcloud.example\n").unwrap();
    let added = ingest(&archive, &log).await;
    assert!(matches!(added.status, SourceStatus::Added), "{added:?}");
    assert_eq!((added.counts.records, added.counts.flows, added.counts.rejects, added.counts.named), (3, 2, 1, 1));
    let before = tree(archive.directory().unwrap());
    let again = ingest(&archive, &log).await;
    assert!(matches!(again.status, SourceStatus::AlreadyThere), "{again:?}");
    assert_eq!((again.counts.flows, again.digest), (2, added.digest.clone()));
    assert_eq!(tree(archive.directory().unwrap()), before);

    let date = archive.directory().unwrap().join("date=2024-05-01");
    fs::remove_file(fs::read_dir(&date).unwrap().next().unwrap().unwrap().path()).unwrap();
    let mended = ingest(&archive, &log).await;
    assert!(matches!(mended.status, SourceStatus::Added) && mended.counts.flows == 2, "{mended:?}");
    assert!(matches!(ingest(&archive, &log).await.status, SourceStatus::AlreadyThere));

    let rejects = read(&archive, &format!("{}/{}.parquet", rejects::directory(), &added.digest[..16]));
    assert_eq!(rejects[0].num_rows(), 1);
    assert_eq!(rejects[0].column(1).as_primitive::<UInt64Type>().value(0), 5);
    assert_eq!(
        rejects[0].column(3).as_string_view().value(0),
        "id.orig_p is \"70000\"; it must be a port from 0 to 65535"
    );
    assert!(rejects[0].column(4).as_string_view().value(0).starts_with("1714521601.5\\tC2\\t"));
}

#[tokio::test]
async fn times_to_come_are_refused_and_counts_that_cannot_be_are_left_empty() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    let conn = |time: &str, uid: &str, bytes: &str| {
        format!("{time}\t{uid}\t10.0.0.1\t50000\t203.0.113.9\t443\ttcp\t1.5\t{bytes}\t70\n")
    };
    let lines = [
        conn("1714521600.5", "C1", "600"),
        conn("99999999999", "C2", "600"),
        conn("1714521601.5", "C3", "18446744073709551615"),
    ];
    let fields = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tresp_bytes";
    fs::write(&log, format!("#separator \\x09\n#path\tconn\n#fields\t{fields}\n{}", lines.concat())).unwrap();
    let added = ingest(&archive, &log).await;
    assert_eq!((added.counts.records, added.counts.flows, added.counts.rejects), (3, 2, 1), "{added:?}");
    assert!(added.notes.iter().any(|note| note.ends_with("are left empty: in flows, 1")), "{added:?}");
    let refused = read(&archive, &format!("{}/{}.parquet", rejects::directory(), &added.digest[..16]));
    let reason = refused[0].column(3).as_string_view().value(0);
    assert!(reason.starts_with("its time is 5138-11-16T09:46:39Z, which is to come"), "{reason}");
    let date = tree(&archive.directory().unwrap().join("date=2024-05-01"));
    let flows = read(&archive, &format!("date=2024-05-01/{}", date[0].0.rsplit('/').next().unwrap()));
    let bytes = flows[0].column_by_name("src_bytes").unwrap().as_primitive::<UInt64Type>();
    assert_eq!(bytes.iter().collect::<Vec<_>>(), [Some(600), None]);
}

#[tokio::test]
async fn what_is_no_log_is_refused_and_the_rest_goes_on() {
    let (directory, archive) = empty_archive();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("empty")).unwrap();
    let text = "Lorem ipsum dolor";
    let dns = "#path\tdns\n#fields\tts\tuid\n1\tC1\n";
    for (name, content) in [
        ("text.log", text.to_owned()),
        ("dns.log", dns.to_owned()),
        ("headless.log", CONN.lines().skip(3).collect::<Vec<_>>().join("\n")),
        ("open_conn.log", CONN.replace("C1", "O1")),
        ("query.json", r#"{"ts":1,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":53,"proto":"udp","query":"x"}"#.to_owned()),
        ("poor.log", "#path\tconn\n#fields\tts\tuid\n1\tC1\n".to_owned()),
        ("conn.log", CONN.to_owned()),
    ] {
        fs::write(path(name), content).unwrap();
    }
    let names = [
        "text.log",
        "dns.log",
        "headless.log",
        "open_conn.log",
        "query.json",
        "poor.log",
        "missing.log",
        "empty",
        "conn.log",
    ];
    let inputs = names.map(|name| path(name).display().to_string());
    let lock = archive.lock().unwrap();
    let report = ingest_sources(&lock, &inputs, None, &zeek()).await.unwrap();
    let said: Vec<_> = report
        .sources
        .iter()
        .map(|source| match &source.status {
            SourceStatus::Refused(error) => error.to_string(),
            SourceStatus::Added => "added".into(),
            SourceStatus::PassedOver(error) => panic!("passed over: {error}"),
            SourceStatus::AlreadyThere => "there".into(),
        })
        .collect();
    assert_eq!(
        said,
        [
            "it is no Zeek log: its first line, \"Lorem ipsum dolor\", is neither a header (#separator, #fields) nor a \
             JSON object",
            "it is Zeek's dns.log",
            "it is no Zeek log: its first line, \"1714521600.5\\tC1\\t10.0.0.1\\t50000\\t203.0.113.9\\t443\\ttcp\\t1.25\\tShAD\", \
             is neither a header (#separator, #fields) nor a JSON object",
            "added",
            "its records are no connections: they have neither conn_state nor history nor orig_pkts",
            "it is no conn.log: its #fields line lacks id.orig_h",
            "it cannot be read",
            "the directory holds no conn.log",
            "added",
            // What lies beside it, and was named before.
            "there",
        ]
    );
    assert_eq!(archive.list().await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn standard_input_may_be_compressed_and_break_off() {
    let (_directory, archive) = empty_archive();
    let lock = archive.lock().unwrap();
    let mut whole = Vec::new();
    let mut gzip = flate2::write::GzEncoder::new(&mut whole, flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, CONN.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let torn = whole[..whole.len() - 12].to_vec();
    let input: Box<dyn std::io::Read + Send> = Box::new(std::io::Cursor::new(torn));
    let report = ingest_sources(&lock, &["-".into()], Some(input), &zeek()).await.unwrap();
    let source = &report.sources[0];
    assert!(matches!(source.status, SourceStatus::Added), "{source:?}");
    assert!(
        source.counts.flows >= 1
            && source.counts.rejects >= 1
            && source.counts.records == source.counts.flows + source.counts.rejects,
        "{source:?}"
    );
    assert_eq!(source.name, "-");
}

#[tokio::test]
async fn a_damaged_log_is_recognised_too() {
    let (directory, archive) = empty_archive();
    for (lines, is_torn) in [(60_000, false), (59_000, true), (1_500, false), (1_400, true)] {
        let path = directory.path().join(format!("conn.{lines}.log.gz"));
        let mut content: String = CONN.lines().take(3).map(|line| format!("{line}\n")).collect();
        for line in 0..lines {
            let (time, uid) = (1_714_521_600 + line, line * lines);
            content += &format!("{time}.5\tC{uid:x}\t10.0.0.{}\t9\t203.0.113.9\t443\ttcp\t1.25\tS\n", uid % 250);
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, content.as_bytes()).unwrap();
        let mut packed = gzip.finish().unwrap();
        let middle = packed.len() / 2;
        if is_torn {
            packed.truncate(middle)
        } else {
            packed[middle..middle + 64].fill(0x55)
        }
        fs::write(&path, packed).unwrap();
        let added = ingest(&archive, &path).await;
        assert!(matches!(added.status, SourceStatus::Added), "{added:?}");
        assert!((1..lines as u64).contains(&added.counts.flows) && added.counts.rejects > 0, "{added:?}");
        let again = ingest(&archive, &path).await;
        assert!(matches!(again.status, SourceStatus::AlreadyThere), "{again:?}");
        assert_eq!((again.counts.flows, again.digest), (added.counts.flows, added.digest));
    }
}
