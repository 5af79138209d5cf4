//! What leaves the operator: rows tagged finding, observation, state, contact or coverage.
//!
//! Each tag is a nullable struct column; a row has exactly one. A batch holds rows of one tag.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray,
        ListBuilder, RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray, UInt16Array,
        UInt32Array, UInt64Array, new_null_array,
    },
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, UInt16Type, UInt32Type, UInt64Type},
};
use datafusion::common::{Result, exec_err};

use super::{Slice, prevalence::Contact};
use crate::{
    coverage::Status,
    device::Facts,
    finding::{self, Finding},
    lake::{State, StateKey},
};

/// Rows of one tag.
#[derive(Clone, Debug)]
pub enum Output {
    /// Rows of `finding::schema()`; `commit` is null.
    Findings(RecordBatch),
    /// Rows of `finding::observations_schema()`; `commit` is null.
    Observations(RecordBatch),
    /// Sessions' states after the slice, all of one plugin.
    States(Vec<StateRow>),
    /// A plugin, and contacts that its prevalence did not yet count.
    Contacts(String, Vec<Contact>),
    /// What became of a plugin's devices in one shard.
    Coverage(Vec<ShardCoverage>),
}

/// A session's state after the slice.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the types say it")]
pub struct StateRow {
    pub plugin: Arc<str>,
    pub key: StateKey,
    pub state: State,
}

/// What became of a plugin's devices in one shard, or of one device that was lost or that there is something to say of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in the table `coverage`")]
pub struct ShardCoverage {
    pub plugin: Option<String>,
    pub device_id: Option<String>,
    pub devices: u64,
    pub flows: u64,
    pub status: Status,
    pub fault: Option<String>,
}

/// A finding and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) plugin: String,
    pub(super) plugin_version: String,
    pub(super) plugin_digest: String,
    pub(super) device_id: String,
    pub(super) device_ip: Option<String>,
    pub(super) facts: Arc<Facts>,
    pub(super) finding: Finding,
    pub(super) examples: Vec<Example>,
}

/// An example flow as the device saw it: its end and its peer, and of the rest what the plugin declares.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) start: Option<i64>,
    pub(super) end: i64,
    pub(super) peer_ip: String,
    pub(super) peer_port: Option<u16>,
    pub(super) local_port: Option<u16>,
    pub(super) protocol: Option<u8>,
}

const TAGS: [&str; 5] = ["finding", "observation", "state", "contact", "coverage"];

/// The operator's schema: one struct column a tag.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let tags = [
            finding::schema(),
            finding::observations_schema(),
            Arc::new(state_schema()),
            Arc::new(contact_schema()),
            Arc::new(coverage_schema()),
        ];
        let fields = TAGS.iter().zip(tags).map(|(tag, schema)| Field::new_struct(*tag, schema.fields().clone(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    });
    Arc::clone(&SCHEMA)
}

