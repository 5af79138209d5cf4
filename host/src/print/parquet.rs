//! Parquet.

use std::{io, ops::ControlFlow};

use datafusion::arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};
use wardflow::error::{Error, Result};

use super::{file::Destination, rows::RowWriter, unwritable};

/// Writes rows as one Parquet file, compressed with zstd.
pub(super) struct ParquetRows(ArrowWriter<Destination>);

impl ParquetRows {
    pub(super) fn open(destination: Destination, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = ArrowWriter::try_new(destination, schema.clone(), Some(properties)).map_err(failed)?;
        Ok(Self(writer))
    }
}

impl RowWriter for ParquetRows {
    fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        self.0.write(batch).map_err(failed)?;
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.into_inner().map_err(failed)?.finish()
    }
}

/// That the reader went away is no failure.
fn failed(error: ParquetError) -> Error {
    let source = match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => return unwritable(*error),
            Err(source) => source,
        },
        error => error.into(),
    };
    Error::failed("cannot write the rows as Parquet").because(source)
}
