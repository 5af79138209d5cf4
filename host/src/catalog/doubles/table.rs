//! Flows as tables: with doubles marked, and without them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::{ExecutionPlan, expressions::Column, projection::ProjectionExec},
};

use super::{Doubles, complete::COMPLETED, exec::DoublesExec, records::COLUMNS};

/// The column that marks doubles: whether another sensor saw the conversation more fully.
const DOUBLE: &str = "is_double";

/// All flows, with the column `is_double`.
#[derive(Debug)]
pub struct MarkedFlows {
    flows: Arc<dyn TableProvider>,
    doubles: Arc<Doubles>,
}

/// The flows that are no doubles, completed where two sensors saw one direction each.
#[derive(Debug)]
pub struct SingleFlows {
    flows: Arc<dyn TableProvider>,
    doubles: Arc<Doubles>,
}

impl MarkedFlows {
    /// Over a table with the canonical columns.
    pub fn new(flows: Arc<dyn TableProvider>, doubles: Arc<Doubles>) -> Self {
        Self { flows, doubles }
    }
}

impl SingleFlows {
    /// Over a table with the canonical columns.
    pub fn new(flows: Arc<dyn TableProvider>, doubles: Arc<Doubles>) -> Self {
        Self { flows, doubles }
    }
}

/// The columns that are wanted and those that are compared, and the places of the former among them.
fn with_compared(schema: &Schema, wanted: &[usize]) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut read = wanted.to_vec();
    for name in COLUMNS {
        let column = schema.index_of(name)?;
        if !read.contains(&column) {
            read.push(column);
        }
    }
    Ok((read, (0..wanted.len()).collect()))
}

#[async_trait]
impl TableProvider for SingleFlows {
    fn schema(&self) -> SchemaRef {
        self.flows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let below = self.flows.supports_filters_pushdown(filters)?;
        let can = |(filter, below): (&&Expr, TableProviderFilterPushDown)| {
            let is_completed = filter.column_refs().iter().any(|column| COMPLETED.contains(&column.name.as_str()));
            if is_completed && self.doubles.may_be() { TableProviderFilterPushDown::Unsupported } else { below }
        };
        Ok(filters.iter().zip(below).map(can).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !self.doubles.may_be() {
            return self.flows.scan(session, projection, filters, limit).await;
        }
        let flows = self.schema();
        let all: Vec<usize> = (0..flows.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let (read, kept) = with_compared(&flows, wanted)?;
        let input = self.flows.scan(session, Some(&read), filters, None).await?;
        let schema = Arc::new(flows.project(wanted)?);
        Ok(Arc::new(DoublesExec::new(input, Arc::clone(&self.doubles), kept, schema)))
    }
}

#[async_trait]
impl TableProvider for MarkedFlows {
    fn schema(&self) -> SchemaRef {
        let double = Arc::new(Field::new(DOUBLE, DataType::Boolean, false));
        Arc::new(Schema::new(self.flows.schema().fields().iter().cloned().chain([double]).collect::<Vec<_>>()))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let can = |filter: &&Expr| {
            let is_of_mark = filter.column_refs().iter().any(|column| column.name == DOUBLE);
            if is_of_mark { TableProviderFilterPushDown::Unsupported } else { TableProviderFilterPushDown::Inexact }
        };
        Ok(filters.iter().map(can).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let mark = schema.fields().len() - 1;
        let Some(place) = wanted.iter().position(|column| *column == mark) else {
            return self.flows.scan(session, Some(wanted), filters, limit).await;
        };
        let unmarked: Vec<usize> = wanted.iter().copied().filter(|column| *column != mark).collect();
        let marked = if self.doubles.may_be() {
            let (read, kept) = with_compared(&schema, &unmarked)?;
            let input = self.flows.scan(session, Some(&read), filters, None).await?;
            let order: Vec<usize> = unmarked.iter().copied().chain([mark]).collect();
            let marked = Arc::new(schema.project(&order)?);
            Arc::new(DoublesExec::new(input, Arc::clone(&self.doubles), kept, marked)) as Arc<dyn ExecutionPlan>
        } else {
            self.flows.scan(session, Some(&unmarked), filters, limit).await?
        };
        // The mark is last, or nowhere yet; it goes to its place.
        let mut next = 0..unmarked.len();
        let columns = wanted.iter().enumerate().map(|(at, column)| {
            let name = schema.field(*column).name().clone();
            let expression: Arc<dyn datafusion::physical_expr::PhysicalExpr> = match at == place {
                true if self.doubles.may_be() => Arc::new(Column::new(&name, unmarked.len())),
                true => datafusion::physical_expr::expressions::lit(false),
                false => Arc::new(Column::new(&name, next.next().unwrap_or_default())),
            };
            (expression, name)
        });
        Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), marked)?))
    }
}
