//! Rows that are parts of flows, joined as `ingest` joins records: those that end in a slice with each other, so that what a
//! slice holds does not depend on which others are read. A conversation that goes on past the end of a slice is cut there.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewArray},
    datatypes::SchemaRef,
    error::ArrowError,
};

use crate::{
    archive::{buffer::RowBuffer, delimited::Flows, join::Joiner, layout::InternalEnd, values},
    flow,
};

/// Joins rows of other programs' files.
#[derive(Debug)]
pub struct JoinedRows {
    /// Microseconds.
    slice_length: i64,
    /// What waits of the slices in which parts end, by the slice's number since 1970-01-01T00:00Z.
    waiting: BTreeMap<i64, Joiner>,
    over: RowBuffer,
    scratch: Vec<u8>,
}

impl JoinedRows {
    /// Nothing yet, of slices that are so many microseconds long.
    pub fn new(slice_length: i64) -> Self {
        Self { slice_length, waiting: BTreeMap::new(), over: RowBuffer::default(), scratch: Vec::new() }
    }

    /// Takes rows in order of their start, with the canonical columns that matter. What is no flow, as where an address is
    /// none, is passed over: [`RowCounts`](super::RowCounts) tell of it.
    pub fn push(&mut self, rows: &RecordBatch) {
        let mut parts = Flows::default();
        for (field, values) in rows.schema().fields().iter().zip(rows.columns()) {
            parts.set(field.name(), &without_wrong_macs(field.name(), values));
        }
        for row in 0..rows.num_rows() {
            let Ok(part) = parts.row(row, None) else { continue };
            // A slice is over once parts start behind it, since none ends before it starts.
            let slice = part.start_time.div_euclid(self.slice_length);
            while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() < slice) {
                let mut joiner = first.remove();
                joiner.end();
                drain(&mut joiner, &mut self.over, &mut self.scratch);
            }
            let joiner = self.waiting.entry(part.end_time.div_euclid(self.slice_length)).or_default();
            joiner.push(&part);
            if joiner.has_flows() {
                drain(joiner, &mut self.over, &mut self.scratch);
            }
        }
    }

    /// Takes all that waits for over.
    pub fn end(&mut self) {
        for mut joiner in std::mem::take(&mut self.waiting).into_values() {
            joiner.end();
            drain(&mut joiner, &mut self.over, &mut self.scratch);
        }
    }

    /// Number of flows that are over and were not taken.
    pub fn flows(&self) -> usize {
        self.over.rows()
    }

    /// Takes the flows that are over, with these of the canonical columns, in batches of so many.
    ///
    /// # Errors
    /// A column is not canonical.
    pub fn take(&mut self, schema: &SchemaRef, batch_size: usize) -> Result<Vec<RecordBatch>, ArrowError> {
        let (order, columns) = std::mem::take(&mut self.over).into_columns();
        let canonical = flow::schema();
        let places = schema.fields().iter().map(|field| canonical.index_of(field.name()));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let batch = |start: usize| {
            let rows = order.slice(start, batch_size.min(order.len() - start));
            let columns = places.iter().map(|place| columns[*place].take(&rows)).collect::<Result<_, _>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
            RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        };
        (0..order.len()).step_by(batch_size.max(1)).map(batch).collect()
    }
}

/// A flow is none for want of an address, not for want of a MAC address: one that is wrong is as good as absent.
fn without_wrong_macs(column: &str, values: &ArrayRef) -> ArrayRef {
    match values.as_string_view_opt() {
        Some(macs) if column.ends_with("_mac") => {
            let is_mac = |mac: &&str| values::mac(mac.as_bytes()).is_some();
            Arc::new(macs.iter().map(|mac| mac.filter(is_mac)).collect::<StringViewArray>())
        }
        _ => Arc::clone(values),
    }
}

fn drain(joiner: &mut Joiner, over: &mut RowBuffer, scratch: &mut Vec<u8>) {
    let drained: Result<(), std::convert::Infallible> = joiner.drain(|flow| {
        over.push(flow, InternalEnd::Neither, scratch);
        Ok(())
    });
    drained.unwrap_or_else(|never| match never {});
}
