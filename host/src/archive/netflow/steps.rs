//! Through the input: a set that is being read, sets that waited until now, the rest of the datagram, and then the next
//! one. At the end what still waits, and the reports.

use std::{io::Read, mem, sync::Arc};

use super::{
    Message, Netflow,
    datagrams::Arrival,
    late::{Awaits, Waiting},
    message::{Header, Version},
    set::{Context, MOST_PADDING},
};
use crate::{archive::aside::SensorReport, error::Result};

/// Bytes of a reject that are kept.
const MOST_RAW: usize = 512;

/// What was come to.
#[derive(Debug)]
pub(super) enum Step {
    /// A record that is a flow, unless its values are wrong.
    Flow,
    Other(&'static str),
    Report(SensorReport),
    Reject(String),
    End,
}

impl<R: Read> Netflow<R> {
    /// Goes to the next record.
    pub(super) fn advance(&mut self) -> Result<Step> {
        loop {
            if self.set.template.is_some() {
                if let Some(step) = self.next_in_set() {
                    return Ok(step);
                }
            } else if let Some((template, waiting)) = self.ready.pop_front() {
                self.begin_late(template, waiting);
            } else if let Some(message) = self.message.take() {
                if let Some(step) = self.next_in_message(message) {
                    return Ok(step);
                }
            } else if self.is_ending {
                if let Some(step) = self.next_at_end() {
                    return Ok(step);
                }
            } else if let Some(step) = self.next_datagram()? {
                return Ok(step);
            }
        }
    }

    fn next_datagram(&mut self) -> Result<Option<Step>> {
        let arrival = self.datagrams.advance()?;
        self.place = self.datagrams.place();
        Ok(match arrival {
            Arrival::Datagram => self.begin_message(),
            Arrival::Other(kind) => Some(Step::Other(kind)),
            Arrival::Reject(reason) => Some(self.reject(reason, 0)),
            Arrival::End => {
                self.is_ending = true;
                self.waiting = self.late.take_all().into();
                None
            }
        })
    }

    fn begin_message(&mut self) -> Option<Step> {
        let bytes = self.datagrams.bytes();
        let Some(header) = Header::read(bytes, self.datagrams.sent()) else {
            let reason = format!("the datagram's {} bytes end within its header", bytes.len());
            return Some(self.reject(reason, 0));
        };
        let domain = match self.sources.domain(self.datagrams.source(), header.version, header.domain) {
            Ok(domain) => domain,
            Err(reason) => return Some(self.reject(reason, 0)),
        };
        let (export, uptime, sampling) = (header.export, header.uptime, header.sampling);
        let context = Context { export, uptime, sampling, domain, place: self.datagrams.place() };
        let mut message = Message {
            header,
            context,
            at: header.length,
            end: bytes.len().min(header.whole).max(header.length),
            templates: None,
            records: Some(0),
            is_rejected: false,
        };
        if header.version == Version::V5 {
            let room = message.end - message.at;
            message.at += room - room % self.v5.least;
            self.begin_set(Arc::clone(&self.v5), context, header.length, message.at);
        }
        self.message = Some(message);
        self.sources.begin(domain, export).map(Step::Report)
    }

    /// Goes on in a datagram, and keeps it unless it is at its end.
    fn next_in_message(&mut self, mut message: Message) -> Option<Step> {
        self.place = message.context.place;
        let step = match message.templates {
            Some((end, is_options)) => self.next_template(&mut message, end, is_options),
            None if message.end - message.at > MOST_PADDING && message.header.version != Version::V5 => {
                self.next_set(&mut message)
            }
            None => return self.end_message(&message),
        };
        self.message = Some(message);
        step
    }

    /// Counts a datagram, and says so if it has not the length that it should have.
    fn end_message(&mut self, message: &Message) -> Option<Step> {
        let Message { header, context, .. } = *message;
        let count = match header.version {
            Version::V5 => Some(header.count.into()),
            Version::V9 => Some(1),
            Version::Ipfix => message.records,
        };
        self.sources.add_datagram(context.domain, header.sequence, count, context.export);
        let length = self.datagrams.bytes().len();
        if message.is_rejected || length == header.whole {
            return None;
        }
        let reason = format!("the datagram has {length} bytes; by its header it must have {}", header.whole);
        Some(self.reject(reason, message.at))
    }

    fn next_at_end(&mut self) -> Option<Step> {
        let Some(Waiting { awaits, context, bytes }) = self.waiting.pop_front() else {
            let reports = self.reports.get_or_insert_with(|| self.sources.reports().into());
            return Some(reports.pop_front().map_or(Step::End, Step::Report));
        };
        match awaits {
            // Its records have no times, and each says so.
            Awaits::Boot(template) => {
                self.set.bytes = bytes;
                self.set.begin(template, context, true);
                None
            }
            Awaits::Template(id) => {
                self.place = context.place;
                self.keep_raw(&bytes);
                let template = self.sources.name_template(context.domain, id);
                Some(Step::Reject(format!("{template} has not come before the end of the input")))
            }
        }
    }

    /// A reject of what begins at a byte of the datagram.
    pub(super) fn reject(&mut self, reason: String, start: usize) -> Step {
        let mut raw = mem::take(&mut self.raw);
        raw.clear();
        raw.extend(self.datagrams.bytes().iter().skip(start).take(MOST_RAW));
        self.raw = raw;
        self.place = self.datagrams.place();
        Step::Reject(reason)
    }

    /// Keeps the beginning of what could not be read.
    pub(super) fn keep_raw(&mut self, bytes: &[u8]) {
        self.raw.clear();
        self.raw.extend_from_slice(&bytes[..bytes.len().min(MOST_RAW)]);
    }
}
