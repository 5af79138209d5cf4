//! Reading anew what was ingested before, and what gives way to it then.
//!
//! A source is read to its end before what it gave is taken out, so that one that can no longer be read changes nothing.
//! Sources that share conversations with others are taken out together, once all of them were read on trial. What is taken
//! out is noted, `_wardflow/again/<source>`, until it is there again.

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Ingest, entries::Entries, failure::Failure, find::Source, known::Recognised, report::Progress};
use crate::{
    archive::{
        asked::Asked,
        ledger::SourceEntry,
        location::{Archive, OWN_DIRECTORY},
    },
    error::{Context, Error, Result},
};

/// A source of which everything was taken out, to be read anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::archive) struct TakenOut {
    pub(in crate::archive) digest: String,
    /// Its path, as it was given.
    pub(in crate::archive) name: String,
    /// The same from the root of the file system.
    pub(in crate::archive) path: Option<String>,
    pub(in crate::archive) format: Option<String>,
    #[serde(flatten)]
    pub(in crate::archive) asked: Asked,
}

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
        // A header without records is the beginning of many.
        let has_records =
            |digest: &&String| self.entries.get(digest).is_some_and(|entry| entry.records_that_stay() > 0);
        let begins_with = recognised.begins_with.iter().filter(has_records);
        let mut own: BTreeSet<String> = recognised.same.iter().chain(begins_with).cloned().collect();
        if let Some(place) = place.filter(|place| self.entries.has_path(place)) {
            let (_, ends) = self.on_trial(source, progress).await?;
            own.extend(self.entries.of_recording(&place, ends).map(|entry| entry.digest.clone()));
        }
        let past = own.iter().flat_map(|digest| self.entries.past(digest)).map(|entry| entry.digest.clone());
        let own: BTreeSet<String> = past.collect();
        if let Some(entry) = own.iter().find(|own| self.read.contains(*own)).and_then(|own| self.entries.get(own)) {
            let error = Error::usage(format!("it is a part or a copy of {}, which was just read", entry.name));
            return Err(Failure::Source(error.remedy("give one of the two")));
        }
        let all = self.entries.together(&own);
        let all: Vec<SourceEntry> = all.iter().filter_map(|digest| self.entries.get(digest)).cloned().collect();
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
        self.on_trial(source, progress).await?;
        for (entry, path) in given {
            self.is_as_it_was(entry, path.unwrap_or_default(), progress).await?;
        }
        for entry in &tips {
            self.note_taken_out(entry).await?;
        }
        self.take_out(&all).await?;
        Ok(Vec::new())
    }

    /// Whether a source that goes with another can still be read, and has at least what was added of it.
    async fn is_as_it_was(&self, entry: &SourceEntry, path: PathBuf, progress: &Progress) -> Result<(), Failure> {
        let name = &entry.name;
        let Recognised { same, begins_with } = self.look(path.clone()).await?.recognised;
        if ![same, begins_with].iter().flatten().any(|digest| *digest == entry.digest) {
            let error = Error::usage(format!("its flows went on in {name}, which has another content by now"));
            return Err(Failure::Source(error.remedy("put back what was added from there, and give both")));
        }
        match self.on_trial(&Source::found(path), progress).await {
            Ok(_) => Ok(()),
            Err(Failure::Source(error)) => Err(Failure::Source(
                Error::failed(format!("{name}, which goes with it, cannot be read")).because(error),
            )),
            Err(archive) => Err(archive),
        }
    }

    /// Deletes what sources gave, and forgets them.
    pub(super) async fn take_out(&mut self, entries: &[SourceEntry]) -> Result<()> {
        for entry in entries {
            self.lock.archive().forget(entry).await?;
            self.carried.retain(|carried| carried.source != entry.digest);
        }
        self.entries.remove(&entries.iter().map(|entry| entry.digest.clone()).collect());
        Ok(())
    }

    pub(super) async fn note_taken_out(&mut self, entry: &SourceEntry) -> Result<()> {
        let SourceEntry { digest, name, path, format, asked, .. } = entry.clone();
        let taken_out = TakenOut { digest, name, path, format, asked };
        self.lock.archive().note_taken_out(&taken_out).await?;
        self.taken_out.push(taken_out);
        Ok(())
    }

    /// Forgets the notes that a source is there again.
    pub(super) async fn is_back(&mut self, entry: &SourceEntry) -> Result<()> {
        let is_it = |out: &TakenOut| out.digest == entry.digest || (out.path.is_some() && out.path == entry.path);
        for back in self.taken_out.extract_if(.., |out| is_it(out)) {
            self.lock.archive().forget_taken_out(&back.digest).await?;
        }
        Ok(())
    }
}

impl Archive {
    /// Sources that a run took out to read them anew, and did not before it ended.
    pub(in crate::archive) async fn taken_out(&self, has: impl Fn(&str) -> bool) -> Result<Vec<TakenOut>> {
        let mut all = Vec::new();
        for note in self.objects(Some(&directory())).await? {
            let file = self.file(&note.location).to_owned();
            let Some(json) = self.get(&file).await? else { continue };
            // A note that cannot be read still says that something is missing.
            let unknown = || TakenOut { name: format!("the source of {file}"), ..TakenOut::default() };
            let taken_out: TakenOut = serde_json::from_slice(&json).unwrap_or_else(|_| unknown());
            all.extend((!has(&taken_out.digest)).then_some(taken_out));
        }
        Ok(all)
    }

    /// The names of sources that were taken out to be read anew, and were not.
    ///
    /// # Errors
    /// The archive cannot be read.
    pub async fn unfinished(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for out in self.taken_out(|_| false).await? {
            if self.source(&out.digest).await?.is_none() {
                names.push(out.name);
            }
        }
        Ok(names)
    }

    async fn note_taken_out(&self, taken_out: &TakenOut) -> Result<()> {
        let json = serde_json::to_vec_pretty(taken_out).context(|| format!("noting {}", taken_out.name))?;
        self.put(&path(&taken_out.digest), json).await
    }

    async fn forget_taken_out(&self, digest: &str) -> Result<()> {
        self.delete(&self.place(&path(digest))).await
    }
}

/// Those from which no other of them goes on.
fn tips(entries: &Entries, all: &[SourceEntry]) -> Vec<SourceEntry> {
    let past: BTreeSet<&str> =
        all.iter().flat_map(|entry| entries.past(&entry.digest).skip(1)).map(|entry| entry.digest.as_str()).collect();
    all.iter().filter(|entry| !past.contains(entry.digest.as_str())).cloned().collect()
}

/// Where it is noted what was taken out.
pub(in crate::archive) fn directory() -> String {
    format!("{OWN_DIRECTORY}/again")
}

/// Where it is noted that a source was taken out.
pub(in crate::archive) fn path(digest: &str) -> String {
    format!("{}/{}", directory(), SourceEntry::short(digest))
}
