//! The operator as a table: planning it makes the tree from scan to `DetectExec`.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result,
    datasource::provider_as_source,
    error::DataFusionError,
    logical_expr::{Expr, LogicalPlanBuilder, TableType, col, lit},
    physical_plan::ExecutionPlan,
    scalar::ScalarValue,
};
use wardflow_manifest::Requirement;

use super::{
    DetectExec, Directory, Observed, PluginRun, ResolveExec, Slice,
    exec::{SliceRun, declared},
    layout::Layout,
    output,
    resolve::Shared,
};
use crate::detector::Stop;

/// Plugins over the flows of one slice.
#[derive(Debug)]
pub struct DetectTable {
    flows: Arc<dyn TableProvider>,
    observed: Arc<Observed>,
    run: Arc<SliceRun>,
}

impl DetectTable {
    /// Over a table of flows with the canonical columns, of which it reads those of the slice and of these devices
    /// (of all, if none are named).
    pub fn new(
        flows: Arc<dyn TableProvider>,
        directory: Arc<Directory>,
        slice: Slice,
        plugins: Vec<PluginRun>,
        only: Option<Vec<String>>,
        stop: Stop,
    ) -> Self {
        let names = plugins.iter().any(|plugin| plugin.groups.use_names());
        let requires = |requirement| plugins.iter().any(|p| p.detector.manifest().requires.contains(&requirement));
        let mut further = Vec::new();
        if requires(Requirement::BothSides) {
            further.push("observed_sides");
        }
        if requires(Requirement::Unsampled) {
            further.push("sampling_interval");
        }
        if directory.world().inventory.needs_mac() {
            further.extend(["src_mac", "dst_mac"]);
        }
        let layout = Layout::new(&declared(&plugins), names, &further);
        let observed = Arc::new(Observed::new(slice));
        let shared = Arc::new(Shared { directory, observed: Arc::clone(&observed), layout, only });
        Self { flows, observed, run: Arc::new(SliceRun { slice, plugins, shared, stop, facts: OnceLock::new() }) }
    }

    /// What the slice's flows were, once the table was read.
    pub const fn observed(&self) -> &Arc<Observed> {
        &self.observed
    }

    /// The physical plan.
    ///
    /// # Errors
    /// The flows cannot be scanned.
    pub async fn plan(&self, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let table = self.flows.schema();
        let read: Vec<_> =
            self.run.shared.layout.sources().iter().filter(|name| table.index_of(name).is_ok()).collect();
        let time = |at| lit(ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into())));
        let Slice { start, end } = self.run.slice;
        let scan = LogicalPlanBuilder::scan("flows", provider_as_source(Arc::clone(&self.flows)), None)?
            .filter(col("end_time").gt_eq(time(start)).and(col("end_time").lt(time(end))))?
            .project(read.into_iter().map(|name| col(*name)))?
            .build()?;
        let scan = session.create_physical_plan(&scan).await?;
        let resolve = Arc::new(ResolveExec::new(scan, Arc::clone(&self.run.shared)));
        Ok(Arc::new(DetectExec::new(resolve, Arc::clone(&self.run))))
    }
}

#[async_trait]
impl TableProvider for DetectTable {
    fn schema(&self) -> SchemaRef {
        output::schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.plan(session).await?;
        match projection {
            None => Ok(plan),
            Some(projection) => project(plan, projection),
        }
    }
}

/// Keeps some of a plan's columns.
pub(crate) fn project(
    plan: Arc<dyn ExecutionPlan>,
    projection: &[usize],
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    use datafusion::physical_plan::{expressions::Column, projection::ProjectionExec};
    let schema = plan.schema();
    let columns = projection.iter().map(|index| {
        let name = schema.field(*index).name().clone();
        (Arc::new(Column::new(&name, *index)) as _, name)
    });
    Ok(Arc::new(ProjectionExec::try_new(
        columns.collect::<Vec<(Arc<dyn datafusion::physical_expr::PhysicalExpr>, String)>>(),
        plan,
    )?))
}
