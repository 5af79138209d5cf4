//! The flows of a slice, read for what is found of them as a whole.

use std::{ops::Range, sync::Arc};

use datafusion::{
    common::{Result, exec_datafusion_err},
    execution::SendableRecordBatchStream,
    logical_expr::{col, lit},
    prelude::{SessionConfig, SessionContext},
    scalar::ScalarValue,
};

use super::flows;
use crate::archive::{Archive, ArchiveFile};

/// The flows of an archive, as they were seen.
#[derive(Debug)]
pub(super) struct SliceFlows {
    archive: Archive,
    files: Vec<ArchiveFile>,
}

impl SliceFlows {
    /// Those of these files.
    pub(super) fn of(archive: &Archive, files: &[ArchiveFile]) -> Self {
        Self { archive: archive.clone(), files: files.to_vec() }
    }

    /// Columns of those that end in a time, microseconds UTC.
    pub(super) async fn ending_in(&self, time: Range<i64>, columns: &[&str]) -> Result<SendableRecordBatchStream> {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        context.register_object_store(self.archive.store_url(), Arc::clone(self.archive.store()));
        let is_near =
            |file: &&ArchiveFile| file.span().is_some_and(|(first, last)| first < time.end && last > time.start);
        let files = self.files.iter().filter(is_near).cloned().collect();
        let flows = flows(&self.archive, files).map_err(|error| exec_datafusion_err!("{}", error.reason()))?;
        let at = |time| lit(ScalarValue::TimestampMicrosecond(Some(time), Some("UTC".into())));
        let ends = col("end_time").gt_eq(at(time.start)).and(col("end_time").lt(at(time.end)));
        context.read_table(flows)?.filter(ends)?.select_columns(columns)?.execute_stream().await
    }
}
