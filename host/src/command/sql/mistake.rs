//! DataFusion's errors, in words for whoever wrote the query.

use datafusion::{
    common::{Column, SchemaError},
    error::DataFusionError,
    prelude::SessionContext,
};
use wardflow::{
    error::{Error, ErrorKind},
    nearest::nearest,
};

use super::names::Names;

/// An error of parsing.
pub(super) fn of_syntax(error: &DataFusionError) -> Error {
    let message = match error.find_root() {
        DataFusionError::SQL(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    Error::usage(format!("this is not SQL: {}", message.trim_start_matches("sql parser error: ")))
}

/// An error of a statement that does more than read.
pub(super) fn not_reading(verb: &str) -> Error {
    Error::usage(format!("{verb} is not allowed: here, SQL only reads"))
        .remedy("use SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE; -o FILE writes rows to a file")
}

/// An error of planning or running.
pub(super) async fn explain(context: &SessionContext, error: DataFusionError) -> Error {
    let root = error.find_root();
    if let DataFusionError::External(external) = root
        && let Some(own) = external.downcast_ref::<Error>()
    {
        let same = if own.kind() == ErrorKind::Usage { Error::usage } else { Error::failed };
        let same = same(own.to_string());
        return match own.remedy_text() {
            Some(remedy) => same.remedy(remedy),
            None => same,
        };
    }
    if let DataFusionError::SchemaError(schema, _) = root
        && let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref()
    {
        return unknown_column(field, valid_fields);
    }
    let message = match root {
        DataFusionError::SQL(..) => return of_syntax(root),
        DataFusionError::Plan(message) | DataFusionError::Execution(message) => message.clone(),
        DataFusionError::External(external) => external.to_string(),
        other => other.strip_backtrace(),
    };
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let unknown = |start: &str| message.strip_prefix(start)?.strip_suffix("' not found");
    if let Some(table) = unknown("table '") {
        let names = Names::load(context).await;
        return unknown_table(table, &names.tables());
    }
    match root {
        DataFusionError::ResourcesExhausted(_) => Error::failed(format!("the query needs more memory: {message}"))
            .remedy("give more with --memory; or read fewer columns or a shorter time, or group by less"),
        DataFusionError::Plan(_) | DataFusionError::NotImplemented(_) | DataFusionError::SchemaError(..) => {
            Error::usage(message)
        }
        _ => Error::failed("the query failed").because(message),
    }
}

fn unknown_table(table: &str, known: &[&str]) -> Error {
    let name = table.rsplit('.').next().unwrap_or(table);
    let list = known.join(", ");
    let error = Error::usage(format!("there is no table {name:?}"));
    match nearest(name, known.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean {near}? Tables: {list}")),
        None => error.remedy(format!("tables: {list}")),
    }
}

fn unknown_column(field: &Column, valid: &[Column]) -> Error {
    let mut names: Vec<_> = valid.iter().map(|column| column.name.as_str()).collect();
    names.dedup();
    let error = Error::usage(format!("there is no column {:?}", field.name));
    match nearest(&field.name, names.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean {near}? Columns: {}", names.join(", "))),
        None if names.is_empty() => error,
        None => error.remedy(format!("columns: {}", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{query, tests::context};

    async fn check(text: &str, expected: &str) {
        let error = query(&context(), text).await.expect_err(text);
        let shown = format!("{error}\n{}", error.remedy_text().unwrap_or_default());
        assert_eq!(shown.trim_end(), expected);
    }

    #[tokio::test]
    async fn names_the_nearest() {
        check("SELECT * FROM fidings", "there is no table \"fidings\"\ndid you mean findings? Tables: findings").await;
        check("SELECT * FROM zzz", "there is no table \"zzz\"\ntables: findings").await;
        check(
            "SELECT devce_id FROM findings",
            "there is no column \"devce_id\"\ndid you mean device_id? Columns: device_id, severity, flow_count",
        )
        .await;
        check("SELECT f.zzz FROM findings f", "there is no column \"zzz\"\ncolumns: device_id, severity, flow_count")
            .await;
    }

    #[tokio::test]
    async fn says_what_is_no_sql() {
        check("SELEC 1", "this is not SQL: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1").await;
    }
}
