//! What can be asked of the command.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use jiff::{Timestamp, civil, tz::TimeZone};

/// Runs medical-device makers' behaviour models over a hospital's flow archive, and answers in SQL.
#[derive(Debug, Parser)]
#[command(version, after_long_help = LEARN, max_term_width = 100, propagate_version = false, subcommand_required = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Group)]
pub(crate) struct Global {
    /// The workspace: the directory that holds wardflow.toml
    #[arg(short = 'C', id = "workspace", value_name = "DIR", default_value = ".", global = true, display_order = 100)]
    pub(crate) dir: PathBuf,
    /// Print JSON for machines: results on stdout, errors and progress as one object a line on stderr
    #[arg(long, global = true, display_order = 101)]
    pub(crate) json: bool,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true, display_order = 102)]
    pub(crate) color: Color,
    /// Print results and errors only: no progress, no advice
    #[arg(short, long, global = true, display_order = 103)]
    pub(crate) quiet: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Into files and pipes too
    Always,
    /// Nowhere
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Init(Init),
    /// Bring flow logs into the archive
    #[command(subcommand)]
    Ingest(Ingest),
    Analyze(Analyze),
    Sql(Sql),
    /// Look at plugins and approve them; make, test and measure your own
    #[command(subcommand)]
    Plugin(Plugin),
    /// Say what the archive holds, what was analysed, and what was not
    Status,
}

/// Write a synthetic hospital, analyse it, and show what was found
///
/// Makes a workspace, fills it with an inventory and flows in which things go wrong, and runs the bundled plugins. Equal
/// options give equal archives, to the byte.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow demo ./demo
  wardflow demo ./demo --devices 300 --days 7 --seed 42
  wardflow demo ./quiet --incident none
  wardflow demo ./beacon --incident beacon --flows 100000

What really happened is in truth.csv, in the directory that is made.")]
pub(crate) struct Demo {
    /// Directory to make; it must not be a workspace yet
    pub(crate) dir: PathBuf,
    /// Devices of the hospital [default: the generator's]
    #[arg(long, value_name = "N")]
    pub(crate) devices: Option<u32>,
    /// Days of traffic [default: the generator's]
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<u32>,
    /// What all chance is derived from
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Flows to aim at [default: the hospital's natural pace]
    #[arg(long, value_name = "N")]
    pub(crate) flows: Option<u64>,
    /// Incident to include, or `none` [default: all]; can be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) incident: Vec<String>,
}

/// Make a workspace: wardflow.toml with comments, and the bundled plugins
///
/// It has plugins/, archive/ and lake/. An inventory can be added later.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Example:
  wardflow init ./hospital
  wardflow -C ./hospital ingest zeek /var/log/zeek")]
pub(crate) struct Init {
    /// Directory to make or to fill; refused if it holds a wardflow.toml
    pub(crate) dir: PathBuf,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Ingest {
    Zeek(IngestZeek),
}

/// Zeek's conn.log, with names from the dns.log and ssl.log beside it
///
/// TSV and JSON, plain, .gz and .zst, single files and directories of rotated logs. A file that was ingested before
/// adds nothing. A malformed line goes with its reason into the table `rejects`.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow ingest zeek /var/log/zeek
  wardflow ingest zeek conn.2026-03-*.log.gz --sensor north
  zcat conn.log.gz | wardflow ingest zeek -")]
pub(crate) struct IngestZeek {
    /// Logs, directories of logs, or `-` for stdin
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Name of the sensor that wrote them
    #[arg(long, value_name = "NAME")]
    pub(crate) sensor: Option<String>,
}

/// Run the plugins over what is new in the archive
///
/// It goes on slice by slice from where the last run ended. Each slice is committed as a whole: a run that is stopped
/// goes on from there, one that is killed does at most its last minute again. Ctrl-C drops the slice at hand and stops; a
/// second one ends at once.
#[derive(Clone, Debug, Default, Group)]
#[command(after_long_help = "\
Units:
  T     a time such as 2026-03-02T14:00:00Z, or a date, which is its midnight in UTC
  SIZE  a number and B, KiB, MiB, GiB, TiB (powers of 1024) or kB, MB, GB, TB (powers of 1000)

Exit codes:
  0  everything was covered
  1  failed, or a plugin or a device was not covered: the last line says which
  130  interrupted; the slices that were done are kept

Examples:
  wardflow analyze
  wardflow analyze --plugin 'acme/*' --from 2026-03-01 --to 2026-04-01
  wardflow analyze --rerun --memory 2GiB --threads 4")]
pub(crate) struct Analyze {
    /// Run only plugins whose id matches, such as 'acme/*'; can be given several times
    #[arg(long, value_name = "GLOB", value_parser = plugin_glob)]
    pub(crate) plugin: Vec<glob::Pattern>,
    /// Begin with the slice that contains T
    #[arg(long, value_name = "T", value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// End before the slice that begins at T or later
    #[arg(long, value_name = "T", value_parser = time)]
    pub(crate) to: Option<Timestamp>,
    /// Analyse again what was analysed before, and what went stale
    #[arg(long)]
    pub(crate) rerun: bool,
    /// Memory to use at most, such as 2GiB; beyond it, work spills to disk
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
    /// Threads to use [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// Query flows, devices, findings and coverage in SQL
///
/// With a query, it runs it. Without one, it opens a prompt, or reads statements that end with `;` from a pipe.
/// Statements only read: SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Tables:
  flows, device_flows, devices, address_bindings, findings, finding_slices, observations,
  coverage, runs, plugins, rejects
Functions:
  detect('vendor/name'), evidence('finding id'), cidr_match(ip, '10.0.0.0/8'), ip_scope(ip),
  device_of(ip, mac, time)

Formats:
  table    for people; at most 1,000 rows, and a last line that says so
  csv      RFC 4180; text that a spreadsheet would take for a formula begins with '
  json     one object a line
  parquet  needs -o, or a stdout that is no terminal

Examples:
  wardflow sql
  wardflow sql 'SELECT device_id, title, severity FROM findings ORDER BY severity_id DESC LIMIT 20'
  wardflow sql 'SELECT * FROM findings' -o findings.csv
  wardflow sql < queries.sql")]
pub(crate) struct Sql {
    /// Statements, separated by `;`
    pub(crate) query: Option<String>,
    /// How to write rows [default: as FILE ends, else table, or json with --json]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Write to a file, which appears when it is complete
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How to write rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
    Parquet,
}

impl Format {
    /// What the end of a file's name says.
    pub(crate) fn of_file(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

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
/// case.toml with settings as in wardflow.toml, and expected.json with the findings. Of a finding, what expected.json does
/// not name may be anything.
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

const LEARN: &str = "\
A first finding:
  wardflow init ./hospital              make a workspace
  cd ./hospital
  wardflow ingest zeek /var/log/zeek    bring in flows
  wardflow analyze                      run the plugins
  wardflow sql 'SELECT severity, device_id, title, summary FROM findings'

Or, with a synthetic hospital:
  wardflow demo ./demo

Exit codes:
  0    done
  1    failed, or not everything was covered
  2    wrong usage, configuration or input
  130  interrupted

Units: times are UTC; sizes take KiB, MiB, GiB (powers of 1024) or kB, MB, GB (powers of 1000).";

/// A number of bytes, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u64); 9] = [
            ("B", 1),
            ("kB", 1_000),
            ("KiB", 1 << 10),
            ("MB", 1_000_000),
            ("MiB", 1 << 20),
            ("GB", 1_000_000_000),
            ("GiB", 1 << 30),
            ("TB", 1_000_000_000_000),
            ("TiB", 1 << 40),
        ];
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..split], text[split..].trim_start());
        let parsed: f64 = number.parse().map_err(|_| "it must begin with a number, as in 512MiB or 2GiB".to_owned())?;
        if unit.is_empty() {
            return Err(format!("it has no unit: did you mean {number}MiB?"));
        }
        let known = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, factor) = known.ok_or_else(|| {
            let names: Vec<_> = UNITS.iter().map(|(name, _)| *name).collect();
            format!("unknown unit {unit:?}; known are {}", names.join(", "))
        })?;
        let bytes = parsed * *factor as f64;
        match bytes {
            _ if bytes < 1.0 => Err("it must be at least 1 byte".to_owned()),
            _ if bytes >= u64::MAX as f64 => Err("it is more than any machine has".to_owned()),
            _ => Ok(Self(bytes as u64)),
        }
    }
}

