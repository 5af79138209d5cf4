//! Wardflow's own arms: slice after slice through the operator, states carried on, findings kept.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType};
use datafusion::{
    physical_plan::{ExecutionPlan, execute_stream},
    prelude::SessionContext,
};
use futures::StreamExt;
use wardflow::{
    archive::{Archive, ArchiveFile, IngestOptions, SliceInput, ingest as ingest_sources, slices},
    catalog::FlowFiles,
    detect::{
        Allowance, Budget, DetectTable, Directory, Groups, Observed, Only, Output, PluginRun, Prevalence, Slice, World,
    },
    detector::{Detector, Stop},
    device::Inventory,
    lake::StateSet,
    limits::Limits,
    pseudonym::Key,
    sandbox::{Compiler, Sandbox},
    zone::AddressSpace,
};
use wardflow_manifest::{Column, Manifest};

use crate::{Export, Result, arm::Found, linked::Linked};

/// Hours of a slice.
const SLICE_HOURS: u32 = 6;

/// An archive and a session to read it with.
pub(crate) struct Engine {
    session: SessionContext,
    archive: Archive,
    files: Vec<ArchiveFile>,
    world: Arc<World>,
}

/// What a run over the whole archive came to.
#[derive(Default)]
pub(crate) struct Ran {
    pub(crate) flows: u64,
    pub(crate) guest_seconds: f64,
    pub(crate) bytes_crossed: u64,
    pub(crate) bytes_read: u64,
    /// The last finding of each cause, with its observations.
    pub(crate) found: BTreeMap<String, Found>,
}

impl Engine {
    pub(crate) async fn open(directory: &Path, inventory: Inventory, session: SessionContext) -> Result<Self> {
        let archive = Archive::open(&directory.canonicalize()?.display().to_string(), Path::new("/"))?;
        session.register_object_store(archive.store_url(), Arc::clone(archive.store()));
        let files = archive.list().await?.files;
        let world = World {
            resets: wardflow::reset::Resets::default(),
            inventory,
            space: AddressSpace::default(),
            infrastructure: Vec::new(),
            timezone: jiff::tz::TimeZone::UTC,
            key: Key::new([7; Key::LEN]).into(),
        };
        Ok(Self { session, archive, files, world: Arc::new(world) })
    }

    /// Reads columns and drops them.
    pub(crate) async fn scan(&self, columns: &[&str]) -> Result<Ran> {
        let flows = FlowFiles::new(&self.archive, self.files.clone())?;
        let frame = self.session.read_table(Arc::new(flows))?.select_columns(columns)?;
        let plan = frame.create_physical_plan().await?;
        let mut stream = execute_stream(Arc::clone(&plan), self.session.task_ctx())?;
        let mut ran = Ran::default();
        while let Some(batch) = stream.next().await {
            ran.flows += batch?.num_rows() as u64;
        }
        ran.count(&plan);
        Ok(ran)
    }

    /// Runs detectors over every slice, for all devices or for one.
    pub(crate) async fn detect(&self, detectors: &[Arc<dyn Detector>], only: Option<String>) -> Result<Ran> {
        let directory = Arc::new(Directory::new(Arc::clone(&self.world))?);
        let mut plugins: Vec<PluginRun> = detectors.iter().map(plugin).collect::<Result<_>>()?;
        let mut ran = Ran::default();
        for input in slices(&self.files, SLICE_HOURS) {
            let files = input.files.iter().map(|file| self.files[*file].clone()).collect();
            let flows = Arc::new(FlowFiles::new(&self.archive, files)?);
            let slice = Slice { start: input.start, end: input.end };
            let only = only.clone().map(|device| Only {
                devices: vec![device],
                observed: observed(&input, slice),
                is_canonical: true,
            });
            let table = DetectTable::new(flows, Arc::clone(&directory), slice, plugins.clone(), only, Stop::default());
            let observed = Arc::clone(table.observed());
            let plan = self.session.read_table(Arc::new(table))?.create_physical_plan().await?;
            let mut stream = execute_stream(Arc::clone(&plan), self.session.task_ctx())?;
            while let Some(batch) = stream.next().await {
                ran.take(Output::from_batch(&batch?)?, &mut plugins)?;
            }
            ran.flows += observed.flows();
            ran.count(&plan);
        }
        Ok(ran)
    }
}

