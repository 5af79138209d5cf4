//! Growing typed columns: between Arrow's arrays, which do not grow, and the contract's lists.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, PrimitiveArray},
    datatypes::{ArrowPrimitiveType, DataType, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use datafusion::common::{Result, exec_err};

use crate::detector::Values;

/// Does the same with whatever type of vector a column has.
macro_rules! each {
    ($values:expr, $vector:ident => $body:expr) => {
        match $values {
            Values::I64($vector) => $body,
            Values::U64($vector) => $body,
            Values::U32($vector) => $body,
            Values::U16($vector) => $body,
            Values::U8($vector) => $body,
        }
    };
}

impl Values {
    /// An empty column of an Arrow type, which must be one of the five, with room for so many values.
    pub(super) fn with_capacity(data_type: &DataType, rows: usize) -> Self {
        match data_type {
            DataType::Int64 => Self::I64(Vec::with_capacity(rows)),
            DataType::UInt64 => Self::U64(Vec::with_capacity(rows)),
            DataType::UInt32 => Self::U32(Vec::with_capacity(rows)),
            DataType::UInt16 => Self::U16(Vec::with_capacity(rows)),
            _ => Self::U8(Vec::with_capacity(rows)),
        }
    }

    /// The values, if they are of this type.
    pub(super) fn as_i64(&self) -> Option<&[i64]> {
        if let Self::I64(values) = self { Some(values) } else { None }
    }

    /// The values, if they are of this type.
    pub(super) fn as_u64(&self) -> Option<&[u64]> {
        if let Self::U64(values) = self { Some(values) } else { None }
    }

    /// The values, if they are of this type.
    pub(super) fn as_u32(&self) -> Option<&[u32]> {
        if let Self::U32(values) = self { Some(values) } else { None }
    }

    /// The values, if they are of this type.
    pub(super) fn as_u16(&self) -> Option<&[u16]> {
        if let Self::U16(values) = self { Some(values) } else { None }
    }

    /// The values, if they are of this type.
    pub(super) fn as_u8(&self) -> Option<&[u8]> {
        if let Self::U8(values) = self { Some(values) } else { None }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        each!(self, vector => vector.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number in a row.
    pub(super) fn get(&self, row: usize) -> u64 {
        match self {
            Self::I64(vector) => vector[row].cast_unsigned(),
            Self::U64(vector) => vector[row],
            Self::U32(vector) => u64::from(vector[row]),
            Self::U16(vector) => u64::from(vector[row]),
            Self::U8(vector) => u64::from(vector[row]),
        }
    }

    /// Appends a range of rows of an array of the same type.
    pub(super) fn append(&mut self, array: &dyn Array, rows: Range<usize>) -> Result<()> {
        match self {
            Self::I64(vector) => append::<Int64Type>(vector, array, rows),
            Self::U64(vector) => append::<UInt64Type>(vector, array, rows),
            Self::U32(vector) => append::<UInt32Type>(vector, array, rows),
            Self::U16(vector) => append::<UInt16Type>(vector, array, rows),
            Self::U8(vector) => append::<UInt8Type>(vector, array, rows),
        }
    }

    /// The values as an array, leaving the column empty.
    pub(super) fn take_array(&mut self) -> ArrayRef {
        match self {
            Self::I64(vector) => array::<Int64Type>(vector),
            Self::U64(vector) => array::<UInt64Type>(vector),
            Self::U32(vector) => array::<UInt32Type>(vector),
            Self::U16(vector) => array::<UInt16Type>(vector),
            Self::U8(vector) => array::<UInt8Type>(vector),
        }
    }

    /// The values at these rows, in their order.
    pub(super) fn gather(&self, rows: &[u32]) -> Self {
        fn gather<T: Copy>(vector: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|&row| vector[row as usize]).collect()
        }
        match self {
            Self::I64(vector) => Self::I64(gather(vector, rows)),
            Self::U64(vector) => Self::U64(gather(vector, rows)),
            Self::U32(vector) => Self::U32(gather(vector, rows)),
            Self::U16(vector) => Self::U16(gather(vector, rows)),
            Self::U8(vector) => Self::U8(gather(vector, rows)),
        }
    }

    /// The values of a range of rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::I64(vector) => Self::I64(vector[rows].to_vec()),
            Self::U64(vector) => Self::U64(vector[rows].to_vec()),
            Self::U32(vector) => Self::U32(vector[rows].to_vec()),
            Self::U16(vector) => Self::U16(vector[rows].to_vec()),
            Self::U8(vector) => Self::U8(vector[rows].to_vec()),
        }
    }

    /// How two rows compare.
    pub(super) fn compare(&self, a: usize, b: usize) -> std::cmp::Ordering {
        each!(self, vector => vector[a].cmp(&vector[b]))
    }
}

fn append<T: ArrowPrimitiveType>(vector: &mut Vec<T::Native>, array: &dyn Array, rows: Range<usize>) -> Result<()> {
    let Some(array) = array.as_primitive_opt::<T>() else {
        return exec_err!("a resolved column is {} instead of {}", array.data_type(), T::DATA_TYPE);
    };
    vector.extend_from_slice(&array.values()[rows]);
    Ok(())
}

fn array<T: ArrowPrimitiveType>(vector: &mut Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(std::mem::take(vector).into(), None))
}
