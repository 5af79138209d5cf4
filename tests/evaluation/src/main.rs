//! What Wardflow finds of what really happened, and what else: `make evaluate`.
//!
//! The detectors were tuned on synthetic hospitals of seeds 1 to 10; these are others. Captures of real networks are
//! tried where there are any (`WARDFLOW_DATA`). Everything goes through the command, as a hospital would use it, but for
//! the time to detection, for which archives are cut.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

mod captures;
mod command;
mod delay;
mod others;
mod report;
mod sensors;
mod synthetic;

use std::{error::Error, path::PathBuf};

use clap::Parser;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Evaluates Wardflow on synthetic hospitals and on captures of real networks.
#[derive(Debug, Parser)]
struct Args {
    /// Where hospitals are made; what is there is made anew
    #[arg(long, default_value = "evaluation")]
    dir: PathBuf,
    /// Seeds of hospitals; 1 to 10 are those for tuning
    #[arg(long, value_delimiter = ',', default_value = "101,102,103")]
    seeds: Vec<u64>,
    /// Devices of a hospital
    #[arg(long, default_value_t = 500)]
    devices: u32,
    /// Days of a hospital
    #[arg(long, default_value_t = 14)]
    days: u32,
    /// Python with duckdb and scikit-learn, for the comparison; it is left out without
    #[arg(long)]
    python: Option<PathBuf>,
    /// Captures of real networks [default: WARDFLOW_DATA]; they are left out without
    #[arg(long)]
    data: Option<PathBuf>,
    /// Only these parts: easy, stealthy, quiet, delay, sensors, captures, others
    #[arg(long)]
    only: Vec<String>,
    /// Keep the hospitals
    #[arg(long)]
    keep: bool,
}

impl Args {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.dir)?;
    let mut figures = Vec::new();
    for part in ["easy", "stealthy"] {
        if args.wants(part) {
            figures.extend(synthetic::incidents(&args, part)?);
        }
    }
    if args.wants("quiet") {
        figures.extend(synthetic::quiet(&args)?);
    }
    if args.wants("delay") {
        figures.push(delay::measure(&args)?);
    }
    if args.wants("sensors") {
        figures.extend(sensors::quiet(&args)?);
    }
    let data = args.data.clone().or_else(|| std::env::var_os("WARDFLOW_DATA").map(PathBuf::from));
    match data.as_deref().filter(|data| data.is_dir()) {
        Some(data) if args.wants("captures") => figures.extend(captures::try_all(&args, data)?),
        None if args.wants("captures") => eprintln!("skipped: captures of real networks (WARDFLOW_DATA)"),
        _ => {}
    }
    match &args.python {
        Some(python) if args.wants("others") => figures.extend(others::compare(&args, python)?),
        None if args.wants("others") => eprintln!("skipped: the comparison with other means (--python)"),
        _ => {}
    }
    println!("{}", report::table(&figures));
    Ok(())
}
