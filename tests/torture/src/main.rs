//! Campaigns against Wardflow, and the figures that they must reach, as a table for the README.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

mod circumstances;

use std::{env, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use wardflow_torture::{
    Result, beside, bombs, components,
    figure::{Figure, Verdict, markdown},
    inputs::{self, Source},
    killed,
    means::Means,
    peak, spin,
    syscalls::{self, Arm},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Campaigns against Wardflow. Without options: all of them, an hour or two.
#[derive(Parser)]
struct Args {
    /// What all chance is derived from.
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    /// Only this; can be given several times.
    #[arg(long, value_enum)]
    only: Vec<Name>,
    /// Only this reader, of `inputs`.
    #[arg(long, value_enum)]
    source: Option<Source>,
    /// Only the case of this number, with `--only`: what a failure says to repeat.
    #[arg(long)]
    index: Option<u64>,
    /// Small counts, as `make test` has them: some minutes.
    #[arg(long)]
    quick: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Children at one time [default: one a core].
    #[arg(long)]
    jobs: Option<usize>,
    /// Directory of the bundled plugins.
    #[arg(long, default_value = "plugins/dist", global = true)]
    plugins: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What is measured, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Components,
    Inputs,
    Spin,
    Bombs,
    Beside,
    Killed,
    Syscalls,
}

#[derive(Subcommand)]
enum Command {
    /// Does cases in this process.
    #[command(hide = true)]
    Child {
        #[arg(long)]
        from: u64,
        #[arg(long)]
        to: u64,
        #[command(subcommand)]
        what: Child,
    },
    /// Runs a command, and prints its peak.
    #[command(hide = true)]
    Peak {
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Runs guests between two marks, for strace.
    #[command(hide = true)]
    GuestCalls {
        #[arg(value_enum)]
        arm: Arm,
    },
}

#[derive(Subcommand)]
enum Child {
    Components,
    Inputs {
        #[arg(long, value_enum)]
        source: Source,
    },
}

fn main() -> Result<ExitCode> {
    settle_memory();
    let args = Args::parse();
    match args.command {
        Some(Command::Child { from, to, what }) => {
            let means = Means::new(&env::current_exe()?, &args.plugins, args.seed)?;
            match what {
                Child::Components => components::run(&means, from..to)?,
                Child::Inputs { source } => inputs::run(&means, source, from..to)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Peak { command }) => {
            println!("{}", peak::wait(&command)?);
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::GuestCalls { arm }) => {
            syscalls::run(arm, &args.plugins)?;
            Ok(ExitCode::SUCCESS)
        }
        None => campaigns(&args),
    }
}

/// As the command does: what is measured of children is then what it needs.
fn settle_memory() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn campaigns(args: &Args) -> Result<ExitCode> {
    let mut means = Means::new(&env::current_exe()?, &args.plugins, args.seed)?;
    means.index = args.index;
    means.jobs = args.jobs.unwrap_or(means.jobs).max(1);
    let is_wanted = |name: &Name| args.only.is_empty() || args.only.contains(name);
    let mut figures = Vec::new();
    for name in Name::value_variants().iter().filter(|name| is_wanted(name)) {
        let measured = measure(*name, args, &means)?;
        for figure in &measured {
            eprintln!("{}: {} ({})", figure.what, figure.measured, figure.verdict.word());
            figure.notes.iter().for_each(|note| eprintln!("  {note}"));
        }
        figures.extend(measured);
    }
    let circumstances = circumstances::of(args.seed);
    if args.json {
        println!("{}", serde_json::json!({ "figures": figures, "circumstances": circumstances }));
    } else {
        println!("{}", markdown(&figures, &circumstances));
    }
    let is_missed = figures.iter().any(|figure| figure.verdict == Verdict::Missed);
    Ok(if is_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(name: Name, args: &Args, means: &Means) -> Result<Vec<Figure>> {
    let count = |all: u64, quick: u64| if args.quick { quick } else { all };
    Ok(match name {
        Name::Components => vec![components::figure(means, count(100_000, 2_000))?],
        Name::Inputs => inputs::figures(means, count(20_000, 500), args.source)?,
        Name::Spin => vec![spin::figure(if args.quick { 5 } else { 100 })?],
        Name::Bombs => vec![bombs::figure(means)?],
        Name::Beside => vec![beside::figure(means, count(300_000, 20_000), if args.quick { 1 } else { 3 })?],
        Name::Killed => vec![killed::figure(means, count(1_000, 20))?],
        Name::Syscalls => vec![syscalls::figure(means)?],
    })
}
