//! `DetectExec`: resolved flows in; findings, states and coverage out.
//!
//! It reads its whole input, keeping rows by shard, and then runs every plugin over one shard after the other, as many
//! shards at a time as it has partitions.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arrow::array::RecordBatch;
use datafusion::{
    common::{DataFusionError, Result, exec_err},
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::MemoryConsumer},
    physical_expr::EquivalenceProperties,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, Time},
        stream::RecordBatchReceiverStream,
    },
};
use tokio::sync::mpsc::Sender;
use wardflow_manifest::Column;

use super::{
    Output, PluginRun, ShardCoverage, Slice,
    buffer::ShardBuffers,
    exchange::{Exchange, Gathering, Reader},
    node::one_input,
    output,
    resolve::Shared,
    rows::ShardRows,
    session::{ShardOutcome, ShardRun},
    slice_facts::SliceFacts,
};
use crate::{
    coverage::Status,
    detector::{Fault, FaultKind, Stop},
    error::Error,
};

/// Runs plugins over the resolved flows of a slice.
#[derive(Debug)]
pub struct DetectExec {
    input: Arc<dyn ExecutionPlan>,
    run: Arc<SliceRun>,
    exchange: Exchange,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What all partitions use.
#[derive(Debug)]
pub(super) struct SliceRun {
    pub(super) shared: Arc<Shared>,
    pub(super) stop: Stop,
    /// Made once every flow of the slice is resolved.
    pub(super) facts: OnceLock<Arc<SliceFacts>>,
    /// Devices with flows that no plugin watches, and those flows, by shard. Made at the same time.
    pub(super) outside: OnceLock<Vec<(u64, u64)>>,
}

impl DetectExec {
    /// Over rows of the layout that plugins and slice share; so many shards run at a time.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, run: Arc<SliceRun>, threads: usize) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(output::schema()),
            Partitioning::UnknownPartitioning(threads.max(1)),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            input,
            run,
            exchange: Exchange::new(threads.max(1)),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for DetectExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugin = |plugin: &PluginRun| {
            let manifest = plugin.detector.manifest();
            let columns: Vec<_> = manifest.columns.iter().map(|column| column.name()).collect();
            format!("{} {} sees [{}]", manifest.id, manifest.version, columns.join(", "))
        };
        let plugins: Vec<_> = self.run.shared.plugins.iter().map(plugin).collect();
        let time = |at| jiff::Timestamp::from_microsecond(at).map_or_else(|_| at.to_string(), |at| at.to_string());
        let Slice { start, end } = self.run.shared.slice;
        write!(f, "DetectExec: slice=[{}, {}), plugins=[{}]", time(start), time(end), plugins.join("; "))
    }
}

impl ExecutionPlan for DetectExec {
    one_input!("DetectExec", |plan, input| Self::new(
        input,
        Arc::clone(&plan.run),
        plan.properties.partitioning.partition_count()
    ));

