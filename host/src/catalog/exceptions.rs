//! Exceptions in SQL: `findings` without those that an exception hides, and `excepted_findings`, which are those.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
        new_null_array,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use datafusion::{
    common::{DFSchema, DataFusionError, tree_node::TreeNode},
    datasource::{MemTable, ViewTable},
    functions_aggregate::expr_fn::count,
    logical_expr::{Expr, Volatility, cast, col, lit, when},
    prelude::{DataFrame, SessionContext},
};
use jiff::Timestamp;

use super::views::EVERY_FINDING;
use crate::{
    error::{Context, Error, Result},
    exception::{self, Exception},
    flow::time_type,
    lake::{Lake, Table},
};

/// The column of `excepted_findings` beyond those of `findings`.
const EXCEPTION: &str = "exception_id";

/// What a condition may be, for errors.
const REMEDY: &str = "give a condition over the columns of findings, such as \
                      \"kind = 'beacon' AND device_id = 'mri-2' AND peer_ip = '203.0.113.7'\"";

/// Makes the views, and the table of exceptions. A lake whose exceptions cannot be read hides nothing; the table says why.
pub(super) async fn register(context: &SessionContext, lake: &Lake) -> Result<()> {
    let doing = || "making the view findings".to_owned();
    let every = context.table(EVERY_FINDING).await.context(doing)?;
    let exceptions = exception::current(lake.remarks(Table::Exceptions).await.unwrap_or_default());
    let now = Timestamp::now();
    let mut hidden = None;
    let mut rows = Vec::new();
    for exception in exceptions {
        let status = exception.status(now);
        // One over a column that is not there any more hides nothing, and says so.
        let problem = match (status, condition(context, every.schema(), &exception.predicate)) {
            ("active", Ok(condition)) => {
                let id = lit(exception.exception_id.as_str());
                hidden = Some(match hidden {
                    None => when(condition, id),
                    Some(mut earlier) => datafusion::logical_expr::conditional_expressions::CaseBuilder::when(
                        &mut earlier,
                        condition,
                        id,
                    ),
                });
                None
            }
            (_, Ok(_)) => None,
            (_, Err(error)) => Some(error.to_string()),
        };
        rows.push((exception, status, problem));
    }
    let exception_of = match hidden {
        Some(cases) => cases.end().context(doing)?,
        None => cast(lit(datafusion::common::ScalarValue::Null), DataType::Utf8),
    };
    let marked = every.with_column(EXCEPTION, exception_of).context(doing)?;
    let shown = marked.clone().filter(col(EXCEPTION).is_null()).and_then(|shown| shown.drop_columns(&[EXCEPTION]));
    let excepted = marked.filter(col(EXCEPTION).is_not_null());
    for (name, frame) in [("findings", shown), ("excepted_findings", excepted)] {
        let plan = frame.context(doing)?.into_unoptimized_plan();
        context.register_table(name, Arc::new(ViewTable::new(plan, None))).context(doing)?;
    }
    let table = MemTable::try_new(schema(), vec![vec![batch(&rows)?]]).context(doing)?;
    context.register_table("exceptions", Arc::new(table)).context(|| "making the table exceptions".to_owned())?;
    Ok(())
}

/// Checks the condition of an exception that is to be made, and returns how many findings it would hide.
///
/// # Errors
/// It is no condition over the columns of findings, or one that holds of findings whatever they are.
pub async fn check(context: &SessionContext, predicate: &str) -> Result<u64> {
    let doing = || "trying the exception".to_owned();
    let remedy = "name what is to be hidden: a kind, and a device, peer or group";
    let shown = context.table("findings").await.context(doing)?;
    let strangers = context.read_batch(strangers(Arc::clone(shown.schema().inner()))?).context(doing)?;
    if counted(hidden(context, strangers, predicate)?).await? > 0 {
        return Err(Error::usage(format!("{predicate:?} holds of findings of any device and kind")).remedy(remedy));
    }
    let excepted = context.table("excepted_findings").await.context(doing)?;
    let all = excepted.drop_columns(&[EXCEPTION]).and_then(|excepted| shown.clone().union(excepted)).context(doing)?;
    let holds = counted(hidden(context, all.clone(), predicate)?).await?;
    let distinct = async |column: &str| {
        counted(all.clone().aggregate(vec![col(column)], vec![count(lit(1))]).context(doing)?).await
    };
    if holds > 1
        && holds == counted(all.clone()).await?
        && distinct("device_id").await? > 1
        && distinct("kind").await? > 1
    {
        return Err(Error::usage(format!("{predicate:?} holds of all {holds} findings that there are")).remedy(remedy));
    }
    counted(hidden(context, shown, predicate)?).await
}

