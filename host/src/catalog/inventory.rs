//! The inventory as tables: `devices` as of now, `address_bindings` through time.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema},
};
use datafusion::datasource::MemTable;

use crate::{
    device::{Entry, Facts, mac_text},
    error::{Context, Result},
    flow::time_type,
    workspace::Workspace,
};

type Column = (&'static str, fn(&Facts) -> &String);

/// One row a device: what is true of it now.
pub(super) fn devices(workspace: &Workspace) -> Result<Arc<MemTable>> {
    let inventory = &workspace.world.inventory;
    let now = jiff::Timestamp::now().as_microsecond();
    let ids: Vec<_> = inventory.device_ids().collect();
    let facts: Vec<_> = ids.iter().map(|id| inventory.facts(id, now).cloned().unwrap_or_default()).collect();
    let columns: [Column; 10] = [
        ("device_class", |f| &f.class),
        ("manufacturer", |f| &f.manufacturer),
        ("model", |f| &f.model),
        ("serial", |f| &f.serial),
        ("udi_di", |f| &f.udi_di),
        ("firmware", |f| &f.firmware),
        ("zone", |f| &f.zone),
        ("location", |f| &f.location),
        ("owner", |f| &f.owner),
        ("criticality", |f| &f.criticality),
    ];
    let mut fields = vec![Field::new("device_id", DataType::Utf8, false)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(StringArray::from(ids))];
    for (name, value) in columns {
        fields.push(Field::new(name, DataType::Utf8, true));
        let known = facts.iter().map(|facts| Some(value(facts)).filter(|text| !text.is_empty()));
        arrays.push(Arc::new(known.collect::<StringArray>()));
    }
    table("devices", fields, arrays)
}

/// One row an address of a device and the time for which it holds; open ends are null.
pub(super) fn address_bindings(workspace: &Workspace) -> Result<Arc<MemTable>> {
    let entries: Vec<&Entry> = workspace.world.inventory.entries().iter().collect();
    let mac = |mac: [u8; 6]| mac_text(&mac);
    let time =
        |times: Vec<Option<i64>>| Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")) as ArrayRef;
    let fields = vec![
        Field::new("device_id", DataType::Utf8, false),
        Field::new("ip", DataType::Utf8, true),
        Field::new("mac", DataType::Utf8, true),
        Field::new("valid_from", time_type(), true),
        Field::new("valid_to", time_type(), true),
        Field::new("source", DataType::Utf8, false),
        Field::new("confidence", DataType::Float64, false),
    ];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(entries.iter().map(|e| Some(&e.device_id)).collect::<StringArray>()),
        Arc::new(entries.iter().map(|e| e.ip.map(|ip| ip.to_string())).collect::<StringArray>()),
        Arc::new(entries.iter().map(|e| e.mac.map(mac)).collect::<StringArray>()),
        time(entries.iter().map(|e| Some(e.valid_from).filter(|at| *at != i64::MIN)).collect()),
        time(entries.iter().map(|e| Some(e.valid_to).filter(|at| *at != i64::MAX)).collect()),
        Arc::new(entries.iter().map(|e| Some(&e.source)).collect::<StringArray>()),
        Arc::new(Float64Array::from_iter_values(entries.iter().map(|e| e.confidence))),
    ];
    table("address_bindings", fields, arrays)
}

/// A table in memory.
pub(super) fn table(name: &str, fields: Vec<Field>, columns: Vec<ArrayRef>) -> Result<Arc<MemTable>> {
    let doing = || format!("the table {name}");
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).context(doing)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]]).context(doing)?))
}
