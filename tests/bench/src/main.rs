//! What Wardflow costs, beside what a user would take instead.
//!
//! Every arm runs in a process of its own, bound to as many cores as it may use, on the same files. Rounds are
//! interleaved, forwards and backwards in turn, so that whatever else the machine does meets all arms alike. What is
//! reported are ratios of medians with their spread.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

mod arm;
mod counts;
mod data;
mod devices;
mod engine;
mod ingest;
#[path = "../../native/linked.rs"]
mod linked;
mod micro;
mod nights;
mod peers;
mod report;
mod rounds;
mod sql;
mod zeek;

use std::{collections::BTreeSet, error::Error, path::PathBuf};

use clap::{Parser, Subcommand};

use arm::Arm;
use data::Layout;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a plugin's crate exports, for the detector that is linked natively.
type Export = fn() -> std::result::Result<wardflow_sdk::native::Plugin, wardflow_manifest::ManifestError>;

/// Benchmarks of Wardflow. Without a command: all of them.
#[derive(Parser)]
struct Args {
    /// Where data and results go.
    #[arg(long, default_value = "bench", global = true)]
    out: PathBuf,
    /// Directory of the benchmark's plugins.
    #[arg(long, default_value = "plugins/bench", global = true)]
    plugins: PathBuf,
    /// Python with duckdb and polars; their arms are left out without.
    #[arg(long, global = true)]
    python: Option<PathBuf>,
    /// Flows of the data.
    #[arg(long, default_value_t = 20_000_000, global = true)]
    flows: u64,
    /// Rounds over all arms.
    #[arg(long, default_value_t = 9, global = true)]
    rounds: usize,
    /// Only arms whose name contains this.
    #[arg(long, global = true)]
    only: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one arm in this process and prints what it measured, as JSON.
    Arm {
        #[arg(value_enum)]
        arm: Arm,
        #[arg(value_enum)]
        layout: Layout,
        /// Cores it may use.
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// Makes the data and nothing else.
    Data,
    /// Measures the boundary alone.
    Micro,
    /// Counts the boundary's instructions, if there is valgrind.
    Counts,
    /// Calls a plugin so often: what is counted.
    Calls { pulled: String, rows: usize, times: usize },
    /// Measures one night after many.
    Nights,
    /// Measures `wardflow ingest`, each kind of source beside DuckDB: some minutes. `--only` takes the names of sources.
    Ingest {
        /// Flows that each source tells of.
        #[arg(long, default_value_t = 1_000_000)]
        of: u64,
    },
}

fn main() -> Result<()> {
    let args = Args::parse();
    match args.command {
        Some(Command::Arm { arm, layout, threads }) => {
            settle_memory();
            let measured = arm::run(arm, layout, threads, &args.out, &args.plugins)?;
            println!("{}", serde_json::to_string(&measured)?);
            Ok(())
        }
        Some(Command::Data) => data::make(&args.out, args.flows, &rounds::layouts(&args.only)),
        Some(Command::Micro) => micro::run(&args.plugins).map(drop),
        Some(Command::Counts) => counts::run(&args.plugins).map(drop),
        Some(Command::Calls { pulled, rows, times }) => counts::repeat(&args.plugins, &pulled, rows, times),
        Some(Command::Nights) => {
            data::make(&args.out, args.flows, &BTreeSet::from([Layout::Nights]))?;
            let nights = nights::run(&args.out.join(Layout::Nights.directory()), &args.plugins)?;
            println!("{}", serde_json::to_string(&nights)?);
            Ok(())
        }
        Some(Command::Ingest { of }) => {
            let (python, rounds) = (args.python.as_deref(), args.rounds);
            peers::check(python, &[peers::DUCKDB])?;
            ingest::Ingest { out: &args.out, python, flows: of, rounds, only: &args.only }.run()
        }
        None => {
            peers::check(args.python.as_deref(), &[peers::DUCKDB, peers::POLARS])?;
            data::make(&args.out, args.flows, &rounds::layouts(&args.only))?;
            let rounds = rounds::Rounds {
                out: &args.out,
                plugins: &args.plugins,
                python: args.python.as_deref(),
                rounds: args.rounds,
                only: &args.only,
            };
            let results = rounds.run()?;
            let micro = micro::run(&args.plugins)?;
            let counts = counts::run(&args.plugins)?;
            let nights = match args.only.is_empty() {
                true => Some(nights::run(&args.out.join(Layout::Nights.directory()), &args.plugins)?),
                false => None,
            };
            report::write(&results, &micro, &counts, nights.as_ref(), args.flows, &args.out)
        }
    }
}

/// As the command does; in the process of an arm alone, since the peers would inherit it.
fn settle_memory() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
