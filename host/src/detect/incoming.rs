//! A batch of flows as it comes from the archive, column by column in its canonical type.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt8Array, UInt16Array,
        UInt64Array, new_empty_array,
    },
    compute::cast,
    datatypes::{TimestampMicrosecondType, UInt8Type, UInt16Type, UInt64Type},
};
use datafusion::common::{Result, exec_err};

use crate::flow;

/// The columns that were read. Those that a flow must have are without null, and empty if nobody asked for them.
pub(super) struct Flows {
    pub(super) end: TimestampMicrosecondArray,
    pub(super) src_ip: StringViewArray,
    pub(super) dst_ip: StringViewArray,
    pub(super) start: TimestampMicrosecondArray,
    pub(super) src_port: UInt16Array,
    pub(super) dst_port: UInt16Array,
    pub(super) protocol: UInt8Array,
    pub(super) service: Option<StringViewArray>,
    pub(super) name: Option<StringViewArray>,
    pub(super) src_mac: Option<StringViewArray>,
    pub(super) dst_mac: Option<StringViewArray>,
    pub(super) state: Option<StringViewArray>,
    pub(super) src_bytes: Option<UInt64Array>,
    pub(super) dst_bytes: Option<UInt64Array>,
    pub(super) src_packets: Option<UInt64Array>,
    pub(super) dst_packets: Option<UInt64Array>,
}

impl Flows {
    pub(super) fn new(batch: &RecordBatch) -> Result<Self> {
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
                None => Ok(new_empty_array(canonical.field_with_name(name)?.data_type())),
            }
        };
        let text = |name: &str| -> Result<_> { Ok(column(name)?.map(|c| c.as_string_view().clone())) };
        let volume = |name: &str| -> Result<_> { Ok(column(name)?.map(|c| c.as_primitive::<UInt64Type>().clone())) };
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
            src_bytes: volume("src_bytes")?,
            dst_bytes: volume("dst_bytes")?,
            src_packets: volume("src_packets")?,
            dst_packets: volume("dst_packets")?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.end.len()
    }
}

/// Counts of bytes or packets; the contract's sentinel where none was recorded.
pub(super) fn volumes(column: Option<&UInt64Array>, rows: usize) -> Cow<'_, [u64]> {
    match column {
        None => Cow::Owned(vec![u64::MAX; rows]),
        Some(column) if column.null_count() == 0 => Cow::Borrowed(column.values()),
        Some(column) => Cow::Owned(column.iter().map(|value| value.unwrap_or(u64::MAX)).collect()),
    }
}
