//! Flow files of `nfcapd` (and of `sfcapd` and `nfpcapd`), of versions 1.6 and 1.7, through the program `nfdump` 1.7.
//!
//! `nfdump` reads a file of any of these versions and compressions, and writes its records as those of version 1.7,
//! uncompressed, into a file (`-w`), in a fraction of the time that printing them would take. Records are parts: an
//! exporter counts directions on their own, and cuts long flows.
//!
//! | record of nfdump 1.7 | column |
//! |---|---|
//! | `msecFirst` | `start_time` |
//! | `msecLast`, or the start if there is none, as of firewall events | `end_time` |
//! | addresses of `EXipv6Flow`, else of `EXipv4Flow` | `src_ip`, `dst_ip` |
//! | `srcPort`, `dstPort`; of ICMP type and code, which `dstPort` has | `src_port`, `dst_port` |
//! | `proto` | `protocol` |
//! | `inBytes`, `outBytes` (of IP packets, with headers) | `src_bytes`, `dst_bytes` |
//! | `inPackets`, `outPackets` | `src_packets`, `dst_packets` |
//! | `tcpFlags`, of TCP; null if none is set, as where the exporter does not tell | `tcp_flags` |
//! | `inSrcMac`; `inDstMac`, else `outDstMac` | `src_mac`, `dst_mac` |
//! | `srcVlan`, else `dstVlan` | `vlan` |
//! | what the user calls the sensor, else the exporter's address (`EXipReceivedV6`, `EXipReceivedV4`) | `sensor` |
//! | 2 if both directions have counts | `observed_sides` |
//! | none | all others |
//!
//! Counts of 0 are those of a direction that was not counted: a record with counts out alone has them as its source's.
//! Of a direction with bytes and no packets, as firewalls report, the packets are null. Where the exporter samples and
//! says so, `nfcapd` has multiplied the counts already, and a record does not have the interval: it is null. A record
//! without any counts, as of a firewall's event, is counted as one of another kind; so are the outer addresses of a
//! tunnel, which `nfdump` shows as a record before that of the flow in it.
//!
//! Where a file is cut, what stands before is read. Where a record in the midst of it is damaged `nfdump` gives up at
//! once, and of the records before that one the last are not read, some MiB that it had not yet written. That it gave
//! up is a reject; where it wrote nothing, an error. It reads as many blocks as the file's header says that there are:
//! of what stands behind them it does not tell.
//!
//! `nfdump` reads files and writes them, so a plain copy of each is made while it is read, and a file of its records.
//! What would leave less than 1 GiB of the disk free, or a twentieth of a smaller disk, is refused.

#[cfg(test)]
mod build;
mod elements;
mod flow;
mod output;

use std::{
    fs::{self, File},
    io::Read,
    net::IpAddr,
    path::Path,
};

use self::{
    elements::{Elements, Places},
    output::{FLOW, Output, Stop},
};
use super::{
    program::{Ending, Program},
    reader::{Place, Reader, Record, Reject},
    spool::check_written,
};
use crate::error::{Context, Error, Result};

/// What a record without counts is called.
const WITHOUT_COUNTS: &str = "record without counts";

/// What one is called whose type is not known.
const OF_UNKNOWN_TYPE: &str = "record of unknown type";

/// Whether bytes begin a file of `nfcapd`: its magic number in either byte order, and a version of the layout.
pub(super) fn is_nfcapd(first_bytes: &[u8]) -> bool {
    matches!(first_bytes, [0x0c, 0xa5, 1 | 2, 0, ..] | [0xa5, 0x0c, 0, 1 | 2, ..])
}

/// Reads flows from a file of `nfcapd`.
#[derive(Debug)]
pub(super) struct Nfdump<R = File> {
    output: Output<R>,
    /// How `nfdump` ended, before any of its output is read.
    ending: Ending,
    places: Places,
    /// The user's name for the sensor.
    sensor: Option<String>,
    /// The last exporter, and its address as text.
    exporter: Option<(IpAddr, String)>,
    /// Records so far, as `nfdump` counts them: a tunnel's outer addresses are one.
    number: u64,
    /// Whether the flow in a tunnel is still to be given.
    is_in_tunnel: bool,
    has_ended: bool,
    is_broken: bool,
}

/// What came next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record with elements.
    Record,
    /// One that is no flow, by its kind.
    Other(&'static str),
    /// One whose elements cannot be told apart, or what `nfdump` complains of at its end.
    Malformed(String),
    /// There are no more.
    End,
}

impl Nfdump {
    /// Has `nfdump` write the records of a file into one below `scratch`. `sensor` is the name for the column of that
    /// name, in place of the exporter's address.
    ///
    /// # Errors
    /// `nfdump` is not there, or there is no room for the records.
    pub(super) fn new(file: &Path, scratch: &Path, sensor: Option<String>) -> Result<Self> {
        Self::run("-r", file, scratch, sensor)
    }

    /// Has it write those of all files of a directory, in the order of their names.
    ///
    /// # Errors
    /// As those of [`Self::new`].
    pub(super) fn of_directory(directory: &Path, scratch: &Path, sensor: Option<String>) -> Result<Self> {
        Self::run("-R", directory, scratch, sensor)
    }

