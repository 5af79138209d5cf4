//! What a mapping makes of a batch of records: flows, and why some are none.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array},
    compute::{CastOptions, cast_with_options},
    datatypes::DataType,
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::{
    common::{DataFusionError, Result as QueryResult},
    physical_expr::PhysicalExpr,
};

use super::flows::{Flows, wrong};
use crate::{
    archive::record::FlowRecord,
    error::{Context, Result},
    flow,
    mapping::{Planned, halving, told},
};

/// What the records of a batch are.
#[derive(Debug, Default)]
pub(in crate::archive) struct Made {
    /// Why records are no flows, by their position, as far as an expression or its type tells.
    failures: BTreeMap<usize, String>,
    /// Whether a record is wanted; absent if all are.
    wanted: Option<BooleanArray>,
    flows: Flows,
}

/// A column's value, by its position, for one record, as a type.
pub(in crate::archive) type Rescue<'a> = &'a dyn Fn(usize, &RecordBatch, &DataType) -> Option<ArrayRef>;

/// What a record is.
#[allow(clippy::large_enum_variant, reason = "nearly every record is a flow, lent for a moment and never stored")]
pub(in crate::archive) enum Row<'a> {
    Flow(FlowRecord<'a>),
    /// One that the mapping's `where` leaves out.
    Unwanted,
    Reject(String),
}

impl Made {
    /// `rescue` may know the value of a column for a record for which its expression fails.
    ///
    /// # Errors
    /// The mapping was planned for other records.
    pub(in crate::archive) fn of(planned: &Planned, records: &RecordBatch, rescue: Rescue<'_>) -> Result<Self> {
        let mut made = Self::default();
        if let Some(condition) = &planned.condition {
            let wanted = evaluate(condition, records, "where", &|_| None, &mut made.failures)?;
            made.wanted = wanted.as_boolean_opt().cloned();
        }
        let mut failures = BTreeMap::new();
        for (position, expression) in &planned.columns {
            let column = &flow::COLUMNS[*position];
            let data_type = expression.data_type(&records.schema()).context(|| format!("making `{}`", column.name))?;
            let rescue = |record: &RecordBatch| rescue(*position, record, &data_type);
            let values = evaluate(expression, records, column.name, &rescue, &mut failures)?;
            let safe = CastOptions { safe: true, ..CastOptions::default() };
            let cast = cast_with_options(&values, &column.data_type.arrow(), &safe)
                .context(|| format!("making `{}`", column.name))?;
            if cast.null_count() > values.logical_null_count() {
                for row in (0..cast.len()).filter(|&row| cast.is_null(row) && values.is_valid(row)) {
                    failures.entry(row).or_insert_with(|| wrong(column, &shown(&values, row)));
                }
            }
            made.flows.set(column.name, &cast);
        }
        for (row, reason) in failures {
            if made.is_wanted(row) {
                made.failures.entry(row).or_insert(reason);
            }
        }
        Ok(made)
    }

    /// What a record is. `sensor` is the name for the column of that name, in place of what the mapping says.
    pub(in crate::archive) fn row<'a>(&'a self, row: usize, sensor: Option<&'a str>) -> Row<'a> {
        match self.failures.get(&row) {
            Some(reason) => Row::Reject(reason.clone()),
            None if !self.is_wanted(row) => Row::Unwanted,
            None => self.flows.row(row, sensor).map_or_else(Row::Reject, Row::Flow),
        }
    }

    fn is_wanted(&self, row: usize) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.is_valid(row) && wanted.value(row))
    }
}

/// An expression's values. A record for which it fails is rejected, unless it is already, and its value is null.
fn evaluate(
    expression: &Arc<dyn PhysicalExpr>,
    batch: &RecordBatch,
    name: &str,
    rescue: &dyn Fn(&RecordBatch) -> Option<ArrayRef>,
    rejects: &mut BTreeMap<usize, String>,
) -> Result<ArrayRef> {
    let part = |rows: Range<usize>| batch.slice(rows.start, rows.len());
    let compute = |rows: Range<usize>| expression.evaluate(&part(rows.clone()))?.into_array(rows.len());
    let mut failed = |rows: Range<usize>, error: &DataFusionError| -> QueryResult<ArrayRef> {
        if let Some(value) = rescue(&part(rows.clone())) {
            return Ok(value);
        }
        rejects.entry(rows.start).or_insert_with(|| format!("`{name}` cannot be computed: {}", told(error)));
        Ok(new_null_array(&expression.data_type(&batch.schema())?, rows.len()))
    };
    halving(0..batch.num_rows(), &compute, &mut failed).context(|| format!("making `{name}`"))
}

/// A value as text.
fn shown(values: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::default();
    ArrayFormatter::try_new(values, &options).map_or_else(|_| String::new(), |values| values.value(row).to_string())
}
