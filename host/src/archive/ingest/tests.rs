//! Logs in, files and ledger out, whatever happens between.

use std::{fs, io::Write, path::Path};

use arrow::{
    array::AsArray,
    datatypes::{TimestampMicrosecondType, UInt64Type},
};

use crate::archive::{
    Archive, Format, Ingest, IngestOptions, SourceStatus, check, ingest as ingest_sources, rejects, repair,
    round_trip::{empty_archive, read},
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

async fn ingest(archive: &Archive, input: &Path) -> super::SourceReport {
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
        entry.as_object_mut().unwrap().remove("head");
        fs::write(path, entry.to_string()).unwrap();
    }
}

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
    let sources = root.join("_wardflow/sources");
    fs::remove_file(sources.join(format!("{}.json", added.digest))).unwrap();
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
    fs::remove_file(root.join(format!("_wardflow/sources/{}.json", killed.digest))).unwrap();
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
    // The next run goes on from there, once.
    for _ in 0..2 {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs[1..], None, &options).await.unwrap();
        assert_eq!(flows(&archive), JOINED);
    }
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

#[tokio::test]
async fn what_was_read_wrongly_is_read_again() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("ward.binetflow");
    let header = "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes\n";
    let flow = |start: &str| format!("{start},1.0,udp,10.0.0.1,50001,  <->,192.0.2.2,53,CON,0,0,2,200,100\n");
    let arp = "1970/01/01 00:00:05.0,0.0,arp,10.0.0.1,,  who,10.0.0.2,,INT,,,1,42,42\n";
    fs::write(&log, format!("{header}{arp}{}", flow("1970/01/01 00:00:10.0"))).unwrap();
    let inputs = [log.display().to_string()];
    let lock = archive.lock().unwrap();
    let run = async |options: IngestOptions| ingest_sources(&lock, &inputs, None, &options).await.unwrap();
    let start = Some(1_714_521_600_000_000);
    let refused = run(IngestOptions::default()).await;
    let SourceStatus::Refused(error) = &refused.sources[0].status else { panic!("{refused:?}") };
    assert!(error.to_string().contains("no flow of its 2 records") && error.to_string().contains("--start"), "{error}");

    let north = IngestOptions { start, sensor: Some("north".into()), ..IngestOptions::default() };
    assert!(matches!(run(north.clone()).await.sources[0].status, SourceStatus::Added));
    let south = IngestOptions { start, sensor: Some("south".into()), ..IngestOptions::default() };
    let kept = run(south.clone()).await;
    assert!(matches!(kept.sources[0].status, SourceStatus::AlreadyThere), "{kept:?}");
    assert!(kept.sources[0].notes.iter().any(|note| note.contains("--again")), "{kept:?}");
    let again = run(IngestOptions { again: true, ..south }).await;
    assert!(matches!(again.sources[0].status, SourceStatus::Added), "{again:?}");
    assert_eq!(flows(&archive), [(100, 10, 11)]);
    let listing = archive.list().await.unwrap();
    let sensors: Vec<_> = listing.files.iter().flat_map(|file| &file.sensors).map(|hour| hour.sensor.clone()).collect();
    assert_eq!(sensors, [Some("south".to_owned())]);
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

/// Sensors of the flows, and how many of them each saw.
async fn sensors(archive: &Archive) -> Vec<(String, u64)> {
    let mut sensors = std::collections::BTreeMap::new();
    for hour in archive.list().await.unwrap().files.iter().flat_map(|file| &file.sensors) {
        *sensors.entry(hour.sensor.clone().unwrap_or_default()).or_default() += hour.rows;
    }
    sensors.into_iter().collect()
}

#[tokio::test]
async fn a_log_that_has_grown_is_read_anew_as_a_whole() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    let inputs = [log.display().to_string()];
    let run = async |sensor: &str, again| {
        let options = IngestOptions { sensor: Some(sensor.into()), again, ..zeek() };
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs, None, &options).await.unwrap()
    };
    let more = "1714521609.5\tC9\t10.0.0.1\t50009\t203.0.113.9\t443\ttcp\t1.25\tShADadFf\n";
    fs::write(&log, CONN).unwrap();
    run("a", false).await;
    for (content, is_ingested) in [(format!("{CONN}{more}"), true), (format!("{CONN}{more}{more}"), false)] {
        fs::write(&log, content).unwrap();
        if is_ingested {
            run("a", false).await;
            assert_eq!(sensors(&archive).await, [("a".to_owned(), 3)]);
        }
        let flows = if is_ingested { 3 } else { 4 };
        let again = run("b", true).await;
        assert!(matches!(again.sources[0].status, SourceStatus::Added), "{again:?}");
        assert_eq!((again.sources[0].counts.skipped, again.sources[0].counts.flows), (0, flows));
        assert_eq!(sensors(&archive).await, [("b".to_owned(), flows)]);
        assert!(check(&archive, &|_| {}).await.unwrap().is_well());
        assert_eq!(tree(&archive.directory().unwrap().join("_wardflow/again")), []);
    }
}