impl Output {
    /// As a batch of the operator's schema.
    pub(super) fn into_batch(self) -> Result<RecordBatch> {
        let (tag, rows) = match self {
            Self::Findings(batch) => (0, batch),
            Self::Observations(batch) => (1, batch),
            Self::States(rows) => (2, states_batch(rows)?),
            Self::Contacts(plugin, rows) => (3, contacts_batch(&plugin, &rows)?),
            Self::Coverage(rows) => (4, coverage_batch(&rows)?),
        };
        let count = rows.num_rows();
        let schema = schema();
        let columns = schema.fields().iter().enumerate().map(|(i, field)| -> ArrayRef {
            if i == tag { Arc::new(StructArray::from(rows.clone())) } else { new_null_array(field.data_type(), count) }
        });
        let columns = columns.collect();
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// From a batch of the operator's schema.
    ///
    /// # Errors
    /// The batch is not one that the operator made.
    pub fn from_batch(batch: &RecordBatch) -> Result<Self> {
        let tag = batch.columns().iter().position(|column| column.null_count() == 0);
        let rows = |column: &ArrayRef| RecordBatch::from(column.as_struct());
        match (tag, tag.map(|tag| rows(batch.column(tag)))) {
            (Some(0), Some(rows)) => Ok(Self::Findings(rows)),
            (Some(1), Some(rows)) => Ok(Self::Observations(rows)),
            (Some(2), Some(rows)) => Ok(Self::States(states(&rows))),
            (Some(3), Some(rows)) => {
                let (plugin, contacts) = contacts(&rows);
                Ok(Self::Contacts(plugin, contacts))
            }
            (Some(4), Some(rows)) => coverage(&rows).map(Self::Coverage),
            _ => exec_err!("rows of the detector operator without a tag"),
        }
    }
}

/// Findings and their observations as rows.
pub(super) fn findings(slice: Slice, found: &[Found]) -> Result<[Output; 2]> {
    let ids: Vec<_> = found.iter().map(|f| f.finding.id(&f.plugin, &f.device_id)).collect();
    let columns: Vec<ArrayRef> = vec![
        text(ids.iter().map(Some)),
        text(found.iter().map(|_| None::<&str>)),
        time(found.iter().map(|_| slice.start)),
        text(found.iter().map(|f| Some(&f.plugin))),
        text(found.iter().map(|f| Some(&f.plugin_version))),
        text(found.iter().map(|f| Some(&f.plugin_digest))),
        text(found.iter().map(|f| Some(&f.device_id))),
        text(found.iter().map(|f| f.device_ip.as_ref())),
        text(found.iter().map(|f| Some(&f.facts.class))),
        text(found.iter().map(|f| Some(&f.facts.firmware))),
        text(found.iter().map(|f| Some(&f.facts.zone))),
        text(found.iter().map(|f| Some(&f.finding.kind.kind))),
        text(found.iter().map(|f| Some(&f.finding.kind.title))),
        text(found.iter().map(|f| Some(f.finding.severity.name()))),
        small(found.iter().map(|f| Some(f.finding.severity as i32))),
        Arc::new(Float64Array::from_iter_values(found.iter().map(|f| f.finding.score))),
        Arc::new(Float64Array::from_iter_values(found.iter().map(|f| f.finding.confidence))),
        time(found.iter().map(|f| f.finding.first_seen)),
        time(found.iter().map(|f| f.finding.last_seen)),
        text(found.iter().map(|f| f.finding.peer_ip.map(|ip| ip.to_string()))),
        small(found.iter().map(|f| f.finding.peer_port.map(i32::from))),
        small(found.iter().map(|f| f.finding.protocol.map(i32::from))),
        Arc::new(Int64Array::from_iter_values(found.iter().map(|f| f.finding.flow_count.cast_signed()))),
        text(found.iter().map(|f| Some(&f.finding.summary))),
        text(found.iter().map(|f| f.finding.kind.technique.as_ref())),
        text(found.iter().map(|f| Some(&f.finding.cause_key))),
        examples(found)?,
        text(found.iter().map(|f| Some(f.finding.group_id(&f.plugin, &f.device_id)))),
        text(found.iter().map(|f| Some(&f.finding.kind.shows))),
        possible_causes(found),
        text(found.iter().map(|f| Some(&f.finding.kind.first_action))),
        text(found.iter().map(|f| Some(&f.finding.kind.not_while_connected).filter(|text| !text.is_empty()))),
    ];
    let rows = RecordBatch::try_new(finding::schema(), columns)?;
    let observed: Vec<_> = found
        .iter()
        .zip(&ids)
        .flat_map(|(f, id)| f.finding.observations.iter().map(move |observation| (f, id, observation)))
        .collect();
    let columns: Vec<ArrayRef> = vec![
        text(observed.iter().map(|(_, id, _)| Some(id))),
        text(observed.iter().map(|_| None::<&str>)),
        time(observed.iter().map(|_| slice.start)),
        text(observed.iter().map(|(f, ..)| Some(&f.plugin))),
        text(observed.iter().map(|(.., o)| Some(&o.name))),
        Arc::new(Float64Array::from_iter_values(observed.iter().map(|(.., o)| o.measured))),
        Arc::new(Float64Array::from_iter(observed.iter().map(|(.., o)| o.expected_low))),
        Arc::new(Float64Array::from_iter(observed.iter().map(|(.., o)| o.expected_high))),
        text(observed.iter().map(|(.., o)| Some(&o.unit))),
    ];
    let observations = RecordBatch::try_new(finding::observations_schema(), columns)?;
    Ok([Output::Findings(rows), Output::Observations(observations)])
}

fn examples(found: &[Found]) -> Result<ArrayRef> {
    let rows: Vec<_> = found.iter().flat_map(|f| &f.examples).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|e| e.start).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        time(rows.iter().map(|e| e.end)),
        text(rows.iter().map(|e| Some(&e.peer_ip))),
        small(rows.iter().map(|e| e.peer_port.map(i32::from))),
        small(rows.iter().map(|e| e.local_port.map(i32::from))),
        small(rows.iter().map(|e| e.protocol.map(i32::from))),
    ];
    let values = StructArray::try_new(finding::example_fields(), columns, None)?;
    let element = Arc::new(Field::new("element", DataType::Struct(finding::example_fields()), true));
    let offsets = OffsetBuffer::from_lengths(found.iter().map(|f| f.examples.len()));
    Ok(Arc::new(ListArray::try_new(element, offsets, Arc::new(values), None)?))
}

