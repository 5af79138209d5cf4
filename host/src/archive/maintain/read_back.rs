//! Reads a Parquet file of the archive, row group by row group, and tells damage from a store that cannot be reached.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Fields, Schema},
};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as StorePath};
use parquet::{
    DecodeResult,
    arrow::{
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
        push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder},
    },
    errors::ParquetError,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use super::flow_rows::FlowRows;
use crate::{
    archive::{
        block_sums::BlockSums,
        hours::{Hour, Hours},
        ingest::Failure,
        layout::PAGE_ROWS,
        metadata::{check_range, metadata, tail},
    },
    error::{Context, Error, Result},
};

/// Bytes that are compared at a time, whole blocks.
const AT_ONCE: usize = 8 << 20;

/// Why a file could not be read back.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is not what was written.
    Damaged(String),
    /// The disk or the object store did not give it. It may be whole.
    Unreachable(object_store::Error),
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<object_store::Error>() {
                Ok(error) => Self::Unreachable(*error),
                Err(source) => Self::Damaged(source.to_string()),
            },
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(reason) => Self::failed(reason),
            Fault::Unreachable(error) => Self::failed("it cannot be read").because(error),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Source(fault.into())
    }
}

/// How texts are held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// As the file says: each by itself.
    AsWritten,
    /// As views, so that one that many rows have is held once.
    AsViews,
}

/// Gives every row of a file to `each`, batch by batch.
pub(super) async fn batches<E: From<Fault>>(
    store: &dyn ObjectStore,
    object: &ObjectMeta,
    texts: Texts,
    mut each: impl FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let footer = metadata(store, object).await.map_err(Fault::from)?;
    if footer.file_metadata().num_rows() == 0 {
        return Ok(());
    }
    let mut decoder = guarded(|| decoder(Arc::new(footer), texts))?;
    loop {
        match guarded(|| decoder.try_decode())? {
            DecodeResult::NeedsData(ranges) => {
                ranges.iter().try_for_each(|range| check_range(range, object.size)).map_err(Fault::from)?;
                let bytes = store.get_ranges(&object.location, &ranges).await.map_err(Fault::Unreachable)?;
                decoder.push_ranges(ranges, bytes).map_err(Fault::from)?;
            }
            DecodeResult::Data(batch) => each(&batch)?,
            DecodeResult::Finished => return Ok(()),
        }
    }
}

fn decoder(footer: Arc<ParquetMetaData>, texts: Texts) -> Result<ParquetPushDecoder, ParquetError> {
    let batch_size = batch_rows(&footer);
    let mut read = ArrowReaderMetadata::try_new(footer, ArrowReaderOptions::new())?;
    if texts == Texts::AsViews {
        let fields = read.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
            _ => Arc::clone(field),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Fields>()));
        read =
            ArrowReaderMetadata::try_new(Arc::clone(read.metadata()), ArrowReaderOptions::new().with_schema(schema))?;
    }
    ParquetPushDecoderBuilder::new_with_metadata(read).with_batch_size(batch_size).build()
}

/// Rows of a batch: those of a page, fewer where they are large.
fn batch_rows(footer: &ParquetMetaData) -> usize {
    let of_group = |group: &RowGroupMetaData| group.total_byte_size() / group.num_rows().max(1);
    let largest = footer.row_groups().iter().map(of_group).max().and_then(|bytes| usize::try_from(bytes).ok());
    (AT_ONCE / largest.unwrap_or(0).max(1)).clamp(1, PAGE_ROWS)
}

/// Compares all of a file with its checksums, if it has them.
pub(super) async fn compare(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<(), Fault> {
    let footer = metadata(store, object).await?;
    let Some(sums) = BlockSums::of(&footer).map_err(Fault::Damaged)? else { return Ok(()) };
    check_range(&(0..sums.end()), object.size)?;
    for start in (0..sums.end()).step_by(AT_ONCE) {
        let end = sums.end().min(start + AT_ONCE as u64);
        let blocks = store.get_range(&object.location, start..end).await.map_err(Fault::Unreachable)?;
        sums.verify(start, &blocks).map_err(Fault::Damaged)?;
    }
    tail(store, object, &sums).await?;
    Ok(())
}

/// What the flows of a file give for each hour, whatever its footer says.
pub(super) async fn hours(store: &dyn ObjectStore, object: &ObjectMeta) -> Result<Vec<Hour>, Fault> {
    let (mut rows, mut hours, mut scratch) = (FlowRows::default(), Hours::default(), Vec::new());
    batches::<Fault>(store, object, Texts::AsViews, |batch| {
        rows.each(batch, |flow| {
            hours.add(flow, flow.digest(&mut scratch));
            Ok(())
        })
    })
    .await?;
    Ok(hours.list())
}

/// A file that is not in the archive yet.
pub(super) async fn staged(path: &Path) -> Result<(LocalFileSystem, ObjectMeta)> {
    let doing = || format!("reading {}", path.display());
    let store = LocalFileSystem::new();
    let place = StorePath::from_absolute_path(path).context(doing)?;
    let object = store.head(&place).await.context(doing)?;
    Ok((store, object))
}

/// Whether both are the same flows, hour by hour. Earlier versions did not note how flows were seen.
pub(super) fn is_same(a: &[Hour], b: &[Hour]) -> bool {
    let key = |hour: &Hour| (hour.hour, hour.rows, hour.digest);
    a.iter().map(key).eq(b.iter().map(key))
}

/// Decodes what may be anything: the decoder may stumble over it.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(Fault::from),
        Err(_) => Err(Fault::Damaged("it cannot be decoded".into())),
    }
}