#[tokio::test]
async fn what_can_no_longer_be_read_changes_nothing() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    let lock = archive.lock().unwrap();
    let options = IngestOptions { format: Some(Format::Argus), ..IngestOptions::default() };
    ingest_sources(&lock, &inputs, None, &options).await.unwrap();
    let before = tree(archive.directory().unwrap());
    let again = IngestOptions { again: true, ..options };
    for wrong in [IngestOptions { format: Some(Format::Eve), ..again.clone() }, again.clone()] {
        let report = ingest_sources(&lock, &inputs, None, &wrong).await.unwrap();
        let refused = report.sources.iter().filter(|source| matches!(source.status, SourceStatus::Refused(_)));
        assert_eq!(refused.count(), 2, "{report:?}");
        assert_eq!(tree(archive.directory().unwrap()), before);
        // The second file is gone bad in the meantime; they share a connection.
        fs::write(&inputs[1], "StartTime,Dur,Proto\n").unwrap();
    }
    pieces(directory.path());
    ingest_sources(&lock, &inputs, None, &again).await.unwrap();
    assert_eq!(flows(&archive), JOINED);
}

#[tokio::test]
async fn a_copy_that_was_damaged_is_told_and_can_be_replaced() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    let inputs = [log.display().to_string()];
    let run = async |again| {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs, None, &IngestOptions { again, ..zeek() }).await.unwrap()
    };
    fs::write(&log, CONN.replace("50000", "50001")).unwrap();
    run(false).await;
    fs::write(&log, CONN).unwrap();
    let both = run(false).await;
    assert!(both.sources[0].notes.iter().any(|note| note.contains("--again puts this one in its place")), "{both:?}");
    assert_eq!(sensors(&archive).await, [(String::new(), 4)]);
    run(true).await;
    assert_eq!(sensors(&archive).await, [(String::new(), 2)]);
    assert!(check(&archive, &|_| {}).await.unwrap().is_well());
    // A log of the same path that was rotated is another, and nothing is said.
    fs::write(&log, CONN.replace("17145", "17155")).unwrap();
    let rotated = run(false).await;
    assert!(rotated.sources[0].notes.is_empty(), "{rotated:?}");
    run(true).await;
    assert_eq!(sensors(&archive).await, [(String::new(), 4)]);
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

#[tokio::test]
async fn a_beginning_does_not_count_beside_the_whole() {
    let (directory, archive) = empty_archive();
    let [whole, half] = ["whole.log", "half.log"].map(|name| directory.path().join(name).display().to_string());
    fs::write(&whole, long_log(3_000)).unwrap();
    fs::write(&half, long_log(1_500)).unwrap();
    let run = async |inputs: &[String], again| {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, inputs, None, &IngestOptions { again, ..zeek() }).await.unwrap().sources
    };
    let is_refused = |source: &super::SourceReport| matches!(source.status, SourceStatus::Refused(_));
    run(std::slice::from_ref(&whole), false).await;
    let both = [whole.clone(), half.clone()];
    for again in [false, true] {
        let sources = run(&both, again).await;
        assert!(!is_refused(&sources[0]) && is_refused(&sources[1]), "{sources:?}");
        assert_eq!(sensors(&archive).await, [(String::new(), 3_000)]);
    }
    let sources = run(&[half.clone(), whole.clone()], true).await;
    assert!(is_refused(&sources[0]) && !is_refused(&sources[1]), "{sources:?}");
    assert_eq!(sensors(&archive).await, [(String::new(), 3_000)]);
    // Another that parts ways with it after its beginning is told of, and both count.
    let other = directory.path().join("other.log").display().to_string();
    fs::write(&other, long_log(3_000).replace("C00000b00", "Cother")).unwrap();
    let sources = run(&[other], false).await;
    assert!(sources[0].notes[0].contains("both count now"), "{sources:?}");
    assert_eq!(sensors(&archive).await, [(String::new(), 6_000)]);
}

