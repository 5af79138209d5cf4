//! Archives and lakes in an object store: a server that speaks S3 over a directory, on loopback, and the command as a
//! user has it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use arrow::{
    array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, StructArray},
    datatypes::{Field, Fields},
};
use datafusion::parquet::{arrow::ArrowWriter, file::properties::WriterProperties};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use crate::{
    follow::{FOLLOW, PATIENCE, append, halves, records},
    support::{Scratch, guest},
};

/// 2026-03-02T00:00:00Z, in seconds.
const MIDNIGHT: i64 = 1_772_409_600;

/// A server over `buckets` in a directory of its own, and a workspace `w` beside it whose one plugin finds nothing.
struct Store {
    scratch: Scratch,
    address: SocketAddr,
}

impl Store {
    fn new(config: &str) -> Self {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.path().join("buckets/logs")).unwrap();
        let address = serve(&scratch.path().join("buckets"));
        scratch.done("wardflow init w; rm -f w/plugins/*");
        scratch.write("w/plugins/quiet.wasm", guest("observe", ""));
        scratch.write("w/wardflow.toml", config);
        Self { scratch, address }
    }

    /// A line of a shell that has the store's address and keys.
    fn line(&self, line: &str) -> String {
        format!(
            "export AWS_ENDPOINT=http://{} AWS_ALLOW_HTTP=true AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=reader \
             AWS_SECRET_ACCESS_KEY=secret; {line}",
            self.address
        )
    }

    fn done(&self, line: &str) -> String {
        self.scratch.done(&self.line(line))
    }

    /// The answer to a query: its lines without the header.
    fn sql(&self, query: &str) -> Vec<String> {
        let said = self.done(&format!("wardflow -C w sql --format csv \"{query}\""));
        said.lines().skip(1).map(str::to_owned).collect()
    }

    /// What an analysis comes to: slices and flows that were complete.
    fn analysed(&self) -> Vec<String> {
        self.done("wardflow -q -C w analyze");
        self.sql("SELECT status, count(*), sum(flows) FROM coverage WHERE plugin IS NOT NULL GROUP BY status")
    }

    /// What a line that must fail within seconds says.
    #[track_caller]
    fn refused(&self, line: &str, code: i32, expected: &[&str]) {
        let began = Instant::now();
        let ran = self.scratch.run(&self.line(line));
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        for expected in expected {
            assert!(ran.stderr.contains(expected), "{expected:?} is not in {ran:#?}");
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}: {ran:#?}", began.elapsed());
    }
}

/// Serves the directories in `root` as buckets, as long as the process lives.
fn serve(root: &Path) -> SocketAddr {
    let mut service = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single("reader", "secret"));
    let service = service.build();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    // A client that goes away is no failure.
                    server.serve_connection(TokioIo::new(socket), service).await.unwrap_or_default();
                });
            }
        });
    });
    receiver.recv().unwrap()
}

/// Writes columns as Parquet, with statistics or without, five rows a row group.
fn write(store: &Store, file: &str, columns: Vec<(&str, ArrayRef)>, statistics: bool) {
    use datafusion::parquet::file::properties::EnabledStatistics;
    let path = store.scratch.path().join("buckets").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)));
    let batch = batch.unwrap();
    let kept = if statistics { EnabledStatistics::Page } else { EnabledStatistics::None };
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(5)).set_statistics_enabled(kept).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn texts(values: impl IntoIterator<Item = impl Into<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.into_iter().map(Into::into)))
}

