//! Times that the clocks of a zone show twice, or leap over, when they are changed. Both count by the offset from before
//! the change, so that the first of the two counts, as in other logs (RFC 5545, 3.3.5).

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType},
};
use jiff::tz::TimeZone;

use crate::{
    flow::{self, FlowType},
    mapping::{Fit, Planned},
};

const SECOND: i64 = 1_000_000;

/// Computes what a zone has two times for, or none.
#[derive(Debug)]
pub(super) struct Clocks {
    /// The mapping without a zone.
    fit: Fit,
    schema: SchemaRef,
    zone: TimeZone,
    /// The mapping as of fixed offsets, in seconds.
    planned: RefCell<HashMap<i64, Option<Arc<Planned>>>>,
}

impl Clocks {
    pub(super) fn new(fit: Fit, schema: SchemaRef, zone: TimeZone) -> Self {
        Self { fit, schema, zone, planned: RefCell::default() }
    }

    /// The value of a canonical column for one record, as a type; none where no change of the clocks stood in its way.
    pub(super) fn value(&self, position: usize, record: &RecordBatch, data_type: &DataType) -> Option<ArrayRef> {
        if flow::COLUMNS.get(position)?.data_type != FlowType::Time {
            return None;
        }
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let shown = cast(&self.compute(0, position, record)?, &time).ok()?;
        let shown = shown.as_primitive::<TimestampMicrosecondType>();
        let shown = shown.is_valid(0).then(|| shown.value(0))?;
        let civil = TimeZone::UTC.to_datetime(jiff::Timestamp::from_microsecond(shown).ok()?);
        let instant = self.zone.to_ambiguous_timestamp(civil).compatible().ok()?.as_microsecond();
        cast(&self.compute((shown - instant) / SECOND, position, record)?, data_type).ok()
    }

    fn compute(&self, offset: i64, position: usize, record: &RecordBatch) -> Option<ArrayRef> {
        let planned = self.planned.borrow_mut().entry(offset).or_insert_with(|| self.plan(offset)).clone()?;
        let (_, expression) = planned.columns.iter().find(|(column, _)| *column == position)?;
        expression.evaluate(record).and_then(|value| value.into_array(record.num_rows())).ok()
    }

    fn plan(&self, offset: i64) -> Option<Arc<Planned>> {
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        let fit = self.fit.clone().in_zone(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)).ok()?;
        fit.physical(&self.schema).ok().map(Arc::new)
    }
}
