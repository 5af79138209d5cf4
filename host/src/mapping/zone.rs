//! Times that do not say their offset, as text mostly has them: of which zone they are.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{
        DFSchema, Result as QueryResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Cast, Expr, ExprSchemable, TryCast, cast, expr::ScalarFunction},
};

use super::{Fit, SQL};
use crate::flow::{self, FlowType};

impl Fit {
    /// The same, with text that is read as a time counted as of this zone where it says no offset: as what a column is,
    /// in `to_timestamp` and its like, and in `CAST`. So does a day that is a column's value. Numbers count from 1970 on,
    /// and are of no zone; what stands before `AT TIME ZONE` is of that one.
    ///
    /// # Errors
    /// None that a fit allows.
    pub fn in_zone(mut self, zone: &str) -> QueryResult<Self> {
        let names = DFSchema::try_from(Arc::clone(self.source()))?;
        let mut config = SQL.config_options().as_ref().clone();
        config.execution.time_zone = Some(zone.to_owned());
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
        for (expression, column) in self.columns.iter_mut().zip(flow::COLUMNS) {
            let Some(written) = expression.take() else { continue };
            let local = local(written, &names, &config)?;
            let local = match (column.data_type, local.get_type(&names)?) {
                (FlowType::Time, given) if given.is_string() => cast(local, zoned.clone()),
                (FlowType::Time, DataType::Date32 | DataType::Date64) => {
                    cast(cast(local, DataType::Timestamp(TimeUnit::Microsecond, None)), zoned.clone())
                }
                _ => local,
            };
            *expression = Some(local);
        }
        self.condition = self.condition.map(|condition| local(condition, &names, &config)).transpose()?;
        Ok(self)
    }
}

/// The expression with its text read as of the zone. What it reads has the type that it had, and is UTC.
fn local(expression: Expr, names: &DFSchema, config: &ConfigOptions) -> QueryResult<Expr> {
    let is_text = |expression: &Expr| expression.get_type(names).is_ok_and(|given| given.is_string());
    let rewritten = expression.transform_down(|inner| {
        let local = match &inner {
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => match field.data_type() {
                DataType::Timestamp(_, Some(_)) => return Ok(Transformed::new(inner, false, TreeNodeRecursion::Jump)),
                DataType::Timestamp(unit, None) if is_text(expr) => {
                    let zone = config.execution.time_zone.as_deref().map(Into::into);
                    Some(cast(expr.as_ref().clone(), DataType::Timestamp(*unit, zone)))
                }
                _ => None,
            },
            Expr::ScalarFunction(ScalarFunction { func, args }) if args.first().is_some_and(is_text) => {
                let func = func.inner().with_updated_config(config);
                func.map(|func| Expr::ScalarFunction(ScalarFunction { func: func.into(), args: args.clone() }))
            }
            _ => None,
        };
        let Some(local) = local else { return Ok(Transformed::no(inner)) };
        Ok(Transformed::new(cast(local, inner.get_type(names)?), true, TreeNodeRecursion::Jump))
    });
    Ok(rewritten?.data)
}