/// What the footers say of all flows of a slice.
fn observed(input: &SliceInput, slice: Slice) -> Option<Arc<Observed>> {
    let delivered = input.delivered.as_ref()?;
    Some(Arc::new(Observed::known(slice, input.rows, delivered.lacking(), delivered.minutes())))
}

impl Ran {
    /// Adds what a plan's operators counted.
    fn count(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        let metrics = plan.metrics().map(|metrics| metrics.aggregate_by_name());
        let of =
            |name: &str| metrics.as_ref().and_then(|metrics| metrics.sum_by_name(name)).map_or(0, |m| m.as_usize());
        self.guest_seconds += of("time_in_guest") as f64 / 1e9;
        self.bytes_crossed += of("bytes_crossed") as u64;
        self.bytes_read += of("bytes_scanned") as u64;
        plan.children().into_iter().for_each(|child| self.count(child));
    }

    fn take(&mut self, output: Output, plugins: &mut [PluginRun]) -> Result<()> {
        match output {
            Output::Findings(batch) => self.findings(&batch),
            Output::Observations(batch) => self.observations(&batch),
            Output::States(rows) => {
                for row in rows {
                    if let Some(plugin) = plugins.iter_mut().find(|plugin| plugin.id() == &*row.plugin) {
                        Arc::make_mut(&mut plugin.states).insert(row.key, row.state);
                    }
                }
            }
            Output::Coverage(rows) => {
                if let Some(row) = rows.iter().find(|row| row.plugin.is_some() && row.fault.is_some()) {
                    return Err(format!("not covered: {row:?}").into());
                }
            }
            Output::Contacts(..) => {}
        }
        Ok(())
    }

    fn findings(&mut self, batch: &RecordBatch) {
        let column = |name: &str| batch.column_by_name(name).cloned();
        let text = |name: &str| column(name).map(|column| column.as_string::<i32>().clone());
        let (Some(ids), Some(devices), Some(peers)) = (text("finding_id"), text("device_id"), text("peer_ip")) else {
            return;
        };
        let ports = column("peer_port").map(|column| column.as_primitive::<Int32Type>().clone());
        for row in 0..batch.num_rows() {
            let found = self.found.entry(ids.value(row).to_owned()).or_default();
            found.device = devices.value(row).to_owned();
            found.peer = peers.value(row).to_owned();
            found.port = ports.as_ref().map_or(0, |ports| ports.value(row));
        }
    }

    fn observations(&mut self, batch: &RecordBatch) {
        let column = |name: &str| batch.column_by_name(name).cloned();
        let text = |name: &str| column(name).map(|column| column.as_string::<i32>().clone());
        let starts = column("slice_start").map(|column| column.as_primitive::<TimestampMicrosecondType>().clone());
        let measured = column("measured").map(|column| column.as_primitive::<Float64Type>().clone());
        let (Some(ids), Some(names), Some(starts), Some(measured)) =
            (text("finding_id"), text("name"), starts, measured)
        else {
            return;
        };
        for row in 0..batch.num_rows() {
            let found = self.found.entry(ids.value(row).to_owned()).or_default();
            if starts.is_valid(row) && starts.value(row) >= found.slice {
                found.slice = starts.value(row);
                found.measured.insert(names.value(row).to_owned(), measured.value(row));
            }
        }
    }
}

