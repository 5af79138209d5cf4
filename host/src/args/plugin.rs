//! What can be asked of `wardflow plugin`.

use std::{path::PathBuf, str::FromStr};

use clap::{Args as Group, Subcommand, ValueEnum};
use jiff::Timestamp;
use wardflow::kit::inputs::Input;

use super::time;

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Every plugin of the workspace: what it is, and whether it will run
    List,
    /// What a plugin is, sees, expects and reports
    Inspect {
        /// A component; its path may be relative to the workspace
        file: PathBuf,
    },
    /// Pin a plugin's present bytes in plugins.lock
    Approve {
        /// The plugin's id, vendor/name
        id: String,
    },
    New(New),
    Pack(Pack),
    Check(Check),
    Test(Test),
    Bench(Bench),
    Run(Run),
    Diff(Diff),
    Capture(Capture),
}

/// Make a project of a plugin: a working model, its manifest, test cases, a build and a README
///
/// It builds and passes its tests as it is made. A project in Rust brings the SDK along.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow plugin new acme/drip-rate --device-class infusion-pump
  wardflow plugin new acme/drip-rate --lang python --dir ./models/drip-rate")]
pub(crate) struct New {
    /// The plugin's id, vendor/name
    pub(crate) id: String,
    /// Language of the model
    #[arg(long, value_name = "LANG", default_value = "rust")]
    pub(crate) lang: Lang,
    /// Class of the devices that it watches, such as infusion-pump [default: every device]
    #[arg(long, value_name = "CLASS")]
    pub(crate) device_class: Option<String>,
    /// Directory to make [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// A language that a project can be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    Rust,
    C,
    Python,
}

/// A limit of a guest, `name=value`, as in `[limits]` of wardflow.toml.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) value: u64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("it must be NAME=NUMBER, such as memory_mib=128")?;
        let value = value.parse().map_err(|_| format!("{value:?} is no whole number"))?;
        Ok(Self { name: name.to_owned(), value })
    }
}

/// Make a plugin of a WebAssembly module or component and its plugin.toml
///
/// The same input gives the same bytes. Nothing is written unless a hospital's host would take the file.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Example:
  wardflow plugin pack target/wasm32-unknown-unknown/release/pump.wasm plugin.toml -o pump.wasm")]
pub(crate) struct Pack {
    /// What the compiler wrote: a core module, or a component without a manifest
    pub(crate) module: PathBuf,
    /// The manifest
    pub(crate) manifest: PathBuf,
    /// The plugin to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Pack for hospitals that raised a limit, such as component_mib=64; can be given several times
    #[arg(long, value_name = "NAME=N")]
    pub(crate) limit: Vec<Limit>,
}

/// Say everything that a hospital's host would refuse or dislike in a plugin
///
/// It runs the plugin over an ordinary hospital's flows, over hostile ones and over very many, each in every way that must
/// make no difference: twice, with batches cut otherwise, with each device alone, with other slices.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Exit codes:
  0  a host would take it
  1  a host would refuse it, or devices would be lost

Examples:
  wardflow plugin check pump.wasm
  wardflow plugin check pump.wasm --cases . --json")]
pub(crate) struct Check {
    /// The plugin
    pub(crate) file: PathBuf,
    /// Also over the test cases in DIR/cases
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: Option<PathBuf>,
    /// Check for hospitals that raised a limit, such as memory_mib=128; can be given several times
    #[arg(long, value_name = "NAME=N")]
    pub(crate) limit: Vec<Limit>,
}

/// Test a plugin on the cases of its project
///
/// A case is a directory in DIR/cases: flows.csv (or flows.parquet, or hospital.toml for a synthetic hospital), devices.csv,
/// gaps.csv, case.toml with settings as in wardflow.toml, and expected.json with the findings. Of a finding, what expected.json
/// does not name may be anything.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Exit codes:
  0  all passed
  1  a case failed

Examples:
  wardflow plugin test .
  wardflow plugin test . --bless")]
pub(crate) struct Test {
    /// The project
    pub(crate) dir: PathBuf,
    /// The plugin [default: the one .wasm file in DIR]
    #[arg(long, value_name = "FILE")]
    pub(crate) plugin: Option<PathBuf>,
    /// Only this case; can be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Vec<String>,
    /// Write what is found now as what is expected
    #[arg(long)]
    pub(crate) bless: bool,
    /// Test with a raised limit, such as memory_mib=128; can be given several times
    #[arg(long, value_name = "NAME=N")]
    pub(crate) limit: Vec<Limit>,
}

/// Measure what a plugin costs, beside one that does nothing
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Example:
  wardflow plugin bench pump.wasm --flows 5000000")]
pub(crate) struct Bench {
    /// The plugin
    pub(crate) file: PathBuf,
    /// Flows of the synthetic hospital that it is measured on
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) flows: u64,
    /// Measure with a raised limit, such as memory_mib=128; can be given several times
    #[arg(long, value_name = "NAME=N")]
    pub(crate) limit: Vec<Limit>,
}

/// Run a plugin over a device's flows and show what it finds, step by step with --trace
///
/// From nothing learned, over the workspace's archive or a test case. Nothing is written to the lake.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow -C ./hospital plugin run pump.wasm --device pump-12 --trace
  wardflow plugin run pump.wasm --case cases/steady --trace")]
pub(crate) struct Run {
    /// The plugin
    pub(crate) file: PathBuf,
    /// The device; without one, all of them
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<String>,
    /// Run over a test case instead of the workspace
    #[arg(long, value_name = "DIR")]
    pub(crate) case: Option<PathBuf>,
    /// Run over flows of `wardflow plugin check`: ordinary, weeks, hostile or huge
    #[arg(long, value_name = "NAME", conflicts_with = "case")]
    pub(crate) input: Option<Input>,
    /// Show what it was given and what it said, call by call
    #[arg(long)]
    pub(crate) trace: bool,
    /// Begin with the slice that contains T
    #[arg(long, value_name = "T", value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// End before the slice that begins at T or later
    #[arg(long, value_name = "T", value_parser = time)]
    pub(crate) to: Option<Timestamp>,
    /// Run with a raised limit, such as memory_mib=128; can be given several times
    #[arg(long, value_name = "NAME=N")]
    pub(crate) limit: Vec<Limit>,
}

/// Compare what two versions of a plugin find in the archive
///
/// Both run over all of it, from nothing learned, with the workspace's settings. Nothing is written.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Example:
  wardflow plugin diff plugins/pump.wasm ~/Downloads/pump-2.0.wasm")]
pub(crate) struct Diff {
    /// The plugin as it is
    pub(crate) old: PathBuf,
    /// The plugin as it would be
    pub(crate) new: PathBuf,
}

/// Make a test case of the flows behind a finding, for the plugin's maker
///
/// Addresses, names, zones and device ids are replaced, times shifted by whole weeks, ids of flows and sensors left out. It
/// shows what it would write, and writes only with -o, once you agreed.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow plugin capture --finding 0123456789abcdef0123456789abcdef
  wardflow plugin capture --finding 0123456789abcdef0123456789abcdef --days 14 -o ./case")]
pub(crate) struct Capture {
    /// The finding's id
    #[arg(long, value_name = "ID")]
    pub(crate) finding: String,
    /// Days before the finding to take along, from which the plugin learned
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) days: u32,
    /// Directory to write the case to; it must not be there yet
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Write without asking
    #[arg(long, requires = "output")]
    pub(crate) yes: bool,
}
