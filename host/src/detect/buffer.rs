//! Rows by shard, while a partition reads its input: in memory, and on disk past the memory budget.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{SchemaRef, UInt8Type},
};
use datafusion::{
    common::{DataFusionError, Result},
    execution::{SpillFile, TaskContext, memory_pool::MemoryReservation},
    physical_plan::{
        SpillManager,
        metrics::{ExecutionPlanMetricsSet, SpillMetrics},
    },
};
use futures::StreamExt;

use super::{
    chunks::Chunks,
    layout::{Carried, Layout},
    recycled::Recycled,
};
use crate::error::Error;

/// The rows of one partition's shards.
pub(super) struct ShardBuffers {
    schema: SchemaRef,
    /// The position of that column.
    shard: usize,
    recycled: Arc<Recycled>,
    shards: BTreeMap<u8, Chunks>,
    /// Rows of each shard, here or on disk.
    rows: BTreeMap<u8, usize>,
    spilled: BTreeMap<u8, Vec<Arc<dyn SpillFile>>>,
    reservation: MemoryReservation,
    spill: SpillManager,
}

impl ShardBuffers {
    /// Empty. Memory is taken from the reservation, disk from the task's disk manager.
    pub(super) fn new(
        layout: &Layout,
        recycled: Arc<Recycled>,
        reservation: MemoryReservation,
        context: &TaskContext,
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
    ) -> Self {
        let schema = layout.schema();
        let shard = layout.position(Carried::Shard).unwrap_or(0);
        let spill_metrics = SpillMetrics::new(metrics, partition);
        let spill = SpillManager::new(context.runtime_env(), spill_metrics, Arc::clone(&schema));
        Self {
            schema,
            shard,
            recycled,
            shards: BTreeMap::new(),
            rows: BTreeMap::new(),
            spilled: BTreeMap::new(),
            reservation,
            spill,
        }
    }

    /// Keeps the rows of a batch. Spills what is there if memory is short.
    pub(super) fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        // Rows of one device are together, so that these are few runs.
        let (mut from, mut grown) = (0, 0);
        for run in batch.column(self.shard).as_primitive::<UInt8Type>().values().chunk_by(|a, b| a == b) {
            let rows = from..from + run.len();
            from = rows.end;
            let chunks = self
                .shards
                .entry(run[0])
                .or_insert_with(|| Chunks::new(Arc::clone(&self.schema), Arc::clone(&self.recycled)));
            *self.rows.entry(run[0]).or_default() += rows.len();
            let before = chunks.bytes();
            chunks.append(batch, rows)?;
            grown += chunks.bytes() - before;
        }
        if self.reservation.try_grow(grown).is_err() {
            self.spill_all()?;
        }
        Ok(())
    }

    /// Takes the memory that an instance may grow to, spilling to get it.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<MemoryReservation> {
        let reservation = self.reservation.new_empty();
        self.grow(&reservation, bytes)?;
        Ok(reservation)
    }

    /// Number of a shard's rows.
    pub(super) fn rows(&self, shard: u8) -> usize {
        self.rows.get(&shard).copied().unwrap_or(0)
    }

    /// Takes a shard's rows, reading back what was spilled. Their memory is reserved until the reservation is dropped.
    pub(super) async fn take(&mut self, shard: u8) -> Result<(Chunks, MemoryReservation)> {
        let none = || Chunks::new(Arc::clone(&self.schema), Arc::clone(&self.recycled));
        let mut chunks = self.shards.remove(&shard).unwrap_or_else(none);
        let reservation = self.reservation.split(chunks.bytes());
        for file in self.spilled.remove(&shard).unwrap_or_default() {
            let mut stream = self.spill.read_spill_as_stream(file, None).map_err(lost)?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(lost)?;
                let before = chunks.bytes();
                chunks.append(&batch, 0..batch.num_rows())?;
                self.grow(&reservation, chunks.bytes() - before)?;
            }
        }
        Ok((chunks, reservation))
    }

    fn grow(&mut self, reservation: &MemoryReservation, bytes: usize) -> Result<()> {
        while let Err(short) = reservation.try_grow(bytes) {
            if !self.spill_all()? {
                return Err(too_little_memory(&short));
            }
        }
        Ok(())
    }

    /// Writes all rows to disk, a file a shard; false if there are none in memory.
    fn spill_all(&mut self) -> Result<bool> {
        if self.shards.is_empty() {
            return Ok(false);
        }
        for (shard, chunks) in std::mem::take(&mut self.shards) {
            let batches = chunks.batches()?;
            let file = self.spill.spill_record_batch_and_finish(&batches, "flows of a shard").map_err(not_put_aside)?;
            chunks.release();
            self.spilled.entry(shard).or_default().extend(file);
        }
        self.reservation.free();
        Ok(true)
    }
}

fn not_put_aside(error: DataFusionError) -> DataFusionError {
    on_disk("flows that memory has no room for cannot be put aside on disk", error)
}

fn lost(error: DataFusionError) -> DataFusionError {
    on_disk("flows that were put aside on disk cannot be read back", error)
}

fn on_disk(what: &str, error: DataFusionError) -> DataFusionError {
    let remedy = "set TMPDIR to a directory that can be written and has room, or give more with --memory";
    DataFusionError::External(Box::new(Error::failed(what).because(error).remedy(remedy)))
}

fn too_little_memory(short: &DataFusionError) -> DataFusionError {
    let all = "the flows of a shard, some devices of each slice, must fit into memory at once";
    DataFusionError::ResourcesExhausted(format!("{all}; give more with --memory or fewer --threads ({short})"))
}