/// Ingests a Zeek log into a new archive beside it.
pub(crate) async fn ingest(directory: &Path) -> Result<Ran> {
    let archive = Archive::open("archive", directory)?;
    let place = directory.join("archive");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    let lock = archive.lock()?;
    let log = directory.join("conn.log").display().to_string();
    let report = ingest_sources(&lock, &[log], None, &IngestOptions::default()).await?;
    Ok(Ran { flows: report.sources.iter().map(|source| source.counts.flows).sum(), ..Ran::default() })
}

/// A plugin's component in the sandbox, under `ids` one after the other.
pub(crate) fn sandboxed(plugins: &Path, name: &str, ids: &[String]) -> Result<Vec<Arc<dyn Detector>>> {
    let sandbox = Sandbox::new(Limits::default(), Compiler::here().kept_in(Some(plugins.join("code"))))?;
    let plugin: Arc<dyn Detector> = Arc::new(sandbox.load_file(&plugins.join(format!("{name}.wasm")))?);
    Ok(ids.iter().map(|id| Arc::new(Renamed::new(Arc::clone(&plugin), id)) as _).collect())
}

/// A plugin's component without interruption, compiled anew.
pub(crate) fn uninterrupted(plugins: &Path, name: &str) -> Result<Arc<dyn Detector>> {
    let sandbox = Sandbox::without_deadlines(Limits::default(), Compiler::here())?;
    Ok(Arc::new(sandbox.load_file(&plugins.join(format!("{name}.wasm")))?))
}

/// A plugin's component that declares and pulls only these columns.
pub(crate) fn narrowed(plugins: &Path, name: &str, columns: &[Column]) -> Result<Arc<dyn Detector>> {
    let [plugin] = sandboxed(plugins, name, &[name.replacen('-', "/", 1)])?
        .try_into()
        .map_err(|_| format!("{name} is one plugin"))?;
    let mut manifest = plugin.manifest().clone();
    manifest.columns = columns.iter().copied().collect();
    let names: Vec<_> = columns.iter().map(|column| column.name()).collect();
    manifest.parameters["properties"]["pull"]["default"] = serde_json::json!(names);
    Ok(Arc::new(Renamed { detector: plugin, manifest }))
}

/// A plugin's source, linked into this program.
pub(crate) fn native(export: Export) -> Result<Arc<dyn Detector>> {
    let manifest = export()?.manifest().clone();
    Ok(Arc::new(Linked { export, manifest, digest: "native".to_owned() }))
}

/// The same detector under another id.
#[derive(Debug)]
struct Renamed {
    detector: Arc<dyn Detector>,
    manifest: Manifest,
}

impl Renamed {
    fn new(detector: Arc<dyn Detector>, id: &str) -> Self {
        let mut manifest = detector.manifest().clone();
        if let Ok(id) = id.parse() {
            manifest.id = id;
        }
        Self { detector, manifest }
    }
}

impl Detector for Renamed {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn digest(&self) -> &str {
        self.detector.digest()
    }

    fn memory(&self) -> usize {
        self.detector.memory()
    }

    fn instantiate(
        &self,
        sessions: usize,
        stop: &Stop,
    ) -> std::result::Result<Box<dyn wardflow::detector::Instance>, wardflow::detector::Fault> {
        self.detector.instantiate(sessions, stop)
    }
}

fn plugin(detector: &Arc<dyn Detector>) -> Result<PluginRun> {
    let manifest = detector.manifest();
    let defaults = manifest.parameters.get("properties").and_then(serde_json::Value::as_object).into_iter().flatten();
    let parameters: serde_json::Map<_, _> =
        defaults.filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone()))).collect();
    Ok(PluginRun {
        parameters: serde_json::to_string(&parameters)?.into(),
        groups: Arc::new(Groups::new(manifest, &BTreeMap::new())?),
        states: Arc::new(StateSet::new(manifest.id.clone(), manifest.state_version, "", 0)),
        prevalence: Arc::new(Prevalence::default()),
        most_findings: 4_096,
        budget: Arc::new(Budget::new(Allowance::from(&Limits::default()))),
        detector: Arc::clone(detector),
    })
}
