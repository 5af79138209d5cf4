//! Routers: MAC addresses that are not those of the devices behind them.
//!
//! A frame that a router sent on has the router's MAC address, whosever packet is in it. Where devices are found by MAC
//! address, all that is behind a router of the device list would be the router. So a MAC address that has more IPv4 addresses
//! in a slice than a device has at once says nothing of devices in that slice: `device_flows` and the operator do not see it.
//! SQL's `flows` shows it as it was seen.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringViewArray},
    datatypes::{SchemaRef, TimestampMicrosecondType},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Result, exec_datafusion_err},
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_expr::EquivalenceProperties,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::TryStreamExt;

use super::{per_slice::PerSlice, slice_flows::SliceFlows};
use crate::{
    archive::ArchiveFile,
    bindings::MOST_ADDRESSES,
    detect::{World, one_input},
    device::parse_mac,
    time::HOUR,
    workspace::Workspace,
};

type Mac = [u8; 6];

/// Each end's MAC address, and the address that it is seen with.
const MACS: [(&str, &str); 2] = [("src_mac", "src_ip"), ("dst_mac", "dst_ip")];

/// The routers of an archive's slices, among the MAC addresses of the device list.
#[derive(Debug)]
pub struct Routers {
    flows: SliceFlows,
    world: Arc<World>,
    slice_length: i64,
    known: PerSlice<HashSet<Mac>>,
}

impl Routers {
    /// Of a workspace's archive.
    pub fn of(workspace: &Workspace) -> Self {
        Self::among(workspace, &workspace.listing.files)
    }

    /// By these files of it alone.
    pub fn among(workspace: &Workspace, files: &[ArchiveFile]) -> Self {
        Self {
            flows: SliceFlows::of(&workspace.archive, files),
            world: Arc::clone(&workspace.world),
            slice_length: i64::from(workspace.config.slice_hours.max(1)) * HOUR,
            known: PerSlice::default(),
        }
    }

    /// Flows without the MAC addresses of routers; as they are where no device is found by its MAC address.
    pub fn left_out_of(self: &Arc<Self>, flows: Arc<dyn TableProvider>) -> Arc<dyn TableProvider> {
        match self.world.inventory.needs_mac() {
            true => Arc::new(OwnMacs { flows, routers: Arc::clone(self) }),
            false => flows,
        }
    }

    async fn of_slice(&self, slice: i64) -> Result<Arc<HashSet<Mac>>> {
        self.known.cell(slice).get_or_try_init(|| self.find(slice)).await.cloned()
    }

    async fn find(&self, slice: i64) -> Result<Arc<HashSet<Mac>>> {
        let [from, to] = [slice, slice + 1].map(|number| number * self.slice_length);
        let columns: Vec<&str> = MACS.iter().flat_map(|(mac, ip)| [*mac, *ip]).collect();
        let mut batches = self.flows.ending_in(from..to, &columns).await?;
        let mut met = Met::default();
        while let Some(batch) = batches.try_next().await? {
            for ends in batch.columns().chunks_exact(2) {
                let rows = ends[0].as_string_view().iter().zip(ends[1].as_string_view());
                let mut last = (None, None);
                for (mac, ip) in rows {
                    // Flows of one address lie together.
                    if (mac, ip) != last {
                        last = (mac, ip);
                        let mac = mac.and_then(parse_mac).filter(|mac| self.is_listed(*mac));
                        met.see(mac, ip.and_then(|ip| ip.parse().ok()));
                    }
                }
            }
        }
        Ok(Arc::new(met.routers()))
    }

    fn is_listed(&self, mac: Mac) -> bool {
        self.world.inventory.bindings_of_mac(mac).next().is_some()
    }
}

/// With which IPv4 addresses MAC addresses were met, as many as are needed.
#[derive(Debug, Default)]
struct Met(HashMap<Mac, BTreeSet<Ipv4Addr>>);

impl Met {
    fn see(&mut self, mac: Option<Mac>, ip: Option<IpAddr>) {
        if let (Some(mac), Some(IpAddr::V4(ip))) = (mac, ip.map(|ip| ip.to_canonical())) {
            let addresses = self.0.entry(mac).or_default();
            if addresses.len() <= MOST_ADDRESSES {
                addresses.insert(ip);
            }
        }
    }

