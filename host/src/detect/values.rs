//! Typed columns, as the contract has them.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, PrimitiveArray},
    datatypes::{ArrowPrimitiveType, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};

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
    /// The values, if they are of this type.
    pub(super) fn as_i64(&self) -> Option<&[i64]> {
        if let Self::I64(values) = self { Some(values) } else { None }
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

    /// The values as an array.
    pub(super) fn into_array(self) -> ArrayRef {
        match self {
            Self::I64(vector) => array::<Int64Type>(vector),
            Self::U64(vector) => array::<UInt64Type>(vector),
            Self::U32(vector) => array::<UInt32Type>(vector),
            Self::U16(vector) => array::<UInt16Type>(vector),
            Self::U8(vector) => array::<UInt8Type>(vector),
        }
    }

    /// How two rows compare.
    pub(super) fn compare(&self, a: usize, b: usize) -> std::cmp::Ordering {
        each!(self, vector => vector[a].cmp(&vector[b]))
    }
}

fn array<T: ArrowPrimitiveType>(vector: Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(vector.into(), None))
}
