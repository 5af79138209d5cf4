//! An analysis on a disk that fails, at every step that it takes on it: told as what it is, and made good by the next run.

use std::{fs, path::Path, sync::Arc};

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use wardflow_manifest::{Manifest, PluginId};

use super::{Options, Summary, analyze};
use crate::{
    archive::{Archive, ArchiveWriter, FlowRecord},
    config::Config,
    coverage::Row,
    detector::{
        Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Observation, Opened, Report, Saved, SessionId,
        Stop,
    },
    disk::failing::{Failing, How},
    error::{Error, Result},
    lake::{CURRENT_FINDINGS, Kept},
    workspace::{PINS, Workspace},
};

const MANIFEST: &str = r#"
    id = "example/counting"
    version = "1.0.0"
    contract = "0.1.0"
    publisher = "Example"
    intended_use = "A test."
    columns = ["peer", "end-time"]
    [[findings]]
    kind = "counted"
    title = "Counted"
    severity = "low"
    shows = "All."
    first_action = "None."
"#;

const HOUR: i64 = 3_600_000_000;

/// Says at the end of each slice how many flows a device ever had.
#[derive(Debug)]
struct Counting(Manifest);

#[derive(Default)]
struct Counts(Vec<u64>);

impl Detector for Counting {
    fn manifest(&self) -> &Manifest {
        &self.0
    }

    fn digest(&self) -> &'static str {
        "native"
    }

    fn memory(&self) -> usize {
        1 << 16
    }

    fn instantiate(&self, _: usize, _: &Stop) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(Counts::default()))
    }
}

impl Instance for Counts {
    fn open(&mut self, _: &DeviceFacts, _: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        self.0.push(state.map_or(0, |state| u64::from_le_bytes(state.try_into().unwrap())));
        Ok(Opened::Session(SessionId(self.0.len() - 1)))
    }

    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        self.0[session.0] += flows.len() as u64;
        Ok(Vec::new())
    }

    fn end_slice(&mut self, session: SessionId, _: i64, end: i64, _: &[Gap]) -> Result<Vec<Report>, Fault> {
        let count = self.0[session.0];
        let observation = Observation {
            name: "flows".into(),
            measured: count as f64,
            expected_low: None,
            expected_high: None,
            unit: "1".into(),
        };
        Ok(vec![Report {
            kind: "counted".into(),
            severity: None,
            score: 0.5,
            confidence: 0.5,
            first_time: end - 1,
            last_time: end - 1,
            peer: None,
            peer_port: None,
            protocol: None,
            flow_count: count,
            summary: format!("{count} flows"),
            cause_key: String::new(),
            observations: vec![observation],
            examples: Vec::new(),
        }])
    }

    fn save(&mut self, session: SessionId) -> Result<Saved, Fault> {
        Ok(Saved { bytes: self.0[session.0].to_le_bytes().to_vec(), learned: 1.0, ready: true })
    }

    fn cost(&self) -> Cost {
        Cost::default()
    }
}

/// Puts flows of three devices into two slices.
async fn write_flows(root: &Path) {
    let archive = Archive::open("archive", root).unwrap();
    let lock = archive.lock().unwrap();
    let mut writer = ArchiveWriter::new(&lock, crate::zone::AddressSpace::default()).unwrap();
    for flow in 0..40_u8 {
        let end = i64::from(flow) * HOUR / 4;
        let ends = ([10, 0, 0, flow % 3 + 1].into(), [203, 0, 113, 9].into());
        writer.push(&FlowRecord::new((end - 5, end), (ends.0, 40_000), (ends.1, 443), 6)).unwrap();
    }
    writer.finish("flows").await.unwrap();
}

async fn open(root: &Path) -> Workspace {
    let config = Config::parse(&root.join("wardflow.toml"), "slice_hours = 6\n", root).unwrap();
    Workspace::open(config, &[]).await.unwrap()
}

async fn run(root: &Path) -> Result<Summary> {
    let workspace = open(root).await;
    let plugin = workspace.settle(Arc::new(Counting(Manifest::from_toml(MANIFEST).unwrap()))).unwrap();
    let options = Options { command: "a test".into(), ..Options::default() };
    analyze(&workspace, vec![plugin], &SessionContext::new(), &options, &Stop::default(), &|_| {}).await
}

/// Everything that a run promises: findings, observations, coverage without what names the run, and that states are kept.
async fn results(root: &Path) -> String {
    let lake = open(root).await.lake;
    let context = SessionContext::new();
    for (table, provider) in lake.all_tables().await {
        context.register_table(table.name(), provider.unwrap()).unwrap();
    }
    let mut text = String::new();
    for table in [CURRENT_FINDINGS.to_owned(), CURRENT_FINDINGS.replace("FROM findings", "FROM observations")] {
        let sql = format!("SELECT * EXCLUDE (commit) FROM ({table}) ORDER BY slice_start, finding_id");
        let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
        text += &pretty_format_batches(&batches).unwrap().to_string();
    }
    for row in lake.current_coverage().await.unwrap() {
        text += &format!("\n{:?}", Row { run_id: String::new(), commit: String::new(), ..row });
    }
    let plugin: PluginId = "example/counting".parse().unwrap();
    let newest = lake.states().list(&plugin).await.unwrap().pop();
    let states = match &newest {
        Some(file) => lake.states().load(&plugin, file).await.unwrap(),
        None => Kept::Gone,
    };
    // Which slices they reach is no promise: coverage has the digest that they have after each, and they are made again.
    text + &format!("\n{}", matches!(states, Kept::Whole(_)))
}

fn check_told(error: &Error, how: How) {
    let reason = error.reason();
    let (cause, remedy) = match how {
        How::Once => ("Input/output error", "the disk failed"),
        How::Full | How::Half => ("No space left on device", "make room on it"),
    };
    assert!(reason.contains(cause) && reason.contains("cannot"), "{reason}");
    assert!(!reason.contains("panic") && !reason.contains("bug"), "{reason}");
    assert!(error.remedy_text().is_some_and(|told| told.contains(remedy)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_is_told_and_made_good() {
    let directory = tempfile::tempdir().unwrap();
    let root = &directory.path().canonicalize().unwrap();
    fs::create_dir(root.join("plugins")).unwrap();
    write_flows(root).await;
    let failing = Failing::under(root);
    let steps = {
        run(root).await.unwrap();
        failing.steps()
    };
    let expected = results(root).await;
    assert!(expected.contains("27 flows") || expected.contains("13 flows"), "{expected}");
    assert!(steps.len() > 80, "{steps:?}");

    let mut told = 0;
    for (at, step) in steps.iter().enumerate() {
        let how = How::ALL[at % How::ALL.len()];
        fs::remove_dir_all(root.join("lake")).unwrap_or_default();
        fs::remove_file(root.join(PINS)).unwrap_or_default();
        failing.at(at, how);
        let ran = run(root).await;
        failing.never();
        results(root).await;
        // What is only for speed, or was tried again, fails nothing.
        if let Err(error) = ran {
            check_told(&error, how);
            told += 1;
            run(root).await.unwrap();
        }
        assert_eq!(results(root).await, expected, "{how:?} at {at}: {step:?}");
    }
    assert!(told * 10 > steps.len() * 9, "{told} of {} steps failed the run", steps.len());
}
