//! `ResolveExec`: flows with text addresses in, numbers out. After it there is no text.
//!
//! Every end of a flow that is a device in some plugin's scope gives a row as that device sees it, so a flow between two
//! such devices gives two. Of the other devices only the flows are counted.

use std::{fmt, sync::Arc};

use datafusion::{
    common::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::EquivalenceProperties,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;

use super::{
    Directory, Observed, PluginRun, Slice, layout::Layout, node::one_input, resolver::Resolver, unwatched::Unwatched,
};

/// Stands for "no device" and "not recorded".
pub(super) const NONE: u32 = u32::MAX;

/// Resolves the ends of flows to devices.
#[derive(Debug)]
pub struct ResolveExec {
    input: Arc<dyn ExecutionPlan>,
    shared: Arc<Shared>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What all partitions use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) slice: Slice,
    pub(super) plugins: Vec<PluginRun>,
    pub(super) directory: Arc<Directory>,
    pub(super) observed: Arc<Observed>,
    pub(super) layout: Layout,
    /// Only the rows of these devices; absent for all.
    pub(super) only: Option<Vec<String>>,
    /// The addresses of those devices, if they are known and nothing else is read.
    pub(super) addresses: Option<Vec<String>>,
    /// Flows of devices that no plugin watches.
    pub(super) unwatched: Unwatched,
}

impl Shared {
    /// Whether a device is in some plugin's scope.
    pub(super) fn watches(&self, device_id: &str) -> bool {
        let facts = self.directory.facts(device_id, self.slice.start);
        self.plugins.iter().any(|plugin| plugin.watches(&facts))
    }

    /// Whether every flow is resolved, whomever it is of.
    pub(super) const fn is_everything(&self) -> bool {
        self.addresses.is_none()
    }
}

impl ResolveExec {
    /// Over flows with the columns that the layout needs.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, shared: Arc<Shared>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(shared.layout.schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, shared, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for ResolveExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.shared.layout.schema().fields().iter().map(|field| field.name().clone()).collect();
        write!(f, "ResolveExec: rows=[{}]", names.join(", "))
    }
}

impl ExecutionPlan for ResolveExec {
    one_input!("ResolveExec", |plan, input| Self::new(input, Arc::clone(&plan.shared)));

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let mut resolver = Resolver::new(Arc::clone(&self.shared));
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let count = |name: &'static str| MetricBuilder::new(&self.metrics).counter(name, partition);
        let (flows, unresolved) = (count("flows"), count("flows_of_no_device"));
        let rows = input.map(move |batch| {
            let batch = batch?;
            let time = metrics.elapsed_compute().clone();
            let _timer = time.timer();
            let resolved = resolver.resolve(&batch)?;
            flows.add(batch.num_rows());
            unresolved.add(resolved.unresolved);
            Ok(resolved.rows.record_output(&metrics))
        });
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