    /// It brings the partitions of its input together by itself.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("DetectExec").register(context.memory_pool());
        let gathering = self.exchange.gather(self.run.shared.layout.schema_in_shard(), memory, || {
            let partitions = 0..self.input.output_partitioning().partition_count();
            partitions.map(|partition| self.reader(partition, &context)).collect()
        })?;
        let counters = Counters::new(&self.metrics, partition);
        let run = Arc::clone(&self.run);
        let mut builder = RecordBatchReceiverStream::builder(output::schema(), 2);
        let sender = builder.tx();
        builder.spawn(async move { run.run_shards(gathering, counters, sender).await });
        Ok(builder.build())
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

impl DetectExec {
    fn reader(&self, partition: usize, context: &Arc<TaskContext>) -> Result<Reader> {
        let consumer = MemoryConsumer::new(format!("DetectExec[{partition}], reading")).with_can_spill(true);
        let reservation = consumer.register(context.memory_pool());
        let layout = &self.run.shared.layout;
        let recycled = Arc::clone(self.run.shared.directory.recycled());
        Ok(Reader {
            input: self.input.execute(partition, Arc::clone(context))?,
            buffers: ShardBuffers::new(layout, recycled, reservation, context, &self.metrics, partition),
            rows_in: MetricBuilder::new(&self.metrics).counter("rows_in", partition),
        })
    }
}

/// What `EXPLAIN ANALYZE` shows.
#[derive(Clone)]
struct Counters {
    bytes_crossed: Count,
    time_in_guest: Time,
    findings_out: Count,
    sessions: Count,
    faults: Count,
}

impl Counters {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let count = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            bytes_crossed: count("bytes_crossed"),
            time_in_guest: MetricBuilder::new(metrics).subset_time("time_in_guest", partition),
            findings_out: count("findings_out"),
            sessions: count("sessions"),
            faults: count("faults"),
        }
    }

    fn add(&self, outcome: &ShardOutcome) {
        self.bytes_crossed.add(usize::try_from(outcome.cost.bytes).unwrap_or(usize::MAX));
        self.time_in_guest.add_duration(outcome.cost.cpu.max(Duration::from_nanos(1)));
        self.findings_out.add(outcome.found.len());
        self.sessions.add(outcome.states.len());
        self.faults.add(outcome.coverage.iter().filter(|row| row.status == Status::Faulted).count());
    }
}

/// Asks running guests to stop if it is dropped before the work is done: nobody waits for them any more.
struct StopOnDrop(Option<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.stop();
        }
    }
}

