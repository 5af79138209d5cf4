//! Mutated input files: whatever a reader is given, the host goes on, in bounded memory.
//!
//! Each goes through the archive's `ingest` into an archive of its own; a flow file of the archive through the listing and a
//! scan of all columns. `nfdump` and `pcap` are read by the programs `nfdump` and `nfpcapd` first, which refuse most of what
//! is damaged. So `nfdump-records` puts damaged output in place of what `nfdump` writes, where the reader in this process
//! is alone with it.

mod case;
mod flow_file;
mod read;
mod seeds;
mod text;

use std::{fs, ops::Range, os::unix::fs::PermissionsExt, path::PathBuf};

use clap::ValueEnum;
use wardflow::archive::Format;

use crate::{
    Result,
    batch::{self, Campaign, Tally},
    child,
    figure::{Figure, Verdict},
    means::{Means, is_there},
};

/// The name on the command line.
pub const NAME: &str = "inputs";

/// Resident memory of a process that reads files of some kilobytes, in MiB.
const MOST_MIB: f64 = 512.0;

/// Memory that a child can have at all, in bytes: beyond, it is aborted, and the machine goes on.
const MOST_BYTES: u64 = 8 << 30;

/// A reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "as Format has them")]
pub enum Source {
    Zeek,
    Eve,
    Netflow,
    Nfdump,
    /// What `nfdump` writes, damaged.
    NfdumpRecords,
    Argus,
    Pcap,
    Csv,
    /// Flow files of the archive.
    Parquet,
}

impl Source {
    /// All of them.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// As what it is ingested; nothing for what is in the archive.
    const fn format(self) -> Option<Format> {
        match self {
            Self::Zeek => Some(Format::Zeek),
            Self::Eve => Some(Format::Eve),
            Self::Netflow => Some(Format::Netflow),
            Self::Nfdump | Self::NfdumpRecords => Some(Format::Nfdump),
            Self::Argus => Some(Format::Argus),
            Self::Pcap => Some(Format::Pcap),
            Self::Csv => Some(Format::Csv),
            Self::Parquet => None,
        }
    }

    /// A program that is needed and is not there.
    pub fn lacks(self) -> Option<&'static str> {
        let needed: &[&str] = match self {
            Self::Nfdump | Self::NfdumpRecords | Self::Pcap => &["nfpcapd", "nfdump"],
            _ => &[],
        };
        needed.iter().copied().find(|program| !is_there(program))
    }
}

/// Has children read so many files of a source.
///
/// # Errors
/// See [`batch::run`].
pub fn campaign(means: &Means, source: Source, count: u64) -> Result<Tally> {
    let name = source.name();
    let programs = if source == Source::NfdumpRecords { Some(stand_in(means)?) } else { None };
    let arguments = [NAME, "--source", &name];
    let shown = format!("{NAME} --source {name}");
    batch::run(means, Campaign { arguments: &arguments, name: &shown, count, programs: programs.as_deref() })
}

/// One line of the table for each reader, or for the one that is asked for.
///
/// # Errors
/// See [`campaign`].
pub fn figures(means: &Means, count: u64, only: Option<Source>) -> Result<Vec<Figure>> {
    let sources = Source::all().iter().copied().filter(|source| only.is_none_or(|only| only == *source));
    sources.map(|source| figure(means, source, count)).collect()
}

fn figure(means: &Means, source: Source, count: u64) -> Result<Figure> {
    let what = format!("{count} mutated input files, {}", source.name());
    let goal = format!("0 host panics, aborts, hangs; at most {MOST_MIB} MiB");
    if let Some(program) = source.lacks() {
        return Ok(Figure::not_measured(what, &goal, &format!("no {program}")));
    }
    let tally = campaign(means, source, count)?;
    let peak = tally.peak_mib;
    let measured = format!("{}; {peak:.0} MiB", tally.failures.len());
    let note =
        format!("{}: {}; panics of a library that were caught: {}", source.name(), tally.outcomes(), tally.guarded);
    let verdict = Verdict::of(tally.failures.is_empty() && peak <= MOST_MIB);
    Ok(Figure::new(what, &goal, measured, verdict).noting([note]).noting(tally.failures))
}

/// What a child does.
///
/// # Errors
/// There is nothing to mutate, or nobody listens.
pub fn run(means: &Means, source: Source, cases: Range<u64>) -> Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Data, Rlimit { current: Some(MOST_BYTES), maximum: Some(MOST_BYTES) })?;
    let scratch = tempfile::tempdir()?;
    let seeds = seeds::seeds(source, means.data.as_deref(), scratch.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let place = scratch.path().join("case");
    child::run(cases, |index| {
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        let case = case::of(&seeds, source, means.seed, index);
        case.write(&place)?;
        match source.format() {
            Some(format) => runtime.block_on(read::ingested(&place, format, case.is_told)),
            None => runtime.block_on(flow_file::scanned(&place)),
        }
    })
}

/// A directory with a program `nfdump` that writes what it is given to read.
fn stand_in(means: &Means) -> Result<PathBuf> {
    let directory = means.scratch().join("stand-in");
    fs::create_dir_all(&directory)?;
    let program = directory.join("nfdump");
    fs::write(&program, "#!/bin/sh\n# nfdump -q -r FILE -w FILE\nexec cp \"$3\" \"$5\"\n")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(directory)
}
