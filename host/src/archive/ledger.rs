//! Which sources an archive holds already.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as StorePath;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    asked::Asked,
    carried,
    format::Format,
    ingest::Counts,
    location::{Archive, OWN_DIRECTORY},
    rejects,
};
use crate::error::{Context, Error, Result};

/// What to do where something that the archive notes of a source cannot be read.
pub(super) const REPAIR: &str =
    "`wardflow archive check --repair` moves it out of the way, and puts it back or says what to ingest again";

/// The field of an entry that seals the others.
const SEAL: &str = "seal";

/// BLAKE3 in hex of an entry's other fields.
fn seal(json: &Value) -> serde_json::Result<String> {
    Ok(blake3::hash(&serde_json::to_vec(json)?).to_hex().to_string())
}

/// What the archive knows of a source, one JSON file a source, `_wardflow/sources/<digest>.json`. It is written last, so
/// that a source without one is ingested again, over what may be there of it; but for its copy, should it be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    /// BLAKE3 of the source's content, decompressed, in hex.
    pub digest: String,
    /// Its path when it was ingested, as it was given.
    pub name: String,
    /// The same from the root of the file system; none of standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Bytes of its content.
    pub bytes: u64,
    /// BLAKE3 in hex of as many of the content's first bytes as is the greatest power of two in `bytes`, up to 64 KiB.
    /// Absent in entries of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Its format; absent in entries of an earlier version, which read Zeek's logs alone.
    #[serde(default)]
    pub format: Option<String>,
    /// What became of its records.
    #[serde(flatten)]
    pub counts: Counts,
    /// How its last line ended.
    #[serde(default)]
    pub last_line: LastLine,
    /// The source that it goes on from, whose lines were not added again: a log that has grown.
    pub continues: Option<String>,
    /// The sources whose flows its own replace: of a capture that has grown, or that was read anew. They are deleted after
    /// this one is recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// The source whose waiting conversations it went on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    /// Earliest and latest end of its flows, microseconds UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<(i64, i64)>,
    /// How it was asked to be read.
    #[serde(flatten)]
    pub asked: Asked,
    /// Its flow files, by their paths in the archive.
    pub files: Vec<String>,
    /// Its files of tables beside the flows.
    #[serde(default)]
    pub tables: Vec<String>,
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
    /// What it was read as; absent where this version does not know it.
    pub(super) fn known_format(&self) -> Option<Format> {
        self.format.as_deref()?.parse().ok()
    }

    /// Its records that a longer source need not read again.
    pub(super) fn records_that_stay(&self) -> u64 {
        match self.last_line {
            LastLine::Whole => self.counts.records,
            LastLine::Open | LastLine::Broken => self.counts.records.saturating_sub(1),
        }
    }

    /// Paths of its rows in tables beside the flows, and of its rejects.
    pub(super) fn tables_and_rejects(&self) -> impl Iterator<Item = String> {
        let rejects = (self.counts.rejects > 0).then(|| rejects::path(Self::short(&self.digest)));
        self.tables.iter().cloned().chain(rejects)
    }

    /// Paths of all its rows, as they were when it was ingested.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.files.iter().cloned().chain(self.tables_and_rejects())
    }

    /// The entry as JSON, sealed: a digit that a disk changed would be believed else.
    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let doing = || format!("recording the source {}", self.name);
        let mut json = serde_json::to_value(self).context(doing)?;
        let seal = seal(&json).context(doing)?;
        if let Some(fields) = json.as_object_mut() {
            fields.insert(SEAL.to_owned(), seal.into());
        }
        serde_json::to_vec_pretty(&json).context(doing)
    }

    /// Reads an entry; one of an earlier version has no seal. On failure the reason.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, String> {
        let text = |error: serde_json::Error| error.to_string();
        let mut json: Value = serde_json::from_slice(json).map_err(text)?;
        let sealed = json.as_object_mut().and_then(|fields| fields.remove(SEAL));
        if sealed.is_some() && sealed != Some(seal(&json).map_err(text)?.into()) {
            return Err("it was changed since it was written".to_owned());
        }
        serde_json::from_value(json).map_err(text)
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
        self.put(&path(&entry.digest), entry.to_json()?).await?;
        self.copy_entry(entry).await
    }

    /// Deletes a source and all that was added of it. What was compacted cannot be deleted so.
    pub(super) async fn forget(&self, entry: &SourceEntry) -> Result<()> {
        self.refuse_compacted(entry).await?;
        let short = SourceEntry::short(&entry.digest);
        let own = [rejects::path(short), carried::path(short)];
        for file in entry.files.iter().chain(&entry.tables).chain(&own) {
            self.delete(&self.place(file)).await?;
        }
        self.forget_copy(&entry.digest).await?;
        self.delete(&self.place(&path(&entry.digest))).await
    }

    /// Flow files by what their names begin with, to find those that a killed ingest left.
    pub(super) async fn files_by_source(&self) -> Result<BTreeMap<String, Vec<StorePath>>> {
        let mut files: BTreeMap<String, Vec<StorePath>> = BTreeMap::new();
        for object in self.objects(None).await? {
            if self.file(&object.location).starts_with(OWN_DIRECTORY) {
                continue;
            }
            let name = object.location.filename().unwrap_or_default();
            if let Some((source, _)) = name.rsplit_once('-') {
                files.entry(source.to_owned()).or_default().push(object.location);
            }
        }
        Ok(files)
    }
}

pub(super) fn directory() -> String {
    format!("{OWN_DIRECTORY}/sources")
}

pub(super) fn path(digest: &str) -> String {
    format!("{}/{digest}.json", directory())
}

pub(super) fn parse(file: &str, json: &[u8]) -> Result<SourceEntry> {
    let entry = SourceEntry::from_json(json).map_err(|reason| {
        Error::failed(format!("the archive's entry {file} cannot be read: {reason}")).remedy(REPAIR)
    })?;
    if path(&entry.digest) != file {
        let digest = &entry.digest;
        return Err(
            Error::failed(format!("the archive's entry {file} says that its source is {digest}")).remedy(REPAIR)
        );
    }
    Ok(entry)
}
