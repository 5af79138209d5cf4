//! The run: one `wardflow analyze`, from its beginning to its end.

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use jiff::Timestamp;

use super::{commit_id, coverage_rows::column};
use crate::{
    error::{Context, Result},
    flow::time_type,
};

/// A run. It is recorded when it begins and again when it ends; of one `run_id` the row with `ended_at` counts, and a
/// run without one was killed or still goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What coverage calls it; sorts by time as text.
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
    /// It did not end; the run after it found that it is gone.
    Killed,
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
            Self::Killed => "killed",
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

impl RunStatus {
    const ALL: [Self; 6] =
        [Self::Running, Self::Complete, Self::Incomplete, Self::Failed, Self::Interrupted, Self::Killed];
}

impl Run {
    /// A run that begins now. Its id is greater than that of the last run, though the clock was set back since.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn begin(command: impl Into<String>, last: Option<&Self>) -> Result<Self> {
        Self::begin_at(command, last, Timestamp::now())
    }

    fn begin_at(command: impl Into<String>, last: Option<&Self>, now: Timestamp) -> Result<Self> {
        let last = last.map(|run| run.run_id.as_str());
        Ok(Self {
            run_id: commit_id::after(last, now).or_else(|_| commit_id::after(None, now))?,
            started_at: now.as_microsecond(),
            ended_at: None,
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slices: 0,
            flows: 0,
            findings: 0,
            status: RunStatus::Running,
            message: None,
        })
    }

    /// That a run that never ended is gone, said by one that began now.
    pub fn killed(self, by: &Self) -> Self {
        let message = format!("it did not end; run {} found it gone; coverage has what it committed", by.run_id);
        Self { status: RunStatus::Killed, ended_at: Some(by.started_at), message: Some(message), ..self }
    }

    /// The runs of a batch of the table.
    pub(super) fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>> {
        let text = |name: &str| column::<StringArray>(batch, name, &DataType::Utf8);
        let time = |name: &str| column::<TimestampMicrosecondArray>(batch, name, &time_type());
        let count = |name: &str| column::<Int64Array>(batch, name, &DataType::Int64);
        let (ids, commands, versions) = (text("run_id")?, text("command")?, text("wardflow_version")?);
        let (statuses, messages) = (text("status")?, text("message")?);
        let (started, ended) = (time("started_at")?, time("ended_at")?);
        let (slices, flows, findings) = (count("slices")?, count("flows")?, count("findings")?);
        let status = |row: usize| {
            let known = RunStatus::ALL.into_iter().find(|status| status.name() == statuses.value(row));
            known.unwrap_or(RunStatus::Failed)
        };
        let run = |row: usize| Self {
            run_id: ids.value(row).to_owned(),
            started_at: started.value(row),
            ended_at: ended.is_valid(row).then(|| ended.value(row)),
            command: commands.value(row).to_owned(),
            version: versions.value(row).to_owned(),
            slices: slices.value(row).cast_unsigned(),
            flows: flows.value(row).cast_unsigned(),
            findings: findings.value(row).cast_unsigned(),
            status: status(row),
            message: messages.is_valid(row).then(|| messages.value(row).to_owned()),
        };
        Ok((0..batch.num_rows()).map(run).collect())
    }

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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Run;

    #[test]
    fn a_later_run_has_the_greater_id_whatever_the_clock_says() {
        let at = |time: &str, last: Option<&Run>| Run::begin_at("analyze", last, time.parse::<Timestamp>().unwrap());
        let first = at("2026-11-23T13:05:12Z", None).unwrap();
        let set_back = at("2026-11-20T00:00:00Z", Some(&first)).unwrap();
        assert!(set_back.run_id > first.run_id && set_back.started_at < first.started_at);
        let other = Run { run_id: "of something else".into(), ..first };
        assert!(at("2026-11-20T00:00:00Z", Some(&other)).unwrap().run_id.starts_with("20261120T000000"));
    }
}
