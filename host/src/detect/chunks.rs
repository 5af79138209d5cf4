//! The rows of a shard, column by column, in chunks: growing moves nothing.
//!
//! A slice's rows are held until its last flow has come, and memory that is touched for the first time costs more than
//! what is written to it. So 64-bit numbers are kept as 32-bit distances from their chunk's base where all are near it,
//! which times and volumes mostly are.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{ArrowPrimitiveType, DataType, Int64Type, SchemaRef, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
    error::ArrowError,
};
use datafusion::common::{Result, exec_err};

use super::recycled::Recycled;
use crate::detector::Values;

/// Most rows of a chunk. A row's number is that of its chunk times this, and its place in the chunk.
pub(super) const CHUNK_ROWS: usize = 4_096;

/// Resolved rows, those of a chunk in the order in which they came.
#[derive(Debug)]
pub(super) struct Chunks {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    /// Rows that the last chunk still takes.
    room: usize,
    /// Where the chunks come from, and go.
    recycled: Arc<Recycled>,
}

impl Chunks {
    /// None yet.
    pub(super) fn new(schema: SchemaRef, recycled: Arc<Recycled>) -> Self {
        let columns = schema.fields().iter().map(|field| Column::new(field.data_type())).collect();
        Self { schema, columns, rows: 0, room: 0, recycled }
    }

    /// Gives their memory back to the system when they are dropped.
    pub(super) fn release(mut self) {
        self.recycled = Arc::default();
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.bytes(self.rows)).sum()
    }

    /// Copies rows of a batch whose first columns are the same.
    pub(super) fn append(&mut self, batch: &RecordBatch, mut rows: Range<usize>) -> Result<()> {
        while !rows.is_empty() {
            if self.room == 0 {
                self.columns.iter_mut().for_each(|column| column.begin_chunk(&self.recycled));
                self.room = CHUNK_ROWS;
            }
            let some = rows.start..rows.end.min(rows.start + self.room);
            for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
                column.append(array, some.clone(), &self.recycled)?;
            }
            self.rows += some.len();
            self.room -= some.len();
            rows.start = some.end;
        }
        Ok(())
    }

    /// Puts the chunks of another with the same columns behind its own. Nothing is copied.
    pub(super) fn join(&mut self, mut other: Self) {
        for (own, column) in self.columns.iter_mut().zip(other.columns.drain(..)) {
            own.join(column);
        }
        self.rows += other.rows;
        self.room = 0;
    }

    /// Puts whole chunks in the order of their first values in a column of times, which those of several partitions are
    /// not in. Rows get other numbers by it.
    pub(super) fn order_by_time(&mut self, position: usize) {
        let Some(Column::I64(times)) = self.columns.get(position) else { return };
        let first = |chunk: &usize| match times.chunks[*chunk].len() {
            0 => i64::MAX,
            _ => times.chunks[*chunk].get(0).cast_signed(),
        };
        let mut order: Vec<usize> = (0..times.chunks.len()).collect();
        order.sort_by_key(first);
        self.columns.iter_mut().for_each(|column| column.permute(&order));
        self.room = 0;
    }

    /// A batch a chunk, each made when it is asked for: all of them would take as much again.
    pub(super) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let lengths: Vec<_> = self.columns.first().map(Column::lengths).unwrap_or_default();
        lengths.into_iter().enumerate().map(|(chunk, length)| {
            let first = (chunk * CHUNK_ROWS) as u32;
            let rows: Vec<_> = (first..first + length as u32).collect();
            let columns = self.columns.iter().map(|column| column.gather(&rows).into_array()).collect();
            RecordBatch::try_new(Arc::clone(&self.schema), columns)
        })
    }

    /// Number of rows.
    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// Gives the memory of a column that nobody asks for any more back to the system.
    pub(super) fn forget(&mut self, position: usize) {
        if let (Some(column), Some(field)) = (self.columns.get_mut(position), self.schema.fields().get(position)) {
            *column = Column::new(field.data_type());
        }
    }

    /// The time in a row of a column of times.
    pub(super) fn time(&self, position: usize, row: u32) -> i64 {
        match self.columns.get(position) {
            Some(Column::I64(times)) => times.at(row).cast_signed(),
            _ => 0,
        }
    }

    /// One column's values at these rows, in their order.
    pub(super) fn gather(&self, position: usize, rows: &[u32]) -> Values {
        self.columns[position].gather(rows)
    }

    /// One column's values, chunk by chunk.
    pub(super) fn numbers(&self, position: usize) -> impl Iterator<Item = &[u32]> {
        let chunks = if let Some(Column::U32(chunks)) = self.columns.get(position) { chunks.as_slice() } else { &[] };
        chunks.iter().map(Vec::as_slice)
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.columns.drain(..).for_each(|column| column.give_back(&self.recycled));
    }
}

