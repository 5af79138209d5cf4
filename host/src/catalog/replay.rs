//! `detect('vendor/name')`: a plugin over the whole archive, from empty states, writing nothing.
//!
//! A filter on `device_id` goes below it; a filter on time never does, since it would change what the detector saw.

use std::{fmt, sync::Arc};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::{
        DataFusionError, Result as QueryResult, ScalarValue, exec_err, internal_err, plan_err,
        tree_node::TreeNodeRecursion,
    },
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        ReplaceChildrenOptions,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchReceiverStream,
    },
    prelude::SessionContext,
};
use wardflow_manifest::Column;

use super::{Doubles, Routers, SingleFlows, evidence::text_argument, flows, joined};
use crate::{
    analyze::{Stage, Traveller, stages, step},
    detect::{Directory, Only, project},
    detector::Stop,
    finding,
    sandbox::Compiler,
    workspace::{ReadyPlugin, Workspace},
};

#[derive(Debug)]
struct Detect {
    workspace: Arc<Workspace>,
    compiler: Compiler,
}

/// Makes the function known to a session.
pub(super) fn register(context: &SessionContext, workspace: &Arc<Workspace>, compiler: Compiler) {
    context.register_udtf("detect", Arc::new(Detect { workspace: Arc::clone(workspace), compiler }));
}

impl TableFunctionImpl for Detect {
    fn call_with_args(&self, arguments: TableFunctionArgs<'_, '_>) -> QueryResult<Arc<dyn TableProvider>> {
        let id = text_argument("detect", "a plugin's id", arguments.exprs())?;
        let ready = self.workspace.ready(self.compiler.clone(), |plugin| plugin == id);
        let ready = ready.map_err(|error| DataFusionError::Plan(crate::workspace::describe(&error)))?;
        let (ready, refused) = ready;
        if let Some(refusal) = refused.first() {
            return plan_err!("detect(): plugin '{id}' cannot run: {}", refusal.reason);
        }
        let Some(plugin) = ready.into_iter().next() else {
            let offered = &self.workspace.plugins.offered;
            let known: Vec<_> = offered.iter().filter_map(|p| Some(p.manifest.as_ref()?.id.to_string())).collect();
            return plan_err!(
                "detect(): no plugin '{id}' can run; there are: {}. See `wardflow plugin list`",
                known.join(", ")
            );
        };
        Ok(Arc::new(Replay { workspace: Arc::clone(&self.workspace), plugin }))
    }
}

/// A plugin over a workspace's archive, as a table of findings: one row a finding and slice.
#[derive(Debug)]
struct Replay {
    workspace: Arc<Workspace>,
    plugin: ReadyPlugin,
}

#[async_trait]
impl TableProvider for Replay {
    fn schema(&self) -> SchemaRef {
        finding::schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> QueryResult<Vec<TableProviderFilterPushDown>> {
        // Prevalence counts the other devices too.
        let sees_others = self.plugin.detector.manifest().columns.contains(&Column::PeerPrevalence);
        let pushdown = |filter: &&Expr| match devices(filter) {
            Some(_) if !sees_others => TableProviderFilterPushDown::Exact,
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let workspace = &self.workspace;
        let inner = SessionContext::new_with_config_rt(session.config().clone(), Arc::clone(session.runtime_env()));
        inner.register_object_store(workspace.archive.store_url(), Arc::clone(workspace.archive.store()));
        let replay = ReplayExec {
            session: inner,
            workspace: Arc::clone(workspace),
            plugin: self.plugin.clone(),
            stages: stages(workspace.slices(workspace.config.slice_hours)),
            only: wanted(filters),
            properties: Arc::new(PlanProperties::new(
                EquivalenceProperties::new(finding::schema()),
                Partitioning::UnknownPartitioning(1),
                EmissionType::Incremental,
                Boundedness::Bounded,
            )),
        };
        let plan: Arc<dyn ExecutionPlan> = Arc::new(replay);
        match projection {
            None => Ok(plan),
            Some(projection) => project(plan, projection),
        }
    }
}

/// The devices that all these filters leave; all of them if there is no filter.
fn wanted(filters: &[Expr]) -> Option<Vec<String>> {
    let mut each = filters.iter().filter_map(devices);
    let first = each.next()?;
    Some(each.fold(first, |left, next| left.into_iter().filter(|id| next.contains(id)).collect()))
}

/// The devices of `device_id = '...'` and `device_id IN ('...', ...)`.
fn devices(filter: &Expr) -> Option<Vec<String>> {
    let is_device = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "device_id");
    let text = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => Some(text.clone()),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_device(left) => Some(vec![text(right)?]),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_device(right) => Some(vec![text(left)?]),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut all = devices(left)?;
            all.extend(devices(right)?);
            Some(all)
        }
        Expr::InList(list) if !list.negated && is_device(&list.expr) => list.list.iter().map(text).collect(),
        _ => None,
    }
}

