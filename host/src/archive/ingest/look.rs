//! What a source is: how it is opened, recognised and told to be of a format, and what reading it takes.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    Ingest, blocking,
    dates::Dates,
    failure::Failure,
    find::{Origin, Source},
    known::Recognised,
    reading::{Outcome, Reading},
    report::Progress,
};
use crate::{
    archive::{
        asides::AsidesWriter,
        content::{Content, HEAD},
        format::Format,
        input::InputFile,
        ledger::LastLine,
        lines::MARK,
        rejects::RejectsWriter,
        writer::ArchiveWriter,
        zeek::ZeekLog,
    },
    error::{Context, Error, Result},
};

/// What is seen of a source before it is read.
pub(super) struct Looked {
    pub(super) file: InputFile,
    pub(super) head: Vec<u8>,
    pub(super) recognised: Recognised,
    /// Digests of the sources whose heads are its beginning.
    pub(super) alike: Vec<String>,
}

/// What tells a source that was read from others.
pub(super) struct Identity {
    pub(super) format: Format,
    pub(super) content: Content,
    /// Earliest and latest end of its flows, microseconds UTC.
    pub(super) ends: Option<(i64, i64)>,
    /// Whether it has records that are whole: a header without is the beginning of many.
    pub(super) has_records: bool,
    /// Digests of the sources whose heads are its beginning.
    pub(super) alike: Vec<String>,
}

impl Identity {
    pub(super) fn new(format: Format, alike: Vec<String>, outcome: &Outcome) -> Self {
        let has_records = outcome.counts.records > u64::from(outcome.last_line != LastLine::Whole);
        Self { format, content: outcome.content.clone(), ends: outcome.ends, has_records, alike }
    }

    /// When the flow that ended first did.
    pub(super) fn first_end(&self) -> Option<i64> {
        self.ends.map(|(first, _)| first)
    }
}

impl Ingest<'_> {
    /// Looks at the beginning of a source, and at as much of it as it takes to recognise it.
    pub(super) async fn look(&self, path: PathBuf) -> Result<Looked, Failure> {
        let known = self.entries.known();
        let first = self.options.first;
        let look = move || -> std::io::Result<_> {
            let file = InputFile::open(&path)?.first(first);
            let mut head = Vec::new();
            let mut content = file.read()?.content;
            // One that breaks off early is told by what can be read of it, and a decoder that has found its input broken may
            // go on with anything.
            let is_whole = content.by_ref().take(HEAD as u64).read_to_end(&mut head).is_ok();
            let recognised = known.recognise(&head, content.take(if is_whole { u64::MAX } else { 0 }));
            let alike = known.alike(&head);
            let mark = if head.starts_with(MARK) { MARK.len() } else { 0 };
            Ok(Looked { file, head: head.split_off(mark), recognised, alike })
        };
        blocking(look).await?.context(|| "it cannot be read".into()).map_err(Failure::Source)
    }

    /// Reads a source and adds nothing.
    pub(super) async fn on_trial(&self, source: &Source, progress: &Progress) -> Result<Identity, Failure> {
        let path = source.path.as_ref().map_err(|error| Failure::Source(Error::failed(error.reason())))?.clone();
        let Looked { file, head, alike, .. } = self.look(path.clone()).await?;
        let format = self.format(source, &head).map_err(Failure::Source)?;
        let scratch = self.lock.archive().scratch()?;
        let progress = Progress { bytes: file.size(), ..progress.clone() };
        let reading = self.reading(path, (file, head), format, &scratch, progress)?;
        let outcome = blocking(|| reading.run()).await??;
        Ok(Identity::new(format, alike, &outcome))
    }

    pub(super) fn format(&self, source: &Source, head: &[u8]) -> Result<Format> {
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

    /// What reading a source takes that goes on from none.
    pub(super) fn reading(
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
            dates: Dates::new(options.start),
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
            stop: options.stop.clone(),
            on_progress: options.progress.clone(),
        })
    }
}
