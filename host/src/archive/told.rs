//! Reads back what sources told of leases and sensors.

use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    datatypes::{Float64Type, TimestampMicrosecondType, UInt64Type},
};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{
    aside::{AsideTable, Lease, SensorReport},
    location::Archive,
    values,
};
use crate::error::{Context, Error, Result};

/// Files that are read at once.
const AT_ONCE: usize = 16;

impl Archive {
    /// Every lease that was ingested.
    ///
    /// # Errors
    /// The archive cannot be read, or a file of the table is none.
    pub async fn leases(&self) -> Result<Vec<Lease>> {
        let mut leases = Vec::new();
        for batch in self.told(AsideTable::Leases).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let (Some(valid_from), Some(ip), Some(mac)) =
                    (rows.time("valid_from", row), rows.text("ip", row), rows.text("mac", row))
                else {
                    continue;
                };
                let (Some(ip), Some(mac)) = (values::ip(ip.as_bytes()), values::mac(mac.as_bytes())) else { continue };
                leases.push(Lease {
                    valid_from,
                    valid_to: rows.time("valid_to", row),
                    ip,
                    mac,
                    host_name: rows.text("host_name", row).map(str::to_owned),
                    sensor: rows.text("sensor", row).map(str::to_owned),
                });
            }
        }
        Ok(leases)
    }

    /// Everything that sensors reported of themselves.
    ///
    /// # Errors
    /// See [`Archive::leases`].
    pub async fn sensor_reports(&self) -> Result<Vec<SensorReport>> {
        let mut reports = Vec::new();
        for batch in self.told(AsideTable::SensorReports).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let (Some(interval_start), Some(interval_end)) =
                    (rows.time("interval_start", row), rows.time("interval_end", row))
                else {
                    continue;
                };
                reports.push(SensorReport {
                    sensor: rows.text("sensor", row).map(str::to_owned),
                    interval_start,
                    interval_end,
                    packets: rows.count("packets", row),
                    dropped: rows.count("dropped", row),
                    loss_ratio: rows.share("loss_ratio", row),
                });
            }
        }
        Ok(reports)
    }

    async fn told(&self, table: AsideTable) -> Result<Vec<RecordBatch>> {
        let files = self.aside_files(table).await?;
        let read = stream::iter(files).map(|file| self.batches(file)).buffered(AT_ONCE);
        let batches: Vec<Vec<RecordBatch>> = read.try_collect().await?;
        Ok(batches.into_iter().flatten().collect())
    }

    async fn batches(&self, file: ObjectMeta) -> Result<Vec<RecordBatch>> {
        let name = self.file(&file.location).to_owned();
        let unreadable = |error: Error| {
            error.remedy("`wardflow archive check --repair` moves it out of the way, and says what to ingest again")
        };
        let doing = || format!("{name} of the archive cannot be read");
        let object = self.store().get(&file.location).await.context(doing).map_err(unreadable)?;
        let bytes = object.bytes().await.context(doing).map_err(unreadable)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(ParquetRecordBatchReaderBuilder::build);
        let batches = reader.context(doing).map_err(unreadable)?.collect::<Result<Vec<_>, _>>();
        batches.context(doing).map_err(unreadable)
    }
}

/// A batch whose columns are found by name. One that is absent or of another type has no values.
struct Rows<'a>(&'a RecordBatch);

impl<'a> Rows<'a> {
    fn text(&self, column: &str, row: usize) -> Option<&'a str> {
        let texts: &StringArray = self.0.column_by_name(column)?.as_string_opt::<i32>()?;
        texts.is_valid(row).then(|| texts.value(row))
    }

    fn time(&self, column: &str, row: usize) -> Option<i64> {
        let times = self.0.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        times.is_valid(row).then(|| times.value(row))
    }

    fn count(&self, column: &str, row: usize) -> Option<u64> {
        let counts = self.0.column_by_name(column)?.as_primitive_opt::<UInt64Type>()?;
        counts.is_valid(row).then(|| counts.value(row))
    }

    fn share(&self, column: &str, row: usize) -> Option<f64> {
        let shares = self.0.column_by_name(column)?.as_primitive_opt::<Float64Type>()?;
        shares.is_valid(row).then(|| shares.value(row))
    }
}
