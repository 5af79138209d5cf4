//! What can be asked of `wardflow archive`.

use clap::{Args as Group, Subcommand};
use jiff::Timestamp;

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Archive {
    /// Merge the many small files of a date, as --follow and hourly logs leave them, into few large ones
    ///
    /// A file is small that has fewer than 262,144 flows, a full row group. Those of a date are merged where there are at
    /// least four, and so are those of a month of each table beside the flows. Captures of the last week, which may grow, and
    /// sources of which flows are missing stay in files of their own.
    Compact,
    Check(CheckArchive),
    Expire(Expire),
}

/// Read the whole archive, and say what is damaged, missing or left over
///
/// It reads every page of every file and compares what is in it with the digests that were written along. Without
/// --repair it writes nothing, so that a copy that can only be read is checked too.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Exit codes:
  0  the archive is whole, or with --repair all that was wrong was put right
  1  it is not: each problem is named, with what to do
  3  with --repair: all was put right, but for rows that are gone until the named sources are ingested again

Examples:
  wardflow archive check
  wardflow archive check --repair")]
pub(crate) struct CheckArchive {
    /// Delete what killed runs left, move damaged files to _wardflow/damaged, and say what to ingest again
    #[arg(long)]
    pub(crate) repair: bool,
}

/// Delete flows that are old
///
/// Whole files go, all of whose flows ended before T, and what was told beside flows by sources of which no flows are
/// left. Logs that expired are not read in again.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Units:
  T  a time such as 2026-03-02T14:00:00Z, or a date, which is its midnight in UTC

Examples:
  wardflow archive expire --before 2025-09-01 --dry-run
  wardflow archive expire --before 2025-09-01")]
pub(crate) struct Expire {
    /// Delete what ended before T
    #[arg(long, value_name = "T", value_parser = super::time)]
    pub(crate) before: Timestamp,
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
