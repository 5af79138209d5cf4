//! The operator as a table: planning it makes the tree from scan to `DetectExec`.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    ops::Not,
    sync::{Arc, OnceLock},
};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::Result,
    datasource::provider_as_source,
    error::DataFusionError,
    logical_expr::{Expr, LogicalPlanBuilder, TableType, col, lit},
    physical_plan::{ExecutionPlan, union::UnionExec},
    scalar::ScalarValue,
};
use wardflow_manifest::Requirement;

use super::{
    DetectExec, Directory, Observed, PluginRun, ResolveExec, Slice,
    exec::{SliceRun, declared},
    layout::Layout,
    observe::ObserveExec,
    output,
    resolve::Shared,
    unwatched::Unwatched,
};
use crate::{detector::Stop, device::Inventory, flow};

/// Plugins over the flows of one slice.
#[derive(Debug)]
pub struct DetectTable {
    flows: Arc<dyn TableProvider>,
    observed: Arc<Observed>,
    /// Whether that is known without reading.
    is_observed: bool,
    run: Arc<SliceRun>,
}

/// Some devices alone.
#[derive(Clone, Debug)]
pub struct Only {
    /// Their ids.
    pub devices: Vec<String>,
    /// What all flows of the slice were, if it is known; else their times are read.
    pub observed: Option<Arc<Observed>>,
    /// Whether the table writes addresses as RFC 5952 says, which `ingest` does and other programs may not: then flows are
    /// looked for by address, else all are read.
    pub is_canonical: bool,
}

impl DetectTable {
    /// Over a table of flows with the canonical columns, of which it reads those of the slice and of these devices
    /// (of all, if none are named).
    pub fn new(
        flows: Arc<dyn TableProvider>,
        directory: Arc<Directory>,
        slice: Slice,
        plugins: Vec<PluginRun>,
        only: Option<Only>,
        stop: Stop,
    ) -> Self {
        let names = plugins.iter().any(|plugin| plugin.groups.use_names());
        let requires = |requirement| plugins.iter().any(|p| p.detector.manifest().requires.contains(&requirement));
        let mut further = Vec::new();
        if requires(Requirement::BothSides) {
            further.extend(flow::SIDES);
        }
        if requires(Requirement::Unsampled) {
            further.push("sampling_interval");
        }
        if directory.world().inventory.needs_mac() {
            further.extend(["src_mac", "dst_mac"]);
        }
        let layout = Layout::new(&declared(&plugins), names, &further);
        let sought = only.as_ref().filter(|only| only.is_canonical);
        let addresses = sought.and_then(|only| addresses(&directory.world().inventory, &only.devices));
        let (only, known) = only.map_or((None, None), |only| (Some(only.devices), only.observed));
        // Where every flow is resolved, all is counted on the way.
        let known = known.filter(|_| addresses.is_some());
        let is_observed = known.is_some();
        let observed = known.unwrap_or_else(|| Arc::new(Observed::new(slice)));
        let shared = Arc::new(Shared {
            slice,
            plugins,
            directory,
            observed: Arc::clone(&observed),
            layout,
            only,
            addresses,
            unwatched: Unwatched::default(),
        });
        Self {
            flows,
            observed,
            is_observed,
            run: Arc::new(SliceRun { shared, stop: stop.part(), facts: OnceLock::new(), outside: OnceLock::new() }),
        }
    }

    /// What the slice's flows were, once the table was read.
    pub const fn observed(&self) -> &Arc<Observed> {
        &self.observed
    }

    /// The physical plan. Where only some devices are wanted, and their addresses are known, their flows are found by two
    /// scans, one an end; all others are merely counted, unless that is known already.
    ///
    /// # Errors
    /// The flows cannot be scanned.
    pub async fn plan(&self, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let shared = &self.run.shared;
        let threads = session.config().target_partitions();
        let columns: Vec<_> = shared.layout.sources().iter().copied().collect();
        let resolved = |scan| Arc::new(ResolveExec::new(scan, Arc::clone(shared))) as Arc<dyn ExecutionPlan>;
        let Some(addresses) = &shared.addresses else {
            let resolved = resolved(self.scan_slice(session, &columns).await?);
            return Ok(Arc::new(DetectExec::new(resolved, Arc::clone(&self.run), threads)));
        };
        let is = |end: &str| col(end).in_list(addresses.iter().map(|address| lit(address.as_str())).collect(), false);
        let initiated = self.scan_flows(session, &columns, Some(is("src_ip"))).await?;
        let accepted = self.scan_flows(session, &columns, Some(is("dst_ip").and(is("src_ip").not()))).await?;
        let mut inputs = vec![resolved(initiated), resolved(accepted)];
        if !self.is_observed {
            inputs.push(self.observe(session, &columns).await?);
        }
        let all = UnionExec::try_new(inputs)?;
        Ok(Arc::new(DetectExec::new(all, Arc::clone(&self.run), threads)))
    }

    /// Reads what the sensors delivered, and nothing more.
    async fn observe(&self, session: &dyn Session, columns: &[&'static str]) -> Result<Arc<dyn ExecutionPlan>> {
        let seen = self.scan_flows(session, &ObserveExec::columns(columns), None).await?;
        Ok(Arc::new(ObserveExec::new(seen, Arc::clone(&self.observed), self.run.shared.layout.schema())))
    }

    /// Reads columns of the slice's flows, those that the table has; and some flows outside of it, which share a page with
    /// those inside.
    async fn scan_slice(&self, session: &dyn Session, columns: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let table = self.flows.schema();
        let read: Vec<_> = columns.iter().filter_map(|name| table.index_of(name).ok()).collect();
        self.flows.scan(session, Some(&read), &[self.ends_inside()], None).await
    }

    /// Reads columns of the slice's flows that meet a condition, and of no other.
    async fn scan_flows(
        &self,
        session: &dyn Session,
        columns: &[&str],
        condition: Option<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let table = self.flows.schema();
        let read = columns.iter().filter(|name| table.index_of(name).is_ok());
        let scan = LogicalPlanBuilder::scan("flows", provider_as_source(Arc::clone(&self.flows)), None)?
            .filter(condition.into_iter().fold(self.ends_inside(), Expr::and))?
            .project(read.map(|name| col(*name)))?
            .build()?;
        session.create_physical_plan(&scan).await
    }

    fn ends_inside(&self) -> Expr {
        let time = |at| lit(ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into())));
        let Slice { start, end } = self.run.shared.slice;
        col("end_time").gt_eq(time(start)).and(col("end_time").lt(time(end)))
    }
}

/// Every address of devices at any time; nothing if one of them is not known by address alone.
fn addresses(inventory: &Inventory, devices: &[String]) -> Option<Vec<String>> {
    if inventory.needs_mac() {
        return None;
    }
    let mut addresses = BTreeSet::new();
    for device in devices {
        match device.parse::<IpAddr>() {
            Ok(ip) if !inventory.has(device) => _ = addresses.insert(ip),
            _ => {
                for entry in inventory.entries().iter().filter(|entry| entry.device_id == *device) {
                    addresses.insert(entry.ip?);
                }
            }
        }
    }
    Some(addresses.iter().map(IpAddr::to_string).collect())
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
