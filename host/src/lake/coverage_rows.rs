//! Coverage rows to and from Arrow, and which of them count.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::cast,
    datatypes::DataType,
};

use crate::{
    coverage::{Row, schema},
    error::{Context, Error, Result},
    flow::time_type,
};

/// The rows as a batch of the table.
pub(super) fn to_batch(rows: &[Row]) -> Result<RecordBatch> {
    let text =
        |value: fn(&Row) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(value))) };
    let optional =
        |value: fn(&Row) -> Option<&str>| -> ArrayRef { Arc::new(rows.iter().map(value).collect::<StringArray>()) };
    let time = |value: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(value)).with_timezone("UTC"))
    };
    let count = |value: fn(&Row) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::try_from(value(row)).unwrap_or(i64::MAX))))
    };
    let columns = vec![
        text(|row| &row.run_id),
        text(|row| &row.commit),
        optional(|row| row.plugin.as_deref()),
        text(|row| &row.plugin_version),
        text(|row| &row.plugin_digest),
        text(|row| &row.config_digest),
        text(|row| &row.world_digest),
        time(|row| row.slice_start),
        time(|row| row.slice_end),
        optional(|row| row.device_id.as_deref()),
        count(|row| row.devices),
        count(|row| row.flows),
        text(|row| row.status.name()),
        optional(|row| row.fault.as_deref()),
        text(|row| &row.input_digest),
        text(|row| &row.state_before),
        text(|row| &row.state_digest),
    ];
    RecordBatch::try_new(schema(), columns).context(|| "coverage rows".to_owned())
}

/// The rows of a batch that was read from the table.
pub(super) fn from_batch(batch: &RecordBatch) -> Result<Vec<Row>> {
    let text = |name| column::<StringArray>(batch, name, &DataType::Utf8);
    let time = |name| column::<TimestampMicrosecondArray>(batch, name, &time_type());
    let count = |name| column::<Int64Array>(batch, name, &DataType::Int64);
    let (run_id, commit, plugin) = (text("run_id")?, text("commit")?, text("plugin")?);
    let (plugin_version, plugin_digest) = (text("plugin_version")?, text("plugin_digest")?);
    let (config_digest, world_digest) = (text("config_digest")?, text("world_digest")?);
    let device_id = text("device_id")?;
    let (slice_start, slice_end) = (time("slice_start")?, time("slice_end")?);
    let (devices, flows) = (count("devices")?, count("flows")?);
    let (status, fault, input_digest) = (text("status")?, text("fault")?, text("input_digest")?);
    let (state_before, state_digest) = (text("state_before")?, text("state_digest")?);

    let optional = |column: &StringArray, row: usize| column.is_valid(row).then(|| column.value(row).to_owned());
    let number = |column: &Int64Array, row: usize| u64::try_from(column.value(row)).unwrap_or_default();
    let rows = (0..batch.num_rows()).map(|row| {
        Ok(Row {
            run_id: run_id.value(row).to_owned(),
            commit: commit.value(row).to_owned(),
            plugin: optional(&plugin, row),
            plugin_version: plugin_version.value(row).to_owned(),
            plugin_digest: plugin_digest.value(row).to_owned(),
            config_digest: config_digest.value(row).to_owned(),
            world_digest: world_digest.value(row).to_owned(),
            slice_start: slice_start.value(row),
            slice_end: slice_end.value(row),
            device_id: optional(&device_id, row),
            devices: number(&devices, row),
            flows: number(&flows, row),
            status: status.value(row).parse().map_err(|error: String| {
                Error::failed(error).remedy("a newer wardflow may have written the lake: use that one")
            })?,
            fault: optional(&fault, row),
            input_digest: input_digest.value(row).to_owned(),
            state_before: state_before.value(row).to_owned(),
            state_digest: state_digest.value(row).to_owned(),
        })
    });
    rows.collect()
}

