//! What can be asked of `wardflow evaluate`.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};
use wardflow_manifest::Severity;

/// Compare what was found with what really happened
///
/// The truth is a table of incidents, or a log whose connections somebody labelled. An incident is found if a finding names a
/// device that it befell, rests on flows in its time, and names no peer that was not in it. Whatever else was found is false.
/// The time in which plugins learn is left out. Intervals are at 95 %, by bootstrap.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
FILE is one of
  a CSV file with the columns incident, device_id, first_seen, last_seen (RFC 3339) and, where there is
  something to say, peer_ip (all other ends, or empty where they are many) and peer_device_id (devices at the other end, which a
  finding may name instead), several parted by blanks; rows of one incident are its parts. The hours in which
  it shows are in NAME_hours.csv beside it (incident, device_id, hour); else they are all in between.
  a conn.log with the columns uid and label, in Zeek's own format or as JSON: a label other than benign,
  background, normal and unknown is an incident of the device that has the connection
All that was found counts, what exceptions hide too: it is the plugins that are evaluated.

Examples:
  wardflow -C demo evaluate --truth demo/truth.csv --learning 7d
  wardflow evaluate --truth conn.log.labeled --learning 0h --by detector
  wardflow evaluate --truth truth.csv --severity medium --json")]
pub(crate) struct Evaluate {
    /// What really happened: a table of incidents, or a labelled conn.log
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: PathBuf,
    /// What to tell apart
    #[arg(long, value_name = "WHAT", default_value = "scenario")]
    pub(crate) by: By,
    /// Findings of this severity and above count
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = severity)]
    pub(crate) severity: Severity,
    /// How long plugins learn, from the beginning, such as 96h or 4d [default: as long as the plugin that takes longest]
    #[arg(long, value_name = "TIME", value_parser = hours)]
    pub(crate) learning: Option<u32>,
}

/// What to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// What each plugin adds
    Detector,
    /// Each incident
    #[value(alias = "incident")]
    Scenario,
    /// The findings that tell of no incident
    Finding,
    /// The hours of each device
    Device,
}

fn severity(text: &str) -> Result<Severity, String> {
    let names = || Severity::ALL.map(Severity::name).join(", ");
    let known = Severity::ALL.into_iter().find(|severity| severity.name() == text);
    known.ok_or_else(|| format!("it must be one of {}", names()))
}

fn hours(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_suffix('d') {
        Some(days) => days.parse().ok().and_then(|days: u32| days.checked_mul(24)),
        None => text.strip_suffix('h').and_then(|hours| hours.parse().ok()),
    };
    parsed.ok_or_else(|| "it must be a whole number of hours or days, such as 96h or 4d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{hours, severity};

    #[test]
    fn learning_is_in_hours_or_days() {
        assert_eq!((hours("96h"), hours("4d"), hours("0h")), (Ok(96), Ok(96), Ok(0)));
        for wrong in ["96", "h", "1.5d", "-1h", "4000000000d"] {
            assert!(hours(wrong).unwrap_err().contains("96h or 4d"), "{wrong}");
        }
    }

    #[test]
    fn severities_are_words() {
        assert!(severity("medium").is_ok());
        assert!(severity("Medium").unwrap_err().ends_with("informational, low, medium, high, critical"));
    }
}
