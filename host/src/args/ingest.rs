//! What can be asked of `wardflow ingest`.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use clap::{Args as Group, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};
use wardflow::archive::{Format, MaxRejects};

/// Bring flow records into the archive
///
/// Files, directories of them, or `-` for stdin; plain, .gz, .zst, .bz2 or .xz. What was ingested before adds nothing, whatever
/// it is called by now, and of a file that has grown only what is new is added. A record that cannot be read goes with its
/// reason into the table `rejects`.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow ingest zeek /opt/zeek/logs
  wardflow ingest zeek conn.2026-03-*.log.gz --sensor north
  wardflow ingest eve /var/log/suricata/eve.json --max-rejects 1%
  wardflow ingest nfdump /var/cache/nfdump --follow
  wardflow ingest argus ward.binetflow --timezone Europe/Prague
  wardflow ingest csv flows.csv --mapping mapping.toml
  zcat conn.log.gz | wardflow ingest zeek -

Zeek's dns.log, http.log and ssl.log are read for the names of the flows in the conn.log beside
them; dhcp.log, notice.log, capture_loss.log, stats.log, software.log and known_*.log into tables
of their own. nfdump and pcap need the programs of Debian's package nfdump, and a plain copy of each
file while it is read: one that would leave less than 1 GiB of the disk free is refused.")]
pub(crate) struct Ingest {
    /// What they are; `auto` tells by their content
    #[arg(value_name = "SOURCE")]
    pub(crate) source: Source,
    /// Files, directories, or `-` for stdin
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Name of the sensor that recorded them, in place of what they say
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) sensor: Option<String>,
    /// One packet of N was sampled, where the records do not say it: their counts are of the packets that were
    #[arg(long, value_name = "N", value_parser = sampling)]
    pub(crate) sampling: Option<NonZeroU32>,
    /// Which column is what, for csv: a file, or one of the mappings that are built in
    #[arg(long, value_name = "FILE|NAME")]
    pub(crate) mapping: Option<String>,
    /// Time zone of times without an offset, as Argus writes them [default: the workspace's]
    #[arg(long, value_name = "ZONE", value_parser = timezone)]
    pub(crate) timezone: Option<TimeZone>,
    /// When a capture began whose times count from its beginning; times that have a date keep it
    #[arg(long, value_name = "T", value_parser = super::time)]
    pub(crate) start: Option<Timestamp>,
    /// Read just the first N bytes of each, decompressed, as if no more had been written
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub(crate) first: Option<u64>,
    /// Read anew what was ingested before, and replace what it gave then; also a file that was half of it, or damaged
    #[arg(long, conflicts_with = "follow")]
    pub(crate) again: bool,
    /// Refuse a file of which more records cannot be read, as a number or a share such as 1%
    #[arg(long, value_name = "N|P%")]
    pub(crate) max_rejects: Option<MaxRejects>,
    /// Go on: look again for what is new, until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    /// With --follow: seconds from one look to the next
    #[arg(long, value_name = "SECONDS", default_value = "60", requires = "follow")]
    pub(crate) every: NonZeroU64,
}

/// What sources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// Whatever their content says
    Auto,
    /// Zeek's conn.log and the logs beside it, as text or JSON
    Zeek,
    /// Suricata's eve.json
    Eve,
    /// NetFlow 5 and 9, IPFIX: captured datagrams, or IPFIX files
    Netflow,
    /// Files of nfcapd
    Nfdump,
    /// Argus flows as text (binetflow)
    Argus,
    /// Packet captures
    Pcap,
    /// Text in columns, by a mapping
    Csv,
}

impl Source {
    /// The format; none to tell it by content.
    pub(crate) const fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Zeek => Some(Format::Zeek),
            Self::Eve => Some(Format::Eve),
            Self::Netflow => Some(Format::Netflow),
            Self::Nfdump => Some(Format::Nfdump),
            Self::Argus => Some(Format::Argus),
            Self::Pcap => Some(Format::Pcap),
            Self::Csv => Some(Format::Csv),
        }
    }
}

fn sampling(text: &str) -> Result<NonZeroU32, String> {
    let rule = "it must be a whole number from 1 to 4294967295; leave it out where every packet was counted";
    text.parse().map_err(|_| rule.to_owned())
}

/// A name as it is to be shown.
fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name has letters".to_owned()),
        _ if text.chars().any(char::is_control) => Err("a name has no control characters".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn timezone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "no time zone such as Europe/Berlin or UTC".to_owned())
}
