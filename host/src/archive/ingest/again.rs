//! Reading anew what was ingested before, and what gives way to it then.
//!
//! A source is read to its end before what it gave is taken out, so that one that can no longer be read changes nothing.
//! Sources that share conversations with others are taken out together, once all of them were read on trial. What is taken
//! out is noted, `_wardflow/again/<source>`, until it is there again.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Ingest, entries::Entries, failure::Failure, find::Source, known::Recognised, report::Progress, taken_out::TakenOut,
};
use crate::{
    archive::{ingest_again::IngestAgain, ledger::SourceEntry},
    error::{Error, Result},
};

impl Ingest<'_> {
    /// What gives way to a source once it has been read: what was added of it, and of its recording. Where others give way
    /// with it, all of them are taken out now, and the run reads them in their turn.
    pub(super) async fn gives_way(
        &mut self,
        source: &Source,
        recognised: &Recognised,
        progress: &Progress,
    ) -> Result<Vec<SourceEntry>, Failure> {
        let place = source.place();
        let begins_with = recognised.begins_with.iter().filter(|digest| self.entries.has_records(digest));
        let mut own: BTreeSet<String> = recognised.same.iter().chain(begins_with).cloned().collect();
        let mut trial = None;
        if let Some(place) = place.filter(|place| self.entries.has_path(place)) {
            let it = self.on_trial(source, progress).await?;
            own.extend(self.entries.of_recording(&place, it.ends).map(|entry| entry.digest.clone()));
            trial = Some(it);
        }
        let past = own.iter().flat_map(|digest| self.entries.past(digest)).map(|entry| entry.digest.clone());
        let own: BTreeSet<String> = past.collect();
        if let Some(entry) = own.iter().find(|own| self.read.contains(*own)).and_then(|own| self.entries.get(own)) {
            let error = Error::usage(format!("it is a part or a copy of {}, which was just read", entry.name));
            return Err(Failure::Source(error.remedy("give one of the two")));
        }
        let together = self.entries.together(&own);
        let all: Vec<SourceEntry> = together.iter().filter_map(|digest| self.entries.get(digest)).cloned().collect();
        for entry in &all {
            self.lock.archive().refuse_compacted(entry).await.map_err(Failure::Source)?;
        }
        if all.len() == own.len() {
            return Ok(all);
        }
        let tips = tips(&self.entries, &all);
        let others = tips.iter().filter(|entry| !own.contains(&entry.digest));
        let path = |entry: &SourceEntry| self.given.get(entry.path.as_ref()?).cloned();
        let (given, missing): (Vec<_>, Vec<_>) =
            others.map(|entry| (entry, path(entry))).partition(|(_, path)| path.is_some());
        if let Some((first, _)) = missing.first() {
            let (number, name) = (missing.len(), &first.name);
            let error = Error::usage(format!(
                "its flows went on in {number} other files that are not read again, such as {name}"
            ));
            return Err(Failure::Source(error.remedy("give all of them, or the directory that holds them")));
        }
        let had_its_turn = |entry: &SourceEntry| entry.path.as_ref().is_some_and(|path| self.seen.contains(path));
        if let Some((first, _)) = given.iter().find(|(entry, _)| had_its_turn(entry)) {
            let error = Error::usage(format!("its flows went on in {}, which was not read again", first.name));
            return Err(Failure::Source(error.remedy("see above why, and give both again")));
        }
        let it = match trial {
            Some(it) => it,
            None => self.on_trial(source, progress).await?,
        };
        self.refuse_beginning(&it, &together.difference(&own).cloned().collect()).await?;
        for (entry, path) in given {
            self.is_as_it_was(entry, path.unwrap_or_default(), &together, progress).await?;
        }
        for entry in &tips {
            self.note_taken_out(entry).await?;
        }
        self.take_out(&all).await?;
        Ok(Vec::new())
    }

    /// Whether a source that goes with others can still be read and added, and has at least what was added of it.
    async fn is_as_it_was(
        &self,
        entry: &SourceEntry,
        path: PathBuf,
        together: &BTreeSet<String>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let name = &entry.name;
        let Recognised { same, begins_with } = self.look(path.clone()).await?.recognised;
        if ![same, begins_with].iter().flatten().any(|digest| *digest == entry.digest) {
            let error = Error::usage(format!("its flows went on in {name}, which has another content by now"));
            return Err(Failure::Source(error.remedy("put back what was added from there, and give both")));
        }
        let added = match self.on_trial(&Source::found(path), progress).await {
            Ok(it) => self.refuse_beginning(&it, together).await,
            Err(failure) => Err(failure),
        };
        added.map_err(|failure| match failure {
            Failure::Source(error) => Failure::Source(
                Error::failed(format!("{name}, which goes with it, cannot be read anew")).because(error),
            ),
            archive => archive,
        })
    }

    /// Deletes what sources gave, and forgets them.
    pub(super) async fn take_out(&mut self, entries: &[SourceEntry]) -> Result<()> {
        for entry in entries {
            self.lock.archive().forget(entry).await?;
            self.carried.retain(|carried| carried.source != entry.digest);
            self.entries.remove(&entry.digest);
        }
        Ok(())
    }

    /// Notes that a source is about to be taken out, and how this run was asked to read it.
    pub(super) async fn note_taken_out(&mut self, entry: &SourceEntry) -> Result<()> {
        let format = self.options.format.or_else(|| entry.known_format());
        let again = IngestAgain::anew(entry);
        let source = match format {
            Some(format) => {
                IngestAgain { format: Some(format.name().to_owned()), asked: self.options.asked(format), ..again }
            }
            None => again,
        };
        let out = TakenOut::new(&entry.digest, source);
        self.lock.archive().note_taken_out(&out).await?;
        self.taken_out.push(out);
        Ok(())
    }

    /// Forgets the notes that a source was taken out: it is there again, or has no need to be.
    pub(super) async fn is_back(&mut self, digest: &str, place: Option<&String>) -> Result<()> {
        for back in self.taken_out.extract_if(.., |out| out.is(digest, place)) {
            self.lock.archive().forget_taken_out(&back).await?;
        }
        Ok(())
    }
}

/// Those from which no other of them goes on.
fn tips(entries: &Entries, all: &[SourceEntry]) -> Vec<SourceEntry> {
    let past: BTreeSet<&str> =
        all.iter().flat_map(|entry| entries.past(&entry.digest).skip(1)).map(|entry| entry.digest.as_str()).collect();
    all.iter().filter(|entry| !past.contains(entry.digest.as_str())).cloned().collect()
}
