//! Rows by shard, while a partition reads its input: in memory, and on disk past the memory budget.
//!
//! Batches are kept as they come; only where a shard's rows lie in them is noted. They are copied once, when the shard is
//! taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{SchemaRef, UInt8Type},
};
use datafusion::{
    common::Result,
    execution::{SpillFile, TaskContext, memory_pool::MemoryReservation},
    physical_plan::{
        SpillManager,
        metrics::{ExecutionPlanMetricsSet, SpillMetrics},
    },
};
use futures::StreamExt;

use super::layout::{Carried, Layout};
use crate::detector::{BATCH_ROWS, Values};

/// The rows of one partition's shards.
pub(super) struct ShardBuffers {
    schema: SchemaRef,
    layout: Layout,
    batches: Vec<RecordBatch>,
    /// By shard, the batches and the rows in them.
    runs: BTreeMap<u8, Vec<(usize, Range<usize>)>>,
    spilled: BTreeMap<u8, Vec<Arc<dyn SpillFile>>>,
    reservation: MemoryReservation,
    spill: SpillManager,
}

impl ShardBuffers {
    /// Empty. Memory is taken from the reservation, disk from the task's disk manager.
    pub(super) fn new(
        layout: Layout,
        reservation: MemoryReservation,
        context: &TaskContext,
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
    ) -> Self {
        let schema = layout.schema();
        let spill_metrics = SpillMetrics::new(metrics, partition);
        let spill = SpillManager::new(context.runtime_env(), spill_metrics, Arc::clone(&schema));
        Self {
            schema,
            layout,
            batches: Vec::new(),
            runs: BTreeMap::new(),
            spilled: BTreeMap::new(),
            reservation,
            spill,
        }
    }

    /// Keeps a batch. Spills what is there if memory is short.
    pub(super) fn append(&mut self, batch: RecordBatch) -> Result<()> {
        let bytes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum();
        while let Err(short) = self.reservation.try_grow(bytes) {
            if !self.spill_all()? {
                return Err(short);
            }
        }
        let position = self.layout.position(Carried::Shard).unwrap_or(0);
        // Rows come in the order of their shards, so that these are few runs.
        let mut from = 0;
        for run in batch.column(position).as_primitive::<UInt8Type>().values().chunk_by(|a, b| a == b) {
            let rows = from..from + run.len();
            from = rows.end;
            self.runs.entry(run[0]).or_default().push((self.batches.len(), rows));
        }
        self.batches.push(batch);
        Ok(())
    }

    /// Takes the memory that an instance may grow to, spilling to get it.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<MemoryReservation> {
        let reservation = self.reservation.new_empty();
        self.grow(&reservation, bytes)?;
        Ok(reservation)
    }

    /// The shards that have rows, in order.
    pub(super) fn shards(&self) -> BTreeSet<u8> {
        self.runs.keys().chain(self.spilled.keys()).copied().collect()
    }

    /// Takes a shard's rows, reading back what was spilled. Their memory is reserved until the reservation is dropped.
    pub(super) async fn take(&mut self, shard: u8) -> Result<(Vec<Values>, MemoryReservation)> {
        let reservation = self.reservation.new_empty();
        let rows = self.runs.get(&shard).into_iter().flatten().map(|(_, rows)| rows.len()).sum::<usize>();
        self.grow(&reservation, rows * self.layout.row_bytes())?;
        let runs = self.runs.remove(&shard).unwrap_or_default();
        if runs.is_empty() {
            // They were spilled to get the memory for them.
            reservation.free();
        }
        let mut columns = self.columns(&runs)?;
        for file in self.spilled.remove(&shard).unwrap_or_default() {
            let mut stream = self.spill.read_spill_as_stream(file, None)?;
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                self.grow(&reservation, batch.num_rows() * self.layout.row_bytes())?;
                for (column, array) in columns.iter_mut().zip(batch.columns()) {
                    column.append(array, 0..batch.num_rows())?;
                }
            }
        }
        if self.runs.is_empty() {
            self.batches.clear();
            self.reservation.free();
        }
        Ok((columns, reservation))
    }

    /// Copies rows, column by column.
    fn columns(&self, runs: &[(usize, Range<usize>)]) -> Result<Vec<Values>> {
        let rows = runs.iter().map(|(_, rows)| rows.len()).sum();
        let column = |(index, field): (usize, &Arc<arrow::datatypes::Field>)| {
            let mut column = Values::with_capacity(field.data_type(), rows);
            for (batch, rows) in runs {
                column.append(self.batches[*batch].column(index), rows.clone())?;
            }
            Ok(column)
        };
        self.schema.fields().iter().enumerate().map(column).collect()
    }

    fn grow(&mut self, reservation: &MemoryReservation, bytes: usize) -> Result<()> {
        while let Err(short) = reservation.try_grow(bytes) {
            if !self.spill_all()? {
                return Err(short);
            }
        }
        Ok(())
    }

    /// Writes all rows to disk, a file a shard; false if there are none in memory.
    fn spill_all(&mut self) -> Result<bool> {
        if self.batches.is_empty() {
            return Ok(false);
        }
        for (shard, runs) in std::mem::take(&mut self.runs) {
            let mut columns = self.columns(&runs)?;
            let columns = columns.iter_mut().map(Values::take_array).collect();
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
            let batches: Vec<_> = (0..batch.num_rows())
                .step_by(BATCH_ROWS)
                .map(|from| batch.slice(from, BATCH_ROWS.min(batch.num_rows() - from)))
                .collect();
            let file = self.spill.spill_record_batch_and_finish(&batches, "flows of a shard")?;
            self.spilled.entry(shard).or_default().extend(file);
        }
        self.batches.clear();
        self.reservation.free();
        Ok(true)
    }
}
