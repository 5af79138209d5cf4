//! Very many files, some of them at a time. Of each file that a scan opened it keeps counts of what it did, some
//! ten kilobytes, until it goes: a hundred thousand files would take more memory than all they hold.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{Result, internal_err, tree_node::TreeNodeRecursion},
    datasource::{listing::PartitionedFile, physical_plan::FileGroup},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use super::files::Scan;

/// Files, or parts of one, that each partition reads with one scan.
pub(super) const AT_ONCE: usize = 250;

/// Files in scans of some. Partitions take these in turn: files that a query is about lie side by side.
#[derive(Debug)]
pub(super) struct ManyFiles {
    scan: Arc<Scan>,
    scans: Vec<FileGroup>,
    properties: Arc<PlanProperties>,
}

impl ManyFiles {
    pub(super) fn new(scan: Scan, files: &[PartitionedFile], partitions: usize) -> Result<Self> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(scan.of(Vec::new())?.schema()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let scans = files.chunks(AT_ONCE).map(|files| FileGroup::new(files.to_vec())).collect();
        Ok(Self { scan: Arc::new(scan), scans, properties: Arc::new(properties) })
    }
}

impl DisplayAs for ManyFiles {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.scans.iter().map(FileGroup::len).sum();
        write!(f, "ManyFiles: files={files}, scans={}", self.scans.len())
    }
}

impl ExecutionPlan for ManyFiles {
    fn name(&self) -> &'static str {
        "ManyFiles"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("{} has no input", self.name()) }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.properties.partitioning.partition_count();
        let scans: Vec<_> = self.scans.iter().skip(partition).step_by(partitions).cloned().collect();
        let scan = Arc::clone(&self.scan);
        // Each goes when its stream is at its end.
        let batches = stream::iter(scans).map(move |files| scan.of(vec![files])?.execute(0, Arc::clone(&context)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches.try_flatten())))
    }
}
