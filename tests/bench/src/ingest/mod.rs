//! What `wardflow ingest` takes for each kind of source, beside DuckDB that makes Parquet of the same text.
//!
//! Both run on one core, in processes of their own, source after source, forwards and backwards in turn. Wardflow's time
//! is that of the whole command, on an archive that is empty; DuckDB's begins when its reader is loaded.

mod argus;
mod inputs;
mod packets;

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use serde::Deserialize;
use serde_json::Value;

use crate::{Result, micro::median};
use inputs::{SOURCES, Source};

const PEER: &str = include_str!("../../peers/duckdb_sources.py");

/// What is measured, and where.
pub(crate) struct Ingest<'a> {
    pub(crate) out: &'a Path,
    pub(crate) python: Option<&'a Path>,
    /// Flows that the sources tell of.
    pub(crate) flows: u64,
    pub(crate) rounds: usize,
    pub(crate) only: &'a [String],
}

/// Who reads a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Wardflow,
    /// DuckDB, with the rows laid out as Wardflow does.
    Sorted,
    /// DuckDB, with the rows as they come.
    Unsorted,
}

/// What a run came to: what DuckDB's program prints.
#[derive(Debug, Deserialize)]
struct Ran {
    seconds: f64,
    /// Rows that were written, or records that became part of one.
    rows: u64,
    /// Records that were read, which only Wardflow tells.
    #[serde(default)]
    records: u64,
}

/// The seconds of each source and reader, round by round.
type Times = BTreeMap<(&'static str, Reader), Vec<f64>>;

impl Ingest<'_> {
    /// Makes the sources that are not there yet, measures them, and prints a table in Markdown.
    pub(crate) fn run(&self) -> Result<()> {
        let directory = self.out.join("sources");
        let sources: Vec<_> = SOURCES.iter().filter(|source| self.is_wanted(source)).collect();
        inputs::make(&directory, self.flows, &sources)?;
        let directory = directory.canonicalize()?;
        let (mut times, mut records) = (Times::new(), BTreeMap::new());
        for round in 0..=self.rounds {
            let mut order: Vec<_> = sources.iter().flat_map(|source| self.readers(source)).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            // What Wardflow made rows of in this round, and the other two must have too.
            let mut rows = BTreeMap::new();
            for (source, reader) in order {
                let ran = self.measure(source, reader, &directory)?;
                eprintln!("round {round}: {} by {reader:?}: {:.2} s", source.name, ran.seconds);
                if reader == Reader::Wardflow {
                    records.insert(source.name, ran.records);
                }
                if *rows.entry(source.name).or_insert(ran.rows) != ran.rows {
                    return Err(
                        format!("{}: {reader:?} made {} rows, and another {rows:?}", source.name, ran.rows).into()
                    );
                }
                if round > 0 {
                    times.entry((source.name, reader)).or_default().push(ran.seconds);
                }
            }
        }
        show(&sources, &records, &times, self.rounds);
        Ok(())
    }

    fn is_wanted(&self, source: &Source) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| source.name.contains(only.as_str()))
    }

    fn readers<'s>(&self, source: &'s Source) -> Vec<(&'s Source, Reader)> {
        let has_peer = source.peer.is_some() && self.python.is_some();
        let peers = [Reader::Sorted, Reader::Unsorted].into_iter().filter(|_| has_peer);
        [Reader::Wardflow].into_iter().chain(peers).map(|reader| (source, reader)).collect()
    }

    fn measure(&self, source: &Source, reader: Reader, directory: &Path) -> Result<Ran> {
        let file = source.path(directory)?;
        let order = match reader {
            Reader::Wardflow => return wardflow(source, &file, directory),
            Reader::Sorted => "sorted",
            Reader::Unsorted => "unsorted",
        };
        let (Some(python), Some(peer)) = (self.python, source.peer) else {
            return Err(format!("nothing but Wardflow reads {}", source.name).into());
        };
        let mut command = on_one_core(python);
        command.args(["-c", PEER, peer]).arg(file).arg(directory).arg(order);
        Ok(serde_json::from_slice(&output(command)?)?)
    }
}

/// A command that is bound to one core, the same for all.
fn on_one_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0"]).arg(program);
    command
}

fn output(mut command: Command) -> Result<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        // A peer's arguments hold its whole program.
        let is_short = |argument: &&OsStr| argument.len() < 1_000;
        let command: Vec<_> = command.get_args().filter(is_short).map(OsStr::to_string_lossy).collect();
        return Err(format!("{}: {}", command.join(" "), output.status).into());
    }
    Ok(output.stdout)
}

/// Ingests a source into a new workspace.
fn wardflow(source: &Source, file: &Path, directory: &Path) -> Result<Ran> {
    let program = env::current_exe()?.with_file_name("wardflow");
    let workspace = directory.join("workspace");
    if workspace.exists() {
        fs::remove_dir_all(&workspace)?;
    }
    let mut init = Command::new(&program);
    init.args(["-q", "init"]).arg(&workspace);
    output(init)?;
    let mut ingest = on_one_core(&program);
    ingest.arg("-C").arg(&workspace).args(["--json", "-q", "ingest"]).args(source.arguments).arg(file);
    let began = Instant::now();
    let said = output(ingest)?;
    let seconds = began.elapsed().as_secs_f64();
    let report: Value = serde_json::from_slice(&said)?;
    let counts = &report["sources"][0];
    let number = |name: &str| counts[name].as_u64().unwrap_or_default();
    let others: u64 = counts["others"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
    if number("rejects") > 0 {
        return Err(format!("{}: not all records could be read: {counts}", source.name).into());
    }
    Ok(Ran { seconds, rows: number("records") - others, records: number("records") })
}

/// Prints the table.
fn show(sources: &[&Source], records: &BTreeMap<&str, u64>, times: &Times, rounds: usize) {
    println!(
        "Medians of {rounds} rounds, thousand records a second on one core; of Wardflow also the slowest and fastest.\n"
    );
    println!("| source | records | Wardflow | DuckDB, sorted | Wardflow / it | DuckDB, as they come | Wardflow / it |");
    println!("|---|---|---|---|---|---|---|");
    for source in sources {
        let records = records.get(source.name).copied().unwrap_or_default();
        let seconds = |reader| times.get(&(source.name, reader)).map(|seconds| median(seconds.clone()));
        let speed = |seconds: f64| records as f64 / seconds / 1e3;
        let own = times.get(&(source.name, Reader::Wardflow)).map_or(&[][..], Vec::as_slice);
        let (fastest, slowest) = own.iter().fold((f64::MAX, 0.0), |(least, most), s| (s.min(least), s.max(most)));
        let median = seconds(Reader::Wardflow).unwrap_or(f64::NAN);
        let peers = [Reader::Sorted, Reader::Unsorted].map(|reader| match seconds(reader) {
            Some(peer) => format!("{:.0} | {:.2}", speed(peer), peer / median),
            None => "– | –".to_owned(),
        });
        println!(
            "| {} | {records} | {:.0} ({:.0}-{:.0}) | {} |",
            source.what,
            speed(median),
            speed(slowest),
            speed(fastest),
            peers.join(" | ")
        );
    }
}

impl Source {
    /// Where it lies; a program may have chosen the name in its directory.
    fn path(&self, directory: &Path) -> Result<PathBuf> {
        let path = directory.join(self.file);
        if !path.is_dir() {
            return Ok(path);
        }
        let first = fs::read_dir(&path)?.flatten().map(|entry| entry.path()).min();
        first.ok_or_else(|| format!("{} is empty", path.display()).into())
    }
}
