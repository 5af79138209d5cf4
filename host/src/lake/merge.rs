//! Merging the small files that commits leave behind, so that a table of years reads as quickly as one of days.
//!
//! Each commit adds a file of some kilobytes to a table, and a reader pays about a millisecond for each. Rows stay as
//! they are: the log says that the merged file replaces the small ones without a change to the data. Those are deleted
//! a week later, when no reader can still be using them.

use std::{num::NonZeroU64, sync::Arc};

use deltalake_core::{
    DeltaResult, DeltaTable,
    logstore::LogStoreRef,
    operations::{optimize::OptimizeType, vacuum::VacuumMode},
};

/// A file below this many bytes is small.
const SMALL: i64 = 1 << 20;

/// Files are merged up to this many bytes. A larger one is not read again.
const TARGET: NonZeroU64 = NonZeroU64::new(64 << 20).unwrap();

/// Merges a table's small files if there are at least this many, and returns how many files were replaced.
pub(super) async fn merge(log: &LogStoreRef, many: usize) -> DeltaResult<u64> {
    let mut table = DeltaTable::new(Arc::clone(log));
    table.load().await?;
    let small = table.snapshot()?.log_data().iter().filter(|file| file.size() < SMALL).count();
    if small < many {
        return Ok(0);
    }
    let (table, metrics) = table.optimize().with_type(OptimizeType::Compact).with_target_size(TARGET).await?;
    // Not only what the log still remembers as removed, which is forgotten after a week, but whatever it does not name.
    table.vacuum().with_mode(VacuumMode::Full).await?;
    Ok(metrics.num_files_removed)
}
