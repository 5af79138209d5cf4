//! The hours of a flow file, from its footer.

use arrow::{
    array::{ArrayRef, AsArray},
    compute::cast,
    datatypes::TimestampMicrosecondType,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use object_store::ObjectMeta;
use parquet::{
    arrow::{arrow_reader::statistics::StatisticsConverter, parquet_to_arrow_schema},
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use super::{
    digest::FlowsDigest,
    hours::{self, Delivered, HOUR, HOURS_KEY, Hour, Hours},
    sensor_hours::{self, SENSORS_KEY, SensorHour},
};
use crate::flow;

/// The hours that this program wrote into the footer; none if another one wrote it. On failure the reason.
pub(super) fn own_hours(metadata: &ParquetMetaData) -> Result<Option<Vec<Hour>>, String> {
    let keys = metadata.file_metadata().key_value_metadata();
    let Some(key) = keys.and_then(|keys| keys.iter().find(|key| key.key == HOURS_KEY)) else {
        return Ok(None);
    };
    let hours = hours::from_json(key.value.as_deref().unwrap_or_default()).and_then(|hours| {
        match hours.iter().find(|hour| !is_hour(hour.hour)) {
            Some(none) => Err(format!("{} hours from 1970 is no time", none.hour)),
            None => Ok(Some(hours)),
        }
    });
    hours.map_err(|reason| format!("its metadata {HOURS_KEY} cannot be read: {reason}"))
}

/// The same with every hour of the day that a file's directory is named after, in which it may have had flows too.
pub(super) fn with_whole_day(hours: Vec<Hour>, path: &str) -> Vec<Hour> {
    let day =
        path.strip_prefix("date=").and_then(|rest| rest.split('/').next()).and_then(|day| day.parse::<Date>().ok());
    let midnight = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok()).map(|midnight| midnight.timestamp());
    let first = midnight.map(|midnight| midnight.as_microsecond().div_euclid(HOUR));
    let mut all = Hours::default();
    for hour in first.into_iter().flat_map(|first| first..first + 24) {
        all.add_hour(Hour { hour, rows: 0, digest: FlowsDigest::default(), delivered: Some(Delivered::default()) });
    }
    hours.into_iter().for_each(|hour| all.add_hour(hour));
    all.list()
}

/// The sensors' hours that this program wrote into the footer; none if another one or an earlier version wrote it. On
/// failure the reason.
pub(super) fn own_sensors(metadata: &ParquetMetaData) -> Result<Vec<SensorHour>, String> {
    let keys = metadata.file_metadata().key_value_metadata();
    let Some(key) = keys.and_then(|keys| keys.iter().find(|key| key.key == SENSORS_KEY)) else {
        return Ok(Vec::new());
    };
    let sensors = sensor_hours::from_json(key.value.as_deref().unwrap_or_default());
    sensors.map_err(|reason| format!("its metadata {SENSORS_KEY} cannot be read: {reason}"))
}

/// When the last flow of a file ended, microseconds UTC, by the statistics of its row groups.
pub(super) fn last_end(metadata: &ParquetMetaData) -> Option<i64> {
    let [_, last] = end_times(metadata).ok()?;
    last.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// Hours that a foreign row group may span, so that one nonsensical time cannot fill the memory: ten years.
const MOST_HOURS: i64 = 10 * 8_766;

/// Hours from the statistics of `end_time`: every hour that a row group may hold, with digests that follow the file's
/// path, size and version. On failure the reason.
pub(super) fn foreign_hours(metadata: &ParquetMetaData, object: &ObjectMeta) -> Result<Vec<Hour>, String> {
    let [first, last] = end_times(metadata)?;
    let times: Vec<_> = first.into_iter().zip(last).map(|(first, last)| Some((first?, last?))).collect();
    let lacks = |(times, group): (&Option<_>, &RowGroupMetaData)| times.is_none() && group.num_rows() > 0;
    if times.iter().zip(metadata.row_groups()).any(lacks) {
        return Err("a row group has no statistics of end_time; write the file again with statistics".into());
    }
    hours_of(metadata, &times, |row_group, hour| identity(object, row_group, hour, ""))
}

/// Hours from the first and last end time of each row group, microseconds UTC; one without has no flows. On failure the
/// reason.
pub(super) fn hours_of(
    metadata: &ParquetMetaData,
    times: &[Option<(i64, i64)>],
    identity: impl Fn(usize, i64) -> FlowsDigest,
) -> Result<Vec<Hour>, String> {
    let mut hours = Hours::default();
    for (index, (row_group, times)) in metadata.row_groups().iter().zip(times).enumerate() {
        let Some((first, last)) = times else { continue };
        let rows = u64::try_from(row_group.num_rows()).unwrap_or_default();
        let [first, last] = [first, last].map(|time| time.div_euclid(HOUR));
        if last.saturating_sub(first) > MOST_HOURS {
            return Err("a row group spans more than ten years; write the file again in order of end_time".into());
        }
        if let Some(none) = [first, last].into_iter().find(|hour| !is_hour(*hour)) {
            return Err(format!(
                "a flow ends {none} hours from 1970, which is no time: take it out, and write the file again"
            ));
        }
        for hour in first..=last {
            let rows = if hour == first { rows } else { 0 };
            hours.add_hour(Hour { hour, rows, digest: identity(index, hour), delivered: None });
        }
    }
    Ok(hours.list())
}

/// Whether an hour since 1970-01-01T00:00Z is of a time that has a name: of the years from -9999 to 9999.
pub(super) fn is_hour(hour: i64) -> bool {
    hour.checked_mul(HOUR).is_some_and(|time| Timestamp::from_microsecond(time).is_ok())
}

/// First and last end time of each row group, microseconds UTC.
fn end_times(metadata: &ParquetMetaData) -> Result<[Vec<Option<i64>>; 2], String> {
    let file = metadata.file_metadata();
    let parquet_schema = file.schema_descr();
    let text = |error: parquet::errors::ParquetError| error.to_string();
    let schema = parquet_to_arrow_schema(parquet_schema, file.key_value_metadata()).map_err(text)?;
    if schema.field_with_name("end_time").is_err() {
        return Err("it has no column end_time; name the mapping of its columns in wardflow.toml, or move it out of the archive".into());
    }
    let converter = StatisticsConverter::try_new("end_time", &schema, parquet_schema).map_err(text)?;
    let micros = |array: parquet::errors::Result<ArrayRef>| -> Result<Vec<Option<i64>>, String> {
        let times = cast(&array.map_err(text)?, &flow::time_type())
            .map_err(|error| format!("its column end_time is no time: {error}"))?;
        Ok(times.as_primitive::<TimestampMicrosecondType>().iter().collect())
    };
    let row_groups = metadata.row_groups();
    let times = [micros(converter.row_group_mins(row_groups))?, micros(converter.row_group_maxes(row_groups))?];
    debug_assert!(times.iter().all(|times| times.len() == row_groups.len()));
    Ok(times)
}

/// What tells an hour of a row group of this version of a file from any other; `more` is what else it depends on.
pub(super) fn identity(object: &ObjectMeta, row_group: usize, hour: i64, more: &str) -> FlowsDigest {
    FlowsDigest::of(format!("{}\n{row_group}\n{hour}{more}", version(object)).as_bytes())
}

/// A file's path, size and version in its store.
pub(super) fn version(object: &ObjectMeta) -> String {
    let version = match &object.e_tag {
        Some(tag) => tag.clone(),
        None => object.last_modified.to_rfc3339(),
    };
    let ObjectMeta { location, size, .. } = object;
    format!("{location}\n{size}\n{version}")
}