#[tokio::test]
async fn a_log_that_was_rotated_stays_whatever_lies_at_its_path_now() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    let inputs = [log.display().to_string()];
    let run = async |again| {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs, None, &IngestOptions { again, ..zeek() }).await.unwrap().sources
    };
    fs::write(&log, long_log(2_000)).unwrap();
    run(false).await;
    // Zeek writes a connection when it has ended, so that the young log reaches back into the old one.
    let young = CONN.replace("1714521600.5", "1714523000.5").replace("1714521602.5", "1714523001.5");
    fs::write(&log, young).unwrap();
    let sources = run(true).await;
    assert!(sources[0].notes.is_empty(), "{sources:?}");
    for _ in 0..2 {
        run(false).await;
        assert_eq!(sensors(&archive).await, [(String::new(), 2_002)]);
    }
}

#[tokio::test]
async fn what_gave_way_may_come_back() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    let inputs = [log.display().to_string()];
    let run = async |again| {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, &inputs, None, &IngestOptions { again, ..zeek() }).await.unwrap().sources
    };
    let other = CONN.replace("50000", "50001");
    for (content, again) in [(CONN, false), (&other, true), (CONN, true), (CONN, false)] {
        fs::write(&log, content).unwrap();
        run(again).await;
        assert_eq!(sensors(&archive).await, [(String::new(), 2)]);
    }
    assert!(check(&archive, &|_| {}).await.unwrap().is_well());
}

#[tokio::test]
async fn one_content_twice_takes_nothing_out() {
    let (directory, archive) = empty_archive();
    let [one, two] = pieces(directory.path());
    let copy = directory.path().join("3.binetflow").display().to_string();
    fs::copy(&one, &copy).unwrap();
    let inputs = [one.clone(), two.clone()];
    let with_copy = [one.clone(), two.clone(), copy];
    let two_then = fs::read(&two).unwrap();
    let run_on = async |inputs: &[String], again| {
        let lock = archive.lock().unwrap();
        ingest_sources(&lock, inputs, None, &IngestOptions { again, ..IngestOptions::default() }).await.unwrap()
    };
    let run = async |again| run_on(&inputs, again).await;
    for again in [false, true, true] {
        let report = run_on(&with_copy, again).await;
        assert!(report.unfinished.is_empty(), "{report:?}");
        assert_eq!(flows(&archive), JOINED);
    }
    // What another file that goes with it gave is not lost either, where that has another content by now.
    fs::write(&two, fs::read_to_string(&two).unwrap().replace("10.0.0.1", "10.0.0.7")).unwrap();
    let report = run(true).await;
    let SourceStatus::Refused(error) = &report.sources[0].status else { panic!("{report:?}") };
    assert!(error.to_string().contains("another content by now"), "{error}");
    assert!(flows(&archive).contains(&JOINED[1]));
    // Nor does one that is refused lose what it gave because of another that has its turn after it.
    fs::write(&two, two_then).unwrap();
    fs::write(&one, "garbage").unwrap();
    let report = run(true).await;
    let refused = report.sources.iter().filter(|source| matches!(source.status, SourceStatus::Refused(_)));
    assert_eq!((refused.count(), report.unfinished.len()), (2, 0), "{report:?}");
    assert!(flows(&archive).contains(&JOINED[1]));
}

#[tokio::test]
async fn a_header_alone_is_the_beginning_of_nothing() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    let header = directory.path().join("0.binetflow").display().to_string();
    let first = fs::read_to_string(&inputs[0]).unwrap();
    fs::write(&header, first.split_inclusive('\n').next().unwrap()).unwrap();
    let lock = archive.lock().unwrap();
    ingest_sources(&lock, std::slice::from_ref(&header), None, &IngestOptions::default()).await.unwrap();
    ingest_sources(&lock, &inputs, None, &IngestOptions::default()).await.unwrap();
    assert_eq!(flows(&archive), JOINED);
    let again = IngestOptions { again: true, ..IngestOptions::default() };
    let [one, two] = inputs;
    for given in
        [vec![header.clone(), two.clone()], vec![header.clone(), one.clone(), two.clone()], vec![one, two, header]]
    {
        ingest_sources(&lock, &given, None, &again).await.unwrap();
        assert_eq!(flows(&archive), JOINED);
    }
    assert!(archive.sources().await.unwrap().iter().all(|entry| entry.continues.is_none()));
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
    let entries = archive.sources().await.unwrap();
    let last = entries.iter().find(|entry| entry.path.as_deref() == Some(&inputs[1])).unwrap();
    let ledger = archive.directory().unwrap().join("_wardflow/sources");
    fs::remove_file(ledger.join(format!("{}.json", last.digest))).unwrap();
    let sources = run(false).await;
    assert!(matches!(sources[1].status, SourceStatus::Refused(_)), "{sources:?}");
    assert_eq!(flows(&archive), JOINED);
    run(true).await;
    assert_eq!(flows(&archive), JOINED);
    assert!(check(&archive, &|_| {}).await.unwrap().is_well());
}
