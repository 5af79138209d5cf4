//! What can be asked of the command.

mod archive;
mod evaluate;
mod ingest;
mod plugin;
mod remarks;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use jiff::{Timestamp, civil, tz::TimeZone};

pub(crate) use archive::{Archive, Expire};
pub(crate) use evaluate::{By, Evaluate};
pub(crate) use ingest::Ingest;
pub(crate) use plugin::{Bench, Capture, Check, Diff, Lang, Limit, New, Pack, Plugin, Run, Test};
pub(crate) use remarks::{AddException, Baseline, Except, Reset, Triage};

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
    /// On a terminal that can, unless NO_COLOR is set
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
    Ingest(Ingest),
    Analyze(Analyze),
    Sql(Sql),
    /// Hide findings that were looked at, for a while; list and revoke what hides them
    #[command(subcommand)]
    Except(Except),
    Triage(Triage),
    /// Look after what was learned
    #[command(subcommand)]
    Baseline(Baseline),
    Evaluate(Evaluate),
    /// Look at plugins and approve them; make, test and measure your own
    #[command(subcommand)]
    Plugin(Plugin),
    /// Say what the archive holds, what was analysed, and what was not
    Status,
    /// Look after the archive: few files in place of many, damage found and mended, old flows let go
    #[command(subcommand)]
    Archive(Archive),
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
  wardflow demo ./careful --variant stealthy

What really happened is in truth.csv, in the directory that is made, and in which hours in truth_hours.csv.")]
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
    /// How loud incidents are: `easy` or `stealthy`
    #[arg(long, value_name = "NAME", default_value = "easy")]
    pub(crate) variant: String,
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
  0    done; what no plugin is for, or no sensor saw, is told and is no failure
  1    failed, or a plugin, a device or a file was not covered: the last line says which
  2    wrong usage, configuration or input
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
  flows, device_flows, open_flows, devices, address_bindings, findings, finding_groups,
  finding_slices, excepted_findings, devices_at_risk, triage, exceptions, observations, coverage,
  baselines, runs, plugins, rejects, sensor_health, leases, sensor_reports, ids_events, host_facts
Functions:
  detect('vendor/name'), evidence('finding id'), cidr_match(ip, '10.0.0.0/8'), ip_scope(ip),
  device_of(ip, mac, time)

Formats:
  table    for people; at most 1,000 rows, and a last line that says so
  csv      RFC 4180; text that a spreadsheet would take for a formula begins with ', and what a
           terminal would obey is shown as in \\u{1b}: json and parquet have the exact values
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
    /// Memory to use at most, such as 2GiB; beyond it, sorting and grouping spill to disk
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
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
  1    failed, or less was done than should have been: the last line says what
  2    wrong usage, configuration or input
  3    `archive check --repair` put all right, and says what is to be ingested again
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
    fn a_sampling_of_none_is_refused_with_the_rule() {
        let parse = |n: &str| Args::try_parse_from(["wardflow", "ingest", "zeek", "f", "--sampling", n]);
        assert!(parse("1000").is_ok());
        for wrong in ["0", "4294967296", "1:1000"] {
            let error = parse(wrong).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("it must be a whole number from 1 to 4294967295; leave it out"), "{error}");
        }
    }

    #[test]
    fn global_options_go_before_and_after_the_command() {
        for line in ["wardflow -C w --json status", "wardflow status -C w --json"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert!(args.global.json && args.global.dir.as_os_str() == "w", "{line}");
        }
    }
}
