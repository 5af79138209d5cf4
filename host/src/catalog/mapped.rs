//! Flows, whoever wrote them: files with the canonical columns as they are, and those of other programs through their
//! mapping.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result as QueryResult,
    datasource::provider_as_source,
    logical_expr::{
        Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, col,
        utils::{conjunction, split_conjunction},
    },
    physical_plan::{ExecutionPlan, empty::EmptyExec},
};

use super::{FlowFiles, functions};
use crate::{
    archive::{Archive, ArchiveFile},
    error::Result,
    flow,
    mapping::Fit,
};

/// The flows of an archive's files as a table with the canonical columns.
///
/// # Errors
/// None that an open archive allows.
pub fn flows(archive: &Archive, files: Vec<ArchiveFile>) -> Result<Arc<dyn TableProvider>> {
    if archive.mapping().is_none() {
        return Ok(Arc::new(FlowFiles::new(archive, files)?));
    }
    let mut groups: Vec<(Arc<Fit>, Vec<_>)> = Vec::new();
    for ArchiveFile { object, fit, .. } in files {
        let Some(fit) = fit else { continue };
        match groups.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &fit)) {
            Some((_, objects)) => objects.push(object),
            None => groups.push((fit, vec![object])),
        }
    }
    let sources = groups.into_iter().map(|(fit, objects)| {
        let files = FlowFiles::of(archive, Arc::clone(fit.source()), objects)?.noting_reads(archive);
        Ok((fit, Arc::new(files)))
    });
    Ok(Arc::new(MappedFlows { sources: sources.collect::<Result<_>>()? }))
}

/// Files of another program, those with the same columns together.
#[derive(Debug)]
struct MappedFlows {
    sources: Vec<(Arc<Fit>, Arc<FlowFiles>)>,
}

/// The canonical columns; that a required one is never null is not what a plan over other columns can tell.
fn schema() -> SchemaRef {
    let fields =
        flow::schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    Arc::new(Schema::new(fields))
}

/// Flows of files with the same columns. Below the mapping goes what the filters mean for the files' own columns, so
/// that row groups and pages are passed over.
fn mapped(fit: &Fit, files: &Arc<FlowFiles>, filters: &[Expr]) -> QueryResult<LogicalPlan> {
    let hints = filters.iter().flat_map(split_conjunction).filter_map(|filter| fit.hint(filter)).collect();
    let source = provider_as_source(Arc::clone(files) as Arc<dyn TableProvider>);
    let mut plan = LogicalPlanBuilder::scan_with_filters("source", source, None, hints)?;
    if let Some(condition) = fit.condition() {
        plan = plan.filter(condition)?;
    }
    let is_set = flow::REQUIRED.into_iter().map(|column| col(column).is_not_null());
    let is_ip = functions::is_ip();
    let are_ends = ["src_ip", "dst_ip"].map(|end| is_ip.call(vec![col(end)]));
    let is_flow = is_set.chain([col("end_time").gt_eq(col("start_time"))]).chain(are_ends);
    let wanted = conjunction(is_flow.chain(filters.iter().cloned()));
    plan.project(fit.columns())?.filter(wanted.unwrap_or_default())?.build()
}

#[async_trait]
impl TableProvider for MappedFlows {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> QueryResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let mut plans = self.sources.iter().map(|(fit, files)| mapped(fit, files, filters));
        let Some(first) = plans.next() else {
            let all = schema();
            let schema =
                projection.map_or_else(|| Ok(Arc::clone(&all)), |columns| all.project(columns).map(Arc::new))?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        };
        let together = |builder: LogicalPlanBuilder, plan: QueryResult<LogicalPlan>| builder.union(plan?);
        let mut plan = plans.try_fold(LogicalPlanBuilder::from(first?), together)?;
        if let Some(columns) = projection {
            plan = plan.select(columns.iter().copied())?;
        }
        session.create_physical_plan(&plan.limit(0, limit)?.build()?).await
    }
}
