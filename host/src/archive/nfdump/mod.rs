//! Flow files of `nfcapd` (and of `sfcapd` and `nfpcapd`), through the program `nfdump`, versions 1.6 and 1.7.
//!
//! `nfdump` prints a line a record, in a format of our own (`-o fmt:`) on whose tags 1.6 and 1.7 agree: `csv` has whole
//! seconds only, `json` many lines a record, and `pipe` one direction alone. The tags are described in nfdump(1).
//! Records are parts: an exporter counts directions on their own, and cuts long flows.
//!
//! | nfdump | column |
//! |---|---|
//! | `%ts` (milliseconds) | `start_time` |
//! | `%te`, or the start if there is none, as of firewall events | `end_time` |
//! | `%sa`, `%da` | `src_ip`, `dst_ip` |
//! | `%sp`, `%dp`; of ICMP `%dp` is type and code, `8.0` | `src_port`, `dst_port` |
//! | `%pr`, a number by `-N` | `protocol` |
//! | `%ibyt`, `%obyt` (of IP packets, with headers) | `src_bytes`, `dst_bytes` |
//! | `%ipkt`, `%opkt` | `src_packets`, `dst_packets` |
//! | `%flg`, of TCP; null if none is set, as where the exporter does not tell | `tcp_flags` |
//! | `%ismc`; `%idmc`, else `%odmc` | `src_mac`, `dst_mac` |
//! | `%svln`, else `%dvln` | `vlan` |
//! | what the user calls the sensor, else `%ra`, the exporter's address | `sensor` |
//! | 2 if both directions have counts | `observed_sides` |
//! | none | all others |
//!
//! Counts of 0 are those of a direction that was not counted: a record with counts out alone has them as its source's.
//! Of a direction with bytes and no packets, as firewalls report, the packets are null. Where the exporter samples and
//! says so, `nfcapd` has multiplied the counts already, and `nfdump` has no tag for the interval: it is null. A line
//! without any counts is counted as a record of another kind: a firewall's event, or the outer addresses of a tunnel,
//! which `nfdump` prints before the flow in it.
//!
//! `nfdump` reads files, so a plain copy of each is made while it is read. One that would leave less than 1 GiB of the
//! disk free, or a twentieth of a smaller disk, is refused.

mod line;

use std::{path::Path, process::ChildStdout};

use jiff::tz::TimeZone;

use self::line::{FORMAT, Fields, FlowLine};
use super::{
    lines::{Line, Lines},
    local_time::LocalClock,
    program::Program,
    reader::{Place, Reader, Record, Reject},
};
use crate::error::{Context, Error, Result};

/// Printed where there are no flows, though `nfdump` was asked to be quiet.
const NO_FLOWS: &[u8] = b"No matching flows";

/// What a record without counts is called.
const WITHOUT_COUNTS: &str = "record without counts";

/// Whether bytes begin a file of `nfcapd`: its magic number in either byte order, and a version of the layout.
pub(super) fn is_nfcapd(first_bytes: &[u8]) -> bool {
    matches!(first_bytes, [0x0c, 0xa5, 1 | 2, 0, ..] | [0xa5, 0x0c, 0, 1 | 2, ..])
}

/// Reads flows from a file of `nfcapd`.
#[derive(Debug)]
pub(super) struct Nfdump {
    program: Program,
    lines: Lines<ChildStdout>,
    fields: Fields,
    clock: LocalClock,
    sensor: Option<String>,
    has_records: bool,
    has_ended: bool,
    is_broken: bool,
}

/// What came next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A line with as many fields as were asked for.
    Record,
    /// A line that has others, or what `nfdump` complains of at its end.
    Malformed(String),
    /// There are no more.
    End,
}

impl Nfdump {
    /// Starts `nfdump` on a file. `sensor` is the name for the column of that name, in place of the exporter's address.
    ///
    /// # Errors
    /// `nfdump` is not there.
    pub(super) fn new(file: &Path, sensor: Option<String>) -> Result<Self> {
        Self::run("-r", file, sensor)
    }

    /// Starts it on all files of a directory, in the order of their names.
    ///
    /// # Errors
    /// `nfdump` is not there.
    pub(super) fn of_directory(directory: &Path, sensor: Option<String>) -> Result<Self> {
        Self::run("-R", directory, sensor)
    }

    fn run(option: &str, path: &Path, sensor: Option<String>) -> Result<Self> {
        // Quiet, whole numbers, and IPv6 addresses that are not abridged.
        let arguments = ["-q", "-N", "-6", "-o", FORMAT, option].map(AsRef::as_ref);
        let (program, output) = Program::start("nfdump", "nfdump", arguments.into_iter().chain([path.as_os_str()]))?;
        Ok(Self {
            program,
            lines: Lines::new(output),
            fields: Fields::default(),
            clock: LocalClock::new(TimeZone::UTC),
            sensor,
            has_records: false,
            has_ended: false,
            is_broken: false,
        })
    }

    /// Goes to the next line.
    ///
    /// # Errors
    /// `nfdump` cannot read the file.
    pub(super) fn advance(&mut self) -> Result<Step> {
        while !self.has_ended {
            match self.lines.advance().context(|| "reading the output of nfdump".into())? {
                Line::TooLong => return Ok(Step::Malformed("nfdump printed a line longer than 1 MiB".into())),
                Line::Whole if self.lines.text().is_empty() || self.lines.text() == NO_FLOWS => {}
                Line::Whole => {
                    self.has_records = true;
                    return Ok(self.fields.split(self.lines.text()).map_or_else(Step::Malformed, |()| Step::Record));
                }
                Line::End => return self.end(),
            }
        }
        Ok(Step::End)
    }

    /// A step as a record; none at the end.
    pub(super) fn lend(&self, step: Step) -> Option<Record<'_>> {
        let flow = match step {
            Step::End => return None,
            Step::Malformed(reason) => Err(reason),
            Step::Record => FlowLine {
                text: self.lines.text(),
                fields: &self.fields,
                clock: &self.clock,
                sensor: self.sensor.as_deref(),
            }
            .flow(),
        };
        Some(match flow {
            Ok(Some(part)) => Record::Part(part),
            Ok(None) => Record::Other(WITHOUT_COUNTS),
            Err(reason) => Record::Reject(Reject { place: self.place(), reason, raw: self.raw() }),
        })
    }

    /// Its exit code is 0 even where it broke off: what it says is taken for what happened.
    fn end(&mut self) -> Result<Step> {
        self.has_ended = true;
        let ending = self.program.finish()?;
        match ending.complaint() {
            None => Ok(Step::End),
            Some(complaint) if self.has_records => {
                self.is_broken = true;
                Ok(Step::Malformed(format!("nfdump could not read all of it: {complaint}")))
            }
            Some(complaint) => Err(Error::usage(format!("nfdump cannot read it: {complaint}"))
                .remedy("give a file of nfcapd that is whole; nfdump -v FILE checks it")),
        }
    }
}

impl Reader for Nfdump {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        let step = self.advance()?;
        Ok(self.lend(step))
    }

    fn place(&self) -> Place {
        Place::Line(self.lines.number() + u64::from(self.is_broken))
    }

    fn raw(&self) -> &[u8] {
        if self.has_ended { &[] } else { self.lines.text() }
    }

    fn is_broken(&self) -> bool {
        self.is_broken
    }
}

#[cfg(test)]
mod tests;
