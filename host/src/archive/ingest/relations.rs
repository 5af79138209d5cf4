//! What a source has to do with those that are there: what it goes on from or replaces, and what it is a part of.

use std::{collections::BTreeSet, io::Read, path::Path};

use super::{
    Ingest, blocking,
    failure::Failure,
    find::Source,
    known::Recognised,
    look::Identity,
    report::{Progress, SourceReport},
};
use crate::{
    archive::{
        carried::{self, Carried, Line},
        content::{Content, HEAD},
        format::Format,
        input::InputFile,
        ledger::{LastLine, SourceEntry},
        zeek::ZeekLog,
    },
    error::{Error, Result},
};

/// What a source has to do with those that are there.
#[derive(Default)]
pub(super) struct Relations {
    /// Records at its beginning that are in the archive already.
    pub(super) skip: u64,
    /// The source that it goes on from.
    pub(super) continues: Option<String>,
    /// That one, where its last reject was a record that was being written, or of which the rest was missing.
    pub(super) read_on: Option<SourceEntry>,
    /// Those that give way to it.
    pub(super) replaces: Vec<SourceEntry>,
    /// What the source before it left waiting.
    pub(super) before: Option<Carried>,
}

impl Ingest<'_> {
    /// Looks for what the source replaces or goes on from.
    pub(super) async fn relations(
        &mut self,
        source: &Source,
        format: Format,
        (recognised, head): (&Recognised, &[u8]),
        progress: &Progress,
        report: &mut SourceReport,
    ) -> Result<Relations, Failure> {
        let mut relations = Relations::default();
        let is_of_this_run = |digest: &String| self.read.contains(digest) && self.entries.has_records(digest);
        if self.options.again && !recognised.begins_with.as_ref().is_some_and(is_of_this_run) {
            let held = self.entries.len();
            relations.replaces = self.gives_way(source, recognised, progress).await?;
            if !relations.replaces.is_empty() {
                let flows: u64 = relations.replaces.iter().map(|old| old.counts.flows).sum();
                let names: BTreeSet<String> = relations.replaces.iter().map(added).collect();
                let names = names.into_iter().collect::<Vec<_>>().join(", and ");
                report.notes.push(format!("in place of {flows} flows that were added {names}"));
            } else if self.entries.len() < held {
                report.notes.push("it was there, and was read again, as you asked".to_owned());
            }
        } else if let Some(digest) = &recognised.begins_with
            && let Some(entry) = self.entries.get(digest)
        {
            let name = &entry.name;
            if format.goes_on() && self.entries.has_records(digest) && same_log(entry, head, source) {
                let asked = self.options.asked(format);
                if asked != entry.asked {
                    let [then, now] = [&entry.asked, &asked].map(|asked| match asked.options() {
                        none if none.is_empty() => "no options".to_owned(),
                        options => options.trim_start().to_owned(),
                    });
                    let note = format!("what was added of it before was read with {then}, and the rest with {now}");
                    report.notes.push(note + "; --again reads all of it with what is given");
                }
                relations.skip = entry.records_that_stay();
                relations.continues = Some(digest.clone());
                relations.read_on =
                    Some(entry).filter(|old| old.last_line != LastLine::Whole && old.counts.rejects > 0).cloned();
                report.notes.push(format!("its first {} records were added before, from {name}", relations.skip));
                report.notes.extend(self.lost(Some(digest)).await);
            } else if !format.goes_on() {
                self.lock.archive().refuse_compacted(entry).await.map_err(Failure::Source)?;
                report.notes.push(format!("it has grown: its flows replace those that were added from {name}"));
                relations.replaces.push(entry.clone());
            }
        }
        let line = Line::of(format, source.place().as_deref());
        let is_before = |carried: &&Carried| {
            carried.line == line && relations.replaces.iter().all(|old| old.digest != carried.source)
        };
        relations.before = self.carried.iter().find(is_before).cloned();
        Ok(relations)
    }

    /// Refuses the beginning of a source that is there and stays. `goes` are digests of those that do not.
    pub(super) async fn refuse_beginning(&self, it: &Identity, goes: &BTreeSet<String>) -> Result<(), Failure> {
        if !it.has_records {
            return Ok(());
        }
        for longer in self.entries.longer(it).into_iter().filter(|entry| !goes.contains(&entry.digest)) {
            if is_beginning_of(&it.content, longer).await? {
                let error = Error::usage(format!("it is the beginning of what was added {}", added(longer)));
                return Err(Failure::Source(error.remedy("leave it out: its flows are there")));
            }
        }
        Ok(())
    }

    /// What to tell of a source of whose recording something else was added before: half of it, all of it, or damaged.
    pub(super) fn told_of_alike(&self, source: &Source, relations: &Relations, it: &Identity) -> Option<String> {
        let past: Vec<_> = relations.continues.iter().flat_map(|digest| self.entries.past(digest)).collect();
        let is_other = |entry: &&SourceEntry| {
            let digests = past.iter().copied().chain(&relations.replaces).map(|related| &related.digest);
            entry.digest != it.content.digest && !digests.into_iter().any(|digest| *digest == entry.digest)
        };
        let place = source.place();
        let at_place = place.iter().flat_map(|place| self.entries.of_recording(place, it.ends)).find(is_other);
        if let Some(other) = at_place {
            return Some(format!(
                "it begins as what was added {}, and both count now; if that was half of it, or damaged, --again puts this \
                 one in its place",
                added(other)
            ));
        }
        let alike = self.entries.beginning_alike(it).find(is_other);
        alike.map(|other| {
            format!(
                "it begins as what was added {}, and both count now; where the shorter one is a part of the longer one, that \
                 with --again takes its place",
                added(other)
            )
        })
    }

    /// What to tell of a source, or of one that it goes on from, of which the archive holds no longer what was added.
    pub(super) async fn lost(&self, source: Option<&str>) -> Option<String> {
        for entry in source.iter().flat_map(|digest| self.entries.past(digest)) {
            if !self.lock.archive().holds(entry).await {
                let name = &entry.name;
                return Some(format!(
                    "of the flows that were added from {name}, files are gone or damaged; --again reads all of it anew"
                ));
            }
        }
        None
    }

    /// Whether there are flows of a source that the ledger does not have, though no run was killed that wrote them.
    pub(super) fn is_without_entry(&self, digest: &str) -> bool {
        let names = [SourceEntry::short(digest).to_owned(), carried::name(digest)];
        !self.entries.contains(digest) && names.iter().any(|name| self.left_over.contains_key(name))
    }
}

