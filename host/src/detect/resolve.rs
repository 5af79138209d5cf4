//! `ResolveExec`: flows with text addresses in, numbers out. After it there is no text.
//!
//! Every end of a flow that is a device gives a row as that device sees it, so a flow between two devices gives two.

use std::{collections::HashMap, fmt, net::IpAddr, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray},
    compute::cast,
    datatypes::{SchemaRef, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use datafusion::{
    common::{Result, exec_err, internal_err, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
        PlanProperties, ReplaceChildrenOptions,
        metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput},
        stream::RecordBatchStreamAdapter,
    },
};
use foldhash::fast::FixedState;
use futures::{StreamExt, stream};
use wardflow_manifest::{ConnState, Direction, name_id};

use super::{
    Directory, Observed, SHARDS,
    directory::Endpoint,
    gaps::Counts,
    layout::{Carried, Layout},
};
use crate::{detector::Values, flow, zone::IpScope};

/// Stands for "no device" and "not recorded".
pub(super) const NONE: u32 = u32::MAX;

/// RFC 1035, 4.2.
const DNS_PORT: u16 = 53;

/// Resolves the ends of flows to devices.
#[derive(Debug)]
pub struct ResolveExec {
    input: Arc<dyn ExecutionPlan>,
    shared: Arc<Shared>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What all partitions use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) directory: Arc<Directory>,
    pub(super) observed: Arc<Observed>,
    pub(super) layout: Layout,
    /// Only the rows of these devices; absent for all.
    pub(super) only: Option<Vec<String>>,
}

impl ResolveExec {
    /// Over flows with the columns that the layout needs.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, shared: Arc<Shared>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(shared.layout.schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, shared, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for ResolveExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.shared.layout.schema().fields().iter().map(|field| field.name().clone()).collect();
        write!(f, "ResolveExec: rows=[{}]", names.join(", "))
    }
}

impl ExecutionPlan for ResolveExec {
    fn name(&self) -> &'static str {
        "ResolveExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) if children.is_empty() => Ok(Arc::new(Self::new(input, Arc::clone(&self.shared)))),
            _ => internal_err!("ResolveExec has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let mut resolver = Resolver::new(Arc::clone(&self.shared), &self.metrics, partition);
        let rows = input.map(move |batch| resolver.resolve(&batch?));
        // Every shard ends its slice, with or without flows: a tick takes the way to the partition that a flow would.
        let tick = (partition == 0).then(|| ticks(&self.shared.layout));
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.chain(stream::iter(tick)))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// A row a shard that belongs to no device.
fn ticks(layout: &Layout) -> Result<RecordBatch> {
    let schema = layout.schema();
    let columns = layout.carried().iter().zip(schema.fields()).map(|(carried, field)| {
        let numbers = (0..u32::from(SHARDS)).map(|shard| match carried {
            Carried::Shard => shard,
            Carried::Device => NONE,
            _ => 0,
        });
        let numbers: ArrayRef = Arc::new(arrow::array::UInt32Array::from_iter_values(numbers));
        cast(&numbers, field.data_type())
    });
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)?)
}

/// Resolves the batches of one partition.
struct Resolver {
    shared: Arc<Shared>,
    addresses: HashMap<Box<str>, Option<Known>, FixedState>,
    names: HashMap<Box<str>, u32, FixedState>,
    services: HashMap<Box<str>, u32, FixedState>,
    shards: Vec<u8>,
    only: Option<Vec<u32>>,
    needs_mac: bool,
    metrics: BaselineMetrics,
    flows: Count,
    unresolved: Count,
}

/// The number of an address, and what is known of it.
type Known = (u32, Arc<Endpoint>);

/// One end of a flow.
struct End {
    number: u32,
    device: Option<u32>,
}

impl Resolver {
    fn new(shared: Arc<Shared>, metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let only = shared.only.as_ref().map(|ids| ids.iter().map(|id| shared.directory.device(id)).collect());
        Self {
            needs_mac: shared.directory.world().inventory.needs_mac(),
            only,
            addresses: HashMap::default(),
            names: HashMap::default(),
            services: HashMap::default(),
            shards: Vec::new(),
            metrics: BaselineMetrics::new(metrics, partition),
            flows: MetricBuilder::new(metrics).counter("flows", partition),
            unresolved: MetricBuilder::new(metrics).counter("flows_of_no_device", partition),
            shared,
        }
    }

    fn resolve(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        let flows = Flows::new(batch)?;
        let schema = self.shared.layout.schema();
        let mut rows = Rows::new(&self.shared.layout, &schema);
        let mut counts = Counts { flows: batch.num_rows() as u64, ..Counts::default() };
        for row in 0..batch.num_rows() {
            self.resolve_flow(&flows, row, &mut rows, &mut counts)?;
        }
        self.flows.add(batch.num_rows());
        self.shared.observed.add(&counts);
        Ok(rows.finish(schema)?.record_output(&self.metrics))
    }

