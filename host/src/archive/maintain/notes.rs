//! What becomes of the archive's own notes: those that cannot be read, entries that the ledger lost, and sources that were
//! taken out and not read.

use std::collections::BTreeSet;

use super::{
    check::{Check, TO_MOVE},
    holdings::Holdings,
    records::Records,
    repair,
    report::Problem,
};
use crate::{
    archive::{SourceEntry, carried, copies, ledger},
    error::Result,
};

impl Check<'_> {
    /// Moves notes that cannot be read out of the way. Returns the sources whose conversations are lost so.
    pub(super) async fn unreadable_notes(&mut self, records: &Records) -> Result<BTreeSet<String>> {
        let mut without_conversations = BTreeSet::new();
        let followed = records.followed();
        let lost: BTreeSet<String> = records.lost().iter().map(|entry| ledger::path(&entry.digest)).collect();
        let copies: BTreeSet<String> =
            records.entries.iter().map(|entry| copies::path(SourceEntry::short(&entry.digest))).collect();
        for (file, reason) in &records.unreadable {
            if copies.contains(file) {
                let (put, to_put) = ("it was written again, from its entry", "writes it again, from its entry");
                self.tell_of_note(file.clone(), format!("it cannot be read: {reason}"), put, to_put);
            } else if lost.contains(file) {
                if let Some(lock) = self.lock {
                    repair::set_aside(lock, file).await?;
                }
                let (put, to_put) = ("it was put back from its copy", "puts it back from its copy");
                self.tell_of_note(file.clone(), format!("it cannot be read: {reason}"), put, to_put);
            } else {
                let what = format!("it cannot be read, and what it noted is lost: {reason}");
                self.set_aside(file, what, TO_MOVE.to_owned()).await?;
                let is_of = |entry: &&SourceEntry| *file == carried::path(SourceEntry::short(&entry.digest));
                let source = records.entries.iter().find(is_of).map(|entry| entry.digest.clone());
                without_conversations.extend(source.filter(|digest| !followed.contains(digest.as_str())));
            }
        }
        Ok(without_conversations)
    }

    /// Puts back entries that the ledger lost, and returns them.
    pub(super) async fn lost_entries(&mut self, records: &Records) -> Result<Vec<SourceEntry>> {
        let lost = records.lost();
        for entry in &lost {
            if let Some(lock) = self.lock {
                lock.archive().record_source(entry).await?;
            }
            let file = ledger::path(&entry.digest);
            if !records.unreadable.iter().any(|(unreadable, _)| *unreadable == file) {
                let what = format!("it is missing, the ledger's entry of {}", entry.name);
                self.tell_of_note(file, what, "it was put back from its copy", "puts it back from its copy");
            }
        }
        Ok(lost)
    }

    /// Puts copies in the place of entries that are not what there is of their sources, where the copies are, and returns
    /// them. Other copies that are not those of their entries are written again.
    pub(super) async fn damaged_entries(
        &mut self,
        records: &Records,
        holdings: &Holdings<'_>,
    ) -> Result<Vec<SourceEntry>> {
        let mut damaged = Vec::new();
        for (entry, copy) in records.uncopied() {
            match copy.filter(|copy| !holdings.is_whole(entry) && holdings.is_whole(copy)) {
                Some(copy) => {
                    if let Some(lock) = self.lock {
                        lock.archive().record_source(copy).await?;
                    }
                    let what = format!("it is not what there is of {}, and its copy is", copy.name);
                    let (put, to_put) = ("it was put back from its copy", "puts it back from its copy");
                    self.tell_of_note(ledger::path(&copy.digest), what, put, to_put);
                    damaged.push(copy.clone());
                }
                None => {
                    if let Some(lock) = self.lock {
                        lock.archive().copy_entry(entry).await?;
                    }
                }
            }
        }
        Ok(damaged)
    }

    /// Tells of flows that wait for the source that follows theirs: after an ingest that was killed, since another one writes
    /// them in its end. To write them here would part them from what the rest of those sources has of them.
    pub(super) fn tell_of_waiting(&mut self, records: &Records) {
        let followed = records.followed();
        for carried in &records.carried {
            let source = records.entries.iter().find(|entry| entry.digest == carried.source);
            let Some(source) = source.filter(|_| !followed.contains(carried.source.as_str())) else { continue };
            if source.counts.waiting > 0 {
                let file = carried::path(SourceEntry::short(&source.digest));
                let (name, flows) = (&source.name, source.counts.waiting);
                let what = format!("an ingest was killed: {flows} flows of {name} wait for the file after it");
                let remedy = "nothing is lost: ingest again what was being ingested, which writes them".to_owned();
                self.report.problems.push(Problem { file, what, remedy, mended: false });
            }
        }
    }

    /// Tells of sources that a run took out to read them anew, and did not before it ended.
    pub(super) fn tell_of_taken_out(&mut self, records: &Records) {
        for out in &records.taken_out {
            let (what, remedy) = match &out.unreadable {
                None => (
                    format!("what {} had given was taken out to be read anew, and was not read yet", out.source.name),
                    "ingest it again, as said below; or delete this file, to do without",
                ),
                Some(reason) => (
                    format!("a source was taken out to be read anew, and which it was cannot be read: {reason}"),
                    "ingest with --again what was given to the run that was killed, then delete this file",
                ),
            };
            if out.unreadable.is_none() {
                self.report.ingest_again.push(out.source.clone());
            }
            let (file, remedy) = (out.file.clone(), remedy.to_owned());
            self.report.problems.push(Problem { file, what, remedy, mended: false });
        }
    }

    /// Tells of a note that is put right, or would be.
    fn tell_of_note(&mut self, file: String, what: String, put: &str, to_put: &str) {
        let remedy = match self.lock {
            Some(_) => put.to_owned(),
            None => format!("nothing is lost: `wardflow archive check --repair` {to_put}"),
        };
        self.report.problems.push(Problem { file, what, remedy, mended: self.lock.is_some() });
    }
}
