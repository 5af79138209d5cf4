//! A batch of records: first columns of text, then what the mapping makes of them.

use std::{collections::BTreeMap, io::Read, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringViewBuilder, new_null_array,
    },
    compute::{CastOptions, cast_with_options, concat},
    datatypes::SchemaRef,
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::physical_expr::PhysicalExpr;

use super::{
    flows::{Flows, wrong},
    records::{Records, Step},
};
use crate::{
    archive::record::FlowRecord,
    error::{Context, Result},
    flow,
    mapping::{Fit, Planned, Source},
};

/// Records of a batch.
const MOST_ROWS: usize = 8_192;

/// Bytes of a batch's records at which it is full however few they are.
const MOST_BYTES: usize = 4 << 20;

/// Makes flows of records.
#[derive(Debug)]
pub(super) struct Maker {
    /// Positions of the columns that expressions read.
    used: Vec<usize>,
    /// Number of the source's columns.
    columns: usize,
    schema: SchemaRef,
    planned: Planned,
    null: Vec<String>,
}

/// A batch, made into flows.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    /// Where each record's text ends, and the number of its line.
    ends: Vec<(usize, u64)>,
    /// Why records are no flows, by their position.
    rejects: BTreeMap<usize, String>,
    /// Whether a record is wanted; absent if all are.
    wanted: Option<BooleanArray>,
    flows: Flows,
}

/// What a record is.
#[allow(clippy::large_enum_variant, reason = "nearly every record is a flow, lent for a moment and never stored")]
pub(super) enum Row<'a> {
    Flow(FlowRecord<'a>),
    /// One that the mapping's `where` leaves out.
    Unwanted,
    Reject(String),
}

impl Maker {
    /// # Errors
    /// An expression cannot be planned over text.
    pub(super) fn new(fit: &Fit, source: &Source) -> Result<Self> {
        let used = fit.used();
        let schema = fit.source().project(&used).context(|| "choosing columns".to_owned())?.into();
        let planned = fit.physical(&schema).context(|| "planning the mapping".to_owned())?;
        let columns = fit.source().fields().len();
        Ok(Self { used, columns, schema, planned, null: source.null.clone() })
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
        if let Some(condition) = &self.planned.condition {
            let wanted = evaluate(condition, &texts, 0, "where", &mut batch.rejects)?;
            batch.wanted = wanted.as_boolean_opt().cloned();
        }
        let mut failures = BTreeMap::new();
        for (position, expression) in &self.planned.columns {
            let column = &flow::COLUMNS[*position];
            let values = evaluate(expression, &texts, 0, column.name, &mut failures)?;
            let safe = CastOptions { safe: true, ..CastOptions::default() };
            let cast = cast_with_options(&values, &column.data_type.arrow(), &safe)
                .context(|| format!("making `{}`", column.name))?;
            if cast.null_count() > values.logical_null_count() {
                for row in (0..cast.len()).filter(|&row| cast.is_null(row) && values.is_valid(row)) {
                    failures.entry(row).or_insert_with(|| wrong(column, &shown(&values, row)));
                }
            }
            batch.flows.set(column.name, &cast);
        }
        for (row, reason) in failures {
            if batch.is_wanted(row) {
                batch.rejects.entry(row).or_insert(reason);
            }
        }
        Ok(())
    }
}

/// An expression's values. A record for which it fails is rejected, unless it is already, and its value is null; it is
/// found by halving, since that is rare.
fn evaluate(
    expression: &Arc<dyn PhysicalExpr>,
    batch: &RecordBatch,
    offset: usize,
    name: &str,
    rejects: &mut BTreeMap<usize, String>,
) -> Result<ArrayRef> {
    let rows = batch.num_rows();
    match expression.evaluate(batch).and_then(|values| values.into_array(rows)) {
        Ok(values) => Ok(values),
        Err(error) if rows <= 1 => {
            rejects
                .entry(offset)
                .or_insert_with(|| format!("`{name}` cannot be computed: {}", error.strip_backtrace()));
            let data_type = expression.data_type(&batch.schema()).context(|| format!("making `{name}`"))?;
            Ok(new_null_array(&data_type, rows))
        }
        Err(_) => {
            let half = rows / 2;
            let first = evaluate(expression, &batch.slice(0, half), offset, name, rejects)?;
            let second = evaluate(expression, &batch.slice(half, rows - half), offset + half, name, rejects)?;
            concat(&[&first, &second]).context(|| format!("making `{name}`"))
        }
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
            None if !self.is_wanted(row) => Row::Unwanted,
            None => self.flows.row(row, sensor).map_or_else(Row::Reject, Row::Flow),
        }
    }

    fn is_wanted(&self, row: usize) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.is_valid(row) && wanted.value(row))
    }
}

/// A value as text.
fn shown(values: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::default();
    ArrayFormatter::try_new(values, &options).map_or_else(|_| String::new(), |values| values.value(row).to_string())
}
