//! Triage: what became of a finding in the hospital's hands.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::flow::time_type;

/// What somebody said of a finding. What is absent stays as it was said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triage {
    /// The finding, whose id is the same after each run.
    pub finding_id: String,
    /// When this was said.
    pub time: Timestamp,
    /// One of [`STATUSES`].
    pub status: Option<String>,
    /// One of [`DISPOSITIONS`].
    pub disposition: Option<String>,
    /// Who looks at it.
    pub assignee: Option<String>,
    /// What they found.
    pub note: Option<String>,
}

/// How far it is: those of OCSF's `status_id` that people set.
pub const STATUSES: [&str; 3] = ["new", "in-progress", "resolved"];

/// What it turned out to be: those of OCSF's `verdict_id` that fit.
pub const DISPOSITIONS: [&str; 6] = ["true-positive", "false-positive", "benign", "test", "duplicate", "undecided"];

/// Columns of the table `triage`, in the order of [`Triage`].
pub fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("finding_id"),
        Field::new("time", time_type(), true),
        text("status"),
        text("disposition"),
        text("assignee"),
        text("note"),
    ]))
}
