//! `DoublesExec`: leaves doubles out of flows and completes the others, or marks them.

use std::{fmt, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::SchemaRef,
};
use datafusion::{
    common::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::EquivalenceProperties,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::TryStreamExt;

use super::{
    Doubles,
    complete::{Completion, complete},
    records::Records,
};
use crate::detect::one_input;

/// Flows with the compared columns in; those of `kept` out, with a mark or without doubles.
#[derive(Debug)]
pub(super) struct DoublesExec {
    input: Arc<dyn ExecutionPlan>,
    doubles: Arc<Doubles>,
    /// Columns of the input that go out.
    kept: Vec<usize>,
    /// What goes out: with a column more than `kept` has, doubles are marked in it and all else is as it was seen.
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl DoublesExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        doubles: Arc<Doubles>,
        kept: Vec<usize>,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, doubles, kept, schema, properties: Arc::new(properties) }
    }

    fn marks(&self) -> bool {
        self.schema.fields().len() > self.kept.len()
    }
}

impl DisplayAs for DoublesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DoublesExec: {}", if self.marks() { "marked" } else { "left out" })
    }
}

impl ExecutionPlan for DoublesExec {
    one_input!("DoublesExec", |plan, input| {
        Self::new(input, Arc::clone(&plan.doubles), plan.kept.clone(), Arc::clone(&plan.schema))
    });

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (doubles, kept, schema) = (Arc::clone(&self.doubles), self.kept.clone(), Arc::clone(&self.schema));
        let marks = self.marks();
        let batches = input.and_then(move |batch| {
            let (doubles, kept, schema) = (Arc::clone(&doubles), kept.clone(), Arc::clone(&schema));
            async move {
                let (is_double, completions) = look_up(&doubles, &batch).await?;
                let mut columns: Vec<ArrayRef> = kept.iter().map(|column| Arc::clone(batch.column(*column))).collect();
                if marks {
                    columns.push(Arc::new(is_double));
                    return Ok(RecordBatch::try_new(schema, columns)?);
                }
                complete(&schema, &mut columns, &completions);
                let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
                Ok(filter_record_batch(&batch, &arrow::compute::not(&is_double)?)?)
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// Whether each row is a double, and what completes it.
async fn look_up(doubles: &Doubles, batch: &RecordBatch) -> Result<(BooleanArray, Vec<Completion>)> {
    let slices: Vec<i64> = Records::of(batch)?.end.iter().map(|end| doubles.slice(*end)).collect();
    let mut distinct = slices.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let mut found = Vec::new();
    for slice in distinct {
        if let Some(of_slice) = doubles.of_slice(slice).await?.filter(|of_slice| !of_slice.records.is_empty()) {
            found.push((slice, of_slice));
        }
    }
    let records = Records::of(batch)?;
    let row = |(row, slice): (usize, &i64)| {
        let Some((_, of_slice)) = found.iter().find(|(found, _)| found == slice) else { return (false, None) };
        let record = records.record(row, records.key(row));
        let half = of_slice.halves.get(&record).copied();
        let completion = half.and_then(|half| Some((half, !records.alone(row)?.is_src)));
        (of_slice.records.contains(&record), completion)
    };
    let (is_double, completions): (Vec<bool>, _) = slices.iter().enumerate().map(row).unzip();
    Ok((is_double.into(), completions))
}
