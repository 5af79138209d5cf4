//! Rows of a file of another program, some columns of them, batch by batch.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path as StorePath};
use parquet::{
    arrow::{
        ParquetRecordBatchStreamBuilder, ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
        async_reader::{AsyncFileReader, ParquetRecordBatchStream},
    },
    errors::{ParquetError, Result as ParquetResult},
    file::metadata::ParquetMetaData,
};

use crate::archive::location::Archive;

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
) -> ParquetResult<ParquetRecordBatchStream<File>> {
    let file =
        File { store: Arc::clone(archive.store()), place: object.location.clone(), metadata: Arc::clone(metadata) };
    let known = ArrowReaderMetadata::try_new(Arc::clone(metadata), ArrowReaderOptions::new())?;
    let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(file, known);
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
    builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()
}

/// A file of which the footer was read.
pub(super) struct File {
    store: Arc<dyn ObjectStore>,
    place: StorePath,
    metadata: Arc<ParquetMetaData>,
}

impl AsyncFileReader for File {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let bytes = async { self.store.get_range(&self.place, range).await };
        bytes.map(|bytes| bytes.map_err(|error| ParquetError::External(Box::new(error)))).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        std::future::ready(Ok(Arc::clone(&self.metadata))).boxed()
    }
}
