//! Times that are computed from one column in a simple way: larger where the column is larger. For these a file's
//! statistics tell when its flows end, and a condition on the time is one on the column.

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::{Column, Result as QueryResult, ScalarValue},
    logical_expr::{BinaryExpr, Cast, Expr, Operator, TryCast, expr::ScalarFunction, lit, try_cast},
};

use super::{
    fit::{Fit, physical},
    lenient::lenient,
};
use crate::{flow, time::DAY};

/// Microseconds by which rounding may move a time: what is coarsest counts seconds.
const ROUNDING: i128 = 1_000_000;

/// A time that is its column's value times a factor.
struct Clock {
    column: String,
    data_type: DataType,
    /// What the value counts.
    counts: Counts,
}

#[derive(Clone, Copy)]
enum Counts {
    /// So much, of nothing yet.
    Number(i128),
    /// Microseconds, as a fraction.
    Micros(i128, i128),
}

impl Fit {
    /// The columns of the source that `end_time` is one of, in a simple way; absent if it is none such.
    pub fn end_time_columns(&self) -> Option<Vec<String>> {
        let clocks = clocks(self.column("end_time")?, self.source())?;
        Some(clocks.into_iter().map(|(clock, _)| clock.column).collect())
    }

    /// The end times that these values of one of [`Fit::end_time_columns`] stand for.
    ///
    /// # Errors
    /// A value is out of range.
    pub fn end_times_of(&self, column: &str, values: ArrayRef) -> QueryResult<TimestampMicrosecondArray> {
        let found = self.column("end_time").and_then(|expression| clocks(expression, self.source()));
        let found = found.into_iter().flatten().find(|(clock, _)| clock.column == column);
        let expression = found.map_or(Expr::Literal(ScalarValue::Null, None), |(_, expression)| expression.clone());
        let schema = Schema::new(vec![Field::new(column, values.data_type().clone(), true)]);
        times(expression, &RecordBatch::try_new(schema.into(), vec![values])?)
    }

    /// The end times of records, of which the batch has the columns that `end_time` is computed from.
    ///
    /// # Errors
    /// The expression fails for one of them.
    pub fn end_times(&self, batch: &RecordBatch) -> QueryResult<TimestampMicrosecondArray> {
        times(self.column("end_time").cloned().unwrap_or_else(|| lit(ScalarValue::Null)), batch)
    }

    /// What a condition on a canonical time means for the source's own columns, so that statistics of these can be held
    /// against it: it holds wherever the condition does, and elsewhere too.
    pub fn hint(&self, filter: &Expr) -> Option<Expr> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
        let (column, op, literal) = match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), literal) => (column, *op, literal),
            (literal, Expr::Column(column)) => (column, op.swap()?, literal),
            _ => return None,
        };
        let Expr::Literal(ScalarValue::TimestampMicrosecond(Some(time), _), _) = literal else { return None };
        let clocks = clocks(self.column(&column.name)?, self.source())?;
        let conditions = clocks.iter().map(|(clock, _)| clock.condition(op, i128::from(*time)));
        conditions.collect::<Option<Vec<_>>>()?.into_iter().reduce(Expr::or)
    }
}

fn times(expression: Expr, batch: &RecordBatch) -> QueryResult<TimestampMicrosecondArray> {
    let expression = physical(try_cast(lenient(expression), flow::time_type()), &batch.schema())?;
    let times = expression.evaluate(batch)?.into_array(batch.num_rows())?;
    Ok(times.as_primitive::<TimestampMicrosecondType>().clone())
}

