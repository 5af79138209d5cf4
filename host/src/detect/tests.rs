//! The operator against a fake detector, which reports of each session what it was given.

use std::{
    fmt::Write,
    sync::{Arc, Barrier},
    time::Duration,
};

use arrow::{
    array::{
        ArrayRef, AsArray, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt8Array, UInt16Array,
        UInt64Array,
    },
    datatypes::{Schema, SchemaRef},
};
use datafusion::{
    datasource::MemTable,
    execution::{memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    prelude::{SessionConfig, SessionContext},
};
use ipnet::IpNet;
use wardflow_manifest::Column;
use wardflow_manifest::Manifest;

use super::{Allowance, Budget, DetectTable, Directory, Groups, Output, PluginRun, Prevalence, Slice, World};
use crate::{
    coverage::Status,
    detector::{
        Cost, Detector, DeviceFacts, Fault, FaultKind, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop,
    },
    device::{Entry, Facts, Inventory},
    error::Context,
    flow,
    lake::{State, StateKey, StateSet},
    limits::Limits,
    pseudonym::Key,
    reset::Resets,
    zone::AddressSpace,
};

const SLICE: Slice = Slice { start: 0, end: 6 * 3_600_000_000 };

/// Reports of each session how many flows it got in which batches, and a digest of every column.
#[derive(Debug)]
struct Fake {
    manifest: Manifest,
    /// Traps on the device of this firmware.
    trap_on: &'static str,
    /// Spins on every device, once this has been told.
    spins: Option<Arc<Barrier>>,
}

struct FakeInstance {
    sessions: Vec<(String, blake3::Hasher, u64)>,
    columns: Vec<Column>,
    trap_on: &'static str,
    spins: Option<Arc<Barrier>>,
    stop: Stop,
}

impl Fake {
    fn new(id: &str, columns: &str, trap_on: &'static str) -> Arc<Self> {
        let text = format!(
            "id = \"{id}\"\nversion = \"1.0.0\"\ncontract = \"0.1.0\"\npublisher = \"Example\"\nintended_use = \"A test.\"\n\
             columns = [{columns}]\n[[findings]]\nkind = \"given\"\ntitle = \"Given\"\nseverity = \"low\"\nshows = \"All.\"\n\
             first_action = \"None.\"\n"
        );
        Arc::new(Self { manifest: Manifest::from_toml(&text).unwrap(), trap_on, spins: None })
    }
}

impl Detector for Fake {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn digest(&self) -> &str {
        "fake"
    }

    fn memory(&self) -> usize {
        1 << 16
    }

    fn instantiate(&self, _: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault> {
        let columns = self.manifest.columns.iter().copied().collect();
        let (spins, stop) = (self.spins.clone(), stop.clone());
        Ok(Box::new(FakeInstance { columns, trap_on: self.trap_on, spins, stop, sessions: Vec::new() }))
    }
}

impl Instance for FakeInstance {
    fn open(&mut self, device: &DeviceFacts, _: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        if !self.trap_on.is_empty() && device.firmware == self.trap_on {
            return Err(Fault::new("open", FaultKind::Trap, "a trap"));
        }
        let mut summary = String::new();
        let before = state.map_or(0, |state| state.len());
        let _ = write!(summary, "state {before};");
        self.sessions.push((summary, blake3::Hasher::new(), 0));
        Ok(Opened::Session(SessionId(self.sessions.len() - 1)))
    }

    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        if let Some(begun) = &self.spins {
            begun.wait();
            while !self.stop.is_stopped() {
                std::thread::yield_now();
            }
            return Err(Fault::new("observe", FaultKind::Stopped, "the run was stopped"));
        }
        let (summary, hasher, count) = &mut self.sessions[session.0];
        let _ = write!(summary, " {}@{}", flows.len(), flows.first_row());
        for column in &self.columns {
            hasher.update(format!("{:?}", flows.column(*column)).as_bytes());
        }
        *count += flows.len() as u64;
        Ok(Vec::new())
    }

    fn end_slice(&mut self, session: SessionId, _: i64, end: i64, gaps: &[Gap]) -> Result<Vec<Report>, Fault> {
        let (summary, hasher, count) = &self.sessions[session.0];
        Ok(vec![Report {
            kind: "given".into(),
            severity: None,
            score: 0.5,
            confidence: 0.5,
            first_time: end - 1,
            last_time: end - 1,
            peer: None,
            peer_port: None,
            protocol: None,
            flow_count: *count,
            summary: format!("{summary} gaps {} {}", gaps.len(), hasher.finalize().to_hex()),
            cause_key: String::new(),
            observations: Vec::new(),
            examples: (0..20).take_while(|row| u64::from(*row) < *count).collect(),
        }])
    }

    fn save(&mut self, _: SessionId) -> Result<Saved, Fault> {
        Ok(Saved { bytes: vec![7; 3], learned: 1.0, ready: true })
    }

    fn cost(&self) -> Cost {
        Cost { cpu: Duration::from_micros(1), ..Cost::default() }
    }
}

/// A pump that talks to a gateway, more often than a batch holds, with ties in time; a workstation that talks outside;
/// a device that is silent; and a flow to an address that nobody knows.
fn flows(files: usize, reverse: bool) -> Arc<MemTable> {
    flows_at_once(2, files, reverse)
}

/// The same, where so many of the pump's end together.
fn flows_at_once(tied: i64, files: usize, reverse: bool) -> Arc<MemTable> {
    let mut rows: Vec<(i64, &str, &str, u16, u64)> = Vec::new();
    for i in 0..20_000_i64 {
        rows.push((i / tied * 1_000_000, "10.0.0.1", "10.0.0.2", u16::try_from(i % 3).unwrap(), i.cast_unsigned()));
    }
    for i in 0..500_i64 {
        rows.push((i * 7_000_000, "10.0.1.9", "203.0.113.7", 1, 5));
    }
    rows.push((1, "192.168.7.7", "10.0.0.1", 9, 1));
    rows.push((SLICE.end, "10.0.0.1", "10.0.0.2", 9, 1));
    if reverse {
        rows.reverse();
    }
    let names =
        ["start_time", "end_time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "src_bytes", "dst_bytes"];
    let schema: SchemaRef =
        Arc::new(Schema::new(names.map(|name| flow::schema().field_with_name(name).unwrap().clone()).to_vec()));
    let batch = |rows: &[(i64, &str, &str, u16, u64)]| {
        let time =
            || Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.0)).with_timezone("UTC"));
        let columns: Vec<ArrayRef> = vec![
            time(),
            time(),
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| r.1))),
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| r.2))),
            Arc::new(UInt16Array::from_iter_values(rows.iter().map(|r| 40_000 + r.3))),
            Arc::new(UInt16Array::from_iter_values(rows.iter().map(|_| 443))),
            Arc::new(UInt8Array::from_iter_values(rows.iter().map(|_| 6))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.4))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.4 * 2))),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    let partitions =
        rows.chunks(rows.len().div_ceil(files)).map(|rows| rows.chunks(3_000).map(batch).collect()).collect();
    Arc::new(MemTable::try_new(Arc::clone(&schema), partitions).unwrap())
}

