//! Rows by shard, while a partition reads its input: in memory, and on disk past the memory budget.

use std::{collections::BTreeMap, sync::Arc};

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
use crate::detector::Values;

/// The rows of one partition's shards.
pub(super) struct ShardBuffers {
    schema: SchemaRef,
    layout: Layout,
    shards: BTreeMap<u8, ShardBuffer>,
    reservation: MemoryReservation,
    spill: SpillManager,
}

/// The rows of one shard.
struct ShardBuffer {
    columns: Vec<Values>,
    spilled: Vec<Arc<dyn SpillFile>>,
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
        Self { schema, layout, shards: BTreeMap::new(), reservation, spill }
    }

    /// Appends a batch's rows to their shards. Spills the largest shard for as long as memory is short.
    pub(super) fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        let bytes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum();
        while let Err(short) = self.reservation.try_grow(bytes) {
            if !self.spill_largest()? {
                return Err(short);
            }
        }
        let position = self.layout.position(Carried::Shard).unwrap_or(0);
        let shards = batch.column(position).as_primitive::<UInt8Type>();
        // Rows come in the order of their shards, so that these are few runs.
        let mut row = 0;
        for run in shards.values().chunk_by(|a, b| a == b) {
            let buffer = self.shards.entry(run[0]).or_insert_with(|| ShardBuffer::new(&self.schema));
            for (column, array) in buffer.columns.iter_mut().zip(batch.columns()) {
                column.append(array, row..row + run.len())?;
            }
            row += run.len();
        }
        Ok(())
    }

    /// Takes the memory that an instance may grow to, spilling shards to get it.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<MemoryReservation> {
        let reservation = self.reservation.new_empty();
        while let Err(short) = reservation.try_grow(bytes) {
            if !self.spill_largest()? {
                return Err(short);
            }
        }
        Ok(reservation)
    }

    /// The shards that have rows, in order.
    pub(super) fn shards(&self) -> Vec<u8> {
        self.shards.keys().copied().collect()
    }

    /// Takes a shard's rows, reading back what was spilled. The memory stays reserved until the reservation is dropped.
    pub(super) async fn take(&mut self, shard: u8) -> Result<(Vec<Values>, MemoryReservation)> {
        let Some(mut buffer) = self.shards.remove(&shard) else {
            return Ok((ShardBuffer::new(&self.schema).columns, self.reservation.new_empty()));
        };
        let in_memory = buffer.bytes().min(self.reservation.size());
        let reservation = self.reservation.split(in_memory);
        for file in std::mem::take(&mut buffer.spilled) {
            self.read_back(file, &mut buffer.columns, &reservation).await?;
        }
        Ok((buffer.columns, reservation))
    }

    async fn read_back(
        &mut self,
        file: Arc<dyn SpillFile>,
        columns: &mut [Values],
        reservation: &MemoryReservation,
    ) -> Result<()> {
        let mut stream = self.spill.read_spill_as_stream(file, None)?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let bytes = batch.get_array_memory_size();
            while let Err(short) = reservation.try_grow(bytes) {
                if !self.spill_largest()? {
                    return Err(short);
                }
            }
            for (column, array) in columns.iter_mut().zip(batch.columns()) {
                column.append(array, 0..batch.num_rows())?;
            }
        }
        Ok(())
    }

    /// Writes the largest shard to disk; false if no shard has rows in memory.
    fn spill_largest(&mut self) -> Result<bool> {
        let Some(buffer) = self.shards.values_mut().max_by_key(|buffer| buffer.bytes()).filter(|b| b.bytes() > 0)
        else {
            return Ok(false);
        };
        let freed = buffer.bytes();
        let columns = buffer.columns.iter_mut().map(Values::take_array).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let rows = crate::detector::BATCH_ROWS;
        let batches: Vec<_> = (0..batch.num_rows())
            .step_by(rows)
            .map(|from| batch.slice(from, rows.min(batch.num_rows() - from)))
            .collect();
        buffer.spilled.extend(self.spill.spill_record_batch_and_finish(&batches, "flows of a shard")?);
        self.reservation.shrink(freed.min(self.reservation.size()));
        Ok(true)
    }
}

impl ShardBuffer {
    fn new(schema: &SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| Values::empty(field.data_type())).collect();
        Self { columns, spilled: Vec::new() }
    }

    fn bytes(&self) -> usize {
        self.columns.iter().map(Values::bytes).sum()
    }
}