    fn resolve_flow(&mut self, flows: &Flows, row: usize, rows: &mut Rows, counts: &mut Counts) -> Result<()> {
        let end = flows.end.value(row);
        let start = flows.start.value(row).min(end);
        self.shared.observed.see(end);
        counts.one_sided +=
            u64::from(flows.sides.as_ref().is_some_and(|sides| sides.is_valid(row) && sides.value(row) == 1));
        counts.sampled +=
            u64::from(flows.sampling.as_ref().is_some_and(|rate| rate.is_valid(row) && rate.value(row) > 1));
        let (Some((src, src_end)), Some((dst, dst_end))) =
            (self.endpoint(flows.src_ip.value(row)), self.endpoint(flows.dst_ip.value(row)))
        else {
            self.unresolved.add(1);
            return Ok(());
        };
        let src = End { number: src, device: self.device(&src_end, flows.src_mac.as_ref(), row, end) };
        let dst = End { number: dst, device: self.device(&dst_end, flows.dst_mac.as_ref(), row, end) };
        let mut is_seen = false;
        for (direction, here, there) in [(Direction::Outbound, &src, &dst), (Direction::Inbound, &dst, &src)] {
            let Some(device) = here.device.filter(|device| self.only.as_ref().is_none_or(|only| only.contains(device)))
            else {
                continue;
            };
            is_seen = true;
            let shard = self.shard(device);
            let (name, service) = (self.name(flows, row, direction), self.service(flows, row));
            rows.push(|carried| {
                flows.number(carried, row, direction).unwrap_or_else(|| match carried {
                    Carried::Shard => u64::from(shard),
                    Carried::Device => u64::from(device),
                    Carried::Peer => u64::from(there.number),
                    Carried::PeerDevice => u64::from(there.device.unwrap_or(NONE)),
                    Carried::Start => start.cast_unsigned(),
                    Carried::End => end.cast_unsigned(),
                    Carried::Name => u64::from(name),
                    Carried::Service => u64::from(service),
                    _ => 0,
                })
            });
        }
        if !is_seen {
            self.unresolved.add(1);
        }
        Ok(())
    }

    /// The endpoint behind an address; nothing for text that is no address.
    fn endpoint(&mut self, text: &str) -> Option<(u32, Arc<Endpoint>)> {
        if let Some(known) = self.addresses.get(text) {
            return known.clone();
        }
        let endpoint = text.parse::<IpAddr>().ok().map(|ip| self.shared.directory.endpoint(ip));
        self.addresses.insert(text.into(), endpoint.clone());
        endpoint
    }

    /// The device at one end: by address and time, else by MAC address, else the internal address itself.
    fn device(&self, endpoint: &Endpoint, macs: Option<&StringViewArray>, row: usize, at: i64) -> Option<u32> {
        let by_mac = || {
            let macs =
                macs.filter(|macs| self.needs_mac && endpoint.scope == IpScope::Internal && macs.is_valid(row))?;
            self.shared.directory.device_of_mac(crate::device::parse_mac(macs.value(row))?, at)
        };
        endpoint.bound(at).or_else(by_mac).or(endpoint.unbound())
    }

    fn shard(&mut self, device: u32) -> u8 {
        let device = device as usize;
        if device >= self.shards.len() {
            let tables = self.shared.directory.read();
            self.shards.extend(tables.devices[self.shards.len()..].iter().map(|device| device.shard));
        }
        self.shards.get(device).copied().unwrap_or(0)
    }

    /// The number of the responder's name, if the responder is the peer. A flow to a name server carries the name that
    /// was asked for, which is not the server's.
    fn name(&mut self, flows: &Flows, row: usize, direction: Direction) -> u32 {
        let is_peers = direction == Direction::Outbound && flows.dst_port.value(row) != DNS_PORT;
        let Some(names) = flows.name.as_ref().filter(|names| is_peers && names.is_valid(row)) else {
            return 0;
        };
        let text = names.value(row);
        if let Some(number) = self.names.get(text) {
            return *number;
        }
        let number = self.shared.directory.name(text);
        self.names.insert(text.into(), number);
        number
    }

    fn service(&mut self, flows: &Flows, row: usize) -> u32 {
        let Some(services) = flows.service.as_ref().filter(|services| services.is_valid(row)) else {
            return 0;
        };
        let text = services.value(row);
        if let Some(number) = self.services.get(text) {
            return *number;
        }
        let number = name_id(text);
        self.services.insert(text.into(), number);
        number
    }
}