/// Where and when a source was added.
fn added(entry: &SourceEntry) -> String {
    let then = jiff::Timestamp::from_microsecond(entry.ingested_at).unwrap_or_default();
    format!("from {} on {}", entry.name, then.strftime("%Y-%m-%d at %H:%M UTC"))
}

/// Whether a source may be a log that went on from another: of Zeek's logs, one of the same name.
fn same_log(entry: &SourceEntry, head: &[u8], source: &Source) -> bool {
    let name = |path: &str| Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    match (ZeekLog::of_name(&name(&entry.name)), ZeekLog::of_content(head, &name(&source.name))) {
        (Some(before), Ok(now)) => before == now,
        _ => true,
    }
}

/// Whether a content is the beginning of a longer one that was added, as far as that still lies where it lay. One whose head
/// tells little may have come in its place.
async fn is_beginning_of(content: &Content, longer: &SourceEntry) -> Result<bool> {
    let (Some(path), bytes, digest) = (longer.path.clone(), content.bytes, content.digest.clone()) else {
        return Ok(false);
    };
    let compare = move || -> std::io::Result<bool> {
        let mut longer = InputFile::open(Path::new(&path))?.read()?.content;
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut longer.by_ref().take(bytes), &mut hasher)?;
        let goes_on = bytes >= HEAD as u64 || longer.read(&mut [0])? > 0;
        Ok(goes_on && hasher.finalize().to_hex().as_str() == digest)
    };
    Ok(blocking(compare).await?.unwrap_or(false))
}