impl SliceRun {
    async fn run_shards(
        self: Arc<Self>,
        gathering: Gathering,
        counters: Counters,
        sender: Sender<Result<RecordBatch>>,
    ) -> Result<()> {
        let gathered = gathering.await.map_err(DataFusionError::Shared)?;
        let Shared { directory, slice, plugins, .. } = &*self.shared;
        let facts = self.facts.get_or_init(|| Arc::new(SliceFacts::new(directory, *slice, plugins))).clone();
        let memory = self.shared.plugins.iter().map(|plugin| plugin.detector.memory()).max().unwrap_or(0);
        let _guest_memory = gathered.reserve(memory).await.map_err(|error| match error {
            DataFusionError::ResourcesExhausted(_) => self.too_little_memory(memory),
            error => error,
        })?;
        let mut guard = StopOnDrop(Some(self.stop.clone()));
        // Guests run for long, so they run where blocking is allowed; one task for all shards, whose rows never move.
        let handle = tokio::runtime::Handle::current();
        let shards = tokio::task::spawn_blocking(move || {
            while let Some(shard) = gathered.next() {
                let (rows, memory) = handle.block_on(gathered.take(shard))?;
                let rows = ShardRows::new(rows, &self.shared.layout, &facts, memory);
                // Rows are let go before anybody is waited for, since others may wait for their memory.
                let outputs = self.run_shard(shard, &Arc::new(rows), &facts, &counters)?;
                for output in outputs {
                    if sender.blocking_send(Ok(output.into_batch()?)).is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        let done = shards.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        guard.0 = None;
        done
    }

    fn run_shard(
        &self,
        shard: u8,
        rows: &Arc<ShardRows>,
        facts: &SliceFacts,
        counters: &Counters,
    ) -> Result<Vec<Output>> {
        let gaps = self.shared.observed.gaps();
        let mut outputs = Vec::new();
        for (index, plugin) in self.shared.plugins.iter().enumerate() {
            if let Some(coverage) = self.unsuited(plugin, shard) {
                outputs.push(Output::Coverage(coverage));
                continue;
            }
            let run = ShardRun {
                plugin,
                index,
                shard,
                slice: self.shared.slice,
                rows,
                context: facts,
                gaps: &gaps,
                only: self.shared.only.as_deref(),
                stop: &self.stop,
            };
            match run.run() {
                Ok(outcome) => {
                    counters.add(&outcome);
                    outputs.extend(outcome.into_outputs(plugin.id(), self.shared.slice)?);
                }
                Err(Fault { kind: FaultKind::Stopped, .. }) => return exec_err!("the run was stopped"),
                Err(fault) if fault.kind == FaultKind::Machine => return Err(no_memory(plugin.id(), &fault)),
                Err(Fault { kind: FaultKind::Room, message, .. }) => {
                    return Err(DataFusionError::ResourcesExhausted(message));
                }
                Err(fault) => return exec_err!("plugin {}: {fault}", plugin.id()),
            }
        }
        outputs.extend(self.outside_every_scope(shard).map(|coverage| Output::Coverage(vec![coverage])));
        Ok(outputs)
    }

    /// The coverage of a plugin whose requirements the slice's records do not meet. Its devices keep their states, and
    /// the slice's flows are told once.
    fn unsuited(&self, plugin: &PluginRun, shard: u8) -> Option<Vec<ShardCoverage>> {
        let requires = &plugin.detector.manifest().requires;
        let reason = requires.iter().find_map(|requirement| self.shared.observed.lacks(*requirement))?;
        let row = ShardCoverage {
            plugin: Some(plugin.id().to_owned()),
            device_id: None,
            devices: 0,
            flows: if shard == 0 { self.shared.observed.flows() } else { 0 },
            status: Status::Unsuited,
            fault: Some(reason),
        };
        Some(vec![row])
    }

    /// A shard's devices with flows that no plugin watches.
    fn outside_every_scope(&self, shard: u8) -> Option<ShardCoverage> {
        let shards = self
            .outside
            .get_or_init(|| self.shared.unwatched.by_shard(&self.shared.directory, self.shared.slice.start));
        let (devices, flows) = shards[usize::from(shard)];
        (devices > 0).then(|| ShardCoverage {
            plugin: None,
            device_id: None,
            devices,
            flows,
            status: Status::NotRun,
            fault: Some("in no plugin's scope".to_owned()),
        })
    }

    fn too_little_memory(&self, memory: usize) -> DataFusionError {
        let mib = memory.div_ceil(1024 * 1024);
        let rule = format!("a plugin may grow to {mib} MiB, which must be free for each thread");
        DataFusionError::External(Box::new(Error::failed(rule).remedy("give more with --memory or fewer --threads")))
    }
}

/// What the machine does not give is no fault of the plugin: told so, it would stand in coverage for good.
fn no_memory(plugin: &str, fault: &Fault) -> DataFusionError {
    let error = Error::failed(format!("plugin {plugin}: {fault}"));
    let remedy =
        "free memory or allow more, see `ulimit -v` and `ulimit -f`, or give fewer --threads; then run the same again";
    DataFusionError::External(Box::new(error.remedy(remedy)))
}

/// Most rows of an output: those of all kinds stand beside each other, so that much of one kind takes room for each.
const OUTPUT_ROWS: usize = 8_192;

impl ShardOutcome {
    fn into_outputs(mut self, plugin: &str, slice: Slice) -> Result<Vec<Output>> {
        let mut outputs = Vec::new();
        if !self.found.is_empty() {
            outputs.extend(output::findings(slice, &self.found)?);
        }
        while !self.states.is_empty() {
            let rest = self.states.split_off(self.states.len().min(OUTPUT_ROWS));
            outputs.push(Output::States(std::mem::replace(&mut self.states, rest)));
        }
        let contacts = self.contacts.chunks(OUTPUT_ROWS);
        outputs.extend(contacts.map(|contacts| Output::Contacts(plugin.to_owned(), contacts.to_vec())));
        outputs.push(Output::Coverage(self.coverage));
        outputs.retain(|output| match output {
            Output::Findings(batch) | Output::Observations(batch) => batch.num_rows() > 0,
            Output::States(rows) => !rows.is_empty(),
            Output::Contacts(_, rows) => !rows.is_empty(),
            Output::Coverage(rows) => !rows.is_empty(),
        });
        Ok(outputs)
    }
}

/// Every column that some plugin declares.
pub(super) fn declared(plugins: &[PluginRun]) -> std::collections::BTreeSet<Column> {
    plugins.iter().flat_map(|plugin| plugin.detector.manifest().columns.iter().copied()).collect()
}