/// One column of a shard, chunk by chunk.
#[derive(Debug)]
enum Column {
    /// Times.
    I64(Wide),
    /// Volumes.
    U64(Wide),
    U32(Vec<Vec<u32>>),
    U16(Vec<Vec<u16>>),
    U8(Vec<Vec<u8>>),
}

impl Column {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::I64(Wide::default()),
            DataType::UInt64 => Self::U64(Wide::default()),
            DataType::UInt32 => Self::U32(Vec::new()),
            DataType::UInt16 => Self::U16(Vec::new()),
            _ => Self::U8(Vec::new()),
        }
    }

    /// Bytes that so many rows take.
    const fn bytes(&self, rows: usize) -> usize {
        match self {
            Self::I64(wide) | Self::U64(wide) => rows * 4 + wide.far_rows * 4,
            Self::U32(_) => rows * 4,
            Self::U16(_) => rows * 2,
            Self::U8(_) => rows,
        }
    }

    /// Rows of each chunk.
    fn lengths(&self) -> Vec<usize> {
        match self {
            Self::I64(wide) | Self::U64(wide) => wide.chunks.iter().map(WideChunk::len).collect(),
            Self::U32(chunks) => lengths(chunks),
            Self::U16(chunks) => lengths(chunks),
            Self::U8(chunks) => lengths(chunks),
        }
    }

    fn begin_chunk(&mut self, recycled: &Recycled) {
        match self {
            Self::I64(wide) | Self::U64(wide) => wide.chunks.push(WideChunk::Near(0, recycled.take())),
            Self::U32(chunks) => chunks.push(recycled.take()),
            Self::U16(chunks) => chunks.push(recycled.take()),
            Self::U8(chunks) => chunks.push(recycled.take()),
        }
    }

    fn give_back(self, recycled: &Recycled) {
        match self {
            Self::I64(wide) | Self::U64(wide) => wide.chunks.into_iter().for_each(|chunk| chunk.give_back(recycled)),
            Self::U32(chunks) => recycled.give(chunks),
            Self::U16(chunks) => recycled.give(chunks),
            Self::U8(chunks) => recycled.give(chunks),
        }
    }

    /// Puts another column of the same type behind this one.
    fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::I64(own), Self::I64(other)) | (Self::U64(own), Self::U64(other)) => own.join(other),
            (Self::U32(own), Self::U32(other)) => own.extend(other),
            (Self::U16(own), Self::U16(other)) => own.extend(other),
            (Self::U8(own), Self::U8(other)) => own.extend(other),
            // Both are of one schema.
            _ => {}
        }
    }

    /// Puts its chunks in another order.
    fn permute(&mut self, order: &[usize]) {
        fn permute<T: Default>(chunks: &mut Vec<T>, order: &[usize]) {
            *chunks = order.iter().map(|chunk| std::mem::take(&mut chunks[*chunk])).collect();
        }
        match self {
            Self::I64(wide) | Self::U64(wide) => permute(&mut wide.chunks, order),
            Self::U32(chunks) => permute(chunks, order),
            Self::U16(chunks) => permute(chunks, order),
            Self::U8(chunks) => permute(chunks, order),
        }
    }

    /// Appends rows that fit into the last chunk.
    fn append(&mut self, array: &ArrayRef, rows: Range<usize>, recycled: &Recycled) -> Result<()> {
        match self {
            Self::I64(wide) => {
                let times = &values::<Int64Type>(array)?[rows];
                // Half of what a distance can be lies on either side.
                let base = times.first().map_or(0, |first| first.wrapping_sub(1 << 31).cast_unsigned());
                wide.append(times, |time| time.cast_unsigned(), base, recycled);
            }
            Self::U64(wide) => wide.append(&values::<UInt64Type>(array)?[rows], |volume| volume, 0, recycled),
            Self::U32(chunks) => extend(chunks, &values::<UInt32Type>(array)?[rows]),
            Self::U16(chunks) => extend(chunks, &values::<UInt16Type>(array)?[rows]),
            Self::U8(chunks) => extend(chunks, &values::<UInt8Type>(array)?[rows]),
        }
        Ok(())
    }

    fn gather(&self, rows: &[u32]) -> Values {
        match self {
            Self::I64(wide) => Values::I64(wide.gather(rows, u64::cast_signed)),
            Self::U64(wide) => Values::U64(wide.gather(rows, |volume| volume)),
            Self::U32(chunks) => Values::U32(gather(chunks, rows)),
            Self::U16(chunks) => Values::U16(gather(chunks, rows)),
            Self::U8(chunks) => Values::U8(gather(chunks, rows)),
        }
    }
}