    // Into a pipe it would write too, but keep the other end open itself, and so wait for ever once no one reads.
    fn run(option: &str, path: &Path, scratch: &Path, sensor: Option<String>) -> Result<Self> {
        let written = scratch.join("records");
        let arguments = ["-q".as_ref(), option.as_ref(), path.as_os_str(), "-w".as_ref(), written.as_os_str()];
        let (mut program, output) = Program::start("nfdump", "nfdump", arguments)?;
        let ending = program.finish_while(output, |said| {
            check_said(said)?;
            check_written(&written)
        })?;
        let reading = || "reading what nfdump wrote".into();
        // Where it could read nothing there is no file. What is open needs no name.
        let records = File::options().read(true).append(true).create(true).open(&written).context(reading)?;
        fs::remove_file(&written).context(reading)?;
        Ok(Self::of(records, ending, sensor))
    }
}

impl<'a> Nfdump<&'a [u8]> {
    /// Reads what `nfdump` would have written.
    pub(super) const fn of_records(records: &'a [u8]) -> Self {
        Self::of(records, Ending { succeeded: true, said: String::new() }, None)
    }
}

impl<R: Read> Nfdump<R> {
    /// Reads what `nfdump` wrote.
    const fn of(records: R, ending: Ending, sensor: Option<String>) -> Self {
        Self {
            output: Output::new(records),
            ending,
            places: Places::NONE,
            sensor,
            exporter: None,
            number: 0,
            is_in_tunnel: false,
            has_ended: false,
            is_broken: false,
        }
    }

    /// Goes to the next record.
    ///
    /// # Errors
    /// `nfdump` cannot read the file, or is of another version.
    pub(super) fn advance(&mut self) -> Result<Step> {
        if self.has_ended {
            return Ok(Step::End);
        }
        if std::mem::take(&mut self.is_in_tunnel) {
            self.number += 1;
            return Ok(Step::Record);
        }
        match self.output.advance() {
            Ok(kind) => {
                self.number += 1;
                Ok(if kind == FLOW { self.find_elements() } else { Step::Other(OF_UNKNOWN_TYPE) })
            }
            Err(stop) => self.end(stop),
        }
    }

    fn find_elements(&mut self) -> Step {
        match Places::of(self.output.record()) {
            Ok(places) => self.places = places,
            Err(reason) => return Step::Malformed(reason),
        }
        if self.sensor.is_none() {
            self.note_exporter();
        }
        self.is_in_tunnel = self.places.has_tunnel();
        if self.is_in_tunnel { Step::Other(WITHOUT_COUNTS) } else { Step::Record }
    }

    fn note_exporter(&mut self) {
        let exporter = self.elements().exporter();
        if self.exporter.as_ref().map(|(address, _)| *address) != exporter {
            self.exporter = exporter.map(|address| (address, address.to_string()));
        }
    }

    fn elements(&self) -> Elements<'_> {
        Elements { record: self.output.record(), places: &self.places }
    }

    /// A step as a record; none at the end.
    pub(super) fn lend(&self, step: Step) -> Option<Record<'_>> {
        let exporter = || self.exporter.as_ref().map(|(_, text)| text.as_str());
        let flow = match step {
            Step::End => return None,
            Step::Other(kind) => return Some(Record::Other(kind)),
            Step::Malformed(reason) => Err(reason),
            Step::Record => self.elements().flow(self.sensor.as_deref().or_else(exporter)),
        };
        Some(match flow {
            Ok(Some(part)) => Record::Part(part),
            Ok(None) => Record::Other(WITHOUT_COUNTS),
            Err(reason) => Record::Reject(Reject { place: self.place(), reason, raw: self.raw() }),
        })
    }

    /// Its exit code is 0 even where it broke off: what it says is taken for what happened.
    fn end(&mut self, stop: Stop) -> Result<Step> {
        self.has_ended = true;
        match (stop, self.ending.complaint()) {
            (Stop::End, None) => Ok(Step::End),
            (Stop::End | Stop::Broken(_), Some(complaint)) if self.number > 0 => {
                self.is_broken = true;
                Ok(Step::Malformed(format!("nfdump could not read all of it: {complaint}")))
            }
            (Stop::End | Stop::Broken(_), Some(complaint)) => {
                Err(Error::usage(format!("nfdump cannot read it: {complaint}"))
                    .remedy("give a file of nfcapd that is whole; nfdump -v FILE checks it"))
            }
            (Stop::Broken(reason), None) => {
                Err(Error::failed(format!("nfdump wrote records that cannot be read: {reason}"))
                    .remedy("install nfdump 1.7.1, whose records are known"))
            }
            (Stop::Foreign(what), _) => {
                Err(Error::failed(format!("nfdump writes {what}; what nfdump 1.7 writes is needed, file layout 2"))
                    .remedy("install nfdump 1.7, as Debian has it: nfdump -V shows the version"))
            }
            (Stop::Unread(error), _) => Err(error).context(|| "reading what nfdump wrote".into()),
        }
    }
}

/// Checks that `nfdump` does not say that it cannot write: 1.7.1 would not end then.
fn check_said(said: &str) -> Result<()> {
    match said.lines().find(|line| line.starts_with("write() error")) {
        None => Ok(()),
        Some(line) => Err(Error::failed(format!("nfdump cannot write the records into a file: {line}"))
            .remedy("make room on the disk of the archive")),
    }
}

impl<R: Read> Reader for Nfdump<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        let step = self.advance()?;
        Ok(self.lend(step))
    }

    fn place(&self) -> Place {
        Place::Line(self.number + u64::from(self.is_broken))
    }

    fn raw(&self) -> &[u8] {
        if self.has_ended { &[] } else { self.output.record() }
    }

    fn is_broken(&self) -> bool {
        self.is_broken
    }
}

#[cfg(test)]
mod tests;
