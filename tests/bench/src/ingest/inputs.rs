//! The sources: the flows of one synthetic hospital, as each kind of sensor tells of them.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    iter::Take,
    path::Path,
    process::{Command, Stdio},
};

use wardflow_datasets::{
    Flows, Hospital, Options,
    export::{Eve, Format, Ipfix, Log, Records, Vpc, Zeek},
};

use super::{argus, packets};
use crate::{Result, zeek};

/// The first flows of a hospital.
type Beginning<'a> = Take<Flows<'a>>;

/// A source to ingest.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: &'static str,
    /// What it is, in the table.
    pub(super) what: &'static str,
    /// The file, or the directory of which the first is taken.
    pub(super) file: &'static str,
    /// What `wardflow ingest` is told of it.
    pub(super) arguments: &'static [&'static str],
    /// What DuckDB's program calls it; none where DuckDB has no reader for it.
    pub(super) peer: Option<&'static str>,
    write: fn(Beginning<'_>, &Path) -> Result<()>,
}

/// All of them.
pub(super) const SOURCES: [Source; 9] = [
    Source {
        name: "zeek-default",
        what: "Zeek, text",
        file: "conn.default.log",
        arguments: &["zeek"],
        peer: Some("zeek-default"),
        write: |flows, path| zeek::write(path, flows),
    },
    Source {
        name: "zeek",
        what: "Zeek, text, with VLAN, MAC addresses and community id",
        file: "conn.log",
        arguments: &["zeek"],
        peer: Some("zeek"),
        write: |flows, path| conn_log(flows, path, Format::Tsv),
    },
    Source {
        name: "zeek-json",
        what: "Zeek, JSON",
        file: "conn.json.log",
        arguments: &["zeek"],
        peer: Some("zeek-json"),
        write: |flows, path| conn_log(flows, path, Format::Json),
    },
    Source { name: "eve", what: "EVE", file: "eve.json", arguments: &["eve"], peer: Some("eve"), write: eve },
    Source {
        name: "vpc",
        what: "CSV by a mapping (VPC flow logs)",
        file: "vpc.log",
        arguments: &["csv", "--mapping", "aws-vpc"],
        peer: Some("csv"),
        write: vpc,
    },
    Source {
        name: "argus",
        what: "Argus",
        file: "flows.binetflow",
        arguments: &["argus"],
        peer: Some("argus"),
        write: |flows, path| Ok(argus::write(flows, create(path)?)?),
    },
    Source { name: "netflow", what: "IPFIX", file: "flows.ipfix", arguments: &["netflow"], peer: None, write: ipfix },
    Source {
        name: "nfdump",
        what: "nfdump (DuckDB reads what `nfdump -o csv` prints)",
        file: "nfdump",
        arguments: &["nfdump"],
        peer: Some("nfdump"),
        write: nfdump,
    },
    Source {
        name: "pcap",
        what: "packets",
        file: "packets.pcap",
        arguments: &["pcap"],
        peer: None,
        write: |flows, path| Ok(packets::write(flows, create(path)?)?),
    },
];

/// Writes the sources that are not there yet.
pub(super) fn make(directory: &Path, flows: u64, sources: &[&Source]) -> Result<()> {
    fs::create_dir_all(directory)?;
    // As dense as the day that the detectors are measured with, of which it is the beginning.
    let day = Options { devices: 1_000, days: 1, flows: Some(20_000_000), incidents: Vec::new(), ..Options::default() };
    let hospital = Hospital::new(day)?;
    for source in sources {
        let done = directory.join(format!("{}.flows", source.name));
        if fs::read_to_string(&done).is_ok_and(|text| text == flows.to_string()) {
            continue;
        }
        eprintln!("making {} of {flows} flows", source.file);
        (source.write)(hospital.flows().take(usize::try_from(flows)?), &directory.join(source.file))?;
        fs::write(done, flows.to_string())?;
    }
    Ok(())
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(1 << 20, File::create(path)?))
}

fn conn_log(flows: Beginning<'_>, path: &Path, format: Format) -> Result<()> {
    let mut flows = flows.peekable();
    let opened = flows.peek().map_or(0, |flow| flow.start_us);
    let mut log = Zeek::new(create(path)?, Log::Conn, format, opened)?;
    flows.try_for_each(|flow| log.write(&flow))?;
    log.finish()?;
    Ok(())
}

fn eve(mut flows: Beginning<'_>, path: &Path) -> Result<()> {
    let mut log = Eve::new(create(path)?);
    flows.try_for_each(|flow| log.write(&flow))?;
    log.finish()?;
    Ok(())
}

fn vpc(mut flows: Beginning<'_>, path: &Path) -> Result<()> {
    let mut log = Vpc::new(create(path)?)?;
    flows.try_for_each(|flow| log.write(&flow))?;
    log.finish()?;
    Ok(())
}

/// Each direction of a flow on its own, in pieces of a minute, as routers export them.
fn ipfix(mut flows: Beginning<'_>, path: &Path) -> Result<()> {
    let mut messages = Ipfix::new(create(path)?, Records::Halves { active_timeout_s: 60 }, 1, 20);
    flows.try_for_each(|flow| messages.write(&flow))?;
    messages.finish()?;
    Ok(())
}

/// A file of `nfpcapd`, of the same packets as `pcap` has.
fn nfdump(flows: Beginning<'_>, directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    let capture = directory.with_extension("pcap");
    let mut out = create(&capture)?;
    packets::write(flows, &mut out)?;
    out.flush()?;
    let status = Command::new("nfpcapd")
        .args(["-e", "60,30", "-t", "86400", "-o", "fat", "-w"])
        .arg(directory)
        .arg("-r")
        .arg(&capture)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("nfpcapd, which makes this source, does not start: {error}"))?;
    fs::remove_file(&capture)?;
    if !status.success() {
        return Err(format!("nfpcapd: {status}").into());
    }
    Ok(())
}