/// 64-bit numbers.
#[derive(Debug, Default)]
struct Wide {
    chunks: Vec<WideChunk>,
    /// Rows in chunks that are not near.
    far_rows: usize,
}

#[derive(Debug)]
enum WideChunk {
    /// A base and distances from it. `FAR` stands for `u64::MAX`, which is no volume at all.
    Near(u64, Vec<u32>),
    /// Numbers as they are, since one was too far from the base.
    Far(Vec<u64>),
}

const FAR: u32 = u32::MAX;

impl Default for WideChunk {
    fn default() -> Self {
        Self::Near(0, Vec::new())
    }
}

impl Wide {
    /// Appends to the last chunk; `base` is its base if it is empty.
    fn append<T: Copy>(&mut self, values: &[T], bits: impl Fn(T) -> u64, base: u64, recycled: &Recycled) {
        let Some(chunk) = self.chunks.last_mut() else { return };
        if let WideChunk::Near(own, distances) = chunk {
            if distances.is_empty() {
                *own = base;
            }
            let base = *own;
            let near = |value: u64| value.wrapping_sub(base) < u64::from(FAR);
            if values.iter().all(|value| near(bits(*value)) || bits(*value) == u64::MAX) {
                distances.extend(values.iter().map(|value| match bits(*value) {
                    value if near(value) => value.wrapping_sub(base) as u32,
                    _ => FAR,
                }));
                return;
            }
        }
        self.far_rows += chunk.spread(recycled) + values.len();
        if let WideChunk::Far(numbers) = chunk {
            numbers.extend(values.iter().map(|value| bits(*value)));
        }
    }

    fn join(&mut self, mut other: Self) {
        self.chunks.append(&mut other.chunks);
        self.far_rows += other.far_rows;
    }

    fn gather<T>(&self, rows: &[u32], of: impl Fn(u64) -> T) -> Vec<T> {
        rows.iter().map(|row| of(self.at(*row))).collect()
    }

    fn at(&self, row: u32) -> u64 {
        self.chunks[row as usize / CHUNK_ROWS].get(row as usize % CHUNK_ROWS)
    }
}

impl WideChunk {
    const fn len(&self) -> usize {
        match self {
            Self::Near(_, distances) => distances.len(),
            Self::Far(numbers) => numbers.len(),
        }
    }

    fn get(&self, place: usize) -> u64 {
        match self {
            Self::Near(base, distances) => far(*base, distances[place]),
            Self::Far(numbers) => numbers[place],
        }
    }

    /// Keeps numbers as they are from now on; how many were distances.
    fn spread(&mut self, recycled: &Recycled) -> usize {
        let Self::Near(base, distances) = self else { return 0 };
        let mut numbers = recycled.take::<u64>();
        numbers.extend(distances.iter().map(|distance| far(*base, *distance)));
        let spread = numbers.len();
        std::mem::replace(self, Self::Far(numbers)).give_back(recycled);
        spread
    }

    fn give_back(self, recycled: &Recycled) {
        match self {
            Self::Near(_, distances) => recycled.give([distances]),
            Self::Far(numbers) => recycled.give([numbers]),
        }
    }
}

const fn far(base: u64, distance: u32) -> u64 {
    if distance == FAR { u64::MAX } else { base.wrapping_add(distance as u64) }
}

fn values<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&[T::Native]> {
    match array.as_primitive_opt::<T>() {
        Some(array) => Ok(array.values()),
        None => exec_err!("a resolved column is {} instead of {}", array.data_type(), T::DATA_TYPE),
    }
}

fn lengths<T>(chunks: &[Vec<T>]) -> Vec<usize> {
    chunks.iter().map(Vec::len).collect()
}

/// Extends the chunk that has room.
fn extend<T: Copy>(chunks: &mut [Vec<T>], values: &[T]) {
    if let Some(chunk) = chunks.last_mut() {
        chunk.extend_from_slice(values);
    }
}

