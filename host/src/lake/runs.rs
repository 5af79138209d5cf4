//! The run: one `wardflow analyze`, from its beginning to its end.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use crate::{
    error::{Context, Result},
    flow::time_type,
};

/// A run. It is recorded when it begins and again when it ends; of one `run_id` the row with `ended_at` counts, and a
/// run without one was killed or still goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What coverage calls it; made by [`run_id`](super::run_id).
    pub run_id: String,
    /// Microseconds UTC.
    pub started_at: i64,
    /// Microseconds UTC; absent until it ended.
    pub ended_at: Option<i64>,
    /// The command line.
    pub command: String,
    /// Wardflow's version.
    pub version: String,
    /// Slices that were committed, one for each plugin.
    pub slices: u64,
    /// Flows that were read.
    pub flows: u64,
    /// Findings that were committed, one for each slice.
    pub findings: u64,
    /// How it stands.
    pub status: RunStatus,
    /// Why it stands so, for a person.
    pub message: Option<String>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// It has not ended.
    Running,
    /// It ended and covered everything.
    Complete,
    /// It ended and did not cover everything: coverage says what and why.
    Incomplete,
    /// It ended with an error.
    Failed,
    /// It was asked to stop.
    Interrupted,
}

impl RunStatus {
    /// The word in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Columns of the table `runs`, in the order of [`Run`].
pub(super) fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let time = |name| Field::new(name, time_type(), true);
    let count = |name| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        text("run_id"),
        time("started_at"),
        time("ended_at"),
        text("command"),
        text("wardflow_version"),
        count("slices"),
        count("flows"),
        count("findings"),
        text("status"),
        text("message"),
    ]))
}

impl Run {
    /// The run as a row of the table.
    pub(super) fn to_batch(&self) -> Result<RecordBatch> {
        let text = |value: &str| Arc::new(StringArray::from(vec![value]));
        let time = |value: Option<i64>| Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC"));
        let count = |value: u64| Arc::new(Int64Array::from(vec![i64::try_from(value).unwrap_or(i64::MAX)]));
        RecordBatch::try_new(
            schema(),
            vec![
                text(&self.run_id),
                time(Some(self.started_at)),
                time(self.ended_at),
                text(&self.command),
                text(&self.version),
                count(self.slices),
                count(self.flows),
                count(self.findings),
                text(self.status.name()),
                Arc::new(StringArray::from(vec![self.message.as_deref()])),
            ],
        )
        .context(|| format!("run {}", self.run_id))
    }
}
