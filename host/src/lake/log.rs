//! Appending to the log of a Delta table.

use std::{collections::HashMap, sync::Arc};

use deltalake_core::{
    DeltaResult, DeltaTable,
    checkpoints::{cleanup_metadata, create_checkpoint},
    kernel::{
        Action, Add, Version,
        transaction::{CommitData, TransactionError},
    },
    logstore::{CommitOrBytes, LogStoreRef},
    protocol::{DeltaOperation, SaveMode},
};

/// Commits between two checkpoints. Whoever opens the table reads the last checkpoint and every commit after it; making
/// a checkpoint costs in proportion to the table's files.
pub(super) const CHECKPOINT_INTERVAL: u64 = 50;

/// Each attempt but the last lost to another commit, so that this many writers at once are served.
const ATTEMPTS: i32 = 100;

/// Appends files in a commit of its own and returns its version. `reached` is a version that the log has.
///
/// An append reads nothing, so no other commit conflicts with it: losing the race for a version, it takes the next one.
pub(super) async fn append(log: &LogStoreRef, reached: Version, files: Vec<Add>) -> DeltaResult<Version> {
    let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
    let metadata = HashMap::from([("isBlindAppend".to_owned(), true.into())]);
    let actions = files.into_iter().map(Action::Add).collect();
    let entry = CommitData::new(actions, operation, metadata, Vec::new()).get_bytes()?;
    let mut last = reached;
    for _ in 0..ATTEMPTS {
        last = log.get_latest_version(last).await?;
        let written =
            log.write_commit_entry(last + 1, CommitOrBytes::LogBytes(entry.clone()), Default::default()).await;
        match written {
            Ok(()) => return Ok(last + 1),
            Err(TransactionError::VersionAlreadyExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(TransactionError::MaxCommitAttempts(ATTEMPTS).into())
}

/// Makes a checkpoint if this version is one that has to, and deletes the entries that expired (after 30 days).
pub(super) async fn checkpoint_if_due(log: &LogStoreRef, version: Version) -> DeltaResult<()> {
    if !(version + 1).is_multiple_of(CHECKPOINT_INTERVAL) {
        return Ok(());
    }
    let mut table = DeltaTable::new(Arc::clone(log));
    table.load_version(version).await?;
    create_checkpoint(&table, None).await?;
    cleanup_metadata(&table, None).await.map(drop)
}