fn world() -> Arc<World> {
    let entry = |id: &str, ip: &str, firmware: &str, zone: &str| Entry {
        device_id: id.into(),
        ip: ip.parse().ok(),
        mac: None,
        valid_from: i64::MIN,
        valid_to: i64::MAX,
        facts: Facts { class: "pump".into(), firmware: firmware.into(), zone: zone.into(), ..Facts::default() },
        source: "test".into(),
        confidence: 1.0,
    };
    Arc::new(World {
        resets: Resets::default(),
        inventory: Inventory::new(vec![
            entry("pump", "10.0.0.1", "1", "ward"),
            entry("gateway", "10.0.0.2", "2", "ward"),
            entry("silent", "10.0.0.3", "3", ""),
        ]),
        space: AddressSpace::new(vec!["10.0.0.0/8".parse::<IpNet>().unwrap()]),
        infrastructure: Vec::new(),
        timezone: jiff::tz::TimeZone::UTC,
        key: Key::new([1; Key::LEN]).into(),
    })
}

/// Findings (device, summary, examples) of one plugin, the devices that were lost, and whose states there are.
struct Ran {
    findings: Vec<String>,
    lost: Vec<String>,
    states: Vec<StateKey>,
}

async fn run(
    table: Arc<MemTable>,
    plugins: Vec<Arc<Fake>>,
    partitions: usize,
    batch_size: usize,
    memory: usize,
) -> Ran {
    run_from(Vec::new(), table, plugins, partitions, batch_size, memory).await
}

async fn run_from(
    states: Vec<(StateKey, State)>,
    table: Arc<MemTable>,
    plugins: Vec<Arc<Fake>>,
    partitions: usize,
    batch_size: usize,
    memory: usize,
) -> Ran {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(memory)));
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_size);
    let context = SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap());
    ran(&collect(states, table, plugins, &context).await.unwrap())
}

