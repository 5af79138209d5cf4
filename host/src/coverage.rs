//! Coverage: what was analysed and what was not, and why.

use std::{fmt, str::FromStr, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::flow::time_type;

/// What became of a plugin's slice, or of one device in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Every device in scope was analysed.
    Complete,
    /// The guest broke its contract or a limit: on the row's device, or on some of the slice's.
    Faulted,
    /// It was not tried: the plugin was stopped, or no plugin's scope has the device.
    NotRun,
    /// The records lack what the manifest requires.
    Unsuited,
    /// The sensors were down or lossy, or a file that cannot be read was left out.
    Blind,
}

impl Status {
    const ALL: [Self; 5] = [Self::Complete, Self::Faulted, Self::NotRun, Self::Unsuited, Self::Blind];

    /// The word in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Faulted => "faulted",
            Self::NotRun => "not_run",
            Self::Unsuited => "unsuited",
            Self::Blind => "blind",
        }
    }

    /// Whether something that should have been looked at was not.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Faulted | Self::NotRun)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| format!("{text:?} is no coverage status"))
    }
}

/// A row of coverage. Of one `plugin` and `slice_start`, the row without device whose `commit` is greatest counts, with
/// the findings and device rows of the same commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The run that wrote it.
    pub run_id: String,
    /// The commit that it makes visible. Commits sort by time as text.
    pub commit: String,
    /// The plugin's id; absent for devices in no plugin's scope.
    pub plugin: Option<String>,
    /// The plugin's version.
    pub plugin_version: String,
    /// The plugin's digest.
    pub plugin_digest: String,
    /// Digest of the plugin's parameters and peer groups.
    pub config_digest: String,
    /// Digest of the rest of the configuration and of the device list.
    pub world_digest: String,
    /// Start of the slice, microseconds UTC.
    pub slice_start: i64,
    /// End of the slice, exclusive.
    pub slice_end: i64,
    /// The device that was lost; absent in the row of the whole slice.
    pub device_id: Option<String>,
    /// Devices in scope, or one.
    pub devices: u64,
    /// Flows given to their sessions.
    pub flows: u64,
    /// What became of it.
    pub status: Status,
    /// Why, for a person.
    pub fault: Option<String>,
    /// Digest of the slice's flows, independent of their order and of files; where some of these were left out, of that too.
    pub input_digest: String,
    /// Digest of all states before the slice.
    pub state_before: String,
    /// Digest of all states after it.
    pub state_digest: String,
}

/// Columns of the table `coverage`, in the order of [`Row`].
pub fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("run_id"),
        text("commit"),
        text("plugin"),
        text("plugin_version"),
        text("plugin_digest"),
        text("config_digest"),
        text("world_digest"),
        Field::new("slice_start", time_type(), true),
        Field::new("slice_end", time_type(), true),
        text("device_id"),
        Field::new("devices", DataType::Int64, true),
        Field::new("flows", DataType::Int64, true),
        text("status"),
        text("fault"),
        text("input_digest"),
        text("state_before"),
        text("state_digest"),
    ]))
}
