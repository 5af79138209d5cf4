//! Records of one direction, completed by what another sensor saw of the other.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, StringViewArray, UInt8Array, UInt64Array},
    datatypes::{Schema, UInt8Type, UInt64Type},
};

use super::find::Half;

/// The columns that are completed. A condition on one of them cannot be asked of the archive.
pub(super) const COMPLETED: [&str; 6] =
    ["src_bytes", "dst_bytes", "src_packets", "dst_packets", "observed_sides", "conn_state"];

/// What completes a row, and whether it is the initiator's side.
pub(super) type Completion = Option<(Half, bool)>;

/// Completes columns of flows, a completion a row. How the connection went, neither sensor could tell: its state becomes
/// null.
pub(super) fn complete(schema: &Schema, columns: &mut [ArrayRef], completions: &[Completion]) {
    if completions.iter().all(Option::is_none) {
        return;
    }
    for (field, column) in schema.fields().iter().zip(columns) {
        let side = |is_src: bool, of: fn(&Half) -> Option<u64>| -> ArrayRef {
            let seen = column.as_primitive::<UInt64Type>();
            let rows = seen.iter().zip(completions).map(|(seen, completion)| match completion {
                Some((half, is_of_src)) if *is_of_src == is_src => of(half),
                _ => seen,
            });
            Arc::new(rows.collect::<UInt64Array>())
        };
        *column = match field.name().as_str() {
            "src_bytes" => side(true, |half| half.bytes),
            "dst_bytes" => side(false, |half| half.bytes),
            "src_packets" => side(true, |half| Some(half.packets)),
            "dst_packets" => side(false, |half| Some(half.packets)),
            "observed_sides" => {
                let rows = column.as_primitive::<UInt8Type>().iter().zip(completions);
                Arc::new(rows.map(|(seen, half)| half.map_or(seen, |_| Some(2))).collect::<UInt8Array>())
            }
            "conn_state" => {
                let rows = column.as_string_view().iter().zip(completions);
                Arc::new(rows.map(|(seen, half)| seen.filter(|_| half.is_none())).collect::<StringViewArray>())
            }
            _ => continue,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, RecordBatch, StringViewArray, UInt8Array, UInt64Array},
        util::pretty::pretty_format_batches,
    };

    use super::{Half, complete};

    #[test]
    fn the_missing_side_is_filled_in() {
        let columns: [(&str, ArrayRef); 5] = [
            ("src_packets", Arc::new(UInt64Array::from(vec![Some(5), None, Some(1)]))),
            ("dst_packets", Arc::new(UInt64Array::from(vec![Some(0), Some(9), Some(1)]))),
            ("dst_bytes", Arc::new(UInt64Array::from(vec![None, Some(900), Some(7)]))),
            ("observed_sides", Arc::new(UInt8Array::from(vec![Some(1), Some(1), None]))),
            ("conn_state", Arc::new(StringViewArray::from(vec![Some("SH"), None, Some("SF")]))),
        ];
        let seen =
            RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
        let mut columns = seen.columns().to_vec();
        let half = |packets, bytes| Half { packets, bytes };
        let completions = [Some((half(8, Some(80)), false)), Some((half(4, None), true)), None];
        complete(&seen.schema(), &mut columns, &completions);
        let whole = RecordBatch::try_new(seen.schema(), columns).unwrap();
        let rows = pretty_format_batches(&[whole]).unwrap().to_string();
        let rows: Vec<String> = rows.lines().skip(3).map(|line| line.replace(' ', "")).collect();
        assert_eq!(rows[..3], ["|5|8|80|2||", "|4|9|900|2||", "|1|1|7||SF|"]);
    }
}
