//! Between reading and running: every partition keeps what it reads, by shard; once all have come to their end, shards
//! are given to whoever is free, the largest first.
//!
//! So no row goes from one thread to another, and a shard with a busy device holds up nobody but the thread that has it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arrow::datatypes::SchemaRef;
use datafusion::{
    common::{DataFusionError, Result, runtime::JoinSet},
    execution::{SendableRecordBatchStream, memory_pool::MemoryReservation},
    physical_plan::metrics::Count,
};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, Shared},
};

use super::{SHARDS, buffer::ShardBuffers, chunks::Chunks};

/// A partition's flows, where they are kept, and how many came.
pub(super) struct Reader {
    pub(super) input: SendableRecordBatchStream,
    pub(super) buffers: ShardBuffers,
    pub(super) rows_in: Count,
}

/// All rows of a slice, or why they could not be read; ready when every partition is.
pub(super) type Gathering = Shared<Read>;

type Read = BoxFuture<'static, std::result::Result<Arc<Gathered>, Arc<DataFusionError>>>;

/// The reading that all of a plan's partitions wait for. Once each of them has its share, it ends when nobody waits any
/// more.
pub(super) struct Exchange {
    partitions: usize,
    begun: Mutex<Option<Begun>>,
}

struct Begun {
    gathering: Gathering,
    /// Partitions that have not asked for it yet.
    left: usize,
}

impl Exchange {
    /// For a plan of so many partitions.
    pub(super) const fn new(partitions: usize) -> Self {
        Self { partitions, begun: Mutex::new(None) }
    }

    /// One partition's share of the reading, which begins with the first.
    pub(super) fn gather(&self, schema: SchemaRef, readers: impl FnOnce() -> Result<Vec<Reader>>) -> Result<Gathering> {
        let mut place = lock(&self.begun);
        let mut begun = match place.take() {
            Some(begun) => begun,
            None => Begun { gathering: gather(schema, readers()?), left: self.partitions },
        };
        begun.left -= 1;
        let gathering = begun.gathering.clone();
        if begun.left > 0 {
            *place = Some(begun);
        }
        Ok(gathering)
    }
}

fn gather(schema: SchemaRef, readers: Vec<Reader>) -> Gathering {
    let mut tasks = JoinSet::new();
    readers.into_iter().for_each(|reader| _ = tasks.spawn(reader.read()));
    let gathering = async move {
        let mut buffers = Vec::with_capacity(tasks.len());
        while let Some(read) = tasks.join_next().await {
            buffers.push(read.map_err(|error| DataFusionError::External(Box::new(error)))??);
        }
        Ok(Arc::new(Gathered::new(schema, buffers)))
    };
    gathering.map(|gathered: Result<_>| gathered.map_err(Arc::new)).boxed().shared()
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

impl Reader {
    async fn read(mut self) -> Result<ShardBuffers> {
        while let Some(batch) = self.input.next().await {
            let batch = batch?;
            self.rows_in.add(batch.num_rows());
            self.buffers.append(&batch)?;
        }
        Ok(self.buffers)
    }
}

/// All rows of a slice, by shard.
pub(super) struct Gathered {
    schema: SchemaRef,
    /// One a partition that was read.
    buffers: tokio::sync::Mutex<Vec<ShardBuffers>>,
    /// Shards that nobody has taken, those with most rows last.
    waiting: Mutex<Vec<u8>>,
}

impl Gathered {
    fn new(schema: SchemaRef, buffers: Vec<ShardBuffers>) -> Self {
        let mut waiting: Vec<u8> = (0..SHARDS).rev().collect();
        waiting.sort_by_key(|shard| buffers.iter().map(|buffers| buffers.rows(*shard)).sum::<usize>());
        Self { schema, buffers: buffers.into(), waiting: waiting.into() }
    }

    /// The next shard to run, with or without rows; nothing once all are taken.
    pub(super) fn next(&self) -> Option<u8> {
        lock(&self.waiting).pop()
    }

    /// A shard's rows, from memory and disk. Their memory is reserved until the reservations are dropped.
    pub(super) async fn take(&self, shard: u8) -> Result<(Chunks, Vec<MemoryReservation>)> {
        let mut rows: Option<Chunks> = None;
        let mut reservations = Vec::new();
        for buffers in self.buffers.lock().await.iter_mut() {
            let (part, reservation) = buffers.take(shard).await?;
            match &mut rows {
                Some(rows) => rows.join(part),
                None => rows = Some(part),
            }
            reservations.push(reservation);
        }
        let rows = rows.unwrap_or_else(|| Chunks::new(Arc::clone(&self.schema), Arc::default()));
        Ok((rows, reservations))
    }

    /// Takes the memory that an instance may grow to, spilling to get it.
    pub(super) async fn reserve(&self, worker: usize, bytes: usize) -> Result<Option<MemoryReservation>> {
        let mut buffers = self.buffers.lock().await;
        let count = buffers.len().max(1);
        buffers.get_mut(worker % count).map(|buffers| buffers.reserve(bytes)).transpose()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
