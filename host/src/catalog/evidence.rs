//! `evidence('finding id')`: the flows behind a finding. A finding is a predicate over flows, so this is a query.

use std::sync::Arc;

use datafusion::{
    catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::{ParamValues, Result as QueryResult, ScalarValue, plan_err},
    datasource::ViewTable,
    logical_expr::{Expr, LogicalPlan},
    prelude::SessionContext,
};

use crate::error::{Context, Result};

const EVIDENCE: &str = "
SELECT d.*
FROM device_flows AS d
JOIN findings AS f ON d.device_id = f.device_id
WHERE f.finding_id = $1
  AND d.start_time >= f.first_seen AND d.end_time <= f.last_seen
  AND (f.peer_ip IS NULL OR d.peer_ip = f.peer_ip)
  AND (f.peer_port IS NULL OR d.peer_port = f.peer_port)
  AND (f.protocol IS NULL OR d.protocol = f.protocol)";

#[derive(Debug)]
struct Evidence {
    template: LogicalPlan,
}

/// Makes the function known to a session that has the views.
pub(super) async fn register(context: &SessionContext) -> Result<()> {
    let template = context.state().create_logical_plan(EVIDENCE).await.context(|| "making evidence()".to_owned())?;
    context.register_udtf("evidence", Arc::new(Evidence { template }));
    Ok(())
}

impl TableFunctionImpl for Evidence {
    fn call_with_args(&self, arguments: TableFunctionArgs<'_, '_>) -> QueryResult<Arc<dyn TableProvider>> {
        let id = text_argument("evidence", "a finding's id", arguments.exprs())?;
        let values = ParamValues::from(vec![ScalarValue::from(id)]);
        let plan = self.template.clone().replace_params_with_values(&values)?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// The one text that a table function takes.
pub(super) fn text_argument<'a>(function: &str, what: &str, arguments: &'a [Expr]) -> QueryResult<&'a str> {
    match arguments {
        [Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _)] => Ok(text),
        _ => plan_err!("{function}() takes {what} as its one argument, such as {function}('...')"),
    }
}
