//! Files that are a part of another.

use std::fs;

use super::{CONN, JOINED, SourceReport, flows, ingest, long_log, pieces, sensors, tree, zeek};
use crate::archive::{IngestOptions, SourceStatus, ingest as ingest_sources, round_trip::empty_archive};

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
    let is_refused = |source: &SourceReport| matches!(source.status, SourceStatus::Refused(_));
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
async fn a_small_beginning_or_one_without_flows_does_not_count_beside_the_whole() {
    let notice = |number: u32| {
        format!("{{\"ts\":{},\"note\":\"N\",\"msg\":\"m\",\"src\":\"10.0.0.1\"}}\n", 1_714_521_600 + number)
    };
    let notices = |number: u32| (1..=number).map(notice).collect::<String>();
    let one_flow = CONN.find("1714521601.5").unwrap();
    for (name, whole, half) in [
        ("conn.log", CONN.to_owned(), CONN[..one_flow].to_owned()),
        ("notice.log", notices(9), notices(6)),
        ("notice.log", notices(3_000), notices(1_500)),
    ] {
        let (directory, archive) = empty_archive();
        let [whole, half] = [("whole", whole), ("half", half)].map(|(place, content)| {
            fs::create_dir(directory.path().join(place)).unwrap();
            let path = directory.path().join(place).join(name);
            fs::write(&path, content).unwrap();
            path.display().to_string()
        });
        let run = async |input: &String| {
            let lock = archive.lock().unwrap();
            ingest_sources(&lock, std::slice::from_ref(input), None, &zeek()).await.unwrap().sources.remove(0)
        };
        assert!(matches!(run(&whole).await.status, SourceStatus::Added));
        let before = tree(archive.directory().unwrap());
        let refused = run(&half).await;
        let SourceStatus::Refused(error) = &refused.status else { panic!("{name} {refused:?}") };
        assert!(error.to_string().contains("it is the beginning of what was added"), "{error}");
        assert_eq!(tree(archive.directory().unwrap()), before);
        // A small one that came in the place of the whole is another.
        if fs::metadata(&half).unwrap().len() < 64 << 10 {
            fs::rename(&half, &whole).unwrap();
            assert!(matches!(run(&whole).await.status, SourceStatus::Added));
        }
    }
}

#[tokio::test]
async fn a_beginning_is_refused_before_anything_is_taken_out() {
    let (directory, archive) = empty_archive();
    let inputs = pieces(directory.path());
    fs::create_dir(directory.path().join("whole")).unwrap();
    let whole = directory.path().join("whole/1.binetflow");
    let more = "2024/05/01 00:01:30.000000,1.000000,udp,10.0.0.1,50009,  <->,192.0.2.2,53,CON,0,0,2,200,100,1,\n";
    let content = fs::read_to_string(&inputs[0]).unwrap() + more;
    let lock = archive.lock().unwrap();
    let run = async |inputs: &[String], again| {
        let options = IngestOptions { again, ..IngestOptions::default() };
        ingest_sources(&lock, inputs, None, &options).await.unwrap()
    };
    fs::write(&whole, &content).unwrap();
    run(&[whole.display().to_string()], false).await;
    // While the whole does not lie there, its beginning cannot be told to be one.
    fs::remove_file(&whole).unwrap();
    run(&inputs, false).await;
    fs::write(&whole, &content).unwrap();
    let before = tree(archive.directory().unwrap());
    let report = run(&inputs, true).await;
    let SourceStatus::Refused(error) = &report.sources[0].status else { panic!("{report:?}") };
    assert!(error.to_string().contains("it is the beginning of what was added"), "{error}");
    assert!(report.unfinished.is_empty(), "{report:?}");
    assert_eq!(tree(archive.directory().unwrap()), before);
}

#[tokio::test]
async fn another_sensor_that_saw_the_same_flow_first_is_no_beginning() {
    let (directory, archive) = empty_archive();
    let log = directory.path().join("conn.log");
    let header = &CONN[..CONN.find("1714521600.5").unwrap()];
    let seen = |peer: &str, flows: u32| {
        let flow = |number: u32| {
            let (second, peer) = (1_714_521_600 + number, if number == 0 { "203.0.113.9" } else { peer });
            format!("{second}.5\tC{number}\t10.0.0.1\t50000\t{peer}\t443\ttcp\t0.25\tShADadFf\n")
        };
        header.to_owned() + &(0..flows).map(flow).collect::<String>()
    };
    for (sensor, content) in [("north", seen("203.0.113.1", 3_000)), ("south", seen("203.0.113.2", 2_000))] {
        assert!(content.len() > 64 << 10, "long enough that its head tells");
        fs::write(&log, content).unwrap();
        let report = ingest(&archive, &log).await;
        assert!(matches!(report.status, SourceStatus::Added), "{sensor}: {report:?}");
    }
}