fn possible_causes(found: &[Found]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    found.iter().for_each(|f| lists.append_value(f.finding.kind.possible_causes.iter().map(Some)));
    Arc::new(lists.finish())
}

fn state_schema() -> Schema {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let number = |name| Field::new(name, DataType::Int64, false);
    Schema::new(vec![
        text("plugin"),
        text("device_id"),
        text("firmware"),
        Field::new("bytes", DataType::Binary, false),
        Field::new("learned", DataType::Float64, false),
        Field::new("ready", DataType::Boolean, false),
        number("since"),
        number("last_flow"),
        Field::new("flows", DataType::UInt64, false),
        text("lost"),
    ])
}

fn states_batch(rows: Vec<StateRow>) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        text(rows.iter().map(|r| Some(&r.plugin))),
        text(rows.iter().map(|r| Some(&r.key.device_id))),
        text(rows.iter().map(|r| Some(&r.key.firmware))),
        Arc::new(BinaryArray::from_iter_values(rows.iter().map(|r| &r.state.bytes))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.state.learned))),
        Arc::new(rows.iter().map(|r| Some(r.state.ready)).collect::<BooleanArray>()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.state.since))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.state.last_flow))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.state.flows))),
        text(rows.iter().map(|r| r.state.lost.as_ref())),
    ];
    Ok(RecordBatch::try_new(Arc::new(state_schema()), columns)?)
}

fn states(rows: &RecordBatch) -> Vec<StateRow> {
    let texts = |i: usize| rows.column(i).as_string::<i32>();
    let numbers = |i: usize| rows.column(i).as_primitive::<Int64Type>();
    let state = |row: usize| State {
        bytes: rows.column(3).as_binary::<i32>().value(row).to_vec(),
        learned: rows.column(4).as_primitive::<Float64Type>().value(row),
        ready: rows.column(5).as_boolean().value(row),
        since: numbers(6).value(row),
        last_flow: numbers(7).value(row),
        flows: rows.column(8).as_primitive::<UInt64Type>().value(row),
        lost: optional(texts(9), row),
    };
    let key =
        |row: usize| StateKey { device_id: texts(1).value(row).to_owned(), firmware: texts(2).value(row).to_owned() };
    // All are of one plugin.
    let plugin: Arc<str> = if rows.num_rows() > 0 { texts(0).value(0).into() } else { "".into() };
    let row = |row| StateRow { plugin: Arc::clone(&plugin), key: key(row), state: state(row) };
    (0..rows.num_rows()).map(row).collect()
}

fn contact_schema() -> Schema {
    Schema::new(vec![
        Field::new("plugin", DataType::Utf8, true),
        Field::new("class", DataType::UInt32, false),
        Field::new("peer", DataType::UInt64, false),
        Field::new("port", DataType::UInt16, false),
        Field::new("device", DataType::UInt64, false),
    ])
}

