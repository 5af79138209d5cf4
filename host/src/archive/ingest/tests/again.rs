//! Reading anew what was ingested before.

use std::fs;

use super::{CONN, JOINED, flows, long_log, pieces, sensors, tree, zeek};
use crate::archive::{Format, IngestOptions, SourceStatus, check, ingest as ingest_sources, round_trip::empty_archive};

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
