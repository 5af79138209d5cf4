//! How what was read becomes visible, in place of what gives way to it. Each step may be the last one of a killed process.

use super::{Ingest, OPEN_FLOWS, find::Source, reading::Outcome, relations::Relations};
use crate::{
    archive::{
        carried::{self, Carried, Line},
        format::Format,
        ledger::SourceEntry,
        rejects,
    },
    error::Result,
};

/// A source that was read to its end.
pub(super) struct ReadSource<'s> {
    pub(super) source: &'s Source,
    pub(super) format: Format,
    pub(super) relations: Relations,
    pub(super) outcome: Outcome,
    /// Microseconds UTC.
    pub(super) ingested_at: i64,
}

impl Ingest<'_> {
    /// Makes what was read visible.
    pub(super) async fn commit(&mut self, read: ReadSource<'_>) -> Result<()> {
        let ReadSource { source, format, relations, outcome, ingested_at } = read;
        let Outcome { staged, open, rejects, asides, content, last_line, goes_on, carried, counts, ends, .. } = outcome;
        let Relations { continues, read_on, replaces, before, .. } = relations;
        let (before, unrelated) = match goes_on {
            Some(true) => (before, None),
            Some(false) => (None, before),
            None => (None, None),
        };
        if let Some(unrelated) = unrelated {
            self.settle(unrelated).await?;
        }
        let archive = self.lock.archive();
        let short = SourceEntry::short(&content.digest).to_owned();
        let (same, replaces): (Vec<_>, Vec<_>) = replaces.into_iter().partition(|old| old.digest == content.digest);
        archive.begin(&short, &source.name).await?;
        for old in &same {
            self.note_taken_out(old).await?;
        }
        self.take_out(&same).await?;
        let written = staged.publish(None, &short).await?;
        let mut tables = match open {
            Some(open) => open.publish(Some(OPEN_FLOWS), &short).await?.files,
            None => Vec::new(),
        };
        if let Some(rejects) = rejects {
            archive.publish(&rejects, &rejects::path(&short)).await?;
        }
        for staged in asides {
            let file = staged.table.path(&short);
            archive.publish(&staged.path, &file).await?;
            tables.push(file);
        }
        self.clear(&short, &written.files).await?;
        let line = Line::of(format, source.place().as_deref());
        let carried = Carried { source: content.digest.clone(), line, conversations: carried };
        let waits = !carried.conversations.is_empty();
        if waits {
            archive.carry(&carried).await?;
        }
        let mut entry = SourceEntry {
            digest: content.digest,
            name: source.name.clone(),
            path: source.place(),
            format: Some(format.name().to_owned()),
            bytes: content.bytes,
            head: Some(content.head),
            last_line,
            continues,
            replaces: replaces.iter().map(|old| old.digest.clone()).collect(),
            follows: before.as_ref().map(|before| before.source.clone()),
            ends,
            counts,
            asked: self.options.asked(format),
            files: written.files,
            tables,
            ingested_at,
        };
        archive.record_source(&entry).await?;
        archive.complete(&short).await?;
        if let Some(mut old) = read_on {
            archive.drop_last_reject(&mut old).await?;
            self.entries.add(old);
        }
        if let Some(before) = before {
            archive.forget_carried(&before.source).await?;
            self.carried.retain(|carried| carried.source != before.source);
        }
        self.carried.extend(waits.then_some(carried));
        if !replaces.is_empty() {
            self.take_out(&replaces).await?;
            entry.replaces.clear();
            archive.record_source(&entry).await?;
        }
        self.is_back(&entry.digest, entry.path.as_ref()).await?;
        self.read.insert(entry.digest.clone());
        self.entries.add(entry);
        Ok(())
    }

    /// Writes what a source left waiting: what comes after it is another recording.
    async fn settle(&mut self, carried: Carried) -> Result<()> {
        let source = carried.source.clone();
        self.settled += carried::settle(self.lock, carried, &self.options.space).await?;
        self.carried.retain(|carried| carried.source != source);
        if let Some(entry) = self.lock.archive().source(&source).await? {
            self.entries.add(entry);
        }
        Ok(())
    }

    /// Deletes what a killed run, perhaps with other options, left of a source and this one did not write over.
    async fn clear(&self, short: &str, written: &[String]) -> Result<()> {
        let archive = self.lock.archive();
        let waited = carried::name(short);
        for place in [short, &waited].into_iter().filter_map(|name| self.left_over.get(name)).flatten() {
            if !written.iter().any(|file| file == archive.file(place)) {
                archive.delete(place).await?;
            }
        }
        Ok(())
    }
}
