//! Rows by shard, while a partition reads its input: in memory, and on disk past the memory budget.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{SchemaRef, UInt8Type},
};
use datafusion::{
    common::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, SpillFile, TaskContext, memory_pool::MemoryReservation},
    physical_plan::{
        SpillManager,
        metrics::{ExecutionPlanMetricsSet, SpillMetrics},
    },
};

use super::{
    chunks::Chunks,
    layout::{Carried, Layout},
    recycled::Recycled,
};
use crate::error::Error;

/// The rows of one partition's shards.
pub(super) struct ShardBuffers {
    schema: SchemaRef,
    /// The position of the shard in what is read; it is not kept.
    shard: usize,
    recycled: Arc<Recycled>,
    shards: BTreeMap<u8, Chunks>,
    /// Rows of each shard, here or on disk.
    rows: BTreeMap<u8, usize>,
    spilled: BTreeMap<u8, Vec<Arc<dyn SpillFile>>>,
    reservation: MemoryReservation,
    spill: SpillManager,
}

/// The rows of a shard.
pub(super) struct Taken {
    pub(super) here: Chunks,
    pub(super) spilled: Vec<Arc<dyn SpillFile>>,
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
        let schema = layout.schema_in_shard();
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

    /// Number of a shard's rows.
    pub(super) fn rows(&self, shard: u8) -> usize {
        self.rows.get(&shard).copied().unwrap_or(0)
    }

    /// Takes a shard's rows, those in memory with their memory.
    pub(super) fn take(&mut self, shard: u8, memory: &MemoryReservation) -> Taken {
        let none = || Chunks::new(Arc::clone(&self.schema), Arc::clone(&self.recycled));
        let here = self.shards.remove(&shard).unwrap_or_else(none);
        self.reservation.shrink(here.bytes());
        memory.grow(here.bytes());
        Taken { here, spilled: self.spilled.remove(&shard).unwrap_or_default() }
    }

    /// The rows of a file.
    pub(super) fn read_back(&self, file: Arc<dyn SpillFile>) -> Result<SendableRecordBatchStream> {
        self.spill.read_spill_as_stream(file, None).map_err(lost)
    }

    /// Writes all rows to disk, a file a shard.
    pub(super) fn spill_all(&mut self) -> Result<()> {
        for (shard, chunks) in std::mem::take(&mut self.shards) {
            let mut file = self.spill.create_in_progress_file("flows of a shard").map_err(not_put_aside)?;
            for batch in chunks.batches() {
                file.append_batch(&batch?).map_err(not_put_aside)?;
            }
            chunks.release();
            self.spilled.entry(shard).or_default().extend(file.finish().map_err(not_put_aside)?);
        }
        self.reservation.free();
        Ok(())
    }
}

fn not_put_aside(error: DataFusionError) -> DataFusionError {
    on_disk("flows that memory has no room for cannot be put aside on disk", error)
}

/// That flows on disk are gone.
pub(super) fn lost(error: DataFusionError) -> DataFusionError {
    on_disk("flows that were put aside on disk cannot be read back", error)
}

fn on_disk(what: &str, error: DataFusionError) -> DataFusionError {
    let remedy = "set TMPDIR to a directory that can be written and has room, or give more with --memory";
    DataFusionError::External(Box::new(Error::failed(what).because(error).remedy(remedy)))
}