async fn collect(
    states: Vec<(StateKey, State)>,
    table: Arc<MemTable>,
    plugins: Vec<Arc<Fake>>,
    context: &SessionContext,
) -> datafusion::error::Result<Vec<RecordBatch>> {
    let table = table_of(states, table, plugins, &Stop::default());
    context.read_table(Arc::new(table)).unwrap().collect().await
}

fn table_of(states: Vec<(StateKey, State)>, flows: Arc<MemTable>, plugins: Vec<Arc<Fake>>, stop: &Stop) -> DetectTable {
    let runs = plugins.into_iter().map(|fake| {
        let manifest = fake.manifest.clone();
        let mut set = StateSet::new(manifest.id, 1, "", 0);
        states.iter().cloned().for_each(|(key, state)| set.insert(key, state));
        PluginRun {
            parameters: "{}".into(),
            groups: Arc::new(Groups::default()),
            states: Arc::new(set),
            prevalence: Arc::new(Prevalence::default()),
            most_findings: 10,
            budget: Arc::new(Budget::new(Allowance::from(&Limits::default()))),
            detector: fake,
        }
    });
    let directory = Arc::new(Directory::new(world()).unwrap());
    DetectTable::new(flows, directory, SLICE, runs.collect(), None, stop.clone())
}

fn ran(batches: &[RecordBatch]) -> Ran {
    let mut ran = Ran { findings: Vec::new(), lost: Vec::new(), states: Vec::new() };
    for batch in batches {
        match Output::from_batch(batch).unwrap() {
            Output::Findings(rows) => {
                let text = |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>();
                let examples = rows.column_by_name("examples").unwrap();
                for row in (0..rows.num_rows()).filter(|row| text("plugin").value(*row) == "example/first") {
                    let examples = arrow::util::display::array_value_to_string(examples, row).unwrap();
                    ran.findings.push(format!(
                        "{}: {} {examples}",
                        text("device_id").value(row),
                        text("summary").value(row)
                    ));
                }
            }
            Output::Coverage(rows) => {
                ran.lost.extend(rows.into_iter().filter(|r| r.status == Status::Faulted).filter_map(|r| r.device_id));
            }
            Output::States(rows) => ran.states.extend(rows.into_iter().map(|row| row.key)),
            _ => {}
        }
    }
    ran.findings.sort();
    ran.lost.sort();
    ran
}

const ALL: &str = "\"start-time\", \"end-time\", \"direction\", \"peer\", \"peer-scope\", \"peer-class\", \"peer-zone\", \
                   \"local-port\", \"peer-port\", \"protocol\", \"bytes-sent\", \"bytes-received\", \"minute-of-week\"";

const PLENTY: usize = 1 << 30;