    fn routers(self) -> HashSet<Mac> {
        self.0.into_iter().filter(|(_, addresses)| addresses.len() > MOST_ADDRESSES).map(|(mac, _)| mac).collect()
    }
}

/// Flows without the MAC addresses of routers.
#[derive(Debug)]
struct OwnMacs {
    flows: Arc<dyn TableProvider>,
    routers: Arc<Routers>,
}

fn is_mac(name: &str) -> bool {
    MACS.iter().any(|(mac, _)| *mac == name)
}

#[async_trait]
impl TableProvider for OwnMacs {
    fn schema(&self) -> SchemaRef {
        self.flows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let below = self.flows.supports_filters_pushdown(filters)?;
        let can = |(filter, below): (&&Expr, TableProviderFilterPushDown)| {
            let is_of_mac = filter.column_refs().iter().any(|column| is_mac(&column.name));
            if is_of_mac { TableProviderFilterPushDown::Unsupported } else { below }
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
        let schema = self.schema();
        let mut read = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let wanted = Arc::new(schema.project(&read)?);
        if !wanted.fields().iter().any(|field| is_mac(field.name())) {
            return self.flows.scan(session, projection, filters, limit).await;
        }
        let end = schema.index_of("end_time")?;
        if !read.contains(&end) {
            read.push(end);
        }
        let input = self.flows.scan(session, Some(&read), filters, limit).await?;
        Ok(Arc::new(RoutersExec::new(input, Arc::clone(&self.routers), wanted)))
    }
}

/// Leaves the MAC addresses of routers out of flows, of which the first columns go out.
#[derive(Debug)]
struct RoutersExec {
    input: Arc<dyn ExecutionPlan>,
    routers: Arc<Routers>,
    properties: Arc<PlanProperties>,
}

impl RoutersExec {
    fn new(input: Arc<dyn ExecutionPlan>, routers: Arc<Routers>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, routers, properties: Arc::new(properties) }
    }
}

impl DisplayAs for RoutersExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoutersExec: MAC addresses left out")
    }
}

impl ExecutionPlan for RoutersExec {
    one_input!("RoutersExec", |plan, input| Self::new(input, Arc::clone(&plan.routers), plan.schema()));

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (routers, schema) = (Arc::clone(&self.routers), self.schema());
        let batches = input.and_then(move |batch| {
            let (routers, schema) = (Arc::clone(&routers), Arc::clone(&schema));
            async move { leave_out(&routers, &batch, schema).await }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

async fn leave_out(routers: &Routers, batch: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch> {
    let ends = batch.column_by_name("end_time").ok_or_else(|| exec_datafusion_err!("flows without end_time"))?;
    let slice = |end: &i64| end.div_euclid(routers.slice_length);
    let slices: Vec<i64> = ends.as_primitive::<TimestampMicrosecondType>().values().iter().map(slice).collect();
    let mut found = HashMap::new();
    for slice in slices.iter().copied().collect::<BTreeSet<_>>() {
        found.insert(slice, routers.of_slice(slice).await?);
    }
    let mut columns: Vec<ArrayRef> = batch.columns()[..schema.fields().len()].to_vec();
    if found.values().any(|routers| !routers.is_empty()) {
        for (_, column) in schema.fields().iter().zip(&mut columns).filter(|(field, _)| is_mac(field.name())) {
            let is_router = |mac: &&str, slice| parse_mac(mac).is_some_and(|mac| found[slice].contains(&mac));
            let rows = column.as_string_view().iter().zip(&slices);
            let own = rows.map(|(mac, slice)| mac.filter(|mac| !is_router(mac, slice)));
            *column = Arc::new(own.collect::<StringViewArray>());
        }
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}

#[cfg(test)]
mod tests {
    use super::Met;

    #[test]
    fn a_router_has_many_addresses() {
        let (router, device) = ([1; 6], [2; 6]);
        let mut met = Met::default();
        for last in 1..=9 {
            met.see(Some(router), format!("10.0.0.{last}").parse().ok());
            // One address, at times none, and as many of IPv6 as a device likes.
            for ip in ["10.0.1.1", "0.0.0.0", "::ffff:10.0.1.1", &format!("fe80::{last}")] {
                met.see(Some(device), ip.parse().ok());
            }
            met.see(None, format!("10.0.2.{last}").parse().ok());
        }
        assert_eq!(met.0[&router].len(), 5);
        assert_eq!(met.routers().into_iter().collect::<Vec<_>>(), [router]);
    }
}
