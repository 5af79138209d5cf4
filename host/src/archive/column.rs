//! Columns of a row group on their way from rows as they came to rows in order.

use arrow::{
    array::{Array, ArrayRef, StringViewArray, UInt32Array, new_null_array},
    compute::take,
    datatypes::DataType,
    error::ArrowError,
};

/// A column whose rows are still in the order in which they came.
pub(super) struct Column {
    values: Values,
    /// Its values, each once, where a filter is kept of them.
    distinct: Option<StringViewArray>,
}

enum Values {
    /// Nowhere a value.
    Absent(DataType),
    Rows(ArrayRef),
    /// By row the places of values in the other array.
    Numbered(UInt32Array, StringViewArray),
}

impl Column {
    pub(super) fn of(rows: impl Array + 'static) -> Self {
        Self { values: Values::Rows(std::sync::Arc::new(rows)), distinct: None }
    }

    /// A column that has no value anywhere if there are no rows.
    pub(super) fn of_optional<A: Array + 'static>(rows: Result<A, DataType>) -> Self {
        rows.map_or_else(|absent| Self { values: Values::Absent(absent), distinct: None }, Self::of)
    }

    pub(super) fn of_numbered(numbers: Result<UInt32Array, DataType>, values: &StringViewArray) -> Self {
        let values = match numbers {
            Ok(numbers) => Values::Numbered(numbers, values.clone()),
            Err(_) => Values::Absent(DataType::Utf8View),
        };
        Self { values, distinct: None }
    }

    pub(super) fn of_addresses(numbers: UInt32Array, ips: &StringViewArray) -> Self {
        let mut is_used = vec![false; ips.len()];
        numbers.values().iter().for_each(|&number| is_used[number as usize] = true);
        let distinct = ips.iter().zip(is_used).filter_map(|(ip, is_used)| ip.filter(|_| is_used));
        let distinct = Some(StringViewArray::from_iter_values(distinct));
        Self { values: Values::Numbered(numbers, ips.clone()), distinct }
    }

    /// The values of the rows that are named.
    pub(super) fn take(&self, rows: &UInt32Array) -> Result<ArrayRef, ArrowError> {
        match &self.values {
            Values::Absent(data_type) => Ok(new_null_array(data_type, rows.len())),
            Values::Rows(values) => take(values, rows, None),
            Values::Numbered(numbers, values) => take(values, &take(numbers, rows, None)?, None),
        }
    }

    /// Its values, each once, where a filter is kept of them.
    pub(super) const fn distinct(&self) -> Option<&StringViewArray> {
        self.distinct.as_ref()
    }
}