fn hidden(context: &SessionContext, findings: DataFrame, predicate: &str) -> Result<DataFrame> {
    let condition = condition(context, findings.schema(), predicate)?;
    findings.filter(condition).context(|| "trying the exception".to_owned())
}

async fn counted(findings: DataFrame) -> Result<u64> {
    Ok(findings.count().await.context(|| "counting findings".to_owned())? as u64)
}

/// Reads a condition. It must come to the same whenever it is asked.
fn condition(context: &SessionContext, schema: &DFSchema, predicate: &str) -> Result<Expr> {
    let refused = |why: String| Error::usage(format!("{predicate:?} is no condition: {why}")).remedy(REMEDY);
    let read = context.state().create_logical_expr(predicate, schema);
    let condition = read.map_err(|error| refused(told(&error)))?;
    let forbidden = |part: &Expr| {
        Ok(match part {
            Expr::ScalarFunction(function) => function.func.signature().volatility != Volatility::Immutable,
            Expr::AggregateFunction(_)
            | Expr::WindowFunction(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::ScalarSubquery(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Placeholder(_)
            | Expr::Unnest(_) => true,
            _ => false,
        })
    };
    if condition.exists(forbidden).unwrap_or(true) {
        return Err(refused("it must be of one finding, and come to the same whenever it is asked".to_owned()));
    }
    let kind = datafusion::logical_expr::ExprSchemable::get_type(&condition, schema);
    match kind {
        Ok(DataType::Boolean) => Ok(condition),
        Ok(other) => Err(refused(format!("it comes to {other}, not to true or false"))),
        Err(error) => Err(refused(told(&error))),
    }
}

/// What was said of a condition, without what only the engine knows.
fn told(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    text.lines().next().unwrap_or_default().replace("\"?table?\".", "")
}

/// Findings that nobody has: what holds of one of them names no device and no kind.
const STRANGERS: usize = 64;

fn strangers(schema: SchemaRef) -> Result<RecordBatch> {
    let rows = 0..STRANGERS;
    let column = |field: &Arc<Field>| -> Result<ArrayRef> {
        let severities = ["informational", "low", "medium", "high", "critical"];
        let text = |row: usize| match field.name().as_str() {
            "severity" => severities[row % 5].to_owned(),
            name => format!("{name} of nobody {row}"),
        };
        let is_absent = |row: usize| field.name().starts_with("peer_") && row % 4 == 3;
        let made: ArrayRef = match field.data_type() {
            DataType::Utf8 | DataType::Utf8View => {
                let texts = rows.clone().map(|row| (!is_absent(row)).then(|| text(row)));
                Arc::new(texts.collect::<StringArray>())
            }
            DataType::Int32 if field.name() == "severity_id" => {
                Arc::new(Int32Array::from_iter_values(rows.clone().map(|row| row as i32 % 5 + 1)))
            }
            DataType::Int32 => {
                let numbers = rows.clone().map(|row| (!is_absent(row)).then_some(row as i32 * 1_021 + 7));
                Arc::new(numbers.collect::<Int32Array>())
            }
            DataType::Int64 => Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| 1_i64 << (row % 40)))),
            DataType::Float64 => {
                Arc::new(Float64Array::from_iter_values(rows.clone().map(|row| row as f64 / (STRANGERS - 1) as f64)))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                // Every two years from 1970 on.
                let times = rows.clone().map(|row| row as i64 * 63_115_200_000_000);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            other => new_null_array(other, STRANGERS),
        };
        arrow::compute::cast(&made, field.data_type()).context(|| format!("column {}", field.name()))
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(schema, columns).context(|| "trying the exception".to_owned())
}

/// Columns of the table `exceptions`.
fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let time = |name| Field::new(name, time_type(), true);
    Arc::new(Schema::new(vec![
        text("exception_id"),
        text("status"),
        text("predicate"),
        text("owner"),
        text("reason"),
        time("expires"),
        time("time"),
        text("problem"),
    ]))
}

fn batch(rows: &[(Exception, &'static str, Option<String>)]) -> Result<RecordBatch> {
    let text = |of: fn(&Exception) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(exception, ..)| of(exception))))
    };
    let time = |of: fn(&Exception) -> Timestamp| -> ArrayRef {
        let times = rows.iter().map(|(exception, ..)| of(exception).as_microsecond());
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        text(|exception| &exception.exception_id),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, status, _)| status))),
        text(|exception| &exception.predicate),
        text(|exception| &exception.owner),
        text(|exception| &exception.reason),
        time(|exception| exception.expires),
        time(|exception| exception.time),
        Arc::new(rows.iter().map(|(.., problem)| problem.as_deref()).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema(), columns).context(|| "the table exceptions".to_owned())
}
