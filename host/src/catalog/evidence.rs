//! `evidence('finding id')`: the flows behind a finding. A finding is a predicate over flows, so this is a query.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::{ParamValues, Result as QueryResult, ScalarValue, plan_err},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType, col, lit},
    physical_plan::{ExecutionPlan, collect},
    prelude::SessionContext,
};

use crate::error::{Context, Result};

const FINDING: &str = "
SELECT first_seen, last_seen, device_id, peer_ip, peer_port, protocol FROM every_finding WHERE finding_id = $1";

/// The function: its two queries, before it is told which finding.
#[derive(Debug)]
struct Evidence {
    finding: LogicalPlan,
    flows: LogicalPlan,
}

/// Makes the function known to a session that has the views.
pub(super) async fn register(context: &SessionContext) -> Result<()> {
    let state = context.state();
    let doing = || "making evidence()".to_owned();
    let finding = state.create_logical_plan(FINDING).await.context(doing)?;
    let flows = state.create_logical_plan("SELECT * FROM device_flows").await.context(doing)?;
    context.register_udtf("evidence", Arc::new(Evidence { finding, flows }));
    Ok(())
}

impl TableFunctionImpl for Evidence {
    fn call_with_args(&self, arguments: TableFunctionArgs<'_, '_>) -> QueryResult<Arc<dyn TableProvider>> {
        let id = text_argument("evidence", "a finding's id", arguments.exprs())?;
        let values = ParamValues::from(vec![ScalarValue::from(id)]);
        let schema = Schema::clone(self.flows.schema().as_arrow());
        Ok(Arc::new(EvidenceTable {
            id: id.to_owned(),
            finding: self.finding.clone().replace_params_with_values(&values)?,
            flows: self.flows.clone(),
            schema: Arc::new(schema),
        }))
    }
}

/// The flows behind one finding.
#[derive(Debug)]
struct EvidenceTable {
    id: String,
    finding: LogicalPlan,
    flows: LogicalPlan,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for EvidenceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    /// Looks the finding up first: its times and peer, as values in the query, spare reading the rest of the archive.
    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let plan = session.create_physical_plan(&self.finding).await?;
        let found = collect(plan, session.task_ctx()).await?;
        let Some(finding) = found.iter().find(|batch| batch.num_rows() > 0) else {
            return plan_err!(
                "no finding has the id {:?}: SELECT finding_id, group_id, title FROM findings lists them, and of which group each is",
                self.id
            );
        };
        let mut flows = LogicalPlanBuilder::from(self.flows.clone());
        for condition in conditions(finding)? {
            flows = flows.filter(condition)?;
        }
        if let Some(columns) = projection {
            flows = flows.select(columns.iter().copied())?;
        }
        session.create_physical_plan(&flows.build()?).await
    }
}

/// What holds of the flows of the first row's finding.
fn conditions(finding: &RecordBatch) -> QueryResult<Vec<Expr>> {
    let mut conditions = Vec::new();
    for (field, values) in finding.schema().fields().iter().zip(finding.columns()) {
        let value = ScalarValue::try_from_array(values, 0)?;
        if !value.is_null() {
            conditions.push(match field.name().as_str() {
                "first_seen" => col("start_time").gt_eq(lit(value)),
                "last_seen" => col("end_time").lt_eq(lit(value)),
                same => col(same).eq(lit(value)),
            });
        }
    }
    Ok(conditions)
}

/// The one text that a table function takes.
pub(super) fn text_argument<'a>(function: &str, what: &str, arguments: &'a [Expr]) -> QueryResult<&'a str> {
    match arguments {
        [Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _)] => Ok(text),
        _ => plan_err!("{function}() takes {what} as its one argument, such as {function}('...')"),
    }
}
