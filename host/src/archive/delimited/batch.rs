//! A batch of records: first columns of text, then what the mapping makes of them.

use std::{collections::BTreeMap, io::Read, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewBuilder},
    datatypes::SchemaRef,
};
use datafusion::common::DataFusionError;
use jiff::tz::TimeZone;

use super::{
    clocks::Clocks,
    made::{Made, Row},
    records::{Records, Step},
};
use crate::{
    error::{Context, Error, Result},
    mapping::{Fit, Planned, Source, told},
};

/// Records of a batch.
const MOST_ROWS: usize = 8_192;

/// Bytes of a batch's records at which it is full however few they are.
const MOST_BYTES: usize = 4 << 20;

/// Why a last record is none as yet.
const CUT: &str = "the line has no end, so that its last value may be cut off: it is read again once the file goes on, if \
                   only by a line end";

/// That a mapping that fits cannot be computed all the same.
fn not_planned(error: &DataFusionError) -> Error {
    Error::usage("the mapping cannot be computed").because(told(error)).remedy("write its expressions in another way")
}

/// Makes flows of records.
#[derive(Debug)]
pub(super) struct Maker {
    /// Positions of the columns that expressions read.
    used: Vec<usize>,
    /// Number of the source's columns.
    columns: usize,
    schema: SchemaRef,
    planned: Planned,
    /// For times that a zone has twice, or not at all.
    clocks: Clocks,
    null: Vec<String>,
}

/// A batch, made into flows.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    /// Where each record's text ends, and the number of its line.
    ends: Vec<(usize, u64)>,
    /// Why records have no columns, by their position.
    rejects: BTreeMap<usize, String>,
    made: Made,
}

impl Maker {
    /// # Errors
    /// An expression cannot be planned over text.
    pub(super) fn new(fit: &Fit, source: &Source, zone: Option<TimeZone>) -> Result<Self> {
        let used = fit.used();
        let schema: SchemaRef = fit.source().project(&used).context(|| "choosing columns".to_owned())?.into();
        let zoned = match zone {
            Some(zone) => {
                let name = zone.iana_name().unwrap_or("UTC");
                let zoned = fit.clone().in_zone(name).map_err(|error| not_planned(&error))?;
                Some((zoned, zone))
            }
            None => None,
        };
        let local = zoned.as_ref().map_or(fit, |(zoned, _)| zoned);
        let planned = local.physical(&schema).map_err(|error| not_planned(&error))?;
        let zoned = zoned.as_ref().map(|(zoned, zone)| (zoned, zone.clone()));
        let clocks = Clocks::new(fit.clone(), Arc::clone(&schema), zoned);
        let columns = fit.source().fields().len();
        Ok(Self { used, columns, schema, planned, clocks, null: source.null.clone() })
    }

    /// Reads the next batch, empty at the end. `repeated` is a line that is none of them, the header.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn read<R: Read>(&self, records: &mut Records<R>, repeated: Option<&[u8]>) -> Result<Batch> {
        let mut batch = Batch::default();
        let mut columns: Vec<_> = self.used.iter().map(|_| StringViewBuilder::with_capacity(MOST_ROWS)).collect();
        while batch.ends.len() < MOST_ROWS && batch.text.len() < MOST_BYTES {
            let reason = match records.advance()? {
                Step::End => break,
                Step::Record if repeated == Some(records.text()) => continue,
                Step::Record if self.may_be_cut(records) => Some(CUT.to_owned()),
                Step::Record => self.add(records, &mut columns).err(),
                Step::Malformed(reason) => Some(reason),
            };
            if let Some(reason) = reason {
                columns.iter_mut().for_each(|column| column.append_null());
                batch.rejects.insert(batch.ends.len(), reason);
            }
            batch.text.extend_from_slice(records.text());
            batch.ends.push((batch.text.len(), records.number()));
        }
        self.make(&mut batch, columns)?;
        Ok(batch)
    }

    /// Whether a value that some expression reads may be a part of one: `10.0.0.1,44` is whole in itself, and may have
    /// been cut from `10.0.0.1,443`.
    fn may_be_cut<R: Read>(&self, records: &Records<R>) -> bool {
        let ends_in_wanted = self.used.last().is_some_and(|last| last + 1 == self.columns);
        !records.has_end() && ends_in_wanted && records.fields().len() == self.columns
    }

    /// Adds a record to the columns; on failure the reason, and nothing is added.
    fn add<R: Read>(&self, records: &Records<R>, columns: &mut [StringViewBuilder]) -> Result<(), String> {
        let fields = records.fields();
        if fields.len() != self.columns {
            return Err(format!("the record has {} fields where there are {} columns", fields.len(), self.columns));
        }
        let text = std::str::from_utf8(records.text()).map_err(|_| "the record is not UTF-8".to_owned())?;
        for (column, &place) in columns.iter_mut().zip(&self.used) {
            match fields[place].plain(text) {
                Some(value) if self.null.iter().any(|null| null == value) => column.append_null(),
                Some(value) => column.append_value(value),
                None => column.append_value(fields[place].unquoted(text)),
            }
        }
        Ok(())
    }

    fn make(&self, batch: &mut Batch, columns: Vec<StringViewBuilder>) -> Result<()> {
        if batch.ends.is_empty() {
            return Ok(());
        }
        let columns = columns.into_iter().map(|mut column| Arc::new(column.finish()) as ArrayRef).collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.ends.len()));
        let texts = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows);
        let texts = texts.context(|| "gathering records".to_owned())?;
        batch.made = Made::of(&self.planned, &texts, &|position, record, data_type| {
            self.clocks.value(position, record, data_type)
        })?;
        Ok(())
    }
}

impl Batch {
    /// Number of records.
    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// The number of the line on which a record begins, from one.
    pub(super) fn number(&self, row: usize) -> u64 {
        self.ends[row].1
    }

    /// A record's bytes.
    pub(super) fn text(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before].0);
        &self.text[start..self.ends[row].0]
    }

    /// What a record is. `sensor` is the name for the column of that name, in place of what the mapping says.
    pub(super) fn row<'a>(&'a self, row: usize, sensor: Option<&'a str>) -> Row<'a> {
        match self.rejects.get(&row) {
            Some(reason) => Row::Reject(reason.clone()),
            None => self.made.row(row, sensor),
        }
    }
}
