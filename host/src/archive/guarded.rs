//! Footers of Parquet from strangers: the library that decodes them panics at some that are damaged, and here they are
//! errors like the others.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use parquet::errors::ParquetError;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread is caught and told as what is wrong with a file, so that nobody need hear of it else.
pub fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Decodes a part of a footer, of which nothing is used where that panics.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    IS_GUARDED.set(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    IS_GUARDED.set(false);
    decoded.unwrap_or_else(|_| Err(ParquetError::General("its footer is damaged".into())))
}
