//! Sources whose files are about to become visible, `_wardflow/begun/<source>`: noted before the first of them does, and
//! forgotten once the ledger has the source. What a killed run left is told by it from what is whole, though the log has
//! grown since and has another digest.

use std::collections::BTreeMap;

use object_store::path::Path as StorePath;

use super::{
    aside::AsideTable,
    carried, copies,
    ingest::OPEN_FLOWS,
    ledger::SourceEntry,
    location::{Archive, OWN_DIRECTORY},
    rejects,
};
use crate::error::Result;

impl Archive {
    /// Notes that a source's files, whose names begin with `source`, are about to become visible.
    pub(super) async fn begin(&self, source: &str, name: &str) -> Result<()> {
        self.put(&path(source), name.as_bytes().to_vec()).await
    }

    /// Forgets that note: the ledger has the source.
    pub(super) async fn complete(&self, source: &str) -> Result<()> {
        self.delete(&self.place(&path(source))).await
    }

    /// Deletes what killed runs made visible of sources that the ledger does not have, and what compacted files
    /// replace.
    pub(super) async fn undo_begun(
        &self,
        sources: &[SourceEntry],
        files: &mut BTreeMap<String, Vec<StorePath>>,
    ) -> Result<()> {
        self.finish_replacing().await?;
        for note in self.objects(Some(&directory())).await? {
            let Some(source) = note.location.filename() else { continue };
            if !sources.iter().any(|entry| SourceEntry::short(&entry.digest) == source) {
                for file in files.remove(source).unwrap_or_default() {
                    self.delete(&file).await?;
                }
                let tables = AsideTable::ALL.map(|table| table.path(source));
                let own = [rejects::path(source), carried::path(source), copies::path(source)];
                for file in tables.iter().chain(&own) {
                    self.delete(&self.place(file)).await?;
                }
                for open in self.objects(Some(&format!("{OWN_DIRECTORY}/{OPEN_FLOWS}"))).await? {
                    if open.location.filename().is_some_and(|name| name.starts_with(source)) {
                        self.delete(&open.location).await?;
                    }
                }
            }
            self.delete(&note.location).await?;
        }
        Ok(())
    }
}

fn directory() -> String {
    format!("{OWN_DIRECTORY}/begun")
}

fn path(source: &str) -> String {
    format!("{}/{source}", directory())
}
