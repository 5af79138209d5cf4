//! One source of an ingest: where it is, and reading it to its end.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{
    content::{Content, Digested},
    encoder::Staged,
    ingest::{OnProgress, Progress},
    input::InputFile,
    ledger::LastLine,
    rejects::RejectsWriter,
    writer::ArchiveWriter,
    zeek::{self, ConnLine, ConnLog, NameLog, Names},
};
use crate::error::{Context, Error, Result};

/// A source, or why there is none.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) path: Result<PathBuf>,
}

/// By whose doing a source was not added.
pub(super) enum Failure {
    /// The source's: it is refused, and the others go on.
    Source(Error),
    /// The archive's: nothing goes on.
    Archive(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Archive(error)
    }
}

/// All that reading a source takes.
pub(super) struct Reading {
    pub(super) path: PathBuf,
    pub(super) file: InputFile,
    /// Lines at its beginning that are in the archive already.
    pub(super) skip: u64,
    pub(super) sensor: Option<String>,
    pub(super) writer: ArchiveWriter,
    pub(super) rejects: RejectsWriter,
    pub(super) progress: Progress,
    pub(super) on_progress: Option<OnProgress>,
}

/// What reading a source gave. Nothing of it is visible yet.
pub(super) struct Outcome {
    pub(super) staged: Staged,
    pub(super) rejects: Option<PathBuf>,
    pub(super) content: Content,
    pub(super) last_line: LastLine,
    pub(super) counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Lines that are no headers, those that were skipped too.
    pub(super) lines: u64,
    pub(super) flows: u64,
    pub(super) rejects: u64,
    pub(super) names_joined: u64,
    pub(super) notes: Vec<String>,
}

/// The sources that an input stands for.
pub(super) fn find(input: &str, spooled: Option<&Path>) -> Vec<Source> {
    let path = PathBuf::from(input);
    let one = if input == "-" {
        let none = || Error::usage("there is no standard input").remedy("name a file or a directory");
        spooled.map(Path::to_owned).ok_or_else(none)
    } else if path.is_dir() {
        match zeek::conn_logs(&path) {
            Ok(zeek::Found { logs, unreadable }) if !logs.is_empty() || !unreadable.is_empty() => {
                let source = |log: PathBuf| Source { name: log.display().to_string(), path: Ok(log) };
                let refused = |(directory, error): (PathBuf, io::Error)| Source {
                    name: directory.display().to_string(),
                    path: Err(Error::failed("the directory cannot be read")
                        .because(error)
                        .remedy("let the user who ingests read it, or name the directories that are to be read")),
                };
                return logs.into_iter().map(source).chain(unreadable.into_iter().map(refused)).collect();
            }
            Ok(_) => Err(Error::usage("the directory holds no conn.log")
                .remedy("give a directory with Zeek's conn.log, rotated or not, or the file itself")),
            Err(error) => Err(Error::failed("the directory cannot be read").because(error)),
        }
    } else if zeek::is_of_open_connections(&path) {
        let rule = "it holds connections that are still open, each of which is in conn.log again when it closes";
        Err(Error::usage(rule).remedy("ingest conn.log alone"))
    } else {
        Ok(path)
    };
    vec![Source { name: input.to_owned(), path: one }]
}

/// Copies a stream into a file, so that it can be recognised before it is read.
pub(super) fn spool(mut input: Box<dyn Read + Send>, path: PathBuf) -> Result<PathBuf> {
    let mut copy = || io::copy(&mut input, &mut File::create(&path)?);
    copy().context(|| "copying standard input into the archive's directory".into())?;
    Ok(path)
}

impl Reading {
    /// Reads the source to its end. Blocks.
    pub(super) fn run(mut self) -> Result<Outcome, Failure> {
        const PROGRESS_EVERY: Duration = Duration::from_millis(200);
        let mut counts = Counts::default();
        let names = names_beside(&self.path, &mut counts.notes);
        let input = self.file.read().context(|| "it cannot be read".into()).map_err(Failure::Source)?;
        let mut content = Digested::new(input.content);
        let mut log = ConnLog::new(&mut content, names, self.sensor.take());
        let mut first_reason = None;
        let mut refused = 0;
        let mut told = Instant::now();
        while let Some(line) = log.next_line().map_err(Failure::Source)? {
            counts.lines += 1;
            match line {
                _ if counts.lines <= self.skip => {}
                ConnLine::Flow(flow) => {
                    counts.flows += 1;
                    counts.names_joined += u64::from(flow.dst_name.is_some());
                    self.writer.push(&flow)?;
                }
                ConnLine::Reject(reject) => {
                    counts.rejects += 1;
                    refused = reject.line;
                    self.rejects.push(&reject)?;
                    first_reason.get_or_insert(reject.reason);
                }
            }
            if counts.lines.is_multiple_of(4_096) && told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                self.tell(input.bytes_read.load(Ordering::Relaxed), counts.flows);
            }
        }
        if let (0, 0, Some(reason)) = (self.skip, counts.flows, first_reason) {
            return Err(Failure::Source(
                Error::usage(format!("none of its {} lines is a flow; the first: {reason}", counts.rejects))
                    .remedy("give Zeek's conn.log"),
            ));
        }
        self.tell(self.file.size(), counts.flows);
        let (is_last_refused, is_broken) = (refused == log.number(), log.is_broken());
        let content = content.content();
        let last_line = match (is_last_refused, is_broken, content.is_open) {
            (true, true, _) => LastLine::Broken,
            (true, false, true) => LastLine::Open,
            _ => LastLine::Whole,
        };
        let staged = self.writer.stage()?;
        Ok(Outcome { staged, rejects: self.rejects.finish()?, content, last_line, counts })
    }

    fn tell(&mut self, bytes_read: u64, flows: u64) {
        if let Some(on_progress) = &self.on_progress {
            (self.progress.bytes_read, self.progress.flows) = (bytes_read, flows);
            on_progress(&self.progress);
        }
    }
}

/// Names from the logs of the same rotation. A log that cannot be read costs names and no flow: it is noted.
fn names_beside(conn_log: &Path, notes: &mut Vec<String>) -> Names {
    let mut names = Names::default();
    for log in NameLog::ALL {
        let Some(path) = zeek::beside(conn_log, log.path()) else {
            continue;
        };
        let mut read = || -> Result<()> {
            let input = InputFile::open(&path).and_then(|file| file.read()).context(|| "opening it".into())?;
            names.read(input.content, log)
        };
        if let Err(error) = read() {
            notes.push(format!("names of {} are missing: {error}", path.display()));
        }
    }
    if names.dropped() > 0 {
        notes.push(format!("{} names beside it were not joined, since there are too many", names.dropped()));
    }
    names
}