fn contacts_batch(plugin: &str, rows: &[Contact]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        text(rows.iter().map(|_| Some(plugin))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|c| c.class))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|c| c.peer))),
        Arc::new(UInt16Array::from_iter_values(rows.iter().map(|c| c.port))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|c| c.device))),
    ];
    Ok(RecordBatch::try_new(Arc::new(contact_schema()), columns)?)
}

fn contacts(rows: &RecordBatch) -> (String, Vec<Contact>) {
    let contact = |row| Contact {
        class: rows.column(1).as_primitive::<UInt32Type>().value(row),
        peer: rows.column(2).as_primitive::<UInt64Type>().value(row),
        port: rows.column(3).as_primitive::<UInt16Type>().value(row),
        device: rows.column(4).as_primitive::<UInt64Type>().value(row),
    };
    // All are of one plugin.
    let plugin = rows.column(0).as_string::<i32>().iter().next().flatten().unwrap_or_default();
    (plugin.to_owned(), (0..rows.num_rows()).map(contact).collect())
}

fn coverage_schema() -> Schema {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let number = |name| Field::new(name, DataType::UInt64, false);
    Schema::new(vec![
        text("plugin"),
        text("device_id"),
        number("devices"),
        number("flows"),
        text("status"),
        text("fault"),
    ])
}

fn coverage_batch(rows: &[ShardCoverage]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        text(rows.iter().map(|r| r.plugin.as_ref())),
        text(rows.iter().map(|r| r.device_id.as_ref())),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.devices))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.flows))),
        text(rows.iter().map(|r| Some(r.status.name()))),
        text(rows.iter().map(|r| r.fault.as_ref())),
    ];
    Ok(RecordBatch::try_new(Arc::new(coverage_schema()), columns)?)
}

fn coverage(rows: &RecordBatch) -> Result<Vec<ShardCoverage>> {
    let texts = |i: usize| rows.column(i).as_string::<i32>();
    let numbers = |i: usize| rows.column(i).as_primitive::<UInt64Type>();
    let coverage = |row| {
        let Ok(status) = texts(4).value(row).parse() else { return exec_err!("coverage without a status") };
        Ok(ShardCoverage {
            plugin: optional(texts(0), row),
            device_id: optional(texts(1), row),
            devices: numbers(2).value(row),
            flows: numbers(3).value(row),
            status,
            fault: optional(texts(5), row),
        })
    };
    (0..rows.num_rows()).map(coverage).collect()
}

fn optional(texts: &StringArray, row: usize) -> Option<String> {
    texts.is_valid(row).then(|| texts.value(row).to_owned())
}

fn text<S: AsRef<str>>(values: impl Iterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn time(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
}

fn small(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Int32Array>())
}

#[cfg(test)]
mod tests {
    use super::{Contact, Output, ShardCoverage, State, StateKey, StateRow, Status};

    #[test]
    fn rows_come_back_as_they_went() {
        let key = StateKey { device_id: "pump-1".into(), firmware: "2.1".into() };
        let state = State {
            bytes: vec![1, 2, 3],
            learned: 0.5,
            ready: true,
            since: -5,
            last_flow: 7,
            flows: 9,
            lost: Some("observe: trap".into()),
        };
        let states = vec![StateRow { plugin: "a/b".into(), key, state }];
        match Output::from_batch(&Output::States(states.clone()).into_batch().unwrap()).unwrap() {
            Output::States(back) => assert_eq!(back, states),
            other => panic!("{other:?}"),
        }
        let contacts = vec![Contact { class: 1, peer: u64::MAX, port: 443, device: 3 }];
        match Output::from_batch(&Output::Contacts("a/b".into(), contacts.clone()).into_batch().unwrap()).unwrap() {
            Output::Contacts(plugin, back) => assert_eq!((plugin.as_str(), back), ("a/b", contacts)),
            other => panic!("{other:?}"),
        }
        let coverage = vec![ShardCoverage {
            plugin: None,
            device_id: Some("x".into()),
            devices: 1,
            flows: 2,
            status: Status::Faulted,
            fault: None,
        }];
        match Output::from_batch(&Output::Coverage(coverage.clone()).into_batch().unwrap()).unwrap() {
            Output::Coverage(back) => assert_eq!(back, coverage),
            other => panic!("{other:?}"),
        }
    }
}
