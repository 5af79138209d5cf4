//! Turns row groups into Parquet files, on a thread of its own, so that reading and encoding overlap.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use jiff::civil::Date;
use parquet::{
    arrow::{
        ArrowWriter,
        arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves},
    },
    file::{metadata::KeyValue, writer::SerializedFileWriter},
};
use tempfile::TempDir;

use super::{
    block_sums::Summed,
    buffer::RowBuffer,
    hours::{self, HOURS_KEY, Hours},
    layout::{self, PAGE_ROWS},
    location::{Archive, OWN_DIRECTORY},
    sensor_hours::{self, SENSORS_KEY, SensorHours},
    tail_sums,
    writer::Written,
};
use crate::{
    disk::File,
    error::{Context, Error, Result},
    flow,
};

/// Files that are open at once. When another date comes, the file that has waited longest is closed; its date gets
/// another one if need be.
const OPEN_FILES: usize = 64;

/// Flows of one date that make a row group.
#[derive(Debug)]
pub(super) struct RowGroup {
    pub(super) date: Date,
    pub(super) buffer: RowBuffer,
}

/// The thread that encodes, and the way to it. One row group may wait while another is encoded.
#[derive(Debug)]
pub(super) struct Encoder {
    row_groups: Option<SyncSender<RowGroup>>,
    thread: Option<JoinHandle<Result<Vec<StagedFile>>>>,
    archive: Archive,
    directory: TempDir,
}

/// Files that are complete and not yet visible. They are deleted if they never become so.
#[derive(Debug)]
pub(super) struct Staged {
    archive: Archive,
    files: Vec<StagedFile>,
    _directory: TempDir,
}

#[derive(Debug)]
struct StagedFile {
    path: PathBuf,
    date: Date,
    number: usize,
    rows: u64,
    bytes: u64,
}

impl Encoder {
    /// Starts it. Every file's footer gets `footer` too.
    pub(super) fn start(archive: &Archive, footer: Vec<KeyValue>) -> Result<Self> {
        let directory = archive.scratch()?;
        let (row_groups, received) = sync_channel(1);
        let files = Files {
            directory: directory.path().to_owned(),
            open: BTreeMap::new(),
            next_number: BTreeMap::new(),
            used: 0,
            closed: Vec::new(),
            footer,
        };
        let thread = thread::Builder::new()
            .name("archive-encoder".into())
            .spawn(move || files.write_all(&received))
            .context(|| "starting the thread that encodes Parquet".into())?;
        Ok(Self { row_groups: Some(row_groups), thread: Some(thread), archive: archive.clone(), directory })
    }

    /// Hands over a row group. Blocks while two are on their way.
    pub(super) fn send(&mut self, row_group: RowGroup) -> Result<()> {
        let sent = self.row_groups.as_ref().is_some_and(|row_groups| row_groups.send(row_group).is_ok());
        if sent { Ok(()) } else { self.join().and_then(|_| Err(stopped())) }
    }

    /// Waits until all is written.
    pub(super) fn finish(mut self) -> Result<Staged> {
        let files = self.join()?;
        Ok(Staged { archive: self.archive, files, _directory: self.directory })
    }

    fn join(&mut self) -> Result<Vec<StagedFile>> {
        self.row_groups = None;
        self.thread.take().ok_or_else(stopped)?.join().map_err(|_| stopped())?
    }
}

impl Staged {
    /// Date and path of the file, if it is one.
    pub(super) fn only(&self) -> Option<(Date, &Path)> {
        let [file] = self.files.as_slice() else { return None };
        Some((file.date, file.path.as_path()))
    }

    /// Makes the files visible, under names that begin with `source`: as flows, or in one of the archive's own directories.
    pub(super) async fn publish(self, own_directory: Option<&str>, source: &str) -> Result<Written> {
        let mut written = Written::default();
        for staged in self.files {
            let file = match own_directory {
                None => format!("date={}/{source}-{}.parquet", staged.date, staged.number),
                Some(own) => format!("{OWN_DIRECTORY}/{own}/{source}-{}-{}.parquet", staged.date, staged.number),
            };
            self.archive.publish(&staged.path, &file).await?;
            written.files.push(file);
            written.rows += staged.rows;
            written.bytes += staged.bytes;
        }
        written.files.sort();
        Ok(written)
    }
}

fn stopped() -> Error {
    Error::failed("the thread that encodes Parquet has stopped")
}

/// The files in the making.
struct Files {
    directory: PathBuf,
    open: BTreeMap<Date, OpenFile>,
    next_number: BTreeMap<Date, usize>,
    used: u64,
    closed: Vec<StagedFile>,
    footer: Vec<KeyValue>,
}

