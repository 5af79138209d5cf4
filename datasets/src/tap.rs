//! A tap: turns a call between two parties into the flow that a sensor would export.

use crate::{
    Flow, Incident,
    draw::{Draw, mix},
    exchange::{Ending, Exchange, Transport},
    site::{End, Party, Site},
    volume::Volume,
};
use std::borrow::Cow;

/// The lowest ephemeral port, and how many there are.
const EPHEMERAL: (u16, u32) = (49_152, 16_384);
/// How many of the flows between two hosts that speak both use IPv6.
const V6_SHARE: f64 = 0.3;
/// The span of numbers that one tap may give its flows.
const FLOWS_PER_TAP: u64 = 1 << 24;

/// Collects the flows of one owner in one stretch of time.
#[derive(Debug)]
pub(crate) struct Tap<'a> {
    site: &'a Site,
    flows: &'a mut Vec<Flow>,
    next: u64,
    incident: Option<Incident>,
}

/// One conversation to have.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) from: Party,
    pub(crate) to: Party,
    pub(crate) at_us: i64,
    pub(crate) exchange: &'a Exchange,
    /// In place of the exchange's own.
    pub(crate) port: Option<u16>,
    /// In place of the exchange's own, or an ephemeral one.
    pub(crate) source_port: Option<u16>,
    /// In place of the exchange's own, microseconds.
    pub(crate) lasts_us: Option<i64>,
    /// In place of the exchange's own.
    pub(crate) name: Option<Cow<'static, str>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(from: Party, to: Party, at_us: i64, exchange: &'a Exchange) -> Self {
        Self { from, to, at_us, exchange, port: None, source_port: None, lasts_us: None, name: None }
    }
}

impl<'a> Tap<'a> {
    /// `owner` (below 2^20) and `part` (below 2^20) together are used for one tap only, so that no `uid` comes twice.
    pub(crate) fn new(site: &'a Site, flows: &'a mut Vec<Flow>, owner: u64, part: u64) -> Self {
        Self { site, flows, next: ((owner << 20) | part) * FLOWS_PER_TAP, incident: None }
    }

    /// Labels all flows to come.
    pub(crate) fn label(self, incident: Incident) -> Self {
        Self { incident: Some(incident), ..self }
    }

    /// Adds the call's flow, and tells whether there is one: there is none if the caller is away, if a party loses its
    /// address meanwhile, or if the flow would end after the archive does.
    pub(crate) fn call(&mut self, call: Call<'_>, draw: &mut Draw) -> bool {
        let Call { from, to, at_us, exchange, .. } = call;
        if self.site.is_away(from, at_us) {
            return false;
        }
        let ends = if self.site.is_away(to, at_us) { Ending::Unanswered } else { exchange.ends };
        // A labelled flow keeps to IPv4, so that its peer has one address in the truth.
        let v6 = draw.chance(V6_SHARE)
            && self.incident.is_none()
            && exchange.transport != Transport::Icmp
            && self.site.has_v6(from)
            && self.site.has_v6(to);
        let lasts_us = call.lasts_us.unwrap_or_else(|| (exchange.lasts.draw(draw) * 1_000.0) as i64);
        let end_us = at_us + lasts_us;
        if end_us >= self.site.calendar.end_us {
            return false;
        }
        let Some((src, dst)) = self.site.end(from, v6, at_us, end_us).zip(self.site.end(to, v6, at_us, end_us)) else {
            return false;
        };
        let state = ends.state(exchange.transport, draw);
        let volume = Volume::new(&Exchange { ends, ..*exchange }, state, draw);
        let seen = Sight::new(&src, &dst);
        let source_port = call.source_port.or(exchange.source_port);
        self.flows.push(Flow {
            start_us: at_us,
            end_us,
            src_ip: src.ip,
            dst_ip: dst.ip,
            src_port: source_port.unwrap_or_else(|| ephemeral(draw.below(EPHEMERAL.1))),
            dst_port: call.port.unwrap_or(exchange.port),
            protocol: exchange.transport.protocol(),
            service: if volume.src_bytes + volume.dst_bytes > 0 { exchange.service } else { "" },
            src_bytes: volume.src_bytes,
            dst_bytes: volume.dst_bytes,
            src_packets: volume.src_packets,
            dst_packets: volume.dst_packets,
            conn_state: state,
            tcp_flags: volume.tcp_flags,
            src_mac: seen.src_mac,
            dst_mac: seen.dst_mac,
            vlan: seen.vlan,
            uid: mix(self.next ^ self.site.seed),
            dst_name: call.name.or_else(|| name(exchange, &dst, draw)),
            sensor: seen.sensor,
            incident: self.incident,
        });
        self.next += 1;
        true
    }
}

/// The ephemeral port with this number.
pub(crate) fn ephemeral(number: u32) -> u16 {
    EPHEMERAL.0 + (number % EPHEMERAL.1) as u16
}

fn name(exchange: &Exchange, dst: &End, draw: &mut Draw) -> Option<Cow<'static, str>> {
    match exchange.names {
        [] if exchange.tells_name() => dst.name.map(Cow::Borrowed),
        names => draw.one_of(names).map(|&name| Cow::Borrowed(name)),
    }
}

/// How the one sensor that exports a flow sees it: the sensor of the initiator's zone, or else of the responder's.
struct Sight {
    src_mac: Option<[u8; 6]>,
    dst_mac: Option<[u8; 6]>,
    vlan: Option<u16>,
    sensor: &'static str,
}

impl Sight {
    fn new(src: &End, dst: &End) -> Self {
        let Some(zone) = src.zone.or(dst.zone) else {
            return Self { src_mac: src.mac, dst_mac: dst.mac, vlan: None, sensor: "perimeter" };
        };
        let seen = |end: &End| match end.zone {
            Some(own) if own == zone => end.mac,
            None if end.mac.is_some() => end.mac,
            _ => Some(zone.router()),
        };
        Self { src_mac: seen(src), dst_mac: seen(dst), vlan: Some(zone.vlan.into()), sensor: zone.sensor }
    }
}
