//! What killed runs left: found by `check`, and cleared away before anything else is changed.

use super::{records::Records, replacing, tables::tables};
use crate::{
    archive::{Archive, OWN_DIRECTORY, SourceEntry, files::Survey, ledger},
    error::Result,
};

/// What killed runs left, file by file, and what it is.
pub(super) async fn find(archive: &Archive, records: &Records, survey: &Survey) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for note in archive.objects(Some(&format!("{OWN_DIRECTORY}/begun"))).await? {
        let short = note.location.filename().unwrap_or_default();
        let is_known = records.entries.iter().any(|entry| SourceEntry::short(&entry.digest) == short);
        let state = if is_known { "was killed when it was done" } else { "was killed, and may have left flows" };
        found.push((archive.file(&note.location).to_owned(), format!("an ingest {state}")));
    }
    for note in archive.objects(Some(&replacing::directory())).await? {
        found.push((archive.file(&note.location).to_owned(), "a compaction was killed".to_owned()));
    }
    let mut left_over = survey.left_over.clone();
    for table in tables() {
        left_over.extend(archive.beside(&table.directory).await?.left_over);
    }
    found.extend(
        left_over.into_iter().map(|file| (file, "a compacted file has its rows; no reader looks at it".into())),
    );
    let replaced = records.replaced();
    for old in records.entries.iter().filter(|entry| replaced.contains(entry.digest.as_str())) {
        let what = format!("an ingest was killed: {} has grown, and its flows were added again", old.name);
        found.push((ledger::path(&old.digest), what));
    }
    let followed = records.followed();
    for carried in &records.carried {
        let is_known = records.entries.iter().any(|entry| entry.digest == carried.source);
        if !is_known || followed.contains(carried.source.as_str()) {
            let file = crate::archive::carried::path(SourceEntry::short(&carried.source));
            found.push((file, "its conversations went on in another source, or in none".to_owned()));
        }
    }
    Ok(found)
}

/// Clears it all away, as an ingest would.
pub(super) async fn clear(archive: &Archive) -> Result<()> {
    let entries = archive.sources().await?;
    let mut files = archive.files_by_source().await?;
    archive.undo_begun(&entries, &mut files).await?;
    for mut entry in entries.into_iter().filter(|entry| !entry.replaces.is_empty()) {
        for old in std::mem::take(&mut entry.replaces) {
            if let Some(old) = archive.source(&old).await? {
                archive.forget(&old).await?;
            }
        }
        archive.record_source(&entry).await?;
    }
    archive.carried(&archive.sources().await?).await?;
    archive.delete_all(archive.survey().await?.left_over.iter().map(String::as_str)).await?;
    for table in tables() {
        let left_over = archive.beside(&table.directory).await?.left_over;
        archive.delete_all(left_over.iter().map(String::as_str)).await?;
    }
    Ok(())
}
