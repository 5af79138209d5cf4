//! IPFIX: binary messages with templates (RFC 7011), back to back as in a file (RFC 5655).

mod record;

use self::record::Record;
use crate::{Flow, calendar::SECOND_US};
use std::io::{self, Write};

/// The most bytes of a message, so that it fits into a datagram.
const MESSAGE: usize = 1_400;
const MESSAGE_HEADER: usize = 16;
const SET_HEADER: usize = 4;
const TEMPLATE_SET: u16 = 2;

/// What one record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// A flow, with what came back in the reverse elements of RFC 5103.
    Biflows,
    /// What one side sent, or a piece of it.
    Halves {
        /// A piece ends before so many seconds have passed since its first packet.
        active_timeout_s: u32,
    },
}

/// Writes IPFIX messages of at most 1,400 bytes, with a template for IPv4 (256) and one for IPv6 (257).
///
/// | element | value |
/// |---|---|
/// | `flowStartMicroseconds`, `flowEndMicroseconds` | rounded up to 2^-21 s, so that a reader may cut or round |
/// | `sourceTransportPort`, `destinationTransportPort` | 0 for ICMP |
/// | `icmpTypeCodeIPv4`, `icmpTypeCodeIPv6` | of ICMP, else 0; a half that answers has the type that answers |
/// | `octetDeltaCount`, `packetDeltaCount` | octets as [`ip_bytes`](super::ip_bytes) counts them |
/// | `tcpControlBits` | of the direction, and of the piece; 0 for other protocols |
/// | `flowEndReason` | 2 (active timeout) for all pieces but the last, and for TCP in state `OTH` |
/// | | 3 (end seen) for TCP that was closed, refused or reset; else 1 (idle) |
/// | `sourceMacAddress`, `destinationMacAddress`, `vlanId` | 0 where the flow has none |
/// | `biflowDirection` | 1, the source is the initiator; of biflows only |
///
/// The export time of a message is the second after the latest end that was written. Its sequence number counts the
/// data records before it. `uid`, names, service and sensor are lost, and from 7 February 2036 on the era of times is.
///
/// Of halves, the initiator's come first, and a side that sent nothing has none: who began is told by time alone, a
/// responder without initiator (`RSTRH`, `SHR`) looks like one, and the end of a flow of one packet is lost. All pieces
/// are written when the flow is, not when they end, and idle times cut nothing.
#[derive(Debug)]
pub struct Ipfix<W> {
    out: W,
    records: Records,
    domain: u32,
    template_every: u32,
    /// The sets of the message to come.
    sets: Vec<u8>,
    /// Where the last set begins, and of which template it is.
    open: Option<(usize, u16)>,
    record: Vec<u8>,
    held: u32,
    sent: u32,
    messages: u32,
    latest_us: i64,
}

impl<W: Write> Ipfix<W> {
    /// Begins a file of an observation domain. Templates are in every `template_every`th message, from the first on;
    /// with 0 only in the first.
    pub const fn new(out: W, records: Records, domain: u32, template_every: u32) -> Self {
        Self {
            out,
            records,
            domain,
            template_every,
            sets: Vec::new(),
            open: None,
            record: Vec::new(),
            held: 0,
            sent: 0,
            messages: 0,
            latest_us: 0,
        }
    }

    /// Writes the records of a flow, once their message is full.
    ///
    /// # Errors
    /// A message cannot be written.
    pub fn write(&mut self, flow: &Flow) -> io::Result<()> {
        match self.records {
            Records::Biflows => self.add(&Record::biflow(flow)),
            Records::Halves { active_timeout_s } => {
                let timeout_us = i64::from(active_timeout_s) * SECOND_US;
                Record::halves(flow, timeout_us).try_for_each(|record| self.add(&record))
            }
        }
    }

    /// Writes the last message, and gives back what was written to.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        if self.held > 0 {
            self.send()?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn add(&mut self, record: &Record) -> io::Result<()> {
        self.record.clear();
        record.each(|_, value| self.record.extend_from_slice(value));
        if self.held > 0 && MESSAGE_HEADER + self.sets.len() + SET_HEADER + self.record.len() > MESSAGE {
            self.send()?;
        }
        if self.held == 0 && self.messages.is_multiple_of(self.template_every) {
            self.templates();
        }
        if self.open.is_none_or(|(_, template)| template != record.template()) {
            self.begin_set(record.template());
        }
        self.sets.extend_from_slice(&self.record);
        self.end_set();
        self.held += 1;
        self.latest_us = self.latest_us.max(record.end_us);
        Ok(())
    }

    fn templates(&mut self) {
        let is_biflow = self.records == Records::Biflows;
        self.begin_set(TEMPLATE_SET);
        for record in [Record::empty(false, is_biflow), Record::empty(true, is_biflow)] {
            let mut count: u16 = 0;
            let mut fields = Vec::new();
            record.each(|element, value| {
                count += 1;
                element.describe(value.len() as u16, &mut fields);
            });
            self.sets.extend(record.template().to_be_bytes());
            self.sets.extend(count.to_be_bytes());
            self.sets.extend(fields);
        }
        self.end_set();
    }

    fn begin_set(&mut self, id: u16) {
        self.open = Some((self.sets.len(), id));
        self.sets.extend(id.to_be_bytes());
        self.sets.extend([0; 2]);
    }

    /// Notes how long the set is by now.
    fn end_set(&mut self) {
        if let Some((start, _)) = self.open {
            let length = (self.sets.len() - start) as u16;
            self.sets[start + 2..start + SET_HEADER].copy_from_slice(&length.to_be_bytes());
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let length = (MESSAGE_HEADER + self.sets.len()) as u16;
        let exported = (self.latest_us.div_euclid(SECOND_US) + 1) as u32;
        self.out.write_all(&10_u16.to_be_bytes())?;
        self.out.write_all(&length.to_be_bytes())?;
        for word in [exported, self.sent, self.domain] {
            self.out.write_all(&word.to_be_bytes())?;
        }
        self.out.write_all(&self.sets)?;
        self.sets.clear();
        self.open = None;
        self.sent = self.sent.wrapping_add(self.held);
        self.held = 0;
        self.messages = self.messages.wrapping_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
