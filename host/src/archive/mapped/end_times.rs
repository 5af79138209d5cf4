//! When the flows of another program's file end: by its statistics, or by reading it.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use arrow::array::Array;
use bytes::Bytes;
use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path as StorePath};
use parquet::{
    arrow::{
        ParquetRecordBatchStreamBuilder, ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, statistics::StatisticsConverter},
        async_reader::AsyncFileReader,
        parquet_to_arrow_schema,
    },
    errors::{ParquetError, Result as ParquetResult},
    file::metadata::ParquetMetaData,
};

use crate::{
    archive::{hours::HOUR, location::Archive},
    mapping::Fit,
};

/// Rows that are read at once.
const BATCH_ROWS: usize = 65_536;

/// First and last end time of each row group, none where it has none, by statistics; absent if they do not tell.
pub(super) fn by_statistics(metadata: &ParquetMetaData, fit: &Fit) -> Option<Vec<Option<(i64, i64)>>> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()).ok()?;
    let row_groups = metadata.row_groups();
    let mut times: Vec<Option<(i64, i64)>> = vec![None; row_groups.len()];
    let mut is_settled: Vec<bool> = row_groups.iter().map(|group| group.num_rows() == 0).collect();
    for column in fit.end_time_columns()? {
        let converter = StatisticsConverter::try_new(&column, &schema, file.schema_descr()).ok()?;
        let nulls = converter.row_group_null_counts(row_groups).ok()?;
        let first = fit.end_times_of(&column, converter.row_group_mins(row_groups).ok()?).ok()?;
        let last = fit.end_times_of(&column, converter.row_group_maxes(row_groups).ok()?).ok()?;
        for (index, group) in row_groups.iter().enumerate() {
            if is_settled[index] {
                continue;
            }
            let nulls = nulls.is_valid(index).then(|| nulls.value(index));
            if nulls == u64::try_from(group.num_rows()).ok() {
                continue;
            }
            if first.is_null(index) || last.is_null(index) {
                return None;
            }
            let own = (first.value(index), last.value(index));
            times[index] = Some(times[index].map_or(own, |other| (other.0.min(own.0), other.1.max(own.1))));
            // Of the next column only those rows count in which this one is null.
            is_settled[index] = nulls == Some(0);
        }
    }
    Some(times)
}

/// How many flows end in which hour, by reading what `end_time` is computed from. On failure the reason.
pub(super) async fn read_hours(
    archive: &Archive,
    object: &ObjectMeta,
    metadata: &Arc<ParquetMetaData>,
    fit: &Fit,
) -> Result<BTreeMap<i64, u64>, String> {
    let read = async {
        let file =
            File { store: Arc::clone(archive.store()), place: object.location.clone(), metadata: Arc::clone(metadata) };
        let known = ArrowReaderMetadata::try_new(Arc::clone(metadata), ArrowReaderOptions::new())?;
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(file, known);
        let names = fit.column("end_time").map(|expression| expression.column_refs()).unwrap_or_default();
        let wanted = names.iter().filter_map(|column| fit.source().index_of(&column.name).ok());
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let mut batches = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
        let mut hours = BTreeMap::new();
        while let Some(batch) = batches.try_next().await? {
            let times = fit.end_times(&batch)?;
            for time in times.iter().flatten() {
                *hours.entry(time.div_euclid(HOUR)).or_default() += 1;
            }
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(hours)
    };
    read.await.map_err(|error| format!("its end times cannot be read: {error}"))
}

/// A file of which the footer was read.
struct File {
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