/// Runs the operator over one slice after the other, states passing between them.
struct ReplayExec {
    session: SessionContext,
    workspace: Arc<Workspace>,
    plugin: ReadyPlugin,
    stages: Vec<Stage>,
    only: Option<Vec<String>>,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for ReplayExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayExec").field("plugin", self.plugin.id()).field("only", &self.only).finish_non_exhaustive()
    }
}

impl DisplayAs for ReplayExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manifest = self.plugin.detector.manifest();
        let columns: Vec<_> = manifest.columns.iter().map(|column| column.name()).collect();
        let devices = self.only.as_ref().map_or_else(|| "all".to_owned(), |only| format!("[{}]", only.join(", ")));
        write!(
            f,
            "ReplayExec: plugin={} {}, slices={}, devices={devices}, each slice: DetectExec sees [{}]",
            manifest.id,
            manifest.version,
            self.stages.len(),
            columns.join(", ")
        )
    }
}

impl ExecutionPlan for ReplayExec {
    fn name(&self) -> &'static str {
        "ReplayExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> QueryResult<TreeNodeRecursion>,
    ) -> QueryResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("ReplayExec has no input") }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> QueryResult<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("ReplayExec has one partition, not {partition}");
        }
        let (session, workspace) = (self.session.clone(), Arc::clone(&self.workspace));
        let (plugin, stages, only) = (self.plugin.clone(), self.stages.clone(), self.only.clone());
        let mut builder = RecordBatchReceiverStream::builder(finding::schema(), 2);
        let sender = builder.tx();
        builder.spawn(async move {
            let start = stages.first().map_or(0, |stage| stage.slice.start);
            let failed = |error: crate::error::Error| DataFusionError::External(Box::new(error));
            let directory = Arc::new(Directory::new(Arc::clone(&workspace.world)).map_err(failed)?);
            let mut traveller = Traveller::new(plugin, None, start).map_err(failed)?;
            let stop = Stop::default();
            let doubles = Arc::new(Doubles::of(&workspace));
            let routers = Arc::new(Routers::of(&workspace));
            for stage in stages {
                if stage.is_skipped {
                    traveller.skip_to(stage.slice.end);
                    continue;
                }
                let files: Vec<_> = stage.files.iter().map(|file| workspace.listing.files[*file].clone()).collect();
                let is_canonical = files.iter().all(|file| !file.foreign);
                let flows = flows(&workspace.archive, files).map_err(failed)?;
                let flows = joined(&workspace.archive, flows, workspace.config.slice_hours);
                let flows = routers.left_out_of(Arc::new(SingleFlows::new(flows, Arc::clone(&doubles))));
                let mut here = [&mut traveller];
                // What is known beforehand is known of all records, doubles and halves among them.
                let observed = if doubles.may_be_at(stage.slice.start) { None } else { stage.observed() };
                let only = only.clone().map(|devices| Only { devices, observed, is_canonical });
                let outcome = step(&session, flows, &directory, stage.slice, &mut here, only, &stop).await;
                let outcome = outcome.map_err(failed)?;
                if let Some(lacking) = outcome.plugins.values().find(|plugin| plugin.status.is_failure()) {
                    return exec_err!(
                        "detect(): the plugin did not cover everything: {}",
                        lacking.fault.clone().unwrap_or_default()
                    );
                }
                for batch in outcome.findings {
                    if sender.send(Ok(batch)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;
    use datafusion::logical_expr::{Expr, col, lit};

    fn check(filters: &[Expr], expected: Option<&[&str]>) {
        let expected = expected.map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(wanted(filters), expected, "{filters:?}");
    }

    #[test]
    fn a_device_filter_is_understood() {
        check(&[], None);
        check(&[col("device_id").eq(lit("a"))], Some(&["a"]));
        check(&[lit("a").eq(col("device_id"))], Some(&["a"]));
        check(&[col("device_id").in_list(vec![lit("a"), lit("b")], false)], Some(&["a", "b"]));
        check(&[col("device_id").eq(lit("a")).or(col("device_id").eq(lit("b")))], Some(&["a", "b"]));
        check(&[col("device_id").in_list(vec![lit("a")], true)], None);
        check(&[col("kind").eq(lit("a"))], None);
        check(&[col("device_id").eq(lit("a")), col("device_id").eq(lit("b"))], Some(&[]));
    }
}