/// Parses an RFC 3339 time, or a date as its midnight in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let midnight = |date: civil::Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let is_date = !text.contains([':', 'T', ' ']);
    match text.parse::<civil::Date>() {
        Ok(date) if is_date => midnight(date).map_err(|error| error.to_string()),
        _ if text.parse::<civil::DateTime>().is_ok() => Err(format!("it has no offset: did you mean {text}Z?")),
        _ => Err("no date or time such as 2026-03-02 or 2026-03-02T14:00:00Z".to_owned()),
    }
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    const MOST: usize = 1_024;
    let threads = text.parse::<NonZeroUsize>().ok().filter(|threads| threads.get() <= MOST);
    threads.ok_or_else(|| format!("it must be a whole number from 1 to {MOST}"))
}

fn plugin_glob(text: &str) -> Result<glob::Pattern, String> {
    glob::Pattern::new(text).map_err(|error| format!("no pattern such as 'acme/*': {error}"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Args, Size, time};

    #[test]
    fn is_sound() {
        Args::command().debug_assert();
    }

    fn size(text: &str, expected: Result<u64, &str>) {
        assert_eq!(text.parse::<Size>().map(|size| size.0), expected.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn sizes_have_units() {
        size("512MiB", Ok(512 << 20));
        size("2 GiB", Ok(2 << 30));
        size("1.5gib", Ok(3 << 29));
        size("3kB", Ok(3_000));
        size("7B", Ok(7));
        size("512", Err("it has no unit: did you mean 512MiB?"));
        size("MiB", Err("it must begin with a number, as in 512MiB or 2GiB"));
        size("-1GiB", Err("it must begin with a number, as in 512MiB or 2GiB"));
        size("2Gib/s", Err("unknown unit \"Gib/s\"; known are B, kB, KiB, MB, MiB, GB, GiB, TB, TiB"));
        size("0GiB", Err("it must be at least 1 byte"));
        size("99999999999TiB", Err("it is more than any machine has"));
    }

    fn at(text: &str, expected: Result<&str, &str>) {
        let parsed = time(text).map(|time| time.to_string());
        assert_eq!(parsed, expected.map(str::to_owned).map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn times_are_rfc_3339_or_dates() {
        at("2026-03-02", Ok("2026-03-02T00:00:00Z"));
        at("2026-03-02T14:00:00Z", Ok("2026-03-02T14:00:00Z"));
        at("2026-03-02 14:00+01:00", Ok("2026-03-02T13:00:00Z"));
        at("2026-03-02T14:00", Err("it has no offset: did you mean 2026-03-02T14:00Z?"));
        at("yesterday:", Err("no date or time such as 2026-03-02 or 2026-03-02T14:00:00Z"));
    }

    #[test]
    fn global_options_go_before_and_after_the_command() {
        for line in ["wardflow -C w --json status", "wardflow status -C w --json"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert!(args.global.json && args.global.dir.as_os_str() == "w", "{line}");
        }
    }
}
