//! When the flows of another program's file end: by its statistics, or by reading it.

use std::{collections::BTreeMap, sync::Arc};

use arrow::array::Array;
use futures::TryStreamExt;
use object_store::ObjectMeta;
use parquet::{
    arrow::{arrow_reader::statistics::StatisticsConverter, parquet_to_arrow_schema},
    file::metadata::ParquetMetaData,
};

use super::rows::batches;
use crate::{
    archive::{footer, hours::HOUR, location::Archive},
    mapping::Fit,
};

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
        let names = fit.column("end_time").map(|expression| expression.column_refs()).unwrap_or_default();
        let wanted = names.iter().filter_map(|column| fit.source().index_of(&column.name).ok());
        let mut batches = batches(archive, object, metadata, wanted)?;
        let mut hours = BTreeMap::new();
        while let Some(batch) = batches.try_next().await? {
            let times = fit.end_times(&batch)?;
            // A row that ends at no time is no flow.
            for hour in times.iter().flatten().map(|time| time.div_euclid(HOUR)).filter(|hour| footer::is_hour(*hour)) {
                *hours.entry(hour).or_default() += 1;
            }
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(hours)
    };
    read.await.map_err(|error| format!("its end times cannot be read: {error}"))
}