fn gather<T: Copy>(chunks: &[Vec<T>], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|row| chunks[*row as usize / CHUNK_ROWS][*row as usize % CHUNK_ROWS]).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Int64Array, RecordBatch, UInt32Array, UInt64Array},
        datatypes::{DataType, Field, Schema},
    };

    use super::{super::recycled::Recycled, CHUNK_ROWS, Chunks};
    use crate::detector::Values;

    /// Rows come back as they went, however they were cut.
    fn check(times: &[i64], volumes: &[u64]) {
        let rows = times.len().min(volumes.len());
        let field = |name: &str, data_type| Field::new(name, data_type, false);
        let schema = Arc::new(Schema::new(vec![
            field("number", DataType::UInt32),
            field("time", DataType::Int64),
            field("volume", DataType::UInt64),
        ]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(0..rows as u32)),
            Arc::new(Int64Array::from(times[..rows].to_vec())),
            Arc::new(UInt64Array::from(volumes[..rows].to_vec())),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let recycled = Arc::new(Recycled::default());
        // A chunk that was used before is as good as a new one.
        recycled.give([vec![7_u32; CHUNK_ROWS]]);
        let mut chunks = Chunks::new(schema, recycled);
        for from in (0..rows).step_by(1_000) {
            chunks.append(&batch, from..rows.min(from + 1_000)).unwrap();
        }
        assert!(chunks.numbers(0).flatten().copied().eq(0..rows as u32));
        let backwards: Vec<_> = (0..rows as u32).rev().collect();
        assert_eq!(chunks.gather(0, &backwards), Values::U32(backwards.clone()));
        assert_eq!(chunks.gather(1, &backwards), Values::I64(times[..rows].iter().rev().copied().collect()));
        assert_eq!(chunks.gather(2, &backwards), Values::U64(volumes[..rows].iter().rev().copied().collect()));
        let batches: Vec<_> = chunks.batches().map(Result::unwrap).collect();
        assert!(batches.iter().all(|batch| batch.num_rows() <= CHUNK_ROWS));
        assert_eq!(arrow::compute::concat_batches(&batch.schema(), &batches).unwrap(), batch);
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let rows = 3 * CHUNK_ROWS + 5;
        let times: Vec<_> = (0..rows as i64).map(|row| 1_700_000_000_000_000 + row * 250_000 % 90_000_000).collect();
        let volumes: Vec<_> = (0..rows as u64).map(|row| if row % 7 == 0 { u64::MAX } else { row << 16 }).collect();
        check(&times, &volumes);
        check(&[], &[]);
        check(&[-1, 0, i64::MIN, i64::MAX], &[0, u64::MAX, u64::MAX - 1, 1]);
        for (place, far) in [(0, i64::MAX), (CHUNK_ROWS, 0), (rows - 1, i64::MIN)] {
            let (mut times, mut volumes) = (times.clone(), volumes.clone());
            (times[place], volumes[place]) = (far, u64::from(u32::MAX));
            check(&times, &volumes);
        }
    }

    #[test]
    fn chunks_are_put_in_order_of_time() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("time", DataType::Int64, false),
            Field::new("number", DataType::UInt32, false),
        ]));
        let part = |first: i64, rows: usize| {
            let times: ArrayRef = Arc::new((first..first + rows as i64).collect::<Int64Array>());
            let numbers: ArrayRef = Arc::new((first as u32..first as u32 + rows as u32).collect::<UInt32Array>());
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![times, numbers]).unwrap();
            let mut chunks = Chunks::new(Arc::clone(&schema), Arc::default());
            chunks.append(&batch, 0..rows).unwrap();
            chunks
        };
        let mut chunks = part(10_000, CHUNK_ROWS + 7);
        chunks.join(part(0, 2 * CHUNK_ROWS));
        chunks.join(part(50_000, 5));
        chunks.order_by_time(0);
        let numbers: Vec<_> = chunks.numbers(1).flatten().copied().collect();
        let expected = (0..8_192).chain(10_000..14_103).chain(50_000..50_005);
        assert_eq!(numbers, expected.collect::<Vec<_>>());
        // The chunk that was not full keeps its place and its numbers.
        assert_eq!(
            chunks.gather(0, &[3 * CHUNK_ROWS as u32 + 6, 4 * CHUNK_ROWS as u32]),
            Values::I64(vec![14_102, 50_000])
        );
    }

    #[test]
    fn no_more_is_kept_than_was_in_use() {
        let schema = Arc::new(Schema::new(vec![Field::new("time", DataType::Int64, false)]));
        // Those of the first chunk are near each other; then they are hours apart.
        let times = (0..5 * CHUNK_ROWS as i64).map(|row| if row < 5_000 { row } else { row * 3_600_000_000 });
        let column: ArrayRef = Arc::new(times.collect::<Int64Array>());
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let recycled = Arc::new(Recycled::default());
        let mut kept = (0..3).map(|_| {
            let mut chunks = Chunks::new(Arc::clone(&schema), Arc::clone(&recycled));
            chunks.append(&batch, 0..batch.num_rows()).unwrap();
            assert_eq!(chunks.bytes(), CHUNK_ROWS * 4 + 4 * CHUNK_ROWS * 8);
            drop(chunks);
            recycled.kept()
        });
        let first = kept.next().unwrap();
        assert!(kept.all(|kept| kept == first), "{first:?}");
    }
}
