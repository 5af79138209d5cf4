//! Rows of a query on their way out, in one of the formats.

use std::{ops::ControlFlow, path::Path};

use datafusion::arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use wardflow::error::{Error, Result};

use super::{Printer, csv::CsvRows, file::Destination, json::JsonRows, parquet::ParquetRows, table::TableRows};
use crate::args::Format;

/// Writes batches of one query.
pub(crate) struct Rows {
    writer: Box<dyn RowWriter>,
    written: usize,
}

/// A format.
pub(super) trait RowWriter: Send {
    /// Takes a batch; breaks when it wants no more.
    fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>>;

    /// Completes the output.
    fn finish(self: Box<Self>) -> Result<()>;
}

impl Rows {
    /// Begins the output of a query: to a file, or to stdout.
    ///
    /// # Errors
    /// Parquet is to go to a terminal, or the file cannot be made.
    pub(crate) fn open(printer: &Printer, format: Format, file: Option<&Path>, schema: &SchemaRef) -> Result<Self> {
        if format == Format::Parquet && file.is_none() && printer.out.terminal {
            return Err(Error::usage("Parquet is not for a terminal").remedy("name a file with -o FILE, or use a pipe"));
        }
        let destination = file.map_or_else(|| Ok(Destination::stdout()), Destination::file)?;
        let stream = if file.is_none() { printer.out } else { super::Stream::default() };
        let writer: Box<dyn RowWriter> = match format {
            Format::Table => Box::new(TableRows::new(destination, schema, stream)),
            Format::Csv => Box::new(CsvRows::open(destination, schema)?),
            Format::Json => Box::new(JsonRows(destination)),
            Format::Parquet => Box::new(ParquetRows::open(destination, schema)?),
        };
        Ok(Self { writer, written: 0 })
    }

    /// Writes a batch; breaks when the format takes no more rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        self.written += batch.num_rows();
        self.writer.write(batch)
    }

    /// Completes the output. Returns how many rows came.
    pub(crate) fn finish(self) -> Result<usize> {
        self.writer.finish()?;
        Ok(self.written)
    }
}
