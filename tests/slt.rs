//! What SQL promises: `slt/*.slt`, queries with their rows, over a small synthetic hospital.

use std::{fmt, path::Path, sync::Arc};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::{
    arrow::datatypes::DataType,
    error::DataFusionError,
    prelude::{SessionConfig, SessionContext},
};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner, strict_column_validator};
use wardflow::{catalog, config::Config, sandbox::Compiler, workspace::Workspace};

use crate::support::Demo;

async fn check(file: &str) {
    let demo = Demo::analysed();
    let config = Config::read(&demo.scratch.path().join("hospital")).unwrap();
    let workspace = Arc::new(Workspace::open(config, &[]).await.unwrap());
    let context = catalog::context(&workspace, Compiler::here(), SessionConfig::new()).await.unwrap();
    let mut runner = Runner::new(|| {
        let context = context.clone();
        async move { Ok(Database(context)) }
    });
    runner.with_column_validator(strict_column_validator);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt").join(file);
    if let Err(error) = runner.run_file_async(path).await {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables() {
    check("tables.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions() {
    check("functions.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn findings() {
    check("findings.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage() {
    check("coverage.slt").await;
}

/// A session as the test runner sees it.
struct Database(SessionContext);

/// An error of a query.
#[derive(Debug)]
struct QueryError(DataFusionError);

#[async_trait]
impl AsyncDB for Database {
    type Error = QueryError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, QueryError> {
        let frame = self.0.sql(sql).await.map_err(QueryError)?;
        let types = frame.schema().fields().iter().map(|field| column_type(field.data_type())).collect();
        let batches = frame.collect().await.map_err(QueryError)?;
        let options = FormatOptions::new().with_null("NULL");
        let mut rows = Vec::new();
        for batch in batches {
            let columns: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            let cell = |row: usize| columns.iter().map(|column| column.value(row).to_string()).collect();
            rows.extend((0..batch.num_rows()).map(cell));
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        data_type if data_type.is_integer() => DefaultColumnType::Integer,
        data_type if data_type.is_floating() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Any,
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.find_root().fmt(f)
    }
}

impl std::error::Error for QueryError {}
