//! Whether Parquet of another program holds flows.

use arrow::{
    array::{Array, RecordBatch},
    compute::{CastOptions, cast_with_options},
};

use super::read_back::Fault;
use crate::flow;

/// Looks whether every value of a batch is one of its column, as `analyze` and `sql` read it.
pub(super) fn check(batch: &RecordBatch) -> Result<(), Fault> {
    for field in flow::schema().fields() {
        let name = field.name();
        match batch.column_by_name(name) {
            None if field.is_nullable() => {}
            None => return Err(Fault::Damaged(format!("it has no column `{name}`, which flows have"))),
            Some(column) if !field.is_nullable() && column.null_count() > 0 => {
                return Err(Fault::Damaged(format!("column `{name}` has rows without a value; a flow has one")));
            }
            Some(column) => {
                let options = CastOptions { safe: false, ..CastOptions::default() };
                let cast = cast_with_options(column, field.data_type(), &options);
                cast.map_err(|error| Fault::Damaged(format!("column `{name}`: {error}")))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt8Array},
        error::ArrowError,
    };

    use super::{super::read_back::Fault, check};

    fn batch(port: ArrayRef, source: Option<&str>) -> Result<RecordBatch, ArrowError> {
        let time = || Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("UTC")) as ArrayRef;
        let text = |text| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        RecordBatch::try_from_iter_with_nullable([
            ("start_time", time(), true),
            ("end_time", time(), true),
            ("src_ip", text(source), true),
            ("dst_ip", text(Some("10.0.0.2")), true),
            ("src_port", port, true),
            ("dst_port", Arc::new(Int64Array::from(vec![443])) as ArrayRef, true),
            ("protocol", Arc::new(UInt8Array::from(vec![6])) as ArrayRef, true),
        ])
    }

    #[test]
    fn what_is_no_value_of_a_column_is_named() {
        let number = |port: i64| Arc::new(Int64Array::from(vec![port])) as ArrayRef;
        let told = |batch: Result<RecordBatch, ArrowError>| match check(&batch.unwrap()) {
            Ok(()) => String::new(),
            Err(Fault::Damaged(reason)) => reason,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(told(batch(number(50_000), Some("10.0.0.1"))), "");
        let large = told(batch(number(70_000), Some("10.0.0.1")));
        assert!(large.starts_with("column `src_port`: ") && large.contains("70000"), "{large}");
        let none = told(batch(number(5), None));
        assert_eq!(none, "column `src_ip` has rows without a value; a flow has one");
        let without = batch(number(5), Some("10.0.0.1")).and_then(|batch| batch.project(&[0, 1, 2, 3]));
        assert_eq!(told(without), "it has no column `src_port`, which flows have");
    }
}
