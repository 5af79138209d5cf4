//! Suricata's EVE: one JSON object a line, of many kinds. Flows become flow records, with the names that earlier events
//! of the same `flow_id` have; alerts and counters go beside.
//!
//! | EVE | column |
//! |---|---|
//! | `flow.start` (ISO 8601 with offset; the first packet's time, of a pcap too) | `start_time` |
//! | `flow.end` (the last packet's), the start if it is not set | `end_time` |
//! | `src_ip`, `dest_ip` (Suricata has the client as source) | `src_ip`, `dst_ip` |
//! | `src_port`, `dest_port`; of ICMP `icmp_type`, `icmp_code`; 0 for other protocols | `src_port`, `dst_port` |
//! | `proto`, by name or number | `protocol` |
//! | `app_proto`, in lower case; `failed` and `unknown` are null | `service` |
//! | `flow.bytes_toserver`, `flow.bytes_toclient` (whole packets) | `src_bytes`, `dst_bytes` |
//! | `flow.pkts_toserver`, `flow.pkts_toclient` | `src_packets`, `dst_packets` |
//! | `tcp.tcp_flags_ts`, `tcp.tcp_flags_tc`, else `tcp.state`; of UDP and ICMP the packets | `conn_state` |
//! | `tcp.tcp_flags`, hexadecimal, else those of both directions; `00` is null | `tcp_flags` |
//! | `ether.src_macs`, `ether.dest_macs` (the first), else `ether.src_mac`, `ether.dest_mac` | `src_mac`, `dst_mac` |
//! | `vlan` (the first, which is the outermost) | `vlan` |
//! | `flow_id` | `flow_uid` |
//! | `community_id` | `community_id` |
//! | `tls.sni` or `quic.sni`, else `http.hostname`, else `dns.rrname` or `dns.queries` of a query | `dst_name` |
//! | what the user calls the sensor, else `host` (Suricata's `sensor-name`), else `sensor_name` | `sensor` |
//! | none: Suricata says nothing of sampling or of the sides it sees | `sampling_interval`, `observed_sides` |
//!
//! An event `netflow` is one direction of a flow: `netflow.pkts` and `netflow.bytes` are the source's, `tcp.tcp_flags`
//! are those of the direction. The times are those of the whole flow, and an ICMP answer has its own type and code.
//! Where both kinds are logged, every flow is told twice.
//!
//! What differs from other sources: bytes count whole packets as captured, with the headers from the link layer on and
//! with retransmissions, and not the payload. `timestamp` is when the event was written and is no time of the flow.
//! Flags are those of a session that Suricata follows: it does so from the SYN on, writes `00` for a connection that it
//! met later, and sees no more of one that it bypasses, whose `conn_state` is null. Lost are type and code of an ICMP
//! answer, further MAC addresses and VLAN ids, and by which timeout a flow ended. A long flow is told of once, when it
//! has ended.
//!
//! An alert becomes a row of `ids_events`, the difference of two events `stats` one of `sensor_reports`: packets are
//! those that were decoded, dropped ones those of `capture.kernel_drops`, which some ways of capture have not. Every
//! other event is counted by its kind.
//!
//! Facts are from Suricata's user guide (EVE JSON Output, EVE JSON Format), its schema of EVE and, where these do not
//! tell, its source (`output-json.c`, `output-json-flow.c`, `output-json-netflow.c`, `output-json-alert.c`, `flow.c`,
//! `stream-tcp.c`, `decode-vlan.c`), in versions 4 to 8.

mod alert;
mod event;
mod flow;
#[cfg(test)]
mod flow_tests;
mod json;
#[cfg(test)]
mod log_tests;
mod names;
mod protocol;
mod stats;
mod texts;
mod time;
mod value;

use std::io::Read;

use self::{
    event::Event,
    names::Names,
    stats::Counters,
    texts::Texts,
    value::{Value, required},
};
use super::{
    aside::{Aside, IdsEvent, SensorReport},
    lines::{Lines, LogLine},
    reader::{Place, Reader, Record, Reject},
    record::FlowRecord,
};
use crate::error::{Error, Result};

/// Longest kind of an event: those that exist are words, and they are counted by name.
const LONGEST_KIND: usize = 64;

