//! What an expression may be made of: what comes to the same whenever it is computed, from one record alone, and to no
//! more than a few times its size.

use std::ops::ControlFlow;

use datafusion::{
    common::{
        Result as QueryResult, ScalarValue,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{BinaryExpr, Expr, Operator, ScalarUDF, Volatility, expr::ScalarFunction},
    sql::sqlparser::ast::{Expr as Sql, visit_expressions},
};

use super::{SQL, patterns};
use crate::nearest::nearest;

/// The functions, by the names that are theirs with DataFusion; other names of the same function are as good.
const FUNCTIONS: &str = "\
    abs array_element array_has array_length array_max array_min ascii btrim ceil character_length chr \
    coalesce concat contains date_bin date_part date_trunc ends_with floor from_unixtime get_field greatest \
    initcap isnan iszero least left lower ltrim make_date map_extract nanvl nullif nvl nvl2 octet_length \
    power regexp_instr regexp_like regexp_match replace reverse right round rtrim signum split_part \
    starts_with strpos substr to_date to_hex to_timestamp to_timestamp_micros to_timestamp_millis \
    to_timestamp_nanos to_timestamp_seconds trunc";

/// Bytes of an expression. Planning one takes a stack, and time that grows faster than it does.
pub(super) const MOST_BYTES: usize = 4_096;

/// Texts that an expression may put one behind the other.
const MOST_TEXTS: usize = 64;

/// Why an expression is none for a mapping, and what to do about it.
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) remedy: String,
}

/// Checks an expression as it was written.
pub(super) fn check_written(sql: &Sql) -> Result<(), Refusal> {
    let seen = visit_expressions(sql, |inner| {
        let refusal = match inner {
            Sql::Function(function) => check_function(&function.name.to_string()).err(),
            Sql::Subquery(_) | Sql::Exists { .. } | Sql::InSubquery { .. } => Some(refuse("a query")),
            _ => None,
        };
        refusal.map_or(ControlFlow::Continue(()), ControlFlow::Break)
    });
    match seen {
        ControlFlow::Break(refusal) => Err(refusal),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Checks an expression as it was planned: operators, too, may be functions.
pub(super) fn check_planned(expression: &Expr) -> Result<(), Refusal> {
    let mut refusal = None;
    let seen = expression.apply(|inner| {
        refusal = refused(inner);
        Ok(if refusal.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    let texts = seen.and_then(|_| texts(expression)).unwrap_or(usize::MAX);
    if texts > MOST_TEXTS {
        let reason = format!("it puts more than {MOST_TEXTS} texts one behind the other");
        return Err(Refusal { reason, remedy: "leave some of them out".to_owned() });
    }
    Ok(())
}

fn refused(expression: &Expr) -> Option<Refusal> {
    match expression {
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_) => None,
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) if patterns::is_match(*op) => patterns::check(right).err(),
        Expr::BinaryExpr(_) => None,
        Expr::SimilarTo(like) => patterns::check(&like.pattern).err(),
        Expr::Like(like) => patterns::written(&like.pattern).err(),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("regexp_instr" | "regexp_like" | "regexp_match", [_, pattern, options @ ..]) => {
                let options = options.iter().find_map(|option| patterns::written(option).err());
                options.or_else(|| patterns::check(pattern).err())
            }
            ("replace", [_, Expr::Literal(from, _), Expr::Literal(to, _)])
                if length(from) >= length(to) && length(from) > Some(0) =>
            {
                None
            }
            ("replace", _) => Some(Refusal {
                reason: "`replace` puts in what may be longer than what it takes out".to_owned(),
                remedy: "give it two texts in quotes, the second no longer than the first".to_owned(),
            }),
            (name, _) => check_function(name).err(),
        },
        Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => {
            Some(refuse("a query"))
        }
        Expr::Placeholder(_) | Expr::ScalarVariable(..) => Some(refuse("a variable")),
        other => Some(refuse(&format!("`{other}`"))),
    }
}

/// The length of a text.
fn length(literal: &ScalarValue) -> Option<usize> {
    literal.try_as_str().flatten().map(str::len)
}

/// How many texts the value may be made of.
fn texts(expression: &Expr) -> QueryResult<usize> {
    let is_sum = match expression {
        Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => true,
        Expr::ScalarFunction(ScalarFunction { func, .. }) => func.name() == "concat",
        _ => false,
    };
    let mut of_all = 0_usize;
    expression.apply_children(|child| {
        let of_child = texts(child)?;
        of_all = if is_sum { of_all.saturating_add(of_child) } else { of_all.max(of_child) };
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(of_all.max(1))
}

fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.split(' ')
}

fn is_allowed(function: &ScalarUDF) -> bool {
    functions().any(|name| name == function.name())
}

fn check_function(name: &str) -> Result<(), Refusal> {
    let name = name.to_lowercase();
    let function = SQL.scalar_functions().get(&name);
    if function.is_some_and(|function| is_allowed(function)) {
        return Ok(());
    }
    let is_of_many = SQL.aggregate_functions().contains_key(&name) || SQL.window_functions().contains_key(&name);
    let reason = match function {
        Some(function) if function.signature().volatility != Volatility::Immutable => {
            format!("`{name}` comes to another value each time, and a record must come to the same flow")
        }
        Some(_) => format!("`{name}` is none of the functions that a mapping may use"),
        None if is_of_many => format!("`{name}` is of many records, and an expression is of one"),
        None => format!("there is no function `{name}`"),
    };
    let known = SQL.scalar_functions().iter().filter(|(_, function)| is_allowed(function));
    let there = format!("functions are {}", functions().collect::<Vec<_>>().join(", "));
    let near = nearest(&name, known.map(|(name, _)| name.as_str())).filter(|_| function.is_none() && !is_of_many);
    let remedy = near.map_or_else(|| there.clone(), |near| format!("did you mean `{near}`? {there}"));
    Err(Refusal { reason, remedy })
}

fn refuse(what: &str) -> Refusal {
    let remedy = "write columns, values, operators, CASE, CAST and functions of one record".to_owned();
    Refusal { reason: format!("{what} is nothing of one record"), remedy }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::Volatility;

    use super::{SQL, functions};

    #[test]
    fn functions_come_to_the_same_whenever_they_are_computed() {
        for name in functions() {
            let function = SQL.scalar_functions().get(name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!((function.name(), function.signature().volatility), (name, Volatility::Immutable));
        }
    }
}
