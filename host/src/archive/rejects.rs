//! Records that could not be read, kept with their reason so that none is lost silently.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{RecordBatch, StringViewArray, StringViewBuilder, TimestampMicrosecondArray, UInt64Builder},
    compute::concat_batches,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use bytes::Bytes;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use super::{
    ledger::SourceEntry,
    location::{Archive, OWN_DIRECTORY},
    reader::{Place, Reject},
};
use crate::{
    disk::File,
    error::{Context, Result},
    flow::time_type,
};

/// Most bytes of a record that are kept.
pub const MOST_RAW_BYTES: usize = 512;

/// Rows that wait until they are written.
const BATCH_ROWS: usize = 8_192;

/// The directory in an archive whose Parquet files, one a source, are the table `rejects`.
pub(super) fn directory() -> String {
    format!("{OWN_DIRECTORY}/rejects")
}

/// The file of a source's rejects.
pub(super) fn path(source: &str) -> String {
    format!("{}/{source}.parquet", directory())
}

/// Columns of the table `rejects`: the source's name; where it stands in it, decompressed: the line's number from one, or of
/// binary formats the position of its first byte from zero; the rule that it breaks with its value, its first 512 bytes with
/// all but printable ASCII escaped, and when the source was ingested.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8View, false),
        Field::new("line", DataType::UInt64, true),
        Field::new("byte_offset", DataType::UInt64, true),
        Field::new("reason", DataType::Utf8View, false),
        Field::new("raw", DataType::Utf8View, false),
        Field::new("ingested_at", time_type(), false),
    ]))
}

impl Archive {
    /// Takes the last reject of a source out of the table: a line that was being written, and was read since.
    pub(super) async fn drop_last_reject(&self, entry: &mut SourceEntry) -> Result<()> {
        let file = path(SourceEntry::short(&entry.digest));
        let Some(bytes) = self.get(&file).await? else { return Ok(()) };
        if entry.counts.rejects > 1 {
            let scratch = self.scratch()?;
            let shorter = scratch.path().join("rejects");
            without_last(bytes.into(), &shorter).context(|| format!("writing {file} anew"))?;
            self.publish(&shorter, &file).await?;
        } else {
            self.delete(&self.place(&file)).await?;
        }
        entry.counts.rejects = entry.counts.rejects.saturating_sub(1);
        self.record_source(entry).await
    }
}

fn without_last(rejects: Bytes, to: &Path) -> Result<(), parquet::errors::ParquetError> {
    let batches = ParquetRecordBatchReaderBuilder::try_new(rejects)?.build()?.collect::<Result<Vec<_>, _>>()?;
    let Some(first) = batches.first() else { return Ok(()) };
    let all = concat_batches(&first.schema(), &batches)?;
    let mut writer = ArrowWriter::try_new(File::create(to)?, all.schema(), Some(properties()?))?;
    writer.write(&all.slice(0, all.num_rows().saturating_sub(1)))?;
    writer.finish()?;
    Ok(writer.inner_mut().sync()?)
}

fn properties() -> Result<WriterProperties, parquet::errors::ParquetError> {
    Ok(WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build())
}

/// Writes the rejects of one source into a file, if there are any.
pub(super) struct RejectsWriter {
    path: PathBuf,
    source: String,
    ingested_at: i64,
    writer: Option<ArrowWriter<File>>,
    line: UInt64Builder,
    offset: UInt64Builder,
    reason: StringViewBuilder,
    raw: StringViewBuilder,
    waiting: usize,
}

impl RejectsWriter {
    pub(super) fn new(path: &Path, source: &str, ingested_at: i64) -> Self {
        Self {
            path: path.to_owned(),
            source: source.to_owned(),
            ingested_at,
            writer: None,
            line: UInt64Builder::new(),
            offset: UInt64Builder::new(),
            reason: StringViewBuilder::new(),
            raw: StringViewBuilder::new(),
            waiting: 0,
        }
    }

    pub(super) fn push(&mut self, reject: &Reject<'_>) -> Result<()> {
        let (line, offset) = match reject.place {
            Place::Line(line) => (Some(line), None),
            Place::Offset(offset) => (None, Some(offset)),
        };
        self.line.append_option(line);
        self.offset.append_option(offset);
        self.reason.append_value(&reject.reason);
        self.raw.append_value(reject.raw[..reject.raw.len().min(MOST_RAW_BYTES)].escape_ascii().to_string());
        self.waiting += 1;
        if self.waiting >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    /// Completes the file; none if there were no rejects.
    pub(super) fn finish(mut self) -> Result<Option<PathBuf>> {
        if self.waiting > 0 {
            self.write()?;
        }
        let Some(mut writer) = self.writer.take() else {
            return Ok(None);
        };
        let mut close = || -> Result<(), parquet::errors::ParquetError> {
            writer.finish()?;
            Ok(writer.inner_mut().sync()?)
        };
        close().context(|| format!("writing {}", self.path.display()))?;
        Ok(Some(self.path))
    }

    fn write(&mut self) -> Result<()> {
        let path = self.path.clone();
        self.try_write().context(|| format!("writing {}", path.display()))
    }

    fn try_write(&mut self) -> Result<(), parquet::errors::ParquetError> {
        let batch = RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(&self.source, self.waiting))),
                Arc::new(self.line.finish()),
                Arc::new(self.offset.finish()),
                Arc::new(self.reason.finish()),
                Arc::new(self.raw.finish()),
                Arc::new(TimestampMicrosecondArray::from(vec![self.ingested_at; self.waiting]).with_timezone("UTC")),
            ],
        )?;
        self.waiting = 0;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(ArrowWriter::try_new(File::create(&self.path)?, schema(), Some(properties()?))?),
        };
        writer.write(&batch)
    }
}
