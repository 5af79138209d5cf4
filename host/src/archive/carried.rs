//! Conversations that a source left waiting for the one that follows, `_wardflow/carried/<source>`: kept beside its flows,
//! so that none is lost when the process ends between two sources.
//!
//! Only sources of one format and directory follow each other, and only while more of what waits may come. When no more
//! come, what waits is written as flows of the source that left it.

use postcard::{from_bytes, to_allocvec};
use serde::{Deserialize, Serialize};

use super::{
    format::Format,
    join::Joiner,
    ledger::{self, SourceEntry},
    location::{Archive, OWN_DIRECTORY},
    lock::ArchiveLock,
    writer::ArchiveWriter,
};
use crate::{
    error::{Context, Error, Result},
    zone::AddressSpace,
};

/// What a source left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Carried {
    /// The digest of the source.
    pub(super) source: String,
    /// Its format and directory.
    pub(super) line: Line,
    /// As [`Joiner::save`] gives them.
    pub(super) conversations: Vec<u8>,
}

/// Where sources follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    format: String,
    directory: String,
}

impl Line {
    /// `path` is that of a source, none of standard input.
    pub(super) fn of(format: Format, path: Option<&str>) -> Self {
        let directory = path.and_then(|path| std::path::Path::new(path).parent()).unwrap_or(std::path::Path::new(""));
        Self { format: format.name().to_owned(), directory: directory.display().to_string() }
    }
}

impl Archive {
    /// What sources left that nothing has followed yet. What was followed, or was left by a killed run, is deleted.
    pub(super) async fn carried(&self, entries: &[SourceEntry]) -> Result<Vec<Carried>> {
        let mut all = Vec::new();
        for object in self.objects(Some(&directory())).await? {
            let file = self.file(&object.location).to_owned();
            let Some(bytes) = self.get(&file).await? else { continue };
            let carried: Carried = from_bytes(&bytes).map_err(|error| {
                Error::failed(format!("{file} of the archive cannot be read")).because(error).remedy(ledger::REPAIR)
            })?;
            let is_recorded = entries.iter().any(|entry| entry.digest == carried.source);
            let is_followed = entries.iter().any(|entry| entry.follows.as_ref() == Some(&carried.source));
            if is_recorded && !is_followed {
                all.push(carried);
            } else {
                self.delete(&object.location).await?;
            }
        }
        Ok(all)
    }

    pub(super) async fn carry(&self, carried: &Carried) -> Result<()> {
        let bytes = to_allocvec(carried).context(|| "writing conversations that wait".into())?;
        self.put(&path(SourceEntry::short(&carried.source)), bytes).await
    }

    pub(super) async fn forget_carried(&self, source: &str) -> Result<()> {
        self.delete(&self.place(&path(SourceEntry::short(source)))).await
    }
}

/// Writes what waits as flows of the source that left it, and returns how many. Done twice it is the same.
pub(super) async fn settle(lock: &ArchiveLock, carried: Carried, space: &AddressSpace) -> Result<u64> {
    let archive = lock.archive();
    let Some(mut entry) = archive.source(&carried.source).await? else { return Ok(0) };
    if entry.counts.waiting == 0 {
        // A run that was killed had written it, and not yet forgotten.
        archive.forget_carried(&carried.source).await?;
        return Ok(0);
    }
    let mut joiner = Joiner::restore(&carried.conversations).context(|| "reading conversations that wait".into())?;
    joiner.end();
    let mut writer = ArchiveWriter::new(lock, space.clone())?;
    joiner.drain(|flow| writer.push(flow))?;
    let written = writer.finish(&name(&carried.source)).await?;
    for file in &written.files {
        if !entry.files.contains(file) {
            entry.files.push(file.clone());
        }
    }
    entry.counts.flows += written.rows;
    entry.counts.waiting = 0;
    archive.record_source(&entry).await?;
    archive.forget_carried(&carried.source).await?;
    Ok(written.rows)
}

/// What the names of its files begin with.
pub(super) fn name(source: &str) -> String {
    format!("{}w", SourceEntry::short(source))
}

fn directory() -> String {
    format!("{OWN_DIRECTORY}/carried")
}

pub(super) fn path(source: &str) -> String {
    format!("{}/{source}", directory())
}
