//! Times that do not say their offset, as text mostly has them: of which zone they are.

use std::{collections::BTreeSet, sync::Arc};

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{
        DFSchema, Result as QueryResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Cast, Expr, ExprSchemable, TryCast, cast, expr::ScalarFunction, try_cast},
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

impl Fit {
    /// The same with clocks that are never changed, of a fixed offset such as `+02:00`: in place of every zone that is named
    /// with `AT TIME ZONE`, and of that of text.
    ///
    /// # Errors
    /// As [`Fit::in_zone`].
    pub fn at_offset(mut self, offset: &str) -> QueryResult<Self> {
        for expression in self.columns.iter_mut().flatten() {
            let fixed = std::mem::take(expression).transform_up(|inner| {
                let Some((_, unit)) = named(&inner) else { return Ok(Transformed::no(inner)) };
                let fixed = DataType::Timestamp(unit, Some(offset.into()));
                Ok(Transformed::yes(match inner {
                    Expr::Cast(Cast { expr, .. }) => cast(*expr, fixed),
                    Expr::TryCast(TryCast { expr, .. }) => try_cast(*expr, fixed),
                    other => other,
                }))
            });
            *expression = fixed?.data;
        }
        self.in_zone(offset)
    }

    /// The zones that an expression names with `AT TIME ZONE`, by its position in [`flow::COLUMNS`].
    pub fn named_zones(&self, position: usize) -> BTreeSet<String> {
        let mut zones = BTreeSet::new();
        if let Some(Some(expression)) = self.columns.get(position) {
            let seen = expression.apply(|inner| {
                zones.extend(named(inner).map(|(zone, _)| zone.to_string()));
                Ok(TreeNodeRecursion::Continue)
            });
            debug_assert!(seen.is_ok(), "looking fails for nothing");
        }
        zones
    }

    /// Whether text of an expression is of the zone of the workspace, by its position in [`flow::COLUMNS`]. `zoned` is the
    /// same in that zone.
    pub fn has_local_text(&self, position: usize, zoned: &Self) -> bool {
        self.columns.get(position) != zoned.columns.get(position)
    }
}

/// The zone that a cast names, with the unit of what it gives.
fn named(expression: &Expr) -> Option<(&str, TimeUnit)> {
    match expression {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => match field.data_type() {
            DataType::Timestamp(unit, Some(zone)) => Some((zone.as_ref(), *unit)),
            _ => None,
        },
        _ => None,
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
