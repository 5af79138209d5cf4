//! Conditions of exceptions: SQL over the columns of findings that names something, and that can be told of every finding.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array},
    compute::{can_cast_types, cast},
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

use crate::{
    error::{Context, Error, Result},
    exception::MOST_BYTES,
};

/// Columns that a condition must name something by.
const NAMES: [&str; 8] = ["finding_id", "group_id", "kind", "plugin", "device_id", "device_ip", "peer_ip", "title"];

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
    let bytes = predicate.len();
    if bytes > MOST_BYTES {
        return Err(Error::usage(format!("a condition has {bytes} bytes, of at most {MOST_BYTES}")).remedy(REMEDY));
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
    let parts = computed(&condition);
    let Err(mut error) = tried(context, findings, parts.clone()).await else { return Ok(condition) };
    // The innermost part that fails tells most.
    let mut what = condition.clone();
    for part in parts.into_iter().rev() {
        if let Err(of_part) = tried(context, findings, vec![part.clone()]).await {
            (error, what) = (of_part, part);
            break;
        }
    }
    let what = what.human_display();
    Err(Error::usage(format!("{predicate:?} cannot be told of every finding: {what} fails")).because(error).remedy(
        "compare text with text in quotes, numbers with numbers, and times with times in quotes, such as first_seen < \
         '2026-03-01'",
    ))
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

/// What a condition computes, the innermost last, without AND and OR, which cannot fail. Each is to be tried by itself: AND
/// and OR leave out what does not matter for the rows at hand, however deep they are.
fn computed(condition: &Expr) -> Vec<Expr> {
    let mut parts = Vec::new();
    let taken = condition.apply(|part| {
        let is_plain = matches!(
            part,
            Expr::Column(_) | Expr::Literal(..) | Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. })
        );
        if !is_plain {
            parts.push(part.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(taken.is_ok(), "nothing in it fails");
    parts
}

/// Computes expressions of two findings: one in which all text is no number and no time, and nothing else is known; and one in
/// which all is known and all text is an address. What turns text into something else fails here, and not of the first
/// finding that has such a text.
async fn tried(context: &SessionContext, findings: &DFSchema, parts: Vec<Expr>) -> Result<()> {
    let doing = || "trying the exception".to_owned();
    let column = |field: &Arc<Field>| {
        let values: ArrayRef = match field.data_type() {
            DataType::Utf8 | DataType::Utf8View => Arc::new(StringArray::from(vec!["nobody's", "192.0.2.1"])),
            _ => Arc::new(Int64Array::from(vec![None, Some(1)])),
        };
        // What is no number either, such as a list, stays unknown.
        Ok(match can_cast_types(values.data_type(), field.data_type()) {
            true => cast(&values, field.data_type()).context(doing)?,
            false => new_null_array(field.data_type(), 2),
        })
    };
    let fields = findings.inner().fields();
    let columns = fields.iter().map(column).collect::<Result<Vec<_>>>()?;
    let fields: Vec<_> = fields.iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let strangers = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).context(doing)?;
    let named = parts.into_iter().enumerate().map(|(place, part)| part.alias(format!("part {place}")));
    let computed = context.read_batch(strangers).and_then(|strangers| strangers.select(named));
    computed.context(doing)?.collect().await.context(doing)?;
    Ok(())
}

/// What was said of a condition, without what only the engine knows.
fn told(error: &DataFusionError) -> String {
    error.strip_backtrace().lines().next().unwrap_or_default().replace("\"?table?\".", "")
}
