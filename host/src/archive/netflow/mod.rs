//! NetFlow versions 5 and 9 and IPFIX: flows as routers, firewalls and probes export them.
//!
//! The input is a packet capture (pcap or pcapng) with their UDP datagrams, whatever the port, or a file of datagrams
//! one after the other, such as an IPFIX file (RFC 5655). Facts: Cisco's NetFlow Export Datagram Format for version 5,
//! RFC 3954 for 9, RFC 7011 and 7012 for IPFIX, RFC 5103 for biflows, IANA's registry of information elements. Elements
//! have their IPFIX names here; version 9 has the same numbers, and version 5 is read as a template that never changes.
//!
//! | element, the first that a record has | column |
//! |---|---|
//! | see `times` | `start_time`, `end_time` |
//! | `sourceIPv4Address` and `destinationIPv4Address`, else the IPv6 ones | `src_ip`, `dst_ip` |
//! | `sourceTransportPort`, `tcpSourcePort`, `udpSourcePort`; of the destination likewise | `src_port`, `dst_port` |
//! | of ICMP `icmpTypeIPv4`, `icmpCodeIPv4` and the others, see `flow` | `src_port` (type), `dst_port` (code) |
//! | `protocolIdentifier` | `protocol` |
//! | `applicationName`, in lower case | `service` |
//! | `initiatorOctets`, `octetDeltaCount`, `octetTotalCount`, `postOctetDeltaCount` | `src_bytes` |
//! | `responderOctets`, `reverseOctetDeltaCount`, `reverseOctetTotalCount` | `dst_bytes` |
//! | `initiatorPackets`, `packetDeltaCount`, `packetTotalCount`, `postPacketDeltaCount` | `src_packets` |
//! | `responderPackets`, `reversePacketDeltaCount`, `reversePacketTotalCount` | `dst_packets` |
//! | `tcpControlBits` and `reverseTcpControlBits`, of TCP | `tcp_flags`; of whole flows also `conn_state` |
//! | `sourceMacAddress`; zeros are none | `src_mac` |
//! | `destinationMacAddress`, else `postDestinationMacAddress`; zeros are none | `dst_mac` |
//! | `dot1qVlanId`, `vlanId`; 0 is none | `vlan` |
//! | `flowId` | `flow_uid` |
//! | the user's name, else `exporterIPv4Address`, `exporterIPv6Address`, else the datagram's sender | `sensor` |
//! | see `sampling` | `sampling_interval` |
//! | counts of both directions: 2 | `observed_sides` |
//! | none | `community_id`, `dst_name` |
//!
//! What differs from other sources, or is lost:
//!
//! - Bytes are those of IP packets with their headers, but for `initiatorOctets` and `responderOctets`, which are
//!   payload.
//! - Counts are as exported, not multiplied where packets were sampled.
//! - A record with counts of both directions is a flow, unless `flowEndReason` says that a timeout (2) or want of
//!   memory (5) cut it. Any other record is a part of a flow.
//! - Which end of a biflow is its source is the exporter's choice. Where `biflowDirection` is 2 the source is the
//!   responder, and the ends are exchanged.
//! - `flowDirection` is not used. An exporter that watches both ways of an interface, or several interfaces, gives what
//!   it forwards once for each.
//! - `postDestinationMacAddress` is the next hop's after routing, so the destination's only on its last link.
//!   `postSourceMacAddress` is the router's own and not used, nor are addresses after translation (`postNAT...`).
//! - A `firewallEvent` of 2 (deleted) or 5 (goes on) with counts is a part, for the counts are those since the event
//!   before. Other events, and records of `natEvent` without counts, are `event`s: they count nothing.
//! - Records whose template has no pair of addresses are `no flow`, options data are `options`, templates and their
//!   withdrawals are `template`, IP packets in fragments are `fragment`, sFlow datagrams are `sflow`, and all other
//!   packets are `packet`.
//! - Elements of enterprises other than 29305 (reverse), and structured data (RFC 6313), are passed over.
//! - Templates do not expire: they hold until another of their number comes, or they are withdrawn.
//! - Data sets wait for their template, and in IPFIX for the time at which the exporter booted where they need it (see
//!   `late`). Sampling is known from when it is told on.
//!
//! Lost datagrams show as gaps of the sequence numbers (see `losses`). For each exporter and hour of its sending there
//! is a [`SensorReport`] with the records that came, those that did not, and their share.
//!
//! The crate `netflow_parser` (1.0.6) was tried and is not used. It decodes data sets that waited for their template
//! into the message that brings it, without the header of their own, by which version 9 and IPFIX tell times; it ends a
//! message at a malformed set without a word; what waits past a bound it drops and only counts; and it allocates for
//! every record.