/// A batch of flows, column by column.
struct Flows {
    start: arrow::array::TimestampMicrosecondArray,
    end: arrow::array::TimestampMicrosecondArray,
    src_ip: StringViewArray,
    dst_ip: StringViewArray,
    src_port: arrow::array::UInt16Array,
    dst_port: arrow::array::UInt16Array,
    protocol: arrow::array::UInt8Array,
    service: Option<StringViewArray>,
    name: Option<StringViewArray>,
    src_mac: Option<StringViewArray>,
    dst_mac: Option<StringViewArray>,
    state: Option<StringViewArray>,
    volumes: [Option<arrow::array::UInt64Array>; 4],
    sides: Option<arrow::array::UInt8Array>,
    sampling: Option<arrow::array::UInt32Array>,
}

impl Flows {
    fn new(batch: &RecordBatch) -> Result<Self> {
        let canonical = flow::schema();
        let column = |name: &str| -> Result<Option<ArrayRef>> {
            let Some(column) = batch.column_by_name(name) else { return Ok(None) };
            let wanted = canonical.field_with_name(name)?.data_type();
            if column.data_type() == wanted { Ok(Some(Arc::clone(column))) } else { Ok(Some(cast(column, wanted)?)) }
        };
        let required = |name: &str| -> Result<ArrayRef> {
            match column(name)? {
                Some(column) if column.null_count() == 0 => Ok(column),
                Some(_) => exec_err!("column `{name}` of the archive has rows without a value; a flow has one"),
                None => internal_err!("flows without column `{name}`"),
            }
        };
        let text =
            |name: &str| Ok::<_, datafusion::error::DataFusionError>(column(name)?.map(|c| c.as_string_view().clone()));
        let volume = |name: &str| {
            Ok::<_, datafusion::error::DataFusionError>(column(name)?.map(|c| c.as_primitive::<UInt64Type>().clone()))
        };
        Ok(Self {
            start: required("start_time")?.as_primitive::<TimestampMicrosecondType>().clone(),
            end: required("end_time")?.as_primitive::<TimestampMicrosecondType>().clone(),
            src_ip: required("src_ip")?.as_string_view().clone(),
            dst_ip: required("dst_ip")?.as_string_view().clone(),
            src_port: required("src_port")?.as_primitive::<UInt16Type>().clone(),
            dst_port: required("dst_port")?.as_primitive::<UInt16Type>().clone(),
            protocol: required("protocol")?.as_primitive::<UInt8Type>().clone(),
            service: text("service")?,
            name: text("dst_name")?,
            src_mac: text("src_mac")?,
            dst_mac: text("dst_mac")?,
            state: text("conn_state")?,
            volumes: [volume("src_bytes")?, volume("dst_bytes")?, volume("src_packets")?, volume("dst_packets")?],
            sides: column("observed_sides")?.map(|c| c.as_primitive::<UInt8Type>().clone()),
            sampling: column("sampling_interval")?.map(|c| c.as_primitive::<UInt32Type>().clone()),
        })
    }

    /// What a row carries that is in the flow itself.
    fn number(&self, carried: Carried, row: usize, direction: Direction) -> Option<u64> {
        let is_outbound = direction == Direction::Outbound;
        let (own, other) = if is_outbound { (0, 1) } else { (1, 0) };
        let volume = |index: usize| {
            let column = self.volumes[index].as_ref().filter(|column| column.is_valid(row));
            column.map_or(u64::MAX, |column| column.value(row))
        };
        let port =
            |of_source: bool| u64::from(if of_source { self.src_port.value(row) } else { self.dst_port.value(row) });
        Some(match carried {
            Carried::Direction => direction as u64,
            // ICMP has a type and a code in place of ports, and they are nobody's.
            Carried::LocalPort => port(is_outbound || is_icmp(self.protocol.value(row))),
            Carried::PeerPort => port(!is_outbound && !is_icmp(self.protocol.value(row))),
            Carried::Protocol => u64::from(self.protocol.value(row)),
            Carried::BytesSent => volume(own),
            Carried::BytesReceived => volume(other),
            Carried::PacketsSent => volume(2 + own),
            Carried::PacketsReceived => volume(2 + other),
            Carried::ConnState => {
                let state = self.state.as_ref().filter(|state| state.is_valid(row));
                state.map_or(ConnState::Unknown, |state| ConnState::from_zeek(state.value(row))) as u64
            }
            _ => return None,
        })
    }
}

/// ICMP for IPv4 and for IPv6.
const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, 1 | 58)
}

/// Resolved rows under construction.
struct Rows {
    carried: Vec<Carried>,
    columns: Vec<Values>,
}

impl Rows {
    fn new(layout: &Layout, schema: &SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| Values::empty(field.data_type())).collect();
        Self { carried: layout.carried().to_vec(), columns }
    }

    fn push(&mut self, number: impl Fn(Carried) -> u64) {
        for (carried, column) in self.carried.iter().zip(&mut self.columns) {
            column.push(number(*carried));
        }
    }

    fn finish(mut self, schema: SchemaRef) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Values::take_array).collect();
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}