fn numbers(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn long_numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// VPC flow logs of one hour, in the default format: twenty records, and one that says that there was nothing.
fn vpc(hour: i64) -> Vec<(&'static str, ArrayRef)> {
    let start = move |row: i64| MIDNIGHT + hour * 3_600 + row * 60;
    let is_flow = |row: i64| row < 20;
    let address = move |row: i64, flow: String| if is_flow(row) { flow } else { "-".to_owned() };
    vec![
        ("version", numbers((0..21).map(|_| 2))),
        ("account_id", texts((0..21).map(|_| "123456789010"))),
        ("interface_id", texts((0..21).map(|_| "eni-1"))),
        ("srcaddr", texts((0..21).map(|row| address(row, format!("10.20.0.{row}"))))),
        ("dstaddr", texts((0..21).map(|row| address(row, "203.0.113.9".to_owned())))),
        ("srcport", numbers((0..21).map(|row| 40_000 + row))),
        ("dstport", numbers((0..21).map(|_| 443))),
        ("protocol", numbers((0..21).map(|_| 6))),
        ("packets", long_numbers((0..21).map(|row| row + 1))),
        ("bytes", long_numbers((0..21).map(|row| 100 * row))),
        ("start", long_numbers((0..21).map(start))),
        ("end", long_numbers((0..21).map(move |row| start(row) + 30))),
        ("action", texts((0..21).map(|row| if row == 3 { "REJECT" } else { "ACCEPT" }))),
        ("log_status", texts((0..21).map(|row| if is_flow(row) { "OK" } else { "NODATA" }))),
    ]
}

const VPC: &str = "archive = { url = \"s3://logs/AWSLogs/*/vpcflowlogs/**/*.parquet\", mapping = \"aws-vpc\" }\n";

#[test]
fn vpc_flow_logs_are_read_where_they_lie() {
    let store = Store::new(VPC);
    for (hour, statistics) in [(1, true), (8, true), (9, false)] {
        let file = format!("logs/AWSLogs/1234/vpcflowlogs/2026/03/02/{hour}.log.parquet");
        write(&store, &file, vpc(hour), statistics);
    }
    // Not in the pattern.
    write(&store, "logs/AWSLogs/1234/other/x.parquet", vpc(30), true);
    assert_eq!(store.analysed(), ["complete,2,60"]);
    assert_eq!(
        store.sql(
            "SELECT count(*), min(start_time), max(end_time), sum(src_bytes), count(dst_bytes), count(tcp_flags), \
                   sum(observed_sides), count(conn_state) FROM flows"
        ),
        ["60,2026-03-02T01:00:00Z,2026-03-02T09:19:30Z,57000,0,0,60,3"]
    );
    assert_eq!(
        store.sql(
            "SELECT src_ip, src_port, dst_port, protocol, conn_state, sensor FROM flows \
                   WHERE src_port = 40003 AND end_time < '2026-03-02T02:00:00Z'"
        ),
        ["10.20.0.3,40003,443,6,S0,eni-1"]
    );
    assert_eq!(store.sql("SELECT count(*) FROM device_flows WHERE direction = 'outbound'"), ["60"]);
    let status = store.done("wardflow -C w status");
    assert!(status.contains("Archive s3://logs/AWSLogs/*/vpcflowlogs/**/*.parquet"), "{status}");
    assert!(status.contains("from 2026-03-02 00:00 to 2026-03-02 12:00, 2 slices, 3 files"), "{status}");
    // Of a file that has statistics nothing is kept, and nothing is done twice.
    let kept = fs::read_to_string(store.scratch.path().join("w/.wardflow-archive/hours.json")).unwrap();
    assert_eq!(kept.matches(&format!("\"{}\":21", MIDNIGHT / 3_600 + 9)).count(), 1, "{kept}");
    assert_eq!(store.analysed(), ["complete,2,60"]);
    // A new file makes its slice new, and no other. Its columns may be others.
    let flags = ("tcp_flags", numbers((0..21).map(|_| 19)));
    let file = "logs/AWSLogs/1234/vpcflowlogs/2026/03/02/13.log.parquet";
    write(&store, file, vpc(13).into_iter().chain([flags]).collect(), true);
    let said = store.done("wardflow -C w analyze");
    assert!(said.contains("1 slice"), "{said}");
    assert_eq!(store.analysed(), ["complete,3,80"]);
    assert_eq!(store.sql("SELECT count(*), count(tcp_flags), min(tcp_flags) FROM flows"), ["80,20,19"]);
}

#[test]
fn conditions_reach_the_columns_of_the_files() {
    let store = Store::new(VPC);
    write(&store, "logs/AWSLogs/1234/vpcflowlogs/a.parquet", vpc(1), true);
    let explained = |condition: &str| {
        let lines = store.sql(&format!("EXPLAIN ANALYZE SELECT count(*) FROM flows WHERE {condition}"));
        let text = lines.join("\n");
        let at = text.find("row_groups_pruned_statistics=").unwrap_or_else(|| panic!("{text}"));
        text[at..].split(',').next().unwrap().to_owned()
    };
    // Four row groups of five minutes each, and one of the record that is no flow.
    for (condition, kept) in [
        ("end_time >= '2026-03-02T01:17:00Z'", "=5 total → 1 matched"),
        ("end_time < '2026-03-02T01:04:00Z'", "=5 total → 1 matched"),
        ("src_bytes > 1850", "=5 total → 1 matched"),
        ("src_ip = '10.20.0.7'", "=5 total → 1 matched"),
        ("dst_port = 443", "=5 total → 4 matched"),
    ] {
        let seen = explained(condition);
        assert!(seen.contains(kept), "{condition}: {seen}");
    }
}

#[test]
fn what_a_file_lacks_costs_that_file_alone() {
    let store = Store::new(VPC);
    let renamed = |name: &'static str, other: &'static str| {
        vpc(2).into_iter().map(|(column, values)| (if column == name { other } else { column }, values)).collect()
    };
    write(&store, "logs/AWSLogs/1234/vpcflowlogs/bad.parquet", renamed("srcaddr", "src_addr"), true);
    let missing = "`src_ip` needs the column \"srcaddr\", which is not there (in 1234/vpcflowlogs/bad.parquet)";
    store.refused("wardflow -C w status", 2, &["aws-vpc.toml:", missing, "did you mean \"src_addr\"?"]);
    write(&store, "logs/AWSLogs/1234/vpcflowlogs/good.parquet", vpc(1), true);
    let ran = store.scratch.run(&store.line("wardflow -C w analyze"));
    assert!(ran.stdout.contains("bad.parquet") && ran.code == Some(1), "{ran:#?}");
    let ran = store.scratch.run(&store.line("wardflow -C w sql --format csv 'SELECT count(*) FROM flows'"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "count(*)\n20\n"), "{ran:#?}");
}

#[test]
fn nothing_is_ingested_into_what_is_only_read() {
    let store = Store::new(VPC);
    store.scratch.write("conn.log", include_str!("data/zeek/conn.log"));
    let rule =
        "nothing can be ingested into the archive s3://logs/AWSLogs/*/vpcflowlogs/**/*.parquet: its files are another";
    store.refused("wardflow -C w ingest zeek conn.log", 2, &[rule, "has a `mapping` or a pattern"]);
}

#[test]
fn ocsf_network_activity_is_read_where_it_lies() {
    let store = Store::new("archive = { url = \"s3://logs/ext\", mapping = \"ocsf-network-activity\" }\n");
    let structure = |fields: Vec<(&str, ArrayRef)>| -> ArrayRef {
        let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        let field = |(name, values): (&str, &ArrayRef)| Field::new(name, values.data_type().clone(), true);
        let fields: Fields = names.into_iter().zip(&values).map(field).collect();
        Arc::new(StructArray::new(fields, values, None))
    };
    let end = |ip: fn(i32) -> String, port: i32| {
        structure(vec![("ip", texts((0..20).map(ip))), ("port", numbers((0..20).map(|_| port)))])
    };
    let millis = |offset: i64| long_numbers((0..20).map(move |row| (MIDNIGHT + row * 60) * 1_000 + offset));
    let no_end: ArrayRef = Arc::new(Int64Array::from_iter(
        (0..20).map(|row| (row % 2 == 0).then_some((MIDNIGHT + row * 60) * 1_000 + 500)),
    ));
    let activity = |class: i32| {
        vec![
            ("class_uid", numbers((0..20).map(|_| class))),
            ("activity_id", numbers((0..20).map(|row| if row == 0 { 5 } else { 6 }))),
            ("time", millis(0)),
            ("start_time", millis(0)),
            ("end_time", Arc::clone(&no_end)),
            ("src_endpoint", end(|row| format!("10.20.0.{row}"), 40_000)),
            ("dst_endpoint", end(|_| "203.0.113.9".to_owned(), 443)),
            ("connection_info", structure(vec![("protocol_num", numbers((0..20).map(|_| 6)))])),
            ("traffic", structure(vec![("bytes_out", long_numbers(0..20)), ("bytes_in", long_numbers(100..120))])),
        ]
    };
    write(&store, "logs/ext/region=eu/eventDay=20260302/a.gz.parquet", activity(4001), true);
    write(&store, "logs/ext/region=eu/eventDay=20260302/http.gz.parquet", activity(4002), true);
    assert_eq!(store.analysed(), ["complete,1,20"]);
    assert_eq!(
        store.sql(
            "SELECT count(*), sum(src_bytes), sum(dst_bytes), sum(observed_sides), max(conn_state), max(end_time), \
                   min(dst_port) FROM flows"
        ),
        ["20,190,2190,40,REJ,2026-03-02T00:19:00Z,443"]
    );
}

#[test]
fn an_archive_and_a_lake_of_ones_own() {
    let store = Store::new("archive = \"s3://logs/flows\"\nlake = \"s3://logs/lake\"\n");
    store.scratch.write("conn.log", include_str!("data/zeek/conn.log"));
    let lines = include_str!("data/zeek/conn.log").lines().filter(|line| !line.starts_with('#')).count().to_string();
    let added = store.done("wardflow -C w ingest zeek conn.log");
    assert!(added.contains("added"), "{added}");
    assert!(store.done("wardflow -C w ingest zeek conn.log").contains("already there"));
    assert_eq!(store.sql("SELECT count(*) FROM flows"), [lines.as_str()]);
    assert_eq!(
        store.analysed(),
        [format!("complete,1,{}", store.sql("SELECT sum(flows) FROM coverage WHERE plugin IS NOT NULL")[0])]
    );
    assert!(store.done("wardflow -C w analyze").contains("Nothing is new"));
    let buckets = store.scratch.path().join("buckets/logs");
    assert!(buckets.join("lake/coverage/_delta_log/00000000000000000000.json").is_file());
    assert!(buckets.join("flows/date=2026-03-02").is_dir());
}

#[test]
fn a_log_that_grows_is_followed_into_a_store() {
    let store = Store::new("archive = \"s3://logs/flows\"\nlake = \"s3://logs/lake\"\n");
    let (first, second) = halves();
    let wait_for = |expected: usize| {
        let began = Instant::now();
        while store.sql("SELECT count(*) FROM flows") != [expected.to_string()] {
            assert!(began.elapsed() < PATIENCE, "{expected} flows did not come");
            thread::sleep(Duration::from_millis(200));
        }
    };
    store.scratch.write("logs/conn.log", &first);
    let mut following = store.scratch.shell(&store.line(FOLLOW)).spawn().unwrap();
    wait_for(records(&first));
    append(&store.scratch, &second);
    wait_for(records(&first) + records(&second));
    store.scratch.done(&format!("kill -INT {}", following.id()));
    assert_eq!(following.wait().unwrap().code(), Some(130));
    assert!(store.done("wardflow -C w ingest zeek logs").contains("already there"));
    wait_for(records(&first) + records(&second));
}

#[test]
fn what_is_wrong_with_a_store_is_told_soon() {
    let store = Store::new(VPC);
    let listed = "the archive s3://logs/AWSLogs/*/vpcflowlogs/**/*.parquet cannot be listed";
    for wrong in [
        "AWS_SECRET_ACCESS_KEY=other",
        "AWS_ENDPOINT=http://127.0.0.1:1",
        "AWS_ALLOW_HTTP=false",
        "AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=",
    ] {
        store.refused(
            &format!("{wrong} wardflow -C w status"),
            1,
            &[listed, "AWS_SECRET_ACCESS_KEY, which must be allowed"],
        );
    }
    for config in ["archive = { url = \"s3://missing/x\", mapping = \"aws-vpc\" }\n", "archive = \"s3://missing/x\"\n"]
    {
        store.scratch.write("w/wardflow.toml", config);
        store.refused("wardflow -C w status", 1, &["the archive s3://missing/x cannot be listed", "the bucket's name"]);
    }
    store.scratch.write("w/wardflow.toml", "lake = \"s3://missing/lake\"\n");
    store.refused("wardflow -C w status", 1, &["s3://missing/lake"]);
}