mod bare;
mod bytes;
mod capture;
mod datagrams;
mod elements;
mod fields;
mod flow;
mod late;
mod losses;
mod message;
mod packet;
mod report;
mod sampling;
mod set;
mod sets;
mod sources;
mod steps;
mod template;
mod texts;
mod times;
mod v5;
mod window;

use std::{collections::VecDeque, io::Read, sync::Arc};

use self::{
    datagrams::Datagrams,
    fields::Fields,
    flow::Around,
    late::{Late, Waiting},
    message::Header,
    set::DataSet,
    sources::Sources,
    steps::Step,
    template::{Slots, Template},
    texts::Texts,
    times::Clock,
};
use super::{
    aside::{Aside, SensorReport},
    reader::{Place, Reader, Record, Reject},
};
use crate::error::Result;

/// Reads flows that were exported.
#[derive(Debug)]
pub(super) struct Netflow<R> {
    datagrams: Datagrams<R>,
    sources: Sources,
    v5: Arc<Template>,
    message: Option<Message>,
    set: DataSet,
    late: Late,
    /// Sets whose template has come, or the time that they waited for.
    ready: VecDeque<(Arc<Template>, Waiting)>,
    slots: Slots,
    texts: Texts,
    /// The record in `set`: where it begins. It ends where the next does.
    record: usize,
    place: u64,
    /// What could not be read, or its beginning.
    raw: Vec<u8>,
    /// Whether the input is at its end, what still waits, and then the reports.
    is_ending: bool,
    waiting: VecDeque<Waiting>,
    reports: Option<VecDeque<SensorReport>>,
}

/// The datagram that is being read.
#[derive(Debug)]
struct Message {
    header: Header,
    context: set::Context,
    /// Where its next set begins, and where the last one ends.
    at: usize,
    end: usize,
    /// The end of the template set that `at` is in, and whether it is of options.
    templates: Option<(usize, bool)>,
    /// Data records in it; none if they cannot be counted.
    records: Option<u32>,
    /// Whether something of it was rejected that its lengths could be wrong for.
    is_rejected: bool,
}

impl<R: Read> Netflow<R> {
    /// A reader of decompressed content. `sensor` is the name for the column of that name, in place of the exporter's.
    ///
    /// # Errors
    /// The input cannot be read, or is neither a packet capture nor begins with a datagram.
    pub(super) fn new(input: R, sensor: Option<String>) -> Result<Self> {
        Ok(Self {
            datagrams: Datagrams::new(input)?,
            sources: Sources::new(sensor),
            v5: v5::template()?,
            message: None,
            set: DataSet::default(),
            late: Late::default(),
            ready: VecDeque::new(),
            slots: Slots::default(),
            texts: Texts::default(),
            record: 0,
            place: 0,
            raw: Vec::new(),
            is_ending: false,
            waiting: VecDeque::new(),
            reports: None,
        })
    }

    /// The record that was found in the set.
    fn flow(&self) -> Record<'_> {
        let fields = self.fields();
        let context = self.set.context;
        let domain = self.sources.get(context.domain);
        let named = self.texts.exporter().filter(|_| !self.sources.is_named());
        let uptime = context.uptime.or_else(|| domain.boot_millis.map(|boot| times::uptime(context.export, boot)));
        let around = Around {
            clock: Clock { export: context.export, uptime },
            sampling_interval: domain.sampling.of(fields, context.sampling),
            sensor: named.or_else(|| self.sources.sensor(context.domain)),
            texts: &self.texts,
        };
        match flow::flow(fields, around) {
            Ok(flow) if flow.is_whole => Record::Flow(flow.record),
            Ok(flow) => Record::Part(flow.record),
            Err(reason) => Record::Reject(Reject { place: self.place(), reason, raw: fields.record }),
        }
    }

    fn fields(&self) -> Fields<'_> {
        Fields { slots: &self.slots, record: &self.set.bytes[self.record..self.set.at] }
    }
}

impl<R: Read> Reader for Netflow<R> {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        Ok(Some(match self.advance()? {
            Step::End => return Ok(None),
            Step::Flow => self.flow(),
            Step::Other(kind) => Record::Other(kind),
            Step::Report(report) => Record::Aside(Aside::SensorReport(report)),
            Step::Reject(reason) => Record::Reject(Reject { place: self.place(), reason, raw: &self.raw }),
        }))
    }

    fn place(&self) -> Place {
        Place::Offset(self.place)
    }

    fn is_broken(&self) -> bool {
        self.datagrams.is_broken()
    }
}

#[cfg(test)]
mod tests;
