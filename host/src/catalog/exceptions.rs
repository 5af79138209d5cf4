//! Exceptions in SQL: `findings` without those that an exception hides, and `excepted_findings`, which are those.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use datafusion::{
    common::{DataFusionError, Result as QueryResult, ScalarValue},
    datasource::{MemTable, ViewTable},
    functions_aggregate::expr_fn::{count, count_distinct},
    logical_expr::{Expr, cast, col, conditional_expressions::CaseBuilder, lit, when},
    prelude::{DataFrame, SessionContext},
};
use jiff::Timestamp;

use super::{condition, views::EVERY_FINDING};
use crate::{
    error::{Context, Error, Result},
    exception::{self, Exception},
    flow::time_type,
    lake::{Lake, Table},
};

/// The column of `excepted_findings` beyond those of `findings`.
const EXCEPTION: &str = "exception_id";

/// The status of a row that is no exception, of which nothing else is known.
const UNREADABLE: &str = "unreadable";

/// A column that is put beside findings to try a condition.
const HOLDS: &str = "holds";

/// Makes the views, and the table of exceptions. A lake whose exceptions cannot be read hides nothing; the table says why.
pub(super) async fn register(context: &SessionContext, lake: &Lake) -> Result<()> {
    let doing = || "making the view findings".to_owned();
    let every = context.table(EVERY_FINDING).await.context(doing)?;
    let now = Timestamp::now();
    let mut hidden = None;
    let mut rows = Vec::new();
    let exceptions = match lake.readable_remarks(Table::Exceptions).await {
        Ok((said, broken)) => {
            rows.extend(broken.into_iter().map(|why| (Exception::default(), UNREADABLE, Some(why))));
            exception::current(said)
        }
        Err(error) => {
            rows.push((Exception::default(), UNREADABLE, Some(error.to_string())));
            Vec::new()
        }
    };
    for exception in exceptions {
        let status = exception.status(now);
        let mut problem = None;
        if status == "active" {
            // One over a column that is not there any more hides nothing, and says so.
            let read = condition::read(context, every.schema(), &exception.predicate).await;
            match read
                .and_then(|condition| condition::check_names(&condition, &exception.predicate).map(|()| condition))
            {
                Err(error) => problem = Some(error.to_string()),
                Ok(condition) => {
                    let id = lit(exception.exception_id.as_str());
                    hidden = Some(match hidden {
                        None => when(condition, id),
                        Some(mut earlier) => CaseBuilder::when(&mut earlier, condition, id),
                    });
                }
            }
        }
        rows.push((exception, status, problem));
    }
    let exception_of = match hidden {
        Some(cases) => cases.end().context(doing)?,
        None => cast(lit(ScalarValue::Null), DataType::Utf8),
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

/// What an exception that is to be made would hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Findings that it would hide.
    pub hides: u64,
    /// Findings that are shown without it.
    pub of: u64,
}

/// Checks the condition of an exception that is to be made.
///
/// # Errors
/// It is no condition over the columns of findings, or one that holds of findings whatever they are.
pub async fn check(context: &SessionContext, predicate: &str) -> Result<Reach> {
    let doing = || "trying the exception".to_owned();
    let shown = context.table("findings").await.context(doing)?;
    let condition = condition::read(context, shown.schema(), predicate).await?;
    condition::check_names(&condition, predicate)?;
    let Tried { all, holds, devices, kinds, of, hides } = try_out(context, shown, condition).await.context(doing)?;
    if holds > 1 && holds == all && devices > 1 && kinds > 1 {
        return Err(Error::usage(format!("{predicate:?} holds of all {holds} findings that there are"))
            .remedy("name less: a kind, and a device, peer or group"));
    }
    Ok(Reach { hides, of })
}

/// What a condition comes to.
struct Tried {
    /// Findings, hidden or not, those of which it holds, and the devices and kinds that all of them are of.
    all: u64,
    holds: u64,
    devices: u64,
    kinds: u64,
    /// Those that no exception hides, and of these the ones of which it holds.
    of: u64,
    hides: u64,
}

/// Tries a condition on all findings. It is told as the views tell it: a filter is another expression to the optimizer.
async fn try_out(context: &SessionContext, shown: DataFrame, condition: Expr) -> QueryResult<Tried> {
    let nothing = cast(lit(ScalarValue::Null), DataType::Utf8);
    let all = shown.with_column(EXCEPTION, nothing)?.union(context.table("excepted_findings").await?)?;
    let told = all.with_column(HOLDS, when(condition, lit(true)).end()?)?;
    let is_shown = || col(EXCEPTION).is_null();
    let of_those = |which: Expr| Ok::<_, DataFusionError>(count(when(which, lit(true)).end()?));
    let counts = vec![
        count(lit(1)).alias("all"),
        count(col(HOLDS)).alias("that_hold"),
        count_distinct(col("device_id")).alias("devices"),
        count_distinct(col("kind")).alias("kinds"),
        of_those(is_shown())?.alias("shown"),
        of_those(is_shown().and(col(HOLDS).is_not_null()))?.alias("hidden"),
    ];
    let told = told.aggregate(Vec::new(), counts)?.collect().await?;
    let number = |column: usize| {
        told.first().map_or(0, |row| row.column(column).as_primitive::<Int64Type>().value(0).cast_unsigned())
    };
    Ok(Tried {
        all: number(0),
        holds: number(1),
        devices: number(2),
        kinds: number(3),
        of: number(4),
        hides: number(5),
    })
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
        let known = |status: &str| status != UNREADABLE;
        let times = rows.iter().map(|(exception, status, _)| known(status).then(|| of(exception).as_microsecond()));
        Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
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