/// The clocks that a time is one of, each with its expression; absent if there is something else in it.
fn clocks<'a>(expression: &'a Expr, source: &SchemaRef) -> Option<Vec<(Clock, &'a Expr)>> {
    match expression {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "coalesce" => {
            let each = args.iter().map(|argument| clocks(argument, source));
            Some(each.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        other => Some(vec![(Clock::of(other, source)?, other)]).filter(|clocks| clocks[0].0.is_time()),
    }
}

impl Clock {
    fn of(expression: &Expr, source: &SchemaRef) -> Option<Self> {
        match expression {
            Expr::Column(column) => {
                let data_type = source.field_with_name(&column.name).ok()?.data_type().clone();
                let counts = match data_type {
                    DataType::Timestamp(unit, _) => micros(unit),
                    DataType::Date32 => Counts::Micros(DAY as i128, 1),
                    _ if data_type.is_integer() => Counts::Number(1),
                    _ => return None,
                };
                Some(Self { column: column.name.clone(), data_type, counts })
            }
            Expr::Alias(alias) => Self::of(&alias.expr, source),
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                let clock = Self::of(expr, source)?;
                match (field.data_type(), clock.counts) {
                    (DataType::Timestamp(unit, _), Counts::Number(_)) => clock.ticking(micros(*unit)),
                    (DataType::Timestamp(..), Counts::Micros(..)) => Some(clock),
                    (target, Counts::Number(_)) if target.is_integer() => Some(clock),
                    _ => None,
                }
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                let [argument] = args.as_slice() else { return None };
                let unit = match func.name() {
                    "to_timestamp" | "to_timestamp_seconds" | "from_unixtime" => TimeUnit::Second,
                    "to_timestamp_millis" => TimeUnit::Millisecond,
                    "to_timestamp_micros" => TimeUnit::Microsecond,
                    "to_timestamp_nanos" => TimeUnit::Nanosecond,
                    _ => return None,
                };
                let clock = Self::of(argument, source)?;
                if clock.is_time() { Some(clock) } else { clock.ticking(micros(unit)) }
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) => {
                let (inner, factor) = match (left.as_ref(), right.as_ref()) {
                    (inner, Expr::Literal(factor, _)) | (Expr::Literal(factor, _), inner) => (inner, factor),
                    _ => return None,
                };
                let Ok(ScalarValue::Int64(Some(factor @ 1..))) = factor.cast_to(&DataType::Int64) else { return None };
                let clock = Self::of(inner, source)?;
                match clock.counts {
                    Counts::Number(number) => {
                        let counts = Counts::Number(number.checked_mul(factor.into())?);
                        Some(Self { counts, ..clock })
                    }
                    Counts::Micros(..) => None,
                }
            }
            _ => None,
        }
    }

    /// With a number taken for ticks of so many microseconds.
    fn ticking(self, tick: Counts) -> Option<Self> {
        let (Counts::Number(number), Counts::Micros(micros, parts)) = (self.counts, tick) else { return None };
        Some(Self { counts: Counts::Micros(number.checked_mul(micros)?, parts), ..self })
    }

    const fn is_time(&self) -> bool {
        matches!(self.counts, Counts::Micros(..))
    }

    /// What holds of the column wherever the time compares so with another.
    fn condition(&self, op: Operator, time: i128) -> Option<Expr> {
        let Counts::Micros(micros, parts) = self.counts else { return None };
        let (least, most) = ((time - ROUNDING) * parts, (time + ROUNDING) * parts);
        let value = |value: i128| {
            let value = ScalarValue::Int64(Some(value.try_into().ok()?)).cast_to(&self.data_type).ok()?;
            Some(Expr::Literal(value, None))
        };
        let column = || Expr::Column(Column::from_name(&self.column));
        let from = || Some(column().gt_eq(value(least.div_euclid(micros))?));
        let to = || Some(column().lt_eq(value(most.div_euclid(micros) + 1)?));
        match op {
            Operator::Gt | Operator::GtEq => from(),
            Operator::Lt | Operator::LtEq => to(),
            Operator::Eq => Some(from()?.and(to()?)),
            _ => None,
        }
    }
}

const fn micros(unit: TimeUnit) -> Counts {
    match unit {
        TimeUnit::Second => Counts::Micros(1_000_000, 1),
        TimeUnit::Millisecond => Counts::Micros(1_000, 1),
        TimeUnit::Microsecond => Counts::Micros(1, 1),
        TimeUnit::Nanosecond => Counts::Micros(1, 1_000),
    }
}
