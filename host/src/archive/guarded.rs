//! Parquet and tables from strangers: the libraries that decode them panic at some that are damaged, and here these are errors
//! like the others.

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

/// Does work that decodes what may be damaged; nothing of it is to be used where it panics, and none comes back.
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = IS_GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(before);
    done.ok()
}

/// Decodes a part of a footer, of which nothing is used where that panics.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    caught(decode).unwrap_or_else(|| Err(ParquetError::General("its footer is damaged".into())))
}
