//! The tables of results, those of what people said, and what is in them.

use arrow::datatypes::SchemaRef;

use super::runs;
use crate::{coverage, exception, finding, reset, triage};

/// A table of the lake.
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
    /// Which findings the hospital does not want to see for a while.
    Exceptions,
    /// What became of findings in the hospital's hands.
    Triage,
    /// Which devices are to be learned anew.
    Resets,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 7] =
        [Self::Findings, Self::Observations, Self::Coverage, Self::Runs, Self::Exceptions, Self::Triage, Self::Resets];

    /// Its name, in SQL and as a directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Observations => "observations",
            Self::Coverage => "coverage",
            Self::Runs => "runs",
            Self::Exceptions => "exceptions",
            Self::Triage => "triage",
            Self::Resets => "resets",
        }
    }

    /// The columns that are written. Text is `Utf8` here and `Utf8View` when read.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Findings => finding::schema(),
            Self::Observations => finding::observations_schema(),
            Self::Coverage => coverage::schema(),
            Self::Runs => runs::schema(),
            Self::Exceptions => exception::schema(),
            Self::Triage => triage::schema(),
            Self::Resets => reset::schema(),
        }
    }

    /// What the table's metadata says of it, for readers without Wardflow.
    pub(super) const fn comment(self) -> &'static str {
        match self {
            Self::Findings => "One row a finding and slice. Only rows whose commit is current in coverage count.",
            Self::Observations => "One row a number, finding and slice. Only rows whose commit is current count.",
            Self::Coverage => "Of one plugin and slice_start, the row without device_id of the greatest commit counts.",
            Self::Runs => "A row when a run begins and one when it ends.",
            Self::Exceptions => "A row when an exception is made or revoked. Of one exception_id the last row counts.",
            Self::Triage => "A row a remark on a finding. What is null stays as an earlier row has it.",
            Self::Resets => "A row when a device is to be learned anew.",
        }
    }
}
