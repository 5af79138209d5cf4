//! Writes the tables beside the flows, a file a source and table.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    json::ReaderBuilder,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use super::{
    aside::{Aside, AsideTable},
    location::OWN_DIRECTORY,
};
use crate::{
    disk::File,
    error::{Context, Result},
};

/// Rows that wait until they are written.
const BATCH_ROWS: usize = 8_192;

impl AsideTable {
    /// The directory in an archive that holds its files.
    pub(super) fn directory(self) -> String {
        format!("{OWN_DIRECTORY}/{}", self.name())
    }

    /// The file of a source's rows.
    pub(super) fn path(self, source: &str) -> String {
        format!("{}/{source}.parquet", self.directory())
    }

    /// The columns of its files: its own, and the name of the source.
    pub fn file_schema(self) -> SchemaRef {
        let own = self.schema();
        let source = Arc::new(Field::new("source", DataType::Utf8, true));
        Arc::new(Schema::new(own.fields().iter().cloned().chain([source]).collect::<Vec<_>>()))
    }
}

/// Writes the rows of one source.
#[derive(Debug)]
pub(super) struct AsidesWriter {
    directory: PathBuf,
    source: String,
    tables: BTreeMap<AsideTable, TableWriter>,
}

#[derive(Debug, Default)]
struct TableWriter {
    writer: Option<ArrowWriter<File>>,
    waiting: Vec<Aside>,
}

/// A file that is complete and not yet visible.
#[derive(Debug)]
pub(super) struct StagedTable {
    pub(super) table: AsideTable,
    pub(super) path: PathBuf,
}

impl AsidesWriter {
    /// Writes into a directory that the caller has made.
    pub(super) fn new(directory: &Path, source: &str) -> Self {
        Self { directory: directory.to_owned(), source: source.to_owned(), tables: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, row: Aside) -> Result<()> {
        let table = row.table();
        let writer = self.tables.entry(table).or_default();
        writer.waiting.push(row);
        if writer.waiting.len() < BATCH_ROWS {
            return Ok(());
        }
        self.write(table)
    }

    /// Completes the files.
    pub(super) fn finish(mut self) -> Result<Vec<StagedTable>> {
        let tables: Vec<_> = self.tables.keys().copied().collect();
        for table in tables {
            self.write(table)?;
        }
        let mut staged = Vec::new();
        for (table, writer) in std::mem::take(&mut self.tables) {
            let Some(mut file) = writer.writer else { continue };
            let path = self.path(table);
            let mut close = || -> Result<(), parquet::errors::ParquetError> {
                file.finish()?;
                Ok(file.inner_mut().sync()?)
            };
            close().context(|| format!("writing {}", path.display()))?;
            staged.push(StagedTable { table, path });
        }
        Ok(staged)
    }

    fn path(&self, table: AsideTable) -> PathBuf {
        self.directory.join(table.name())
    }

    fn write(&mut self, table: AsideTable) -> Result<()> {
        let path = self.path(table);
        let Some(writer) = self.tables.get_mut(&table) else { return Ok(()) };
        let rows = std::mem::take(&mut writer.waiting);
        write(writer, table, &rows, &self.source, &path).context(|| format!("writing {}", path.display()))
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn write(
    writer: &mut TableWriter,
    table: AsideTable,
    rows: &[Aside],
    source: &str,
    path: &Path,
) -> Result<(), AnyError> {
    let mut decoder = ReaderBuilder::new(table.schema()).build_decoder()?;
    decoder.serialize(rows)?;
    let Some(batch) = decoder.flush()? else { return Ok(()) };
    let sources: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(source, batch.num_rows())));
    let columns = batch.columns().iter().cloned().chain([sources]).collect();
    let batch = RecordBatch::try_new(table.file_schema(), columns)?;
    let file = match &mut writer.writer {
        Some(file) => file,
        none => {
            let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
            let properties = WriterProperties::builder().set_compression(compression).build();
            none.insert(ArrowWriter::try_new(File::create(path)?, table.file_schema(), Some(properties))?)
        }
    };
    Ok(file.write(&batch)?)
}
