//! The four result tables, and what is in them.

use arrow::datatypes::SchemaRef;

use super::runs;
use crate::{coverage, finding};

/// A result table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// A row per finding and slice.
    Findings,
    /// A row per number that a finding rests on.
    Observations,
    /// What was analysed and what was not; says which rows of the other two count.
    Coverage,
    /// What was run when, and how it ended.
    Runs,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 4] = [Self::Findings, Self::Observations, Self::Coverage, Self::Runs];

    /// Its name, in SQL and as a directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Observations => "observations",
            Self::Coverage => "coverage",
            Self::Runs => "runs",
        }
    }

    /// The columns that are written. Text is `Utf8` here and `Utf8View` when read.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Findings => finding::schema(),
            Self::Observations => finding::observations_schema(),
            Self::Coverage => coverage::schema(),
            Self::Runs => runs::schema(),
        }
    }

    /// What the table's metadata says of it, for readers without Wardflow.
    pub(super) const fn comment(self) -> &'static str {
        match self {
            Self::Findings => "One row a finding and slice. Only rows whose commit is current in coverage count.",
            Self::Observations => "One row a number, finding and slice. Only rows whose commit is current count.",
            Self::Coverage => "Of one plugin and slice_start, the row without device_id of the greatest commit counts.",
            Self::Runs => "A row when a run begins and one when it ends.",
        }
    }
}
