//! `ObserveExec`: what the sensors delivered, where only the flows of some devices are resolved.
//!
//! Gaps are gaps of all flows. So that a query for one device need not read the addresses of all, those that are not its
//! own go by here, with little but their times. Nothing comes out.

use std::{fmt, sync::Arc};

use arrow::{
    array::{AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, SchemaRef, TimestampMicrosecondType, UInt32Type},
};
use datafusion::{
    common::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::EquivalenceProperties,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, future};

use super::{
    Observed,
    gaps::{Counts, MINUTE},
    node::one_input,
};
use crate::flow::time_type;

/// Reads what the sensors delivered.
#[derive(Debug)]
pub(super) struct ObserveExec {
    input: Arc<dyn ExecutionPlan>,
    observed: Arc<Observed>,
    properties: Arc<PlanProperties>,
}

impl ObserveExec {
    /// Columns of flows that tell when they ended and how they were seen.
    pub(super) const COLUMNS: [&str; 3] = ["end_time", "observed_sides", "sampling_interval"];

    /// Over flows with those of the columns that are needed. It has the schema of what it stands beside.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, observed: Arc<Observed>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, observed, properties: Arc::new(properties) }
    }
}

impl DisplayAs for ObserveExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObserveExec: gaps of all flows")
    }
}

impl ExecutionPlan for ObserveExec {
    one_input!("ObserveExec", |plan, input| Self::new(input, Arc::clone(&plan.observed), plan.schema()));

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let observed = Arc::clone(&self.observed);
        let nothing = input.filter_map(move |batch| {
            let failed = batch.and_then(|batch| observe(&batch, &observed)).err();
            future::ready(failed.map(Err))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), nothing)))
    }
}

/// Counts a batch of flows, by the columns that it has.
pub(super) fn observe(batch: &RecordBatch, observed: &Observed) -> Result<()> {
    let number = |name: &str| batch.column_by_name(name).map(|column| cast(column, &DataType::UInt32)).transpose();
    if let Some(times) = batch.column_by_name("end_time") {
        let times = cast(times, &time_type())?;
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        // Flows that follow each other mostly end in the same minute.
        let mut minute = 0..0;
        for time in times {
            if !minute.contains(time) {
                let start = time - time.rem_euclid(MINUTE);
                minute = start..start + MINUTE;
                observed.see(*time);
            }
        }
    }
    let count = |name: &str, is: fn(u32) -> bool| -> Result<u64> {
        let Some(column) = number(name)? else { return Ok(0) };
        let values = column.as_primitive::<UInt32Type>().iter().flatten();
        Ok(values.filter(|value| is(*value)).count() as u64)
    };
    observed.add(&Counts {
        flows: batch.num_rows() as u64,
        unresolved: 0,
        one_sided: count("observed_sides", |sides| sides == 1)?,
        sampled: count("sampling_interval", |rate| rate > 1)?,
    });
    Ok(())
}
