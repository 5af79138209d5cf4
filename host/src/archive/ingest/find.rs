//! Which sources an input stands for.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    archive::{
        discover::{self, Found},
        format::Format,
        zeek::{self, ZeekLog},
    },
    disk::File,
    error::{Context, Error, Result},
};

/// A source, or why there is none.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) path: Result<PathBuf>,
    pub(super) origin: Origin,
}

/// How a source came to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was named.
    Named,
    /// It lies in a directory that was, or beside a log: what is of no format is passed over then.
    Found,
    /// It lies in a directory and is passed over unread: a link to another directory, or what its name says is no log.
    Link,
}

/// The sources that an input stands for: itself, what lies in it, or what lies beside it.
pub(super) fn find(input: &str, format: Option<Format>, spooled: Option<&Path>) -> Vec<Source> {
    let path = Path::new(input);
    if input == "-" {
        let none = || Error::usage("there is no standard input").remedy("name a file or a directory");
        vec![Source::named(input, spooled.map(Path::to_owned).ok_or_else(none))]
    } else if path.is_dir() {
        inside(path, format).unwrap_or_else(|error| vec![Source::named(input, Err(error))])
    } else {
        let neighbours = beside(path, format).into_iter().map(Source::found);
        std::iter::once(Source::named(input, Ok(path.to_owned()))).chain(neighbours).collect()
    }
}

impl Source {
    fn named(input: &str, path: Result<PathBuf>) -> Self {
        Self { name: input.to_owned(), path, origin: Origin::Named }
    }

    pub(super) fn found(path: PathBuf) -> Self {
        Self { name: path.display().to_string(), path: Ok(path), origin: Origin::Found }
    }

    fn unreadable((directory, error): (PathBuf, io::Error)) -> Self {
        let error = Error::failed("the directory cannot be read")
            .because(error)
            .remedy("let the user who ingests read it, or name the directories that are to be read");
        Self { name: directory.display().to_string(), path: Err(error), origin: Origin::Found }
    }

    /// Its path, from the root of the file system; none of standard input.
    pub(super) fn place(&self) -> Option<String> {
        let path = self.path.as_ref().ok().filter(|_| self.name != "-")?;
        Some(std::path::absolute(path).ok()?.display().to_string())
    }

    fn misnamed(path: PathBuf) -> Self {
        let error = Error::usage("by its name it is no conn.log");
        let error = error.remedy("name it itself, or say `auto` to have it told by its content");
        Self { name: path.display().to_string(), path: Err(error), origin: Origin::Link }
    }

    fn link(path: PathBuf) -> Self {
        let error = Error::usage("it is a link to a directory").remedy("name it itself to have what it holds");
        Self { name: path.display().to_string(), path: Err(error), origin: Origin::Link }
    }
}

fn inside(directory: &Path, format: Option<Format>) -> Result<Vec<Source>> {
    let Found { files, links, unreadable } =
        discover::files(directory, |name| !is_unfinished(name)).context(|| "the directory cannot be read".into())?;
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format != Some(Format::Zeek) || ZeekLog::of_name(&name).is_some()
    };
    let (files, others): (Vec<_>, Vec<_>) = files.into_iter().partition(is_wanted);
    let looks_wanted = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("conn"));
    let others = others.into_iter().filter(looks_wanted);
    if files.is_empty() && unreadable.is_empty() {
        return Err(match format {
            Some(Format::Zeek) => Error::usage("the directory holds no conn.log")
                .remedy("give a directory with Zeek's conn.log, rotated or not, or the file itself"),
            _ => Error::usage("the directory holds no files").remedy("give a directory with flow records, or a file"),
        });
    }
    let found = files
        .into_iter()
        .map(Source::found)
        .chain(others.map(Source::misnamed))
        .chain(links.into_iter().map(Source::link));
    Ok(found.chain(unreadable.into_iter().map(Source::unreadable)).collect())
}

/// Logs of the same rotation beside a `conn.log`, that are read for themselves.
fn beside(path: &Path, format: Option<Format>) -> Vec<PathBuf> {
    if !matches!(format, None | Some(Format::Zeek)) {
        return Vec::new();
    }
    let others = ZeekLog::ALL.into_iter().filter(|log| *log != ZeekLog::Conn);
    others.filter_map(|log| zeek::beside(path, log.path())).collect()
}

/// Whether a file is being written, by its name: `nfcapd` and `tcpdump` rename theirs when they are whole.
fn is_unfinished(name: &str) -> bool {
    name.contains(".current") || [".tmp", ".part", ".partial"].iter().any(|ending| name.ends_with(ending))
}

/// Copies a stream into a file, so that it can be recognised before it is read.
pub(super) fn spool(mut input: Box<dyn Read + Send>, path: PathBuf) -> Result<PathBuf> {
    let mut copy = || io::copy(&mut input, &mut File::create(&path)?);
    copy().context(|| "copying standard input into the archive's directory".into())?;
    Ok(path)
}
