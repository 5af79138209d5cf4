//! Exceptions in SQL: `findings` without those that an exception hides, and `excepted_findings`, which are those.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array},
    compute::cast as cast_array,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    common::{DFSchema, DataFusionError, ScalarValue, tree_node::TreeNode},
    datasource::{MemTable, ViewTable},
    functions_aggregate::expr_fn::count,
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, Operator, cast, col, conditional_expressions::CaseBuilder, lit, when,
    },
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

/// Columns that a condition must name something by.
const NAMES: [&str; 8] = ["finding_id", "group_id", "kind", "plugin", "device_id", "device_ip", "peer_ip", "title"];

/// Functions that a condition may use.
const FUNCTIONS: [&str; 7] = ["cidr_match", "ip_scope", "lower", "upper", "starts_with", "ends_with", "contains"];

/// What a condition may be, for errors.
const REMEDY: &str = "give a condition over the columns of findings, such as \
                      \"kind = 'beacon' AND device_id = 'mri-2' AND peer_ip = '203.0.113.7'\"";

/// Makes the views, and the table of exceptions. A lake whose exceptions cannot be read hides nothing; the table says why.
pub(super) async fn register(context: &SessionContext, lake: &Lake) -> Result<()> {
    let doing = || "making the view findings".to_owned();
    let every = context.table(EVERY_FINDING).await.context(doing)?;
    let now = Timestamp::now();
    let mut hidden = None;
    let mut rows = Vec::new();
    let exceptions = match lake.remarks(Table::Exceptions).await {
        Ok(said) => exception::current(said),
        Err(error) => {
            rows.push((Exception::default(), "unreadable", Some(error.to_string())));
            Vec::new()
        }
    };
    for exception in exceptions {
        let status = exception.status(now);
        // One over a column that is not there any more hides nothing, and says so.
        let problem = match (status, condition(context, every.schema(), &exception.predicate)) {
            ("active", Ok(condition)) => {
                let id = lit(exception.exception_id.as_str());
                hidden = Some(match hidden {
                    None => when(condition, id),
                    Some(mut earlier) => CaseBuilder::when(&mut earlier, condition, id),
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

/// Checks the condition of an exception that is to be made, and returns how many findings it would hide.
///
/// # Errors
/// It is no condition over the columns of findings, or one that holds of findings whatever they are.
pub async fn check(context: &SessionContext, predicate: &str) -> Result<u64> {
    let doing = || "trying the exception".to_owned();
    let shown = context.table("findings").await.context(doing)?;
    if !names_something(&condition(context, shown.schema(), predicate)?) {
        return Err(Error::usage(format!("{predicate:?} names nothing, so that it would hide whatever comes"))
            .remedy(format!("say with = or IN what is to be hidden: one of {}", NAMES.join(", "))));
    }
    // What compares text with a number would fail of the first text that is none, and every query with it.
    let stranger = context.read_batch(stranger(Arc::clone(shown.schema().inner()))?).context(doing)?;
    if let Err(error) = counted(hidden(context, stranger, predicate)?).await {
        return Err(Error::usage(format!("{predicate:?} cannot be told of every finding"))
            .because(error)
            .remedy(REMEDY));
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
        return Err(Error::usage(format!("{predicate:?} holds of all {holds} findings that there are"))
            .remedy("name less: a kind, and a device, peer or group"));
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

/// A finding in which all text is no number and no time, and nothing else is known.
fn stranger(schema: SchemaRef) -> Result<RecordBatch> {
    let column = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::Utf8View => {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["nobody's"]));
            cast_array(&text, field.data_type()).context(|| format!("column {}", field.name()))
        }
        other => Ok(new_null_array(other, 1)),
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).context(|| "trying the exception".to_owned())
}

/// Reads a condition. It is made of what comes to the same whenever it is asked, and cannot fail of any finding.
fn condition(context: &SessionContext, schema: &DFSchema, predicate: &str) -> Result<Expr> {
    let refused = |why: String| Error::usage(format!("{predicate:?} is no condition: {why}")).remedy(REMEDY);
    let read = context.state().create_logical_expr(predicate, schema);
    let condition = read.map_err(|error| refused(told(&error)))?;
    if condition.exists(|part| Ok(!is_allowed(part))).unwrap_or(true) {
        return Err(refused(format!(
            "it may compare columns with values, join comparisons by AND, OR and NOT, and use {}",
            FUNCTIONS.join(", ")
        )));
    }
    match condition.get_type(schema) {
        Ok(DataType::Boolean) => Ok(condition),
        Ok(other) => Err(refused(format!("it comes to {other}, not to true or false"))),
        Err(error) => Err(refused(told(&error))),
    }
}

fn is_allowed(part: &Expr) -> bool {
    use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
    match part {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => {
            matches!(op, And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
        }
        Expr::ScalarFunction(function) => FUNCTIONS.contains(&function.func.name()),
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::Like(_)
        | Expr::InList(_)
        | Expr::Between(_) => true,
        _ => false,
    }
}

/// Whether a condition holds only of what it names. One that does not would hide whatever is found later.
fn names_something(condition: &Expr) -> bool {
    let is_name = |expr: &Expr| matches!(expr, Expr::Column(column) if NAMES.contains(&column.name.as_str()));
    let is_value = |expr: &Expr| matches!(expr, Expr::Literal(..));
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => names_something(left) || names_something(right),
            Operator::Or => names_something(left) && names_something(right),
            Operator::Eq => (is_name(left) && is_value(right)) || (is_value(left) && is_name(right)),
            _ => false,
        },
        Expr::InList(list) => !list.negated && is_name(&list.expr) && list.list.iter().all(is_value),
        _ => false,
    }
}

/// What was said of a condition, without what only the engine knows.
fn told(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    text.lines().next().unwrap_or_default().replace("\"?table?\".", "")
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
