//! The commands, one file each: what is asked of the library, and how its answer is shown.

mod analyze;
mod archive;
mod baseline;
mod bundled;
mod connect;
mod demo;
mod evaluate;
mod except;
mod ingest;
mod init;
mod interrupt;
mod mapped;
mod plugin;
mod sql;
mod status;
mod triage;

use std::path::Path;

use wardflow::{config::Config, error::Result};

use crate::{
    args::{Args, Command},
    print::Printer,
};

pub(crate) use interrupt::INTERRUPTED;

/// Exit code of a repair after which something is to be ingested again.
pub(crate) const REPAIRED: u8 = 3;

/// Files or sources that are named each for itself; of more, it is said how many they are.
const NAMED: usize = 3;

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything that was asked for.
    Done,
    /// Not everything was covered.
    Incomplete,
    /// What was wrong was put right, and what went for it is to be ingested again.
    Repaired,
    /// It was told to stop, and did so where it can be taken up again.
    Interrupted,
}

/// Runs a command.
///
/// # Errors
/// Those of the command.
pub(crate) async fn run(args: Args, printer: &Printer) -> Result<Outcome> {
    let dir = args.global.dir;
    let inside = |path: &Path| if dir == Path::new(".") { path.to_owned() } else { dir.join(path) };
    match args.command {
        Command::Demo(demo) => demo::run(&inside(&demo.dir), demo, printer).await,
        Command::Init(init) => init::run(&inside(&init.dir), printer),
        Command::Ingest(ingest) => ingest::run(&Config::read(&dir)?, ingest, printer).await,
        Command::Analyze(analyze) => analyze::run(&Config::read(&dir)?, analyze, printer).await,
        Command::Sql(sql) => sql::run(&Config::read(&dir)?, sql, printer).await,
        Command::Except(except) => except::run(&Config::read(&dir)?, except, printer).await,
        Command::Triage(triage) => triage::run(&Config::read(&dir)?, triage, printer).await,
        Command::Baseline(baseline) => baseline::run(&Config::read(&dir)?, baseline, printer).await,
        Command::Evaluate(evaluate) => evaluate::run(&Config::read(&dir)?, evaluate, printer).await,
        Command::Plugin(plugin) => plugin::run(&dir, plugin, printer).await,
        Command::Status => status::run(&Config::read(&dir)?, printer).await,
        Command::Archive(archive) => archive::run(&Config::read(&dir)?, archive, printer).await,
    }
}
