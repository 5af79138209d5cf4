//! One source: what it is, whether it is known, and into the archive with it.

use std::{
    collections::BTreeSet,
    io::Read,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    Ingest, OPEN_FLOWS, blocking,
    failure::Failure,
    find::{Origin, Source},
    known::Recognised,
    options,
    reading::{Outcome, Reading},
    report::{Progress, SourceReport, SourceStatus},
};
use crate::{
    archive::{
        asides::AsidesWriter,
        carried::{self, Carried, Line},
        content::{Content, HEAD},
        format::Format,
        input::InputFile,
        ledger::{LastLine, SourceEntry},
        lines::MARK,
        rejects::{self, RejectsWriter},
        writer::ArchiveWriter,
        zeek::ZeekLog,
    },
    error::{Context, Error, Result},
};

/// What is seen of a source before it is read.
pub(super) struct Looked {
    file: InputFile,
    head: Vec<u8>,
    pub(super) recognised: Recognised,
}

/// What a source has to do with those that are there.
#[derive(Default)]
struct Relations {
    /// Records at its beginning that are in the archive already.
    skip: u64,
    /// The source that it goes on from.
    continues: Option<String>,
    /// That one, where its last reject was a line that was being written.
    read_on: Option<SourceEntry>,
    /// Those that give way to it.
    replaces: Vec<SourceEntry>,
    /// What the source before it left waiting.
    before: Option<Carried>,
}

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
        let Looked { file, head, recognised } = self.look(path.clone()).await?;
        let is_kept = |same: &&String| !options.again || self.read.contains(*same);
        if let Some(entry) = recognised.same.as_ref().filter(is_kept).and_then(|same| self.entries.get(same)) {
            if archive.holds(entry).await {
                report.notes.extend(options.other_than(entry).then(|| options::UNCHANGED.to_owned()));
                report.notes.extend(self.lost(entry.continues.as_deref()).await);
                report.take_counts(entry);
                return Ok(SourceStatus::AlreadyThere);
            }
            if self.entries.chains().joined(&entry.digest).len() > 1 {
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

        let mut relations = self.relations(&source, format, (&recognised, &head), &progress, report).await?;
        let line = Line::of(format, source.place().as_deref());
        let is_before = |carried: &&Carried| {
            carried.line == line && relations.replaces.iter().all(|old| old.digest != carried.source)
        };
        relations.before = self.carried.iter().find(is_before).cloned();
        let ingested_at = jiff::Timestamp::now().as_microsecond();
        let scratch = archive.scratch()?;
        let reading = Reading {
            skip: relations.skip,
            carried: relations.before.as_ref().map(|before| before.conversations.clone()).unwrap_or_default(),
            rejects: RejectsWriter::new(&scratch.path().join("rejects"), &source.name, ingested_at),
            ..self.reading(path, (file, head), format, &scratch, progress)?
        };
        let outcome = blocking(|| reading.run()).await??;
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
        report.notes.extend(self.told_of_alike(&source, &relations, &outcome).await?);
        if outcome.counts.has_joined() && !options.again && self.is_without_entry(&outcome.content.digest) {
            let error = Error::failed("flows of it are in the archive, and its entry in the ledger is gone");
            return Err(Failure::Source(
                error.remedy("give it with --again, together with the files that lay beside it when it was added"),
            ));
        }
        self.commit(&source, format, line, relations, outcome, ingested_at, report).await?;
        Ok(SourceStatus::Added)
    }

    /// Reads a source and adds nothing. Its content is returned, and when its flows ended, the first and the last.
    pub(super) async fn on_trial(
        &self,
        source: &Source,
        progress: &Progress,
    ) -> Result<(Content, Option<(i64, i64)>), Failure> {
        let path = source.path.as_ref().map_err(|error| Failure::Source(Error::failed(error.reason())))?.clone();
        let Looked { file, head, .. } = self.look(path.clone()).await?;
        let format = self.format(source, &head).map_err(Failure::Source)?;
        let scratch = self.lock.archive().scratch()?;
        let progress = Progress { bytes: file.size(), ..progress.clone() };
        let reading = self.reading(path, (file, head), format, &scratch, progress)?;
        let outcome = blocking(|| reading.run()).await??;
        Ok((outcome.content, outcome.ends))
    }

    /// Looks at the beginning of a source, and at as much of it as it takes to recognise it.
    pub(super) async fn look(&self, path: PathBuf) -> Result<Looked, Failure> {
        let known = self.entries.known();
        let look = move || -> std::io::Result<_> {
            let file = InputFile::open(&path)?;
            let mut head = Vec::new();
            let mut content = file.read()?.content;
            // One that breaks off early is told by what can be read of it, and a decoder that has found its input broken may
            // go on with anything.
            let is_whole = content.by_ref().take(HEAD as u64).read_to_end(&mut head).is_ok();
            let recognised = known.recognise(&head, content.take(if is_whole { u64::MAX } else { 0 }));
            let mark = if head.starts_with(MARK) { MARK.len() } else { 0 };
            Ok(Looked { file, head: head.split_off(mark), recognised })
        };
        blocking(look).await?.context(|| "it cannot be read".into()).map_err(Failure::Source)
    }

    fn format(&self, source: &Source, head: &[u8]) -> Result<Format> {
        let path = source.path.as_deref().unwrap_or(Path::new(""));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let told = |format| Ok(format);
        let format =
            self.options.format.map_or_else(|| Format::of(head, &name, self.options.mapping.is_some()), told)?;
        // Of the logs that lie about, some are read along with others.
        if format == Format::Zeek && source.origin != Origin::Named {
            ZeekLog::of_content(head, &name)?;
        }
        Ok(format)
    }

    /// Looks for what the source replaces or goes on from.
    async fn relations(
        &mut self,
        source: &Source,
        format: Format,
        (recognised, head): (&Recognised, &[u8]),
        progress: &Progress,
        report: &mut SourceReport,
    ) -> Result<Relations, Failure> {
        let mut relations = Relations::default();
        let has_records = |digest: &String| self.entries.get(digest).is_some_and(|entry| entry.records_that_stay() > 0);
        let is_of_this_run = |digest: &String| self.read.contains(digest) && has_records(digest);
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
            // A header without records is the beginning of many.
            if format.goes_on() && entry.records_that_stay() > 0 && same_log(entry, head, source) {
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
                    Some(entry).filter(|old| old.last_line == LastLine::Open && old.counts.rejects > 0).cloned();
                report.notes.push(format!("its first {} records were added before, from {name}", relations.skip));
                report.notes.extend(self.lost(Some(digest)).await);
            } else if !format.goes_on() {
                self.lock.archive().refuse_compacted(entry).await.map_err(Failure::Source)?;
                report.notes.push(format!("it has grown: its flows replace those that were added from {name}"));
                relations.replaces.push(entry.clone());
            }
        }
        Ok(relations)
    }

    fn reading(
        &self,
        path: PathBuf,
        (file, head): (InputFile, Vec<u8>),
        format: Format,
        scratch: &TempDir,
        progress: Progress,
    ) -> Result<Reading> {
        let options = self.options;
        let make = |name: &str| -> Result<PathBuf> {
            let path = scratch.path().join(name);
            std::fs::create_dir(&path).context(|| format!("making {}", path.display()))?;
            Ok(path)
        };
        let writer = || ArchiveWriter::new(self.lock, options.space.clone());
        Ok(Reading {
            path,
            file,
            head,
            format,
            skip: 0,
            start: options.start,
            sampling: options.sampling,
            sensor: options.sensor.clone(),
            mapping: options.mapping.clone(),
            zone: options.timezone.clone(),
            max_rejects: options.max_rejects,
            carried: Vec::new(),
            writer: writer()?,
            open: format.has_open().then(writer).transpose()?,
            rejects: RejectsWriter::new(&scratch.path().join("rejects"), &progress.source, 0),
            asides: AsidesWriter::new(&make("asides")?, &progress.source),
            scratch: make("programs")?,
            progress,
            on_progress: options.progress.clone(),
        })
    }

    /// Makes what was read visible, in place of what gives way to it.
    #[allow(clippy::too_many_arguments, reason = "all that is known of the source, once")]
    async fn commit(
        &mut self,
        source: &Source,
        format: Format,
        line: Line,
        relations: Relations,
        outcome: Outcome,
        ingested_at: i64,
        report: &mut SourceReport,
    ) -> Result<()> {
        let Outcome { staged, open, rejects, asides, content, last_line, carried, counts, ends, notes } = outcome;
        let Relations { continues, read_on, replaces, before, .. } = relations;
        let archive = self.lock.archive();
        let short = SourceEntry::short(&content.digest).to_owned();
        report.notes.extend(notes);
        report.counts = counts.clone();
        report.digest.clone_from(&content.digest);
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
        self.is_back(&entry).await?;
        self.read.insert(entry.digest.clone());
        self.entries.add(entry);
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

    /// Whether there are flows of a source that the ledger does not have, though no run was killed that wrote them.
    fn is_without_entry(&self, digest: &str) -> bool {
        let names = [SourceEntry::short(digest).to_owned(), carried::name(digest)];
        !self.entries.contains(digest) && names.iter().any(|name| self.left_over.contains_key(name))
    }

    /// What to tell of a source of whose recording something else was added before: half of it, all of it, or damaged.
    ///
    /// # Errors
    /// It is the beginning of one that is there.
    async fn told_of_alike(
        &self,
        source: &Source,
        relations: &Relations,
        outcome: &Outcome,
    ) -> Result<Option<String>, Failure> {
        let (content, ends) = (&outcome.content, outcome.ends);
        let past: Vec<_> = relations.continues.iter().flat_map(|digest| self.entries.past(digest)).collect();
        let is_other = |entry: &&SourceEntry| {
            let digests = past.iter().copied().chain(&relations.replaces).map(|related| &related.digest);
            entry.digest != content.digest && !digests.into_iter().any(|digest| *digest == entry.digest)
        };
        for longer in self.entries.beginning_alike(content, ends).filter(|entry| entry.bytes > content.bytes) {
            if is_beginning_of(content, longer).await? {
                let error = Error::usage(format!("it is the beginning of what was added {}", added(longer)));
                return Err(Failure::Source(error.remedy("leave it out: its flows are there")));
            }
        }
        let place = source.place();
        let at_place = place.iter().flat_map(|place| self.entries.of_recording(place, ends)).find(is_other);
        if let Some(other) = at_place {
            return Ok(Some(format!(
                "it begins as what was added {}, and both count now; if that was half of it, or damaged, --again puts this \
                 one in its place",
                added(other)
            )));
        }
        let alike = self.entries.beginning_alike(content, ends).find(is_other);
        Ok(alike.map(|other| {
            format!(
                "it begins as what was added {}, and both count now; where the shorter one is a part of the longer one, that \
                 with --again takes its place",
                added(other)
            )
        }))
    }

    /// What to tell of a source, or of one that it goes on from, of which the archive holds no longer what was added.
    async fn lost(&self, source: Option<&str>) -> Option<String> {
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
}

/// What becomes of a source that has no path.
fn unnamed(origin: Origin, error: Error) -> Result<SourceStatus, Failure> {
    if origin == Origin::Link { Ok(SourceStatus::PassedOver(error)) } else { Err(Failure::Source(error)) }
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

/// Whether a content is the beginning of a longer one that was added, as far as that still lies where it lay.
async fn is_beginning_of(content: &Content, longer: &SourceEntry) -> Result<bool> {
    let (Some(path), bytes, digest) = (longer.path.clone(), content.bytes, content.digest.clone()) else {
        return Ok(false);
    };
    let compare = move || -> std::io::Result<bool> {
        let mut beginning = InputFile::open(Path::new(&path))?.read()?.content.take(bytes);
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut beginning, &mut hasher)?;
        Ok(hasher.finalize().to_hex().as_str() == digest)
    };
    Ok(blocking(compare).await?.unwrap_or(false))
}
