//! Between reading and running: every partition keeps what it reads, by shard; once all have come to their end, shards
//! are given to whoever is free, the largest first.
//!
//! So no row goes from one thread to another, and a shard with a busy device holds up nobody but the thread that has it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
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
use tokio::sync::Notify;

use super::{
    SHARDS,
    buffer::{ShardBuffers, Taken, lost},
    chunks::Chunks,
    group::BYTES_OF_A_ROW,
};

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
    ///
    /// What is read may be spilled. What is run cannot, so it has memory of its own, and what is not yet run gives way.
    pub(super) fn gather(
        &self,
        schema: SchemaRef,
        memory: MemoryReservation,
        readers: impl FnOnce() -> Result<Vec<Reader>>,
    ) -> Result<Gathering> {
        let mut place = lock(&self.begun);
        let mut begun = match place.take() {
            Some(begun) => begun,
            None => Begun { gathering: gather(schema, memory, readers()?), left: self.partitions },
        };
        begun.left -= 1;
        let gathering = begun.gathering.clone();
        if begun.left > 0 {
            *place = Some(begun);
        }
        Ok(gathering)
    }
}

fn gather(schema: SchemaRef, memory: MemoryReservation, readers: Vec<Reader>) -> Gathering {
    let mut tasks = JoinSet::new();
    readers.into_iter().for_each(|reader| _ = tasks.spawn(reader.read()));
    let gathering = async move {
        let mut buffers = Vec::with_capacity(tasks.len());
        while let Some(read) = tasks.join_next().await {
            buffers.push(read.map_err(|error| DataFusionError::External(Box::new(error)))??);
        }
        Ok(Arc::new(Gathered::new(schema, memory, buffers)))
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
    memory: MemoryReservation,
    /// One a partition that was read.
    buffers: tokio::sync::Mutex<Vec<ShardBuffers>>,
    /// Shards that nobody has taken, those with most rows last.
    waiting: Mutex<Vec<u8>>,
    /// Shards that are being run, and hold memory.
    running: AtomicUsize,
    /// Told when one of them is done.
    released: Notify,
}

impl Gathered {
    fn new(schema: SchemaRef, memory: MemoryReservation, buffers: Vec<ShardBuffers>) -> Self {
        let mut waiting: Vec<u8> = (0..SHARDS).rev().collect();
        waiting.sort_by_key(|shard| buffers.iter().map(|buffers| buffers.rows(*shard)).sum::<usize>());
        let (running, released) = (AtomicUsize::new(0), Notify::new());
        Self { schema, memory, buffers: buffers.into(), waiting: waiting.into(), running, released }
    }

    /// The next shard to run, with or without rows; nothing once all are taken.
    pub(super) fn next(&self) -> Option<u8> {
        lock(&self.waiting).pop()
    }

    /// A shard's rows, from memory and disk. Their memory, and that of their order, is held until it is dropped. Where there
    /// is too little, it waits for the shards that are being run.
    pub(super) async fn take(self: &Arc<Self>, shard: u8) -> Result<(Chunks, Held)> {
        let mut buffers = self.buffers.lock().await;
        let memory = self.memory.new_empty();
        let mut rows: Option<Chunks> = None;
        for place in 0..buffers.len() {
            let Taken { here, spilled } = buffers[place].take(shard, &memory);
            match &mut rows {
                Some(rows) => rows.join(here),
                None => rows = Some(here),
            }
            for file in spilled {
                let mut batches = buffers[place].read_back(file)?;
                let rows = rows.get_or_insert_with(|| Chunks::new(Arc::clone(&self.schema), Arc::default()));
                while let Some(batch) = batches.next().await {
                    let batch = batch.map_err(lost)?;
                    let before = rows.bytes();
                    rows.append(&batch, 0..batch.num_rows())?;
                    self.grow(&memory, rows.bytes() - before, &mut buffers).await?;
                }
            }
        }
        let rows = rows.unwrap_or_else(|| Chunks::new(Arc::clone(&self.schema), Arc::default()));
        self.grow(&memory, rows.len() * BYTES_OF_A_ROW, &mut buffers).await?;
        self.running.fetch_add(1, Ordering::SeqCst);
        Ok((rows, Held { memory, gathered: Arc::clone(self) }))
    }

    /// Takes the memory that an instance may grow to, spilling to get it.
    pub(super) async fn reserve(&self, bytes: usize) -> Result<MemoryReservation> {
        let memory = self.memory.new_empty();
        self.grow(&memory, bytes, &mut self.buffers.lock().await).await?;
        Ok(memory)
    }

    /// Takes memory. Rows of other shards give way, those of one partition after the other; then it waits until no shard is
    /// run: who has the buffers is the only one that can begin with one.
    async fn grow(&self, memory: &MemoryReservation, bytes: usize, buffers: &mut [ShardBuffers]) -> Result<()> {
        let mut others = buffers.iter_mut();
        loop {
            let released = self.released.notified();
            let is_last = self.running.load(Ordering::SeqCst) == 0;
            let Err(short) = memory.try_grow(bytes) else { return Ok(()) };
            match others.next() {
                Some(others) => others.spill_all()?,
                None if is_last => {
                    let rule = "the flows of a shard, some devices of each slice, must fit into memory at once";
                    let message = format!("{rule}; give more with --memory or fewer --threads ({short})");
                    return Err(DataFusionError::ResourcesExhausted(message));
                }
                None => released.await,
            }
        }
    }
}

/// The memory of a shard that is run.
pub(super) struct Held {
    memory: MemoryReservation,
    gathered: Arc<Gathered>,
}

impl Held {
    /// Takes more of it, for a while.
    ///
    /// # Errors
    /// There is no more.
    pub(super) fn more(&self, bytes: usize) -> Result<MemoryReservation> {
        let more = self.memory.new_empty();
        more.try_grow(bytes)?;
        Ok(more)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({})", self.memory.size())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.free();
        self.gathered.running.fetch_sub(1, Ordering::SeqCst);
        self.gathered.released.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