struct OpenFile {
    writer: SerializedFileWriter<Summed<File>>,
    row_groups: ArrowRowGroupWriterFactory,
    path: PathBuf,
    date: Date,
    number: usize,
    hours: Hours,
    sensors: SensorHours,
    rows: u64,
    last_used: u64,
}

impl Files {
    fn write_all(mut self, row_groups: &Receiver<RowGroup>) -> Result<Vec<StagedFile>> {
        while let Ok(row_group) = row_groups.recv() {
            self.write(row_group)?;
        }
        while let Some((_, open)) = self.open.pop_first() {
            self.closed.push(open.close(&self.footer)?);
        }
        Ok(self.closed)
    }

    fn write(&mut self, row_group: RowGroup) -> Result<()> {
        let RowGroup { date, buffer } = row_group;
        if !self.open.contains_key(&date) {
            if self.open.len() >= OPEN_FILES {
                self.close_least_used()?;
            }
            let number = self.next_number.entry(date).or_default();
            self.open.insert(date, OpenFile::create(&self.directory, date, *number)?);
            *number += 1;
        }
        self.used += 1;
        if let Some(open) = self.open.get_mut(&date) {
            open.last_used = self.used;
            open.write(buffer).context(|| format!("writing {}", open.path.display()))?;
        }
        Ok(())
    }

    fn close_least_used(&mut self) -> Result<()> {
        let least = self.open.iter().min_by_key(|(_, open)| open.last_used).map(|(&date, _)| date);
        if let Some(open) = least.and_then(|date| self.open.remove(&date)) {
            self.closed.push(open.close(&self.footer)?);
        }
        Ok(())
    }
}

impl OpenFile {
    fn create(directory: &Path, date: Date, number: usize) -> Result<Self> {
        let path = directory.join(format!("{date}-{number}"));
        let create = || -> Result<_, parquet::errors::ParquetError> {
            ArrowWriter::try_new(Summed::new(File::create(&path)?), flow::schema(), Some(layout::properties()?))?
                .into_serialized_writer()
        };
        let (writer, row_groups) = create().context(|| format!("creating {}", path.display()))?;
        Ok(Self {
            writer,
            row_groups,
            path,
            date,
            number,
            hours: Hours::default(),
            sensors: SensorHours::default(),
            rows: 0,
            last_used: 0,
        })
    }

    /// Writes a row group column by column and page by page: what is put in order stays in the cache until it is encoded.
    fn write(&mut self, buffer: RowBuffer) -> Result<(), parquet::errors::ParquetError> {
        self.hours.merge(buffer.hours());
        self.sensors.merge(buffer.sensors());
        self.rows += buffer.rows() as u64;
        let (order, columns) = buffer.into_columns();
        let encoders = self.row_groups.create_column_writers(self.writer.flushed_row_groups().len())?;
        let mut row_group = self.writer.next_row_group()?;
        for ((field, column), mut encoder) in flow::schema().fields().iter().zip(columns).zip(encoders) {
            for start in (0..order.len()).step_by(PAGE_ROWS) {
                let rows = order.slice(start, PAGE_ROWS.min(order.len() - start));
                for leaf in compute_leaves(field, &column.take(&rows)?)? {
                    encoder.write(&leaf)?;
                }
            }
            let mut chunk = encoder.close()?;
            chunk.close_mut().bloom_filter = column.distinct().map(layout::bloom_filter).transpose()?;
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close().map(drop)
    }

    fn close(mut self, footer: &[KeyValue]) -> Result<StagedFile> {
        let path = self.path.clone();
        let mut close = || -> Result<u64, parquet::errors::ParquetError> {
            let text = |error: serde_json::Error| parquet::errors::ParquetError::General(error.to_string());
            let hours = hours::to_json(&self.hours.list()).map_err(text)?;
            let sensors = sensor_hours::to_json(&std::mem::take(&mut self.sensors).list()).map_err(text)?;
            for (key, value) in [(HOURS_KEY, hours), (SENSORS_KEY, sensors)] {
                self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
            }
            footer.iter().for_each(|pair| self.writer.append_key_value_metadata(pair.clone()));
            self.writer.flush()?;
            let sums = self.writer.inner().sums();
            self.writer.append_key_value_metadata(sums.to_footer());
            self.writer.append_key_value_metadata(tail_sums::blank());
            self.writer.finish()?;
            let file = self.writer.inner_mut().file_mut();
            tail_sums::fill(file, sums.end())?;
            file.sync()?;
            Ok(file.size()?)
        };
        let bytes = close().context(|| format!("writing {}", path.display()))?;
        Ok(StagedFile { path, date: self.date, number: self.number, rows: self.rows, bytes })
    }
}
