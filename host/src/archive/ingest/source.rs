//! One source into the archive, unless it is there.

use std::collections::BTreeSet;

use super::{
    Ingest, blocking,
    commit::ReadSource,
    failure::Failure,
    find::{Origin, Source},
    look::{Identity, Looked},
    options,
    reading::Reading,
    report::{Progress, SourceReport, SourceStatus},
};
use crate::{
    archive::rejects::RejectsWriter,
    error::{Error, Result},
};

impl Ingest<'_> {
    pub(super) async fn add(
        &mut self,
        source: Source,
        mut progress: Progress,
        report: &mut SourceReport,
    ) -> Result<SourceStatus, Failure> {
        let (lock, options) = (self.lock, self.options);
        let archive = lock.archive();
        let path = match &source.path {
            Ok(path) => path.clone(),
            Err(_) => return source.path.map(|_| SourceStatus::Added).or_else(|error| unnamed(source.origin, error)),
        };
        let Looked { file, head, recognised, alike } = self.look(path.clone()).await?;
        let is_kept = |same: &&String| !options.again || self.read.contains(*same);
        if let Some(entry) = recognised.same.as_ref().filter(is_kept).and_then(|same| self.entries.get(same)) {
            if archive.holds(entry).await {
                report.notes.extend(options.other_than(entry).then(|| options::UNCHANGED.to_owned()));
                report.notes.extend(self.lost(entry.continues.as_deref()).await);
                report.take_counts(entry);
                return Ok(SourceStatus::AlreadyThere);
            }
            if self.entries.shares_conversations(entry) {
                let error = Error::failed("files of it are gone or damaged, and its flows went on in other files");
                return Err(Failure::Source(
                    error.remedy("run `wardflow archive check --repair`, which says what to ingest again"),
                ));
            }
            report.notes.push("it was there, and was read again, since files of it are gone or damaged".to_owned());
        }
        let format = match self.format(&source, &head) {
            Ok(format) => format,
            Err(error) if source.origin != Origin::Named => return Ok(SourceStatus::PassedOver(error)),
            Err(error) => return Err(Failure::Source(error)),
        };
        report.format = Some(format);
        progress.bytes = file.size();

        let relations = self.relations(&source, format, (&recognised, &head), &progress, report).await?;
        let ingested_at = jiff::Timestamp::now().as_microsecond();
        let scratch = archive.scratch()?;
        let reading = Reading {
            skip: relations.skip,
            carried: relations.before.as_ref().map(|before| before.conversations.clone()).unwrap_or_default(),
            rejects: RejectsWriter::new(&scratch.path().join("rejects"), &source.name, ingested_at),
            ..self.reading(path, (file, head), format, &scratch, progress)?
        };
        let mut outcome = blocking(|| reading.run()).await??;
        let digest = &outcome.content.digest;
        if let Some(entry) = self.entries.get(digest).filter(|_| recognised.same.as_ref() != Some(digest)) {
            // A repair that wrote its entry anew knew nothing of its length, by which it is recognised.
            if entry.bytes != outcome.content.bytes {
                report.take_counts(entry);
                return Ok(SourceStatus::AlreadyThere);
            }
            let error = Error::failed("it was written over while it was read, with what is in the archive already");
            return Err(Failure::Source(error.remedy("ingest it again when it is not being written")));
        }
        let it = Identity::new(format, alike, &outcome);
        let refused = self.refuse_beginning(&it, &BTreeSet::new()).await;
        if let Err(Failure::Source(_)) = refused {
            // What it had given may have been taken out to be read anew: the longer one has it.
            self.is_back(digest, source.place().as_ref()).await?;
        }
        refused?;
        report.notes.extend(self.told_of_alike(&source, &relations, &it));
        if outcome.counts.has_joined() && !options.again && self.is_without_entry(digest) {
            let error = Error::failed("flows of it are in the archive, and its entry in the ledger is gone");
            return Err(Failure::Source(
                error.remedy("give it with --again, together with the files that lay beside it when it was added"),
            ));
        }
        report.digest.clone_from(digest);
        report.notes.append(&mut outcome.notes);
        report.counts = outcome.counts.clone();
        self.commit(ReadSource { source: &source, format, relations, outcome, ingested_at }).await?;
        Ok(SourceStatus::Added)
    }
}

/// What becomes of a source that has no path.
fn unnamed(origin: Origin, error: Error) -> Result<SourceStatus, Failure> {
    if origin == Origin::Link { Ok(SourceStatus::PassedOver(error)) } else { Err(Failure::Source(error)) }
}