/// Reads a log of EVE events.
#[derive(Debug)]
pub(super) struct EveLog<R> {
    lines: Lines<R>,
    /// What the user calls the sensor.
    sensor: Option<String>,
    texts: Texts,
    names: Names,
    counters: Counters,
    /// Whether an event was read, so that the input is one of EVE.
    is_eve: bool,
}

/// What a line is, before its texts are lent.
#[allow(clippy::large_enum_variant, reason = "nearly every line is a flow, and none is stored")]
enum Step {
    Flow(FlowRecord<'static>),
    Part(FlowRecord<'static>),
    Aside(Aside),
    Other,
    Malformed(String),
}

impl<R: Read> EveLog<R> {
    /// A reader of decompressed content. `sensor` is the name for the column of that name, in place of what events say.
    pub(super) fn new(input: R, sensor: Option<String>) -> Self {
        Self {
            lines: Lines::new(input),
            sensor,
            texts: Texts::default(),
            names: Names::default(),
            counters: Counters::default(),
            is_eve: false,
        }
    }

    /// Goes to the next line that is not blank; none at the end.
    fn advance(&mut self) -> Result<Option<Step>> {
        loop {
            match self.lines.advance_in_log()? {
                LogLine::Whole => {}
                LogLine::Malformed(reason) => return Ok(Some(Step::Malformed(reason))),
                LogLine::End => return Ok(None),
            }
            if !self.lines.text().trim_ascii().is_empty() {
                return self.line().map(Some);
            }
        }
    }

    fn line(&mut self) -> Result<Step> {
        let line = self.lines.text().trim_ascii();
        if !self.is_eve && line[0] != b'{' {
            return Err(not_eve(line, "is no JSON object"));
        }
        let event: Event<'_> = match json::read(line) {
            Ok(event) => event,
            Err(_) if !self.lines.has_end() => {
                return Ok(Step::Malformed("the line has no end: it is read again once the log goes on".into()));
            }
            Err(error) => return Ok(Step::Malformed(format!("the line is no JSON object: {error}"))),
        };
        if let Err(reason) = required("event_type", &event.event_type, kind, "the kind of the event, a word") {
            return if self.is_eve { Ok(Step::Malformed(reason)) } else { Err(not_eve(line, "has no event_type")) };
        }
        self.is_eve = true;
        self.texts.keep(&event, self.sensor.as_deref());
        let texts = &mut self.texts;
        let step = match texts.kind.as_str() {
            "flow" => {
                texts.dst_name = self.names.take(&event, &texts.flow_uid);
                flow::flow(&event).map(Step::Flow)
            }
            // That of the direction to the server comes first.
            "netflow" => {
                texts.dst_name = self.names.take(&event, &texts.flow_uid);
                flow::part(&event).map(Step::Part)
            }
            "alert" => alert::alert(&event).map(|alert| {
                let (sensor, flow_uid) = (texts::owned(&texts.sensor), texts::owned(&texts.flow_uid));
                Step::Aside(Aside::IdsEvent(IdsEvent { sensor, flow_uid, ..alert }))
            }),
            "stats" => self.counters.report(&event).map(|report| match report {
                Some(report) => {
                    Step::Aside(Aside::SensorReport(SensorReport { sensor: texts::owned(&texts.sensor), ..report }))
                }
                None => Step::Other,
            }),
            kind => {
                self.names.learn(kind, &event, &texts.flow_uid);
                Ok(Step::Other)
            }
        };
        Ok(step.unwrap_or_else(Step::Malformed))
    }
}

impl<R: Read> Reader for EveLog<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        Ok(self.advance()?.map(|step| match step {
            Step::Flow(flow) => Record::Flow(self.texts.lend(flow)),
            Step::Part(flow) => Record::Part(self.texts.lend(flow)),
            Step::Aside(aside) => Record::Aside(aside),
            Step::Other => Record::Other(&self.texts.kind),
            Step::Malformed(reason) => Record::Reject(Reject { place: self.place(), reason, raw: self.lines.text() }),
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

/// Whether a value may be the kind of an event.
fn kind(value: &Value<'_>) -> Option<()> {
    value.text().filter(|kind| kind.len() <= LONGEST_KIND).map(drop)
}

fn not_eve(line: &[u8], what: &str) -> Error {
    let shown = &line[..line.len().min(60)];
    Error::usage(format!("it is no log of Suricata's EVE: its first line, \"{}\", {what}", shown.escape_ascii()))
        .remedy("give Suricata's eve.json, one event a line with its event_type")
}