fn first(trap_on: &'static str) -> Arc<Fake> {
    Fake::new("example/first", ALL, trap_on)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_device_in_scope_has_a_session_of_its_own_flows() {
    let ran = run(flows(1, false), vec![first("")], 2, 8_192, PLENTY).await;
    let begins: Vec<_> = ran.findings.iter().map(|f| f.split(" gaps").next().unwrap()).collect();
    assert_eq!(
        begins,
        [
            "10.0.1.9: state 0; 500@0",
            "gateway: state 0; 8192@0 8192@8192 3616@16384",
            "pump: state 0; 8192@0 8192@8192 3617@16384",
            "silent: state 0;",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_flows_have_no_room_in_memory_nor_on_disk_the_setting_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(1 << 20)))
        .with_temp_file_path(directory.path().join("spilled"))
        .build_arc()
        .unwrap();
    let config = SessionConfig::new().with_target_partitions(2).with_batch_size(1_000);
    let context = SessionContext::new_with_config_rt(config, runtime);
    std::fs::remove_dir_all(directory.path().join("spilled")).unwrap();
    let failed = collect(Vec::new(), flows(1, false), vec![first("")], &context).await;
    let error = failed.context(|| "the slice could not be analysed".to_owned()).unwrap_err();
    assert!(error.reason().contains("flows that memory has no room for cannot be put aside on disk"), "{error:?}");
    assert!(error.remedy_text().is_some_and(|remedy| remedy.contains("TMPDIR") && remedy.contains("--memory")));

    // Where there is room for neither, it is memory that is asked for.
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(1 << 15)));
    let context = SessionContext::new_with_config_rt(SessionConfig::new(), runtime.build_arc().unwrap());
    let failed = collect(Vec::new(), flows(1, false), vec![first("")], &context).await;
    let error = failed.context(|| "the slice could not be analysed".to_owned()).unwrap_err();
    assert!(error.reason().contains("a plugin may grow to"), "{error:?}");
    assert!(error.remedy_text().is_some_and(|remedy| remedy.contains("--memory")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_that_nobody_waits_for_ends_and_cancels_nothing_else() {
    let begun = Arc::new(Barrier::new(2));
    let spinning = Fake { spins: Some(Arc::clone(&begun)), ..Arc::into_inner(first("")).unwrap() };
    let whole = Stop::default();
    let table = table_of(Vec::new(), flows(1, false), vec![Arc::new(spinning)], &whole);
    let config = SessionConfig::new().with_target_partitions(1);
    let frame = SessionContext::new_with_config(config).read_table(Arc::new(table)).unwrap();
    let polled = tokio::spawn(frame.collect());
    tokio::task::spawn_blocking(move || begun.wait()).await.unwrap();
    // As when another partition fails. A guest that did not end would keep the runtime from ending.
    polled.abort();
    polled.await.unwrap_err();
    assert!(!whole.is_stopped());
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_do_not_depend_on_how_the_flows_come() {
    let expected = run(flows(1, false), vec![first("")], 1, 8_192, PLENTY).await.findings;
    let second = || Fake::new("example/second", "\"bytes-sent\", \"peer-role\"", "");
    for (files, reverse, partitions, batch_size, memory) in [
        (1, true, 1, 8_192, PLENTY),
        (7, false, 2, 8_192, PLENTY),
        (7, true, 8, 1_000, PLENTY),
        (3, false, 8, 65_536, PLENTY),
        (3, true, 2, 100, PLENTY),
        (3, true, 2, 8_192, 5 << 20),
        // Room for either busy device, and not for both at once.
        (3, true, 2, 8_192, 1_200_000),
    ] {
        let case =
            format!("{files} files, reverse {reverse}, {partitions} partitions, {batch_size} rows, {memory} bytes");
        let ran = run(flows(files, reverse), vec![first("")], partitions, batch_size, memory).await;
        assert_eq!(ran.findings, expected, "{case}");
        let ran = run(flows(files, reverse), vec![second(), first("")], partitions, batch_size, memory).await;
        assert_eq!(ran.findings, expected, "{case}, beside another plugin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_flows_than_a_batch_holds_may_end_together() {
    const AT_ONCE: i64 = 20_000;
    let expected = run(flows_at_once(AT_ONCE, 1, false), vec![first("")], 1, 8_192, PLENTY).await.findings;
    for (files, reverse, partitions, batch_size) in [(1, true, 1, 8_192), (7, true, 8, 1_000)] {
        let flows = flows_at_once(AT_ONCE, files, reverse);
        assert_eq!(run(flows, vec![first("")], partitions, batch_size, PLENTY).await.findings, expected);
    }
    // There is room for them, and none to order them.
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(2 << 20)));
    let context = SessionContext::new_with_config_rt(SessionConfig::new(), runtime.build_arc().unwrap());
    let failed = collect(Vec::new(), flows_at_once(AT_ONCE, 1, false), vec![first("")], &context).await;
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("that end at one moment") && error.contains("--memory"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_breaks_the_guest_is_lost_alone() {
    let expected = run(flows(1, false), vec![first("")], 2, 8_192, PLENTY).await.findings;
    let ran = run(flows(1, false), vec![first("2")], 2, 8_192, PLENTY).await;
    assert_eq!(ran.lost, ["gateway"]);
    let others: Vec<_> = expected.into_iter().filter(|finding| !finding.starts_with("gateway")).collect();
    assert_eq!(ran.findings, others);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_device_learned_stays_that_of_its_firmware() {
    let key = |id: &str, firmware: &str| StateKey { device_id: id.into(), firmware: firmware.into() };
    let before = ["pump", "gateway"].map(|id| (key(id, "0.9"), State { bytes: vec![7; 3], ..State::default() }));
    let ran = run_from(before.into(), flows(1, false), vec![first("2")], 2, 8_192, PLENTY).await;
    assert_eq!(ran.lost, ["gateway"]);
    assert!(ran.states.contains(&key("gateway", "0.9")) && ran.states.contains(&key("pump", "1")), "{:?}", ran.states);
}
