//! Which sources an archive holds already.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as StorePath;
use serde::{Deserialize, Serialize};

use super::location::{Archive, OWN_DIRECTORY};
use crate::error::{Context, Result};

/// What the archive knows of a source, one JSON file a source, `_wardflow/sources/<digest>.json`. It is written last, so
/// that a source without one is ingested again, over what may be there of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    /// BLAKE3 of the source's content, decompressed, in hex.
    pub digest: String,
    /// Its path when it was ingested.
    pub name: String,
    /// Bytes of its content.
    pub bytes: u64,
    /// BLAKE3 in hex of as many of the content's first bytes as is the greatest power of two in `bytes`, up to 64 KiB.
    /// Absent in entries of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Its lines that are no headers.
    pub lines: u64,
    /// How the last of them ended.
    #[serde(default)]
    pub last_line: LastLine,
    /// The source that it goes on from, whose lines were not added again: a log that has grown.
    pub continues: Option<String>,
    /// Flows that were added.
    pub flows: u64,
    /// Lines that could not be read.
    pub rejects: u64,
    /// Flows with a name from a log beside it.
    pub names_joined: u64,
    /// Name of the sensor, if the user gave one.
    pub sensor: Option<String>,
    /// Its files, by their paths in the archive.
    pub files: Vec<String>,
    /// When it was ingested, microseconds UTC.
    pub ingested_at: i64,
}

/// How the last line of a source ended, for a longer source that goes on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastLine {
    /// It counts as it is.
    Whole,
    /// It could not be read, and has no line end: where it goes on, it is read again. What an earlier version took all
    /// of them for.
    #[default]
    Open,
    /// A compressed log broke off in it, or right behind the line before: it is read again.
    Broken,
}

impl SourceEntry {
    /// Its lines that a longer source need not read again.
    pub(super) fn lines_that_stay(&self) -> u64 {
        match self.last_line {
            LastLine::Whole => self.lines,
            LastLine::Open | LastLine::Broken => self.lines.saturating_sub(1),
        }
    }

    /// What the names of a source's files begin with.
    pub(super) fn short(digest: &str) -> &str {
        digest.get(..16).unwrap_or(digest)
    }
}

impl Archive {
    /// Every source that was ingested, in order of digest.
    ///
    /// # Errors
    /// The archive cannot be read, or an entry is none.
    pub async fn sources(&self) -> Result<Vec<SourceEntry>> {
        let objects = self.objects(Some(&directory())).await?;
        let entries = stream::iter(objects).map(|object| async move {
            let file = self.file(&object.location).to_owned();
            match self.get(&file).await? {
                Some(json) => parse(&file, &json).map(Some),
                None => Ok(None),
            }
        });
        let entries: Vec<_> = entries.buffered(16).try_collect().await?;
        Ok(entries.into_iter().flatten().collect())
    }

    pub(super) async fn source(&self, digest: &str) -> Result<Option<SourceEntry>> {
        let file = path(digest);
        self.get(&file).await?.map(|json| parse(&file, &json)).transpose()
    }

    pub(super) async fn record_source(&self, entry: &SourceEntry) -> Result<()> {
        let json = serde_json::to_vec_pretty(entry).context(|| format!("recording the source {}", entry.name))?;
        self.put(&path(&entry.digest), json).await
    }

    /// Flow files by what their names begin with, to find those that a killed ingest left.
    pub(super) async fn files_by_source(&self) -> Result<BTreeMap<String, Vec<StorePath>>> {
        let mut files: BTreeMap<String, Vec<StorePath>> = BTreeMap::new();
        for object in self.objects(None).await? {
            let name = object.location.filename().unwrap_or_default();
            if let Some((source, _)) = name.rsplit_once('-') {
                files.entry(source.to_owned()).or_default().push(object.location);
            }
        }
        Ok(files)
    }
}

fn directory() -> String {
    format!("{OWN_DIRECTORY}/sources")
}

fn path(digest: &str) -> String {
    format!("{}/{digest}.json", directory())
}

fn parse(file: &str, json: &[u8]) -> Result<SourceEntry> {
    serde_json::from_slice(json).context(|| format!("the archive's entry {file} cannot be read"))
}
