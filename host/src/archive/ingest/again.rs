//! Reading anew what was ingested before, and what gives way to it then.
//!
//! A source is read to its end before what it gave is taken out, so that one that can no longer be read changes nothing.
//! Sources that share conversations with others are taken out together, once all of them were read on trial. What is taken
//! out is noted, `_wardflow/again/<source>`, until it is there again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Ingest, entries::Entries, failure::Failure, find::Source, known::Recognised, report::Progress};
use crate::{
    archive::{
        ledger::SourceEntry,
        location::{Archive, OWN_DIRECTORY},
    },
    error::{Context, Error, Result},
};

/// A source of which everything was taken out, to be read anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::archive) struct TakenOut {
    pub(in crate::archive) digest: String,
    /// Its path, as it was given.
    pub(in crate::archive) name: String,
    /// The same from the root of the file system.
    pub(in crate::archive) path: Option<String>,
}

impl Ingest<'_> {
    /// What gives way to a source once it has been read. Where others give way with it, all of them are taken out now, and
    /// the run reads them in their turn.
    pub(super) async fn gives_way(
        &mut self,
        source: &Source,
        recognised: &Recognised,
        progress: &Progress,
    ) -> Result<Vec<SourceEntry>, Failure> {
        let place = source.place();
        let mut own: BTreeSet<String> = recognised.same.iter().chain(&recognised.begins_with).cloned().collect();
        let of_path = || place.iter().flat_map(|place| self.entries.of_path(place));
        if of_path().any(|entry| !own.contains(&entry.digest)) {
            let ends = self.on_trial(source, progress).await?;
            let same_time = of_path().filter(|entry| is_of_the_same_time(entry.ends, ends));
            own.extend(same_time.map(|entry| entry.digest.clone()).collect::<Vec<_>>());
        }
        let past = own.iter().flat_map(|digest| self.entries.past(digest)).map(|entry| entry.digest.clone());
        let own: BTreeSet<String> = past.collect();
        let all = self.entries.together(&own);
        let all: Vec<SourceEntry> = all.iter().filter_map(|digest| self.entries.get(digest)).cloned().collect();
        for entry in &all {
            self.lock.archive().refuse_compacted(entry).await.map_err(Failure::Source)?;
        }
        if all.len() == own.len() {
            return Ok(all);
        }
        let tips = tips(&self.entries, &all);
        let others: Vec<_> = tips.iter().filter(|entry| !own.contains(&entry.digest)).collect();
        let is_given = |entry: &SourceEntry| entry.path.as_ref().is_some_and(|path| self.given.contains_key(path));
        let missing: Vec<_> = others.iter().filter(|entry| !is_given(entry)).collect();
        if let Some(first) = missing.first() {
            let (number, name) = (missing.len(), &first.name);
            let error = Error::usage(format!(
                "its flows went on in {number} other files that are not read again, such as {name}"
            ));
            return Err(Failure::Source(error.remedy("give all of them, or the directory that holds them")));
        }
        self.on_trial(source, progress).await?;
        for entry in &others {
            let path = entry.path.as_ref().and_then(|path| self.given.get(path)).cloned();
            let other = Source::found(path.unwrap_or_default());
            let read = self.on_trial(&other, progress).await;
            read.map_err(|failure| match failure {
                Failure::Source(error) => {
                    Failure::Source(Error::failed(format!("{} goes with it and is refused", entry.name)).because(error))
                }
                archive => archive,
            })?;
        }
        for entry in &tips {
            self.note_taken_out(entry).await?;
        }
        self.take_out(&all).await?;
        Ok(Vec::new())
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
        let SourceEntry { digest, name, path, .. } = entry.clone();
        let taken_out = TakenOut { digest, name, path };
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
            let taken_out: TakenOut = serde_json::from_slice(&json)
                .context(|| format!("{file} of the archive cannot be read"))
                .map_err(|error| error.remedy("delete it: it notes only what was to be ingested again"))?;
            all.extend((!has(&taken_out.digest)).then_some(taken_out));
        }
        Ok(all)
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

/// Whether two recordings of one path are of one time, by the ends of their flows: the shorter lies at least half in the
/// other. Logs that are rotated have one path too, and follow each other.
pub(super) fn is_of_the_same_time(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let shared = one.1.min(other.1) - one.0.max(other.0);
    let shorter = (one.1 - one.0).min(other.1 - other.0);
    shared >= 0 && shared >= shorter / 2
}

fn directory() -> String {
    format!("{OWN_DIRECTORY}/again")
}

fn path(digest: &str) -> String {
    format!("{}/{}", directory(), SourceEntry::short(digest))
}

#[cfg(test)]
mod tests {
    use super::is_of_the_same_time;

    #[test]
    fn a_log_that_follows_is_of_another_time() {
        let check =
            |one, other| is_of_the_same_time(Some(one), Some(other)) && is_of_the_same_time(Some(other), Some(one));
        assert!(
            check((0, 100), (0, 50)) && check((0, 100), (50, 150)) && check((7, 7), (7, 7)) && check((0, 9), (5, 5))
        );
        assert!(!check((0, 100), (100, 200)) && !check((0, 100), (60, 160)) && !check((0, 100), (101, 101)));
        assert!(!is_of_the_same_time(None, Some((0, 1))));
    }
}
