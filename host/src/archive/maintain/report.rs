//! What a check says.

use serde::Serialize;

use crate::archive::IngestAgain;

/// How an archive stands.
#[derive(Debug, Default, Serialize)]
pub struct CheckReport {
    /// Flow files that are sound.
    pub files: u64,
    /// Flows in them.
    pub flows: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Sources whose entries or files were moved away, or that lack rows: ingesting them again restores them.
    pub ingest_again: Vec<IngestAgain>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The file, by its path in the archive.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Whether it is put right, but for what is to be ingested again.
    pub mended: bool,
}

impl CheckReport {
    /// Whether nothing is wrong any more.
    pub fn is_well(&self) -> bool {
        self.ingest_again.is_empty() && self.is_mended()
    }

    /// Whether nothing is wrong but what ingesting again restores.
    pub fn is_mended(&self) -> bool {
        self.problems.iter().all(|problem| problem.mended)
    }
}
