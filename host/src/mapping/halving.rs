//! Values of rows of which some fail.

use std::ops::Range;

use arrow::{array::ArrayRef, compute::concat};
use datafusion::common::{DataFusionError, Result as QueryResult};

/// The values of rows, with what `failed` puts in place of those that fail: they are found by halving, since they are few.
pub(crate) fn halving(
    rows: Range<usize>,
    compute: &dyn Fn(Range<usize>) -> QueryResult<ArrayRef>,
    failed: &mut dyn FnMut(Range<usize>, &DataFusionError) -> QueryResult<ArrayRef>,
) -> QueryResult<ArrayRef> {
    match compute(rows.clone()) {
        Ok(values) => Ok(values),
        Err(error) if rows.len() <= 1 => failed(rows, &error),
        Err(_) => {
            let middle = rows.start + rows.len() / 2;
            let first = halving(rows.start..middle, compute, failed)?;
            let second = halving(middle..rows.end, compute, failed)?;
            Ok(concat(&[&first, &second])?)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{AsArray, Int64Array, new_null_array},
        datatypes::{DataType, Int64Type},
    };
    use datafusion::common::exec_err;

    use super::halving;

    #[test]
    fn what_fails_is_alone_in_it() {
        for bad in [vec![], vec![0], vec![6], vec![1, 2, 5], (0..7).collect()] {
            let mut seen = Vec::new();
            let values = halving(
                0..7,
                &|rows| match rows.clone().find(|row| bad.contains(row)) {
                    Some(row) => exec_err!("{row}"),
                    None => Ok(Arc::new(Int64Array::from_iter_values(rows.map(|row| row as i64)))),
                },
                &mut |rows, error| {
                    assert!(error.to_string().contains(&rows.start.to_string()), "{error}");
                    seen.push(rows.start);
                    Ok(new_null_array(&DataType::Int64, rows.len()))
                },
            );
            let expected: Int64Array = (0..7).map(|row| (!bad.contains(&row)).then_some(row as i64)).collect();
            assert_eq!(values.unwrap().as_primitive::<Int64Type>(), &expected);
            assert_eq!(seen, bad);
        }
    }
}
