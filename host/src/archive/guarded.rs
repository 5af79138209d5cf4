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

/// Does what catches its own panics.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let before = IS_GUARDED.replace(true);
    let done = work();
    IS_GUARDED.set(before);
    done
}

/// Decodes a part of a footer, of which nothing is used where that panics.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let decoded = quietly(|| catch_unwind(AssertUnwindSafe(decode)));
    decoded.unwrap_or_else(|_| Err(ParquetError::General("its footer is damaged".into())))
}
