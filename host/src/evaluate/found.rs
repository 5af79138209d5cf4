//! What was found, slice by slice, as the evaluation reads it.

use std::collections::BTreeMap;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::cast,
    datatypes::{DataType, Float64Type, Int32Type, TimestampMicrosecondType, UInt64Type},
};
use datafusion::prelude::SessionContext;

use crate::{
    coverage::Status,
    error::{Context, Error, Result},
    flow::time_type,
    time::HOUR,
};

/// A finding of one slice: columns of `finding_slices`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) finding_id: String,
    pub(super) group_id: String,
    pub(super) plugin: String,
    pub(super) kind: String,
    pub(super) device_id: String,
    pub(super) peer_ip: Option<String>,
    /// Peers of the flows that the finding shows.
    pub(super) example_peers: Vec<String>,
    pub(super) severity_id: i32,
    pub(super) score: f64,
    pub(super) slice_start: i64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// A slice that was looked at: columns of `coverage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) plugin: String,
    pub(super) plugin_version: String,
    pub(super) slice_start: i64,
    pub(super) slice_end: i64,
    pub(super) plugin_digest: String,
    pub(super) config_digest: String,
    pub(super) devices: u64,
    pub(super) status: String,
}

impl Looked {
    /// Whether all that was to be looked at was.
    pub(super) fn is_complete(&self) -> bool {
        self.status == Status::Complete.name()
    }

    /// Whether the plugin looked at it at all.
    pub(super) fn has_run(&self) -> bool {
        self.status != Status::NotRun.name()
    }
}

const FINDINGS: &str = "
SELECT finding_id, coalesce(group_id, finding_id) AS group_id, plugin, kind, device_id, peer_ip, severity_id, score,
       slice_start, first_seen, last_seen, examples
FROM finding_slices ORDER BY slice_start, finding_id";

const COVERAGE: &str = "
SELECT plugin, plugin_version, plugin_digest, config_digest, slice_start, slice_end, devices, status
FROM coverage WHERE device_id IS NULL AND plugin IS NOT NULL ORDER BY slice_start, plugin";

/// The findings that count, in order of time.
pub(super) async fn findings(context: &SessionContext) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for batch in query(context, FINDINGS).await? {
        let [ids, groups, plugins, kinds] = [
            texts(&batch, "finding_id")?,
            texts(&batch, "group_id")?,
            texts(&batch, "plugin")?,
            texts(&batch, "kind")?,
        ];
        let (devices, peers) = (texts(&batch, "device_id")?, texts(&batch, "peer_ip")?);
        let examples = example_peers(&batch)?;
        let severities = column(&batch, "severity_id", &DataType::Int32)?;
        let scores = column(&batch, "score", &DataType::Float64)?;
        let [slices, firsts, lasts] =
            [times(&batch, "slice_start")?, times(&batch, "first_seen")?, times(&batch, "last_seen")?];
        found.extend((0..batch.num_rows()).map(|row| Found {
            finding_id: text(&ids, row),
            group_id: text(&groups, row),
            plugin: text(&plugins, row),
            kind: text(&kinds, row),
            device_id: text(&devices, row),
            peer_ip: peers.is_valid(row).then(|| text(&peers, row)),
            example_peers: examples[row].clone(),
            severity_id: severities.as_primitive::<Int32Type>().value(row),
            score: scores.as_primitive::<Float64Type>().value(row),
            slice_start: slices.value(row),
            first: firsts.value(row),
            last: lasts.value(row),
        }));
    }
    Ok(found)
}

/// By the start of a slice of those that were looked at, devices that sent something in it. Addresses that somebody tried and
/// where nobody is send nothing; where records do not tell packets, they count too.
pub(super) async fn senders(context: &SessionContext, looked: &[Looked]) -> Result<BTreeMap<i64, u64>> {
    let Some(hours) = looked.first().map(|slice| (slice.slice_end - slice.slice_start) / HOUR) else {
        return Ok(BTreeMap::new());
    };
    let query = format!(
        "SELECT date_bin(INTERVAL '{hours} hours', end_time) AS slice_start, count(DISTINCT device_id) AS devices
         FROM device_flows WHERE coalesce(packets_sent, 1) > 0 GROUP BY 1"
    );
    let mut senders = BTreeMap::new();
    for batch in self::query(context, &query).await? {
        let (starts, devices) = (times(&batch, "slice_start")?, column(&batch, "devices", &DataType::UInt64)?);
        let devices = devices.as_primitive::<UInt64Type>();
        senders.extend((0..batch.num_rows()).map(|row| (starts.value(row), devices.value(row))));
    }
    Ok(senders)
}

/// The slices of plugins, in order of time.
pub(super) async fn coverage(context: &SessionContext) -> Result<Vec<Looked>> {
    let mut looked = Vec::new();
    for batch in query(context, COVERAGE).await? {
        let (plugins, versions) = (texts(&batch, "plugin")?, texts(&batch, "plugin_version")?);
        let devices = column(&batch, "devices", &DataType::UInt64)?;
        let (digests, configs) = (texts(&batch, "plugin_digest")?, texts(&batch, "config_digest")?);
        let statuses = texts(&batch, "status")?;
        let (starts, ends) = (times(&batch, "slice_start")?, times(&batch, "slice_end")?);
        looked.extend((0..batch.num_rows()).map(|row| Looked {
            plugin: text(&plugins, row),
            plugin_version: text(&versions, row),
            plugin_digest: text(&digests, row),
            config_digest: text(&configs, row),
            slice_start: starts.value(row),
            slice_end: ends.value(row),
            devices: devices.as_primitive::<UInt64Type>().value(row),
            status: text(&statuses, row),
        }));
    }
    Ok(looked)
}

/// By row, the peers of the flows that findings show.
fn example_peers(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let examples = batch.column_by_name("examples").and_then(|column| column.as_list_opt::<i32>());
    let examples = examples.ok_or_else(|| Error::failed("findings have no examples"))?;
    let peers_of = |flows: ArrayRef| -> Result<Vec<String>> {
        let peers = flows.as_struct_opt().and_then(|flows| flows.column_by_name("peer_ip"));
        let peers = peers.ok_or_else(|| Error::failed("examples of findings have no peer_ip"))?;
        let peers = cast(peers, &DataType::Utf8).context(|| "peers of examples".to_owned())?;
        Ok(peers.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
    };
    examples.iter().map(|flows| flows.map_or_else(|| Ok(Vec::new()), peers_of)).collect()
}

async fn query(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    let doing = || "reading what was found".to_owned();
    context.sql(sql).await.context(doing)?.collect().await.context(doing)
}

fn column(batch: &RecordBatch, name: &str, data_type: &DataType) -> Result<ArrayRef> {
    let column = batch.column_by_name(name).ok_or_else(|| Error::failed(format!("there is no column {name}")))?;
    cast(column, data_type).context(|| format!("column {name}"))
}

/// A column of text, of whatever type.
pub(super) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    Ok(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A column of times, in microseconds.
pub(super) fn times(batch: &RecordBatch, name: &str) -> Result<TimestampMicrosecondArray> {
    Ok(column(batch, name, &time_type())?.as_primitive::<TimestampMicrosecondType>().clone())
}

fn text(column: &StringArray, row: usize) -> String {
    column.value(row).to_owned()
}