/// The rows that count, in order of slice, plugin and device: of one plugin and slice those of the greatest commit that
/// has a row without device. Rows without plugin form a group like those of any plugin.
pub(super) fn current(mut rows: Vec<Row>) -> Vec<Row> {
    let mut newest = BTreeMap::<(i64, Option<&str>), &str>::new();
    for row in rows.iter().filter(|row| row.device_id.is_none()) {
        let commit = newest.entry((row.slice_start, row.plugin.as_deref())).or_default();
        *commit = (*commit).max(&row.commit);
    }
    let counts: Vec<bool> = rows
        .iter()
        .map(|row| newest.get(&(row.slice_start, row.plugin.as_deref())) == Some(&row.commit.as_str()))
        .collect();
    let mut counts = counts.into_iter();
    rows.retain(|_| counts.next().unwrap_or_default());
    rows.sort_by(|a, b| (a.slice_start, &a.plugin, &a.device_id).cmp(&(b.slice_start, &b.plugin, &b.device_id)));
    rows
}

/// A column in the type that is asked for, whatever type it was read in.
pub(super) fn column<T: Array + Clone + 'static>(batch: &RecordBatch, name: &str, to: &DataType) -> Result<T> {
    let wrong = || Error::failed(format!("column {name} is missing or has the wrong type"));
    let found = cast(batch.column_by_name(name).ok_or_else(wrong)?, to).context(|| format!("column {name}"))?;
    found.as_any().downcast_ref::<T>().cloned().ok_or_else(wrong)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{current, from_batch, to_batch};
    use crate::coverage::{Row, Status};

    pub(in crate::lake) fn row(plugin: Option<&str>, slice: i64, device: Option<&str>, commit: &str) -> Row {
        Row {
            run_id: "r".into(),
            commit: commit.into(),
            plugin: plugin.map(Into::into),
            plugin_version: "1.0.0".into(),
            plugin_digest: "d".into(),
            config_digest: "c".into(),
            world_digest: "w".into(),
            slice_start: slice * 100,
            slice_end: slice * 100 + 100,
            device_id: device.map(Into::into),
            devices: 3,
            flows: 70,
            status: if device.is_some() { Status::Faulted } else { Status::Complete },
            fault: device.map(|device| format!("trap on {device}")),
            input_digest: "i".into(),
            state_before: "b".into(),
            state_digest: "s".into(),
        }
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = [row(Some("v/p"), 1, None, "1"), row(Some("v/p"), 1, Some("pump"), "1"), row(None, -2, None, "2")];
        assert_eq!(from_batch(&to_batch(&rows).unwrap()).unwrap(), rows);
    }

    fn check(rows: &[(Option<&str>, i64, Option<&str>, &str)], expected: &[usize]) {
        let all: Vec<_> =
            rows.iter().map(|(plugin, slice, device, commit)| row(*plugin, *slice, *device, commit)).collect();
        let expected: Vec<_> = expected.iter().map(|index| all[*index].clone()).collect();
        assert_eq!(current(all), expected);
    }

    #[test]
    fn the_greatest_commit_counts_with_its_devices() {
        let (p, q) = (Some("v/p"), Some("v/q"));
        check(&[], &[]);
        check(&[(p, 1, None, "1"), (p, 1, Some("a"), "1"), (p, 1, None, "2")], &[2]);
        check(&[(p, 1, None, "2"), (p, 1, Some("b"), "2"), (p, 1, Some("a"), "1"), (p, 1, None, "1")], &[0, 1]);
        check(&[(q, 1, None, "1"), (p, 1, None, "2"), (p, 0, None, "1")], &[2, 1, 0]);
        // A device row whose slice row is missing comes from a torn commit.
        check(&[(p, 1, Some("a"), "9"), (p, 1, None, "1")], &[1]);
        check(&[(None, 1, Some("a"), "1"), (None, 1, None, "1"), (p, 1, None, "0")], &[1, 0, 2]);
    }
}
