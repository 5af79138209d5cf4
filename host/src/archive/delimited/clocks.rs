//! Times that the clocks of a zone show twice, or leap over, when they are changed. Both count by the offset from before
//! the change, so that the first of the two counts, as in other logs (RFC 5545, 3.3.5); but the second for an end, where the
//! first is before the start.
//!
//! The zone is that of the text, or the one that the expression names with `AT TIME ZONE`. Where both have a part in it, which
//! of the two has changed its clocks is not known.

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
    time::SECOND,
};

/// The position of the start among the canonical columns.
const START_TIME: usize = 0;

/// Computes what a zone has two times for, or none.
#[derive(Debug)]
pub(super) struct Clocks {
    /// The mapping without a zone.
    fit: Fit,
    schema: SchemaRef,
    /// The zone of each canonical column's expression, as far as it has one.
    zones: Vec<Option<TimeZone>>,
    /// The mapping as of fixed offsets, in seconds.
    planned: RefCell<HashMap<i64, Option<Arc<Planned>>>>,
}

/// A time as clocks show it, and when they do: the first time and the last, microseconds.
struct Shown {
    civil: i64,
    first: i64,
    last: i64,
    /// Whether they do twice, or not at all.
    is_of_change: bool,
}

impl Clocks {
    /// `zoned` is the mapping in the zone of its text, if it has another than UTC.
    pub(super) fn new(fit: Fit, schema: SchemaRef, zoned: Option<(&Fit, TimeZone)>) -> Self {
        let zone = |position| {
            let local = zoned.as_ref().filter(|(zoned, _)| fit.has_local_text(position, zoned)).map(|(_, zone)| zone);
            let named = fit.named_zones(position);
            match (local, named.len()) {
                (Some(local), 0) => Some(local.clone()),
                (None, 0) => Some(TimeZone::UTC),
                (None, 1) => TimeZone::get(named.first()?).ok(),
                _ => None,
            }
        };
        let zones = (0..flow::COLUMNS.len()).map(zone).collect();
        Self { fit, schema, zones, planned: RefCell::default() }
    }

    /// The value of a canonical column for one record, as a type; none where no change of the clocks stood in its way.
    pub(super) fn value(&self, position: usize, record: &RecordBatch, data_type: &DataType) -> Option<ArrayRef> {
        let column = flow::COLUMNS.get(position).filter(|column| column.data_type == FlowType::Time)?;
        let shown = self.shown(position, record)?;
        let start = (column.name == "end_time").then(|| self.shown(START_TIME, record)).flatten();
        let offset = match start {
            // It is the start and a duration.
            Some(start) if start.is_of_change && !shown.is_of_change => start.civil - start.first,
            Some(start) if shown.first < start.first && start.first <= shown.last => shown.civil - shown.last,
            _ => shown.civil - shown.first,
        };
        cast(&self.compute(offset / SECOND, position, record)?, data_type).ok()
    }

    fn shown(&self, position: usize, record: &RecordBatch) -> Option<Shown> {
        let zone = self.zones.get(position)?.as_ref()?;
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let shown = cast(&self.compute(0, position, record)?, &time).ok()?;
        let shown = shown.as_primitive::<TimestampMicrosecondType>();
        let micros = shown.is_valid(0).then(|| shown.value(0))?;
        let civil = TimeZone::UTC.to_datetime(jiff::Timestamp::from_microsecond(micros).ok()?);
        let instant = zone.to_ambiguous_timestamp(civil);
        let is_of_change = instant.is_ambiguous();
        let first = instant.compatible().ok()?.as_microsecond();
        let last = zone.to_ambiguous_timestamp(civil).later().ok()?.as_microsecond();
        Some(Shown { civil: micros, first, last, is_of_change })
    }

    fn compute(&self, offset: i64, position: usize, record: &RecordBatch) -> Option<ArrayRef> {
        let planned = self.planned.borrow_mut().entry(offset).or_insert_with(|| self.plan(offset)).clone()?;
        let (_, expression) = planned.columns.iter().find(|(column, _)| *column == position)?;
        expression.evaluate(record).and_then(|value| value.into_array(record.num_rows())).ok()
    }

    fn plan(&self, offset: i64) -> Option<Arc<Planned>> {
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        let fit = self.fit.clone().at_offset(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)).ok()?;
        fit.physical(&self.schema).ok().map(Arc::new)
    }
}
