//! Writes flows into an archive, in whatever order they come, in bounded memory.

use std::{collections::BTreeMap, mem};

use jiff::{Span, civil};
use parquet::file::metadata::KeyValue;

use super::{
    buffer::RowBuffer,
    encoder::{Encoder, RowGroup, Staged},
    layout::{InternalEnd, ROW_GROUP_ROWS},
    lock::ArchiveLock,
    record::FlowRecord,
};
use crate::{
    error::{Error, Result},
    time::DAY,
    zone::AddressSpace,
};

/// Memory for flows that wait for their row group: six full row groups. Flows in order of time need two or three; the
/// rest is for flows that come out of order, over many days.
pub const BUFFER_BYTES: usize = 256 << 20;

/// Takes flows and leaves files, `date=YYYY-MM-DD/<source>-<n>.parquet`, that become visible at [`ArchiveWriter::finish`]
/// and not before. The same flows in the same order give the same files.
#[derive(Debug)]
pub struct ArchiveWriter {
    space: AddressSpace,
    days: BTreeMap<i64, DayBuffers>,
    bytes: usize,
    budget: usize,
    row_group_rows: usize,
    encoder: Encoder,
    scratch: Vec<u8>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Paths in the archive.
    pub files: Vec<String>,
    /// Number of flows.
    pub rows: u64,
    /// Size of the files.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct DayBuffers {
    /// Flows with one internal end or none.
    border: RowBuffer,
    /// Flows with two.
    inner: RowBuffer,
}

impl ArchiveWriter {
    /// A writer that lays flows out by the hospital's own networks.
    ///
    /// # Errors
    /// No directory can be made for unfinished files.
    pub fn new(lock: &ArchiveLock, space: AddressSpace) -> Result<Self> {
        Self::with_limits(lock, space, BUFFER_BYTES, ROW_GROUP_ROWS)
    }

    pub(super) fn with_limits(
        lock: &ArchiveLock,
        space: AddressSpace,
        budget: usize,
        row_group_rows: usize,
    ) -> Result<Self> {
        Self::with_footer(lock, space, budget, row_group_rows, Vec::new())
    }

    /// A writer whose files say in their footers what they replace.
    pub(super) fn replacing(lock: &ArchiveLock, space: AddressSpace, footer: Vec<KeyValue>) -> Result<Self> {
        Self::with_footer(lock, space, BUFFER_BYTES, ROW_GROUP_ROWS, footer)
    }

    fn with_footer(
        lock: &ArchiveLock,
        space: AddressSpace,
        budget: usize,
        row_group_rows: usize,
        footer: Vec<KeyValue>,
    ) -> Result<Self> {
        let encoder = Encoder::start(lock.archive(), footer)?;
        Ok(Self { space, days: BTreeMap::new(), bytes: 0, budget, row_group_rows, encoder, scratch: Vec::new() })
    }

    /// Adds a flow.
    ///
    /// # Errors
    /// Its end time is outside the years that a date can name, or an earlier flow could not be written.
    pub fn push(&mut self, flow: &FlowRecord<'_>) -> Result<()> {
        let day = flow.end_time.div_euclid(DAY);
        let buffers = match self.days.get_mut(&day) {
            Some(buffers) => buffers,
            None => {
                date(day)?;
                self.days.entry(day).or_default()
            }
        };
        let internal = InternalEnd::of(&self.space, flow.src_ip, flow.dst_ip);
        let buffer = if internal == InternalEnd::Both { &mut buffers.inner } else { &mut buffers.border };
        let before = buffer.bytes();
        buffer.push(flow, internal, &mut self.scratch);
        self.bytes += buffer.bytes() - before;
        if buffer.rows() >= self.row_group_rows {
            let buffer = mem::take(buffer);
            self.flush(day, buffer)?;
        } else if self.bytes >= self.budget {
            self.flush_largest()?;
        }
        Ok(())
    }

    /// Writes what is left and makes all files visible, under names that begin with `source`. It must be unique to what
    /// was written: by convention the first 16 hexadecimal digits of the source's digest.
    ///
    /// # Errors
    /// Something could not be written. No file is visible then, or, where the last step itself failed, some are; writing
    /// the same source again puts that right.
    pub async fn finish(self, source: &str) -> Result<Written> {
        self.stage()?.publish(None, source).await
    }

    /// Writes what is left, without making anything visible. Blocks.
    pub(super) fn stage(mut self) -> Result<Staged> {
        for (day, buffers) in mem::take(&mut self.days) {
            for buffer in [buffers.border, buffers.inner] {
                if buffer.rows() > 0 {
                    self.flush(day, buffer)?;
                }
            }
        }
        self.encoder.finish()
    }

    fn flush_largest(&mut self) -> Result<()> {
        let buffers =
            self.days.iter_mut().flat_map(|(&day, buffers)| [(day, &mut buffers.border), (day, &mut buffers.inner)]);
        match buffers.max_by_key(|(_, buffer)| buffer.bytes()) {
            Some((day, buffer)) => {
                let buffer = mem::take(buffer);
                self.flush(day, buffer)
            }
            None => Ok(()),
        }
    }

    fn flush(&mut self, day: i64, buffer: RowBuffer) -> Result<()> {
        self.bytes = self.bytes.saturating_sub(buffer.bytes());
        self.encoder.send(RowGroup { date: date(day)?, buffer })
    }
}

/// The date of a day since 1970-01-01.
fn date(day: i64) -> Result<civil::Date> {
    let date = Span::new().try_days(day).and_then(|days| civil::date(1970, 1, 1).checked_add(days));
    date.map_err(|error| {
        Error::failed(format!("a flow ends {day} days from 1970-01-01; dates lie in the years -9999 to 9999"))
            .because(error)
    })
}
