//! Conditions of exceptions: SQL over the columns of findings that names something, and that can be told of every finding.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Schema},
};
use datafusion::{
    common::{
        DFSchema, DataFusionError,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator},
    prelude::SessionContext,
};

use crate::error::{Context, Error, Result};

/// Columns that a condition must name something by.
const NAMES: [&str; 8] = ["finding_id", "group_id", "kind", "plugin", "device_id", "device_ip", "peer_ip", "title"];

/// Bytes of a condition.
const MOST: usize = 4_096;

/// Functions that a condition may use.
const FUNCTIONS: [&str; 7] = ["cidr_match", "ip_scope", "lower", "upper", "starts_with", "ends_with", "contains"];

/// What a condition may be, for errors.
const REMEDY: &str = "give a condition over the columns of findings, such as \
                      \"kind = 'beacon' AND device_id = 'mri-2' AND peer_ip = '203.0.113.7'\"";

/// Reads a condition. It is made of what comes to the same whenever it is asked, and cannot fail of any finding.
///
/// # Errors
/// It is no such condition.
pub(super) async fn read(context: &SessionContext, findings: &DFSchema, predicate: &str) -> Result<Expr> {
    let refused = |why: String| Error::usage(format!("{predicate:?} is no condition: {why}")).remedy(REMEDY);
    if predicate.len() > MOST {
        return Err(
            Error::usage(format!("a condition has {} bytes, of at most {MOST}", predicate.len())).remedy(REMEDY)
        );
    }
    // Its columns are those of findings, whichever view it is put to.
    let findings = &DFSchema::try_from(Arc::clone(findings.inner())).context(|| "columns of findings".to_owned())?;
    let read = context.state().create_logical_expr(predicate, findings);
    let condition = read.map_err(|error| refused(told(&error)))?;
    if condition.exists(|part| Ok(!is_allowed(part))).unwrap_or(true) {
        return Err(refused(format!(
            "it may compare columns with values, join comparisons by AND, OR and NOT, and use {}",
            FUNCTIONS.join(", ")
        )));
    }
    match condition.get_type(findings) {
        Ok(DataType::Boolean) => {}
        Ok(other) => return Err(refused(format!("it comes to {other}, not to true or false"))),
        Err(error) => return Err(refused(told(&error))),
    }
    let comparisons = comparisons(&condition);
    if tried(context, findings, comparisons.clone()).await.is_ok() {
        return Ok(condition);
    }
    for part in comparisons {
        if let Err(error) = tried(context, findings, vec![part.clone()]).await {
            return Err(Error::usage(format!(
                "{predicate:?} cannot be told of every finding: {} fails",
                part.human_display()
            ))
            .because(error)
            .remedy("compare text with text in quotes, numbers with numbers and times with times"));
        }
    }
    Ok(condition)
}

/// Checks that a condition holds only of what it names. One that does not would hide whatever is found later.
///
/// # Errors
/// It names nothing.
pub(super) fn check_names(condition: &Expr, predicate: &str) -> Result<()> {
    if names_something(condition) {
        return Ok(());
    }
    Err(Error::usage(format!("{predicate:?} names nothing, so that it would hide whatever comes"))
        .remedy(format!("say with = or IN what is to be hidden: one of {}", NAMES.join(", "))))
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

fn names_something(condition: &Expr) -> bool {
    let is_name = |expr: &Expr| matches!(expr, Expr::Column(column) if NAMES.contains(&column.name.as_str()));
    let is_value = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if !value.is_null());
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

/// What a condition joins by AND, OR and NOT. Each is to be tried by itself: AND and OR leave out what does not matter for
/// the rows at hand.
fn comparisons(condition: &Expr) -> Vec<Expr> {
    let mut comparisons = Vec::new();
    let taken = condition.apply(|part| match part {
        Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) | Expr::Not(_) => {
            Ok(TreeNodeRecursion::Continue)
        }
        _ => {
            comparisons.push(part.clone());
            Ok(TreeNodeRecursion::Jump)
        }
    });
    debug_assert!(taken.is_ok(), "nothing in it fails");
    comparisons
}

/// Computes expressions of a finding in which all text is no number and no time, and nothing else is known: what turns
/// text into something else fails here, and not of the first finding that has such a text.
async fn tried(context: &SessionContext, findings: &DFSchema, parts: Vec<Expr>) -> Result<()> {
    let doing = || "trying the exception".to_owned();
    let column = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::Utf8View => {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["nobody's"]));
            cast(&text, field.data_type()).context(doing)
        }
        other => Ok(new_null_array(other, 1)),
    };
    let fields = findings.inner().fields();
    let columns = fields.iter().map(column).collect::<Result<Vec<_>>>()?;
    let fields: Vec<_> = fields.iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let stranger = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).context(doing)?;
    let named = parts.into_iter().enumerate().map(|(place, part)| part.alias(format!("part {place}")));
    let computed = context.read_batch(stranger).and_then(|stranger| stranger.select(named));
    computed.context(doing)?.collect().await.context(doing)?;
    Ok(())
}

/// What was said of a condition, without what only the engine knows.
fn told(error: &DataFusionError) -> String {
    error.strip_backtrace().lines().next().unwrap_or_default().replace("\"?table?\".", "")
}
