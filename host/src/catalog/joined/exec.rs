//! `JoinExec`: parts in, flows out.

use std::{fmt, sync::Arc};

use arrow::{
    array::RecordBatch,
    compute::SortOptions,
    datatypes::{Schema, SchemaRef},
};
use datafusion::{
    common::{Result, internal_datafusion_err, internal_err},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalSortExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements, Partitioning,
        PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        expressions::Column,
        sorts::{sort::SortExec, sort_preserving_merge::SortPreservingMergeExec},
        stream::RecordBatchReceiverStream,
    },
};
use futures::TryStreamExt;

use crate::{archive::JoinedRows, detect::one_input};

/// The order of parts: by start, and among those of one moment by what tells them apart, so that what comes of them does not
/// depend on how they were read.
const ORDER: [&str; 8] =
    ["start_time", "end_time", "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "tcp_flags"];

/// Parts, in order, with the columns that joining takes; flows with those of the schema.
#[derive(Debug)]
pub(super) struct JoinExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    /// Microseconds.
    slice_length: i64,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl JoinExec {
    /// Over parts as they come: they are put in order first, on disk where memory is short.
    pub(super) fn over(parts: Arc<dyn ExecutionPlan>, schema: SchemaRef, slice_length: i64) -> Result<Self> {
        let order = order(&parts.schema())?;
        let sorted = Arc::new(SortExec::new(order.clone(), parts).with_preserve_partitioning(true));
        let merged = Arc::new(SortPreservingMergeExec::new(order.clone(), sorted));
        Ok(Self::new(merged, order, schema, slice_length))
    }

    fn new(input: Arc<dyn ExecutionPlan>, order: LexOrdering, schema: SchemaRef, slice_length: i64) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, order, slice_length, schema, properties: Arc::new(properties) }
    }
}

fn order(schema: &Schema) -> Result<LexOrdering> {
    let options = SortOptions::default();
    let column = |name: &&str| Ok(PhysicalSortExpr::new(Arc::new(Column::new_with_schema(name, schema)?), options));
    let columns = ORDER.iter().map(column).collect::<Result<Vec<_>>>()?;
    LexOrdering::new(columns).ok_or_else(|| internal_datafusion_err!("parts have no order"))
}

impl DisplayAs for JoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinExec: parts of flows, slice by slice")
    }
}

impl ExecutionPlan for JoinExec {
    one_input!("JoinExec", |plan, input| {
        Self::new(input, plan.order.clone(), Arc::clone(&plan.schema), plan.slice_length)
    });

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(OrderingRequirements::from(self.order.clone()))]
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("JoinExec has one partition, not {partition}");
        }
        let batch_size = context.session_config().batch_size();
        let mut parts = self.input.execute(partition, context)?;
        let (schema, mut joined) = (Arc::clone(&self.schema), JoinedRows::new(self.slice_length));
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&schema), 2);
        let sender = builder.tx();
        builder.spawn(async move {
            loop {
                let more = parts.try_next().await?;
                match &more {
                    Some(batch) => joined.push(batch),
                    None => joined.end(),
                }
                let flows: Vec<RecordBatch> = match &more {
                    Some(_) if joined.flows() < batch_size => Vec::new(),
                    _ => joined.take(&schema, batch_size)?,
                };
                for batch in flows {
                    if sender.send(Ok(batch)).await.is_err() {
                        return Ok(());
                    }
                }
                if more.is_none() {
                    return Ok(());
                }
            }
        });
        Ok(builder.build())
    }
}
