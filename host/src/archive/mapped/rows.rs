//! Rows of a file of another program, some columns of them, batch by batch.

use std::{ops::Range, sync::Arc, task::Poll};

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, future::BoxFuture, stream};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path as StorePath};
use parquet::{
    arrow::{
        ParquetRecordBatchStreamBuilder, ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
        async_reader::AsyncFileReader,
    },
    errors::{ParquetError, Result as ParquetResult},
    file::metadata::ParquetMetaData,
};

use crate::archive::{guarded::caught, location::Archive, metadata::check_range};

/// Rows that are read at once.
const BATCH_ROWS: usize = 65_536;

/// The rows of a file whose footer was read, with the columns at these positions.
///
/// # Errors
/// Its footer does not tell what its columns are.
pub(super) fn batches(
    archive: &Archive,
    object: &ObjectMeta,
    metadata: &Arc<ParquetMetaData>,
    columns: impl IntoIterator<Item = usize>,
) -> ParquetResult<impl Stream<Item = ParquetResult<RecordBatch>> + Unpin> {
    let file = File {
        store: Arc::clone(archive.store()),
        place: object.location.clone(),
        size: object.size,
        metadata: Arc::clone(metadata),
    };
    let known = ArrowReaderMetadata::try_new(Arc::clone(metadata), ArrowReaderOptions::new())?;
    let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(file, known);
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
    Ok(up_to_first_error(builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?))
}

/// Batches of what may be damaged: that the decoder panics is an error too, and nothing is read behind one.
fn up_to_first_error(
    mut batches: impl Stream<Item = ParquetResult<RecordBatch>> + Unpin,
) -> impl Stream<Item = ParquetResult<RecordBatch>> + Unpin {
    let mut is_over = false;
    stream::poll_fn(move |context| {
        if is_over {
            return Poll::Ready(None);
        }
        let damaged = || Poll::Ready(Some(Err(ParquetError::General("it is damaged".into()))));
        let polled = caught(|| batches.poll_next_unpin(context)).unwrap_or_else(damaged);
        is_over = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    })
}

/// A file of which the footer was read.
struct File {
    store: Arc<dyn ObjectStore>,
    place: StorePath,
    size: u64,
    metadata: Arc<ParquetMetaData>,
}

impl AsyncFileReader for File {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            check_range(&range, self.size)?;
            let bytes = self.store.get_range(&self.place, range).await;
            bytes.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        std::future::ready(Ok(Arc::clone(&self.metadata))).boxed()
    }
}
