//! The lake's tables for SQL. One that cannot be read fails the queries that read it, and no other.

use std::{error::Error as StdError, fmt, sync::Arc, task::Poll};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, stream::RecordBatchStreamAdapter},
};
use futures::{StreamExt, stream};

use crate::{
    archive::caught,
    detect::one_input,
    error::{Error, Result as HostResult},
    lake::Table,
    workspace::Workspace,
};

/// A table of the lake, or why it is none.
#[derive(Debug)]
pub(super) struct LakeTable {
    workspace: Arc<Workspace>,
    table: Table,
    rows: Result<Arc<dyn TableProvider>, Unreadable>,
}

/// An error that is told each time.
#[derive(Debug)]
struct Unreadable {
    message: String,
    remedy: Option<String>,
}

impl LakeTable {
    pub(super) fn new(workspace: &Arc<Workspace>, table: Table, rows: HostResult<Arc<dyn TableProvider>>) -> Self {
        let rows = rows
            .map_err(|error| Unreadable { message: error.reason(), remedy: error.remedy_text().map(str::to_owned) });
        Self { workspace: Arc::clone(workspace), table, rows }
    }
}

impl Unreadable {
    fn error(&self) -> DataFusionError {
        let error = Error::failed(self.message.clone());
        let error = match &self.remedy {
            Some(remedy) => error.remedy(remedy.clone()),
            None => error,
        };
        DataFusionError::External(Box::new(error))
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.rows.as_ref().map_or_else(|_| self.workspace.lake.schema(self.table), |rows| rows.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        match &self.rows {
            Ok(rows) => rows.supports_filters_pushdown(filters),
            Err(_) => Ok(vec![TableProviderFilterPushDown::Unsupported; filters.len()]),
        }
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.rows.as_ref().map_err(Unreadable::error)?;
        let input = rows.scan(session, projection, filters, limit).await?;
        let (workspace, table) = (Arc::clone(&self.workspace), self.table);
        let properties = Arc::clone(input.properties());
        Ok(Arc::new(LakeExec { input, workspace, table, properties }))
    }
}

/// Rows of a table of the lake, with errors that say so.
#[derive(Debug)]
struct LakeExec {
    input: Arc<dyn ExecutionPlan>,
    workspace: Arc<Workspace>,
    table: Table,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for LakeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LakeExec: {}", self.table.name())
    }
}

impl ExecutionPlan for LakeExec {
    one_input!("LakeExec", |plan, input| {
        let (workspace, properties) = (Arc::clone(&plan.workspace), Arc::clone(input.properties()));
        Self { input, workspace, table: plan.table, properties }
    });

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (workspace, table) = (Arc::clone(&self.workspace), self.table);
        let told =
            move |error: &dyn StdError| DataFusionError::External(Box::new(workspace.lake.unreadable(table, error)));
        let mut input = self.input.execute(partition, context)?;
        let mut is_over = false;
        let rows = stream::poll_fn(move |context| {
            if is_over {
                return Poll::Ready(None);
            }
            let failed = match caught(|| input.poll_next_unpin(context)) {
                Some(Poll::Ready(Some(Err(error)))) if is_of_memory(&error) => error,
                Some(Poll::Ready(Some(Err(error)))) => told(&error),
                Some(polled) => return polled,
                None => told(&Error::failed("a file of it is damaged")),
            };
            is_over = true;
            Poll::Ready(Some(Err(failed)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

fn is_of_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}
