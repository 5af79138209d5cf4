//! Flows of Argus as text: what `ra -c ,` prints, with its header line, whatever its columns and their order.
//!
//! | Argus | column |
//! |---|---|
//! | `StartTime`: a local time, or seconds since 1970 (`ra -u`) | `start_time` |
//! | `StartTime` + `Dur`, else `LastTime`, else the start | `end_time` |
//! | `SrcAddr`, `DstAddr` | `src_ip`, `dst_ip` |
//! | `Sport`, `Dport`; of ICMP type and code, see below; 0 if empty | `src_port`, `dst_port` |
//! | `Proto`, a name or number; `rtp`, `rtcp` and `udt` are 17, and what has no name (`unas`) is 0 | `protocol` |
//! | `SrcBytes`, `DstBytes` (of frames, with all headers), or by `TotBytes` | `src_bytes`, `dst_bytes` |
//! | `SrcPkts`, `DstPkts`, or by `TotPkts` | `src_packets`, `dst_packets` |
//! | `State` and who spoke, see below | `conn_state` |
//! | `State` of TCP as flags (`ra -Z b`) | `tcp_flags` |
//! | `SrcMac`, `DstMac` | `src_mac`, `dst_mac` |
//! | `sVlan` without its priority, else `sVid` | `vlan` |
//! | what the user calls the sensor, else `SrcId`, unless 0.0.0.0 | `sensor` |
//! | 2 if both ends spoke | `observed_sides` |
//! | none | all others |
//!
//! **Parts.** Argus reports a flow that goes on every `ARGUS_FLOW_STATUS_INTERVAL` (60 s by default, 5 s in Debian's
//! argus.conf; see argus.conf(5)), with the counts of both ends since the report before. So a record is a part, unless
//! it is one of TCP with the flags of both ends from the SYN to the end of the connection.
//!
//! **Direction.** The column `Dir` is an arrow to who was spoken to. Where it points to the source alone (`<-`, `<?`),
//! the destination began, or alone was heard: both ends change places with all that is theirs.
//!
//! **Counts.** What a total leaves of one end's is the other's. Where there are totals alone, they are the source's if
//! the other end did not answer, and null otherwise, but for two packets, of which each sent one. That nobody answered
//! follows from a count of 0, from flags of the source alone (`S_`), or from the arrow: `->` of other protocols than
//! TCP, `?>` of any. `SAppBytes` is not read: it is the payload only if Argus was told to count that, and else 0.
//!
//! **State.** Flags of both ends give a state as `tcp` has it. Without flags `REQ` that was not answered is `S0`, `EST`
//! is `S1` and `CLO` is `SF`; `CON`, `FIN`, `RST`, `ACC` and `TIM` may each mean several, and are null. UDP is `SF` if
//! both spoke, else `S0`; ICMP is `OTH`.
//!
//! **ICMP.** ra 3 writes `Sport` as `0x0303`, the code before the type, and puts an id into `Dport`; later ones write
//! the type into `Sport` and the code into `Dport`. Types of errors alone have codes: of those an upper byte is the
//! code, and without one a `Dport` of at most 15. Of ICMPv6 the two are in decimal.
//!
//! ARP, LLC, other frames and Argus's own reports (`man`) are counted as other records. Text in user data may have
//! separators in it: a line is refused for them only if columns that are read come after.
//!
//! Facts are from ra(1), argus.conf(5), the output of ra 3.0.8 and the source of 5.0.

mod columns;
mod flow;
mod protocols;
mod side;

use std::io::Read;

use jiff::tz::TimeZone;

use self::{
    columns::{Columns, Fields},
    flow::{FlowLine, Told},
};
use super::{
    lines::{Lines, LogLine},
    local_time::LocalClock,
    reader::{Place, Reader, Record, Reject},
};
use crate::error::Result;

/// Whether bytes begin a text of Argus.
pub(super) fn is_argus(first_bytes: &[u8]) -> bool {
    let line = first_bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Columns::of(line.trim_ascii()).is_ok()
}

/// Reads flows from a text of Argus.
#[derive(Debug)]
pub(super) struct ArgusLog<R> {
    lines: Lines<R>,
    columns: Option<Columns>,
    fields: Fields,
    clock: LocalClock,
    sensor: Option<String>,
}

/// What came next.
#[derive(Debug)]
enum Step {
    /// A line whose fields are found.
    Record,
    /// A line that is no record, and why.
    Malformed(String),
    End,
}

impl<R: Read> ArgusLog<R> {
    /// A reader of decompressed content. `sensor` is the name for the column of that name, in place of `SrcId`; `zone`
    /// is that of times without an offset, which is where `ra` was run.
    pub(super) fn new(input: R, sensor: Option<String>, zone: TimeZone) -> Self {
        Self {
            lines: Lines::new(input),
            columns: None,
            fields: Fields::default(),
            clock: LocalClock::new(zone),
            sensor,
        }
    }

    /// Goes to the next line that is no header.
    fn advance(&mut self) -> Result<Step> {
        loop {
            match self.lines.advance_in_log()? {
                LogLine::Whole => {}
                LogLine::Malformed(reason) => return Ok(Step::Malformed(reason)),
                LogLine::End => return Ok(Step::End),
            }
            if !self.lines.text().trim_ascii().is_empty()
                && let Some(step) = self.line()?
            {
                return Ok(step);
            }
        }
    }

    /// What the line is; none if it is a header.
    fn line(&mut self) -> Result<Option<Step>> {
        let line = self.lines.text();
        let Some(columns) = &self.columns else {
            self.columns = Some(Columns::of(line)?);
            return Ok(None);
        };
        let goes_on = match columns.split(line, &mut self.fields) {
            Ok(goes_on) => goes_on,
            Err(reason) => return Ok(Some(Step::Malformed(reason))),
        };
        if self.read().is_header() {
            return Ok(match Columns::of(self.lines.text()) {
                Ok(columns) => {
                    self.columns = Some(columns);
                    None
                }
                Err(error) => Some(Step::Malformed(error.reason())),
            });
        }
        // The last value may be a part of one.
        if !goes_on && !self.lines.has_end() {
            return Ok(Some(Step::Malformed("the line has no end: it is read again once the text goes on".into())));
        }
        Ok(Some(Step::Record))
    }

    fn read(&self) -> FlowLine<'_> {
        let sensor = self.sensor.as_deref();
        FlowLine { text: self.lines.text(), fields: &self.fields, clock: &self.clock, sensor }
    }
}

impl<R: Read> Reader for ArgusLog<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        let told = match self.advance()? {
            Step::End => return Ok(None),
            Step::Malformed(reason) => Err(reason),
            Step::Record => self.read().read(),
        };
        Ok(Some(match told {
            Ok(Told::Whole(flow)) => Record::Flow(flow),
            Ok(Told::Part(flow)) => Record::Part(flow),
            Ok(Told::Other(kind)) => Record::Other(kind),
            Err(reason) => Record::Reject(Reject { place: self.place(), reason, raw: self.raw() }),
        }))
    }

    fn place(&self) -> Place {
        Place::Line(self.lines.number())
    }

    fn raw(&self) -> &[u8] {
        self.lines.text()
    }

    fn is_broken(&self) -> bool {
        self.lines.is_broken()
    }
}

#[cfg(test)]
mod tests;
