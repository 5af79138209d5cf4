//! How far an ingest is, and what became of every source.

use std::sync::Arc;

use super::counts::Counts;
use crate::{
    archive::{SourceEntry, format::Format},
    error::Error,
};

/// Is told how far an ingest is.
pub type OnProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

/// How far an ingest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The source that is being read.
    pub source: String,
    /// Its number, from zero.
    pub index: usize,
    /// Number of sources.
    pub sources: usize,
    /// Bytes read of it, as they lie on disk.
    pub bytes_read: u64,
    /// Its size.
    pub bytes: u64,
    /// Flows read of it.
    pub flows: u64,
}

/// What became of every source, in the order in which they were given, those of a directory in order of path.
#[derive(Debug, Default)]
pub struct IngestReport {
    /// One for each source.
    pub sources: Vec<SourceReport>,
    /// Flows that waited for a source to follow, and were written when none did.
    pub settled: u64,
    /// Sources of which an earlier run that was to read them anew took out what they had given, and ended before it had.
    pub unfinished: Vec<String>,
    /// Sources that were not looked at, or dropped while they were read, since an end was asked for.
    pub left: u64,
    /// Why the archive could not be written any more: the sources that followed were not looked at.
    pub broken_off: Option<Error>,
}

/// What became of a source.
#[derive(Debug, Default)]
pub struct SourceReport {
    /// Its path, or `-`.
    pub name: String,
    /// What it is; absent if that was not told.
    pub format: Option<Format>,
    /// BLAKE3 of its content, decompressed, in hex; empty if it is not in the archive.
    pub digest: String,
    /// What became of its records.
    pub counts: Counts,
    /// What a person should know of it all the same, such as a broken `ssl.log`.
    pub notes: Vec<String>,
    /// Whether it is in the archive.
    pub status: SourceStatus,
}

/// Whether a source is in the archive.
#[derive(Debug, Default)]
pub enum SourceStatus {
    /// It is now.
    #[default]
    Added,
    /// It was before, and nothing was done. The counts are those of then.
    AlreadyThere,
    /// It lay in a directory and is nothing that is ingested for itself, and why.
    PassedOver(Error),
    /// It is not, and why.
    Refused(Error),
}

impl SourceReport {
    /// The counts of when it was added.
    pub(super) fn take_counts(&mut self, entry: &SourceEntry) {
        self.digest.clone_from(&entry.digest);
        self.format = entry.known_format();
        self.counts = entry.counts.clone();
    }
}
