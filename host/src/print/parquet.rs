//! Parquet.

use std::ops::ControlFlow;

use datafusion::arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use wardflow::error::{Context, Result};

use super::{file::Destination, rows::RowWriter};

/// Writes rows as one Parquet file, compressed with zstd.
pub(super) struct ParquetRows(ArrowWriter<Destination>);

impl ParquetRows {
    pub(super) fn open(destination: Destination, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = ArrowWriter::try_new(destination, schema.clone(), Some(properties)).context(doing)?;
        Ok(Self(writer))
    }
}

impl RowWriter for ParquetRows {
    fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        self.0.write(batch).context(doing)?;
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.into_inner().context(doing)?.finish()
    }
}

fn doing() -> String {
    "cannot write the rows as Parquet".to_owned()
}
