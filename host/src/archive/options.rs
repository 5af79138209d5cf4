//! Optional columns in the making.
//!
//! Most logs lack some columns altogether, and there are two buffers a day, and days without number: a column takes
//! neither memory nor time before its first value.

use std::mem;

use arrow::{
    array::{ArrayBuilder, NullBufferBuilder, PrimitiveArray, StringViewArray, StringViewBuilder},
    datatypes::{ArrowPrimitiveType, DataType},
};

/// Numbers.
#[derive(Debug)]
pub(super) struct Options<T: ArrowPrimitiveType> {
    /// Rows before the first value.
    absent: usize,
    /// The others.
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Default for Options<T> {
    fn default() -> Self {
        Self { absent: 0, values: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }
}

impl<T: ArrowPrimitiveType> Options<T> {
    #[inline]
    pub(super) fn push(&mut self, value: Option<T::Native>) {
        if self.values.is_empty() {
            if value.is_none() {
                self.absent += 1;
                return;
            }
            self.nulls.append_n_nulls(self.absent);
            self.values.resize(self.absent, T::Native::default());
        }
        self.nulls.append(value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    /// Makes room for more rows, if there is a value.
    pub(super) fn reserve(&mut self, rows: usize) {
        if !self.values.is_empty() {
            self.values.reserve_exact(rows);
        }
    }

    /// The values by row; if there is none, their type.
    pub(super) fn finish(mut self) -> Result<PrimitiveArray<T>, DataType> {
        if self.values.is_empty() {
            return Err(T::DATA_TYPE);
        }
        Ok(PrimitiveArray::new(self.values.into(), self.nulls.finish()))
    }
}

/// Text that seldom repeats.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Rows before the first value.
    absent: usize,
    /// The others.
    builder: StringViewBuilder,
}

impl Ids {
    #[inline]
    pub(super) fn push(&mut self, id: Option<&str>) {
        match id {
            None if self.builder.is_empty() => self.absent += 1,
            None => self.builder.append_null(),
            Some(id) => {
                for _ in 0..mem::take(&mut self.absent) {
                    self.builder.append_null();
                }
                self.builder.append_value(id);
            }
        }
    }

    /// The values by row; if there is none, their type.
    pub(super) fn finish(mut self) -> Result<StringViewArray, DataType> {
        if self.builder.is_empty() { Err(DataType::Utf8View) } else { Ok(self.builder.finish()) }
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Array, AsArray, UInt32Array},
        datatypes::UInt16Type,
    };

    use super::{Ids, Options};
    use crate::archive::column::Column;

    #[test]
    fn rows_keep_their_places_whenever_values_come() {
        let order = UInt32Array::from(vec![2, 0, 1]);
        for rows in [[None, None, None], [None, Some(1), None], [None, None, Some(2)], [Some(0), Some(1), Some(2)]] {
            let (mut numbers, mut ids) = (Options::<UInt16Type>::default(), Ids::default());
            for number in rows {
                numbers.push(number);
                ids.push(number.map(|number| ["C0", "C1", "C2"][usize::from(number)]));
            }
            let numbers = numbers.finish();
            assert_eq!(numbers.is_err(), rows == [None; 3]);
            let numbers = Column::of_optional(numbers).take(&order).unwrap();
            let expected = [rows[2], rows[0], rows[1]];
            assert_eq!(numbers.as_primitive::<UInt16Type>().iter().collect::<Vec<_>>(), expected);
            let ids = Column::of_optional(ids.finish()).take(&order).unwrap();
            let seen: Vec<_> = ids.as_string_view().iter().map(|id| id.map(|id| id[1..].parse().unwrap())).collect();
            assert_eq!((seen.as_slice(), ids.len()), (&expected[..], 3));
        }
    }
}
