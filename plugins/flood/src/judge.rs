//! Whether what a slice shows of a service is a flood: of connections, of packets, or of connections that are held.

use wardflow_sdk::{MINUTE, Severity};

use crate::{Flood, Service, minutes::Busy, seen::Seen};

/// A flood of so many times the least needs no habit to be one.
const PLAIN: f64 = 10.0;
/// One of so many times the least is for a person to look at, whatever became of the connections.
const VAST: f64 = 40.0;
/// Connections a minute that remain without any answer, beyond which they are no retries: who asks again waits a second or
/// more for the answer (RFC 6298), and few clients ask seven times at once.
const IMPATIENT: f64 = 420.0;
/// Bits of a minute of a flood, without which it is none.
const LEAST_BITS: f64 = 12.0;

/// What a service is found to be flooded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) what: What,
    pub(crate) bits: f64,
    pub(crate) severity: Severity,
    pub(crate) confidence: f64,
    /// Minutes and flows of the flood.
    pub(crate) minutes: usize,
    pub(crate) flows: u64,
    /// Start of the first of its flows and end of the last, in microseconds since 1970.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// In the busiest minute, or hour if connections are held.
    pub(crate) rate: f64,
    pub(crate) usual: f64,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Connections,
    Packets,
    /// Connections that are held.
    Held,
}

impl Flood {
    /// The worst of what there is of a service, which is one of `looks`.
    pub(crate) fn judge(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let all = [
            self.judge_held(service, seen, looks),
            self.judge_packets(service, seen, looks),
            self.judge_connections(service, seen, looks),
        ];
        all.into_iter()
            .flatten()
            .max_by(|one, other| one.severity.cmp(&other.severity).then(one.bits.total_cmp(&other.bits)))
    }

    fn judge_connections(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let least = self.parameters.least_flows;
        let rate = f64::from(seen.minutes.most_flows());
        let (is_plain, is_learned) = (rate >= PLAIN * least, self.is_learned());
        let is_retry = self.is_retry(service, seen);
        if rate < least || (is_retry || !is_learned) && !is_plain {
            return None;
        }
        let usual = self.habit(service).flows(service.port_key(), is_learned);
        let bits = usual.bits(rate, looks);
        let floor = least.max(4.0 * usual.peak());
        let Busy { minutes, flows, first, last } = seen.minutes.with_flows(floor);
        if bits < LEAST_BITS || rate < floor || minutes < 3 && !is_plain {
            return None;
        }
        let has_failed = seen.failed_share() >= 0.5;
        let severity = match bits {
            _ if is_retry => Severity::Low,
            _ if !is_learned && (has_failed || rate >= VAST * least) => Severity::Medium,
            _ if !is_learned => Severity::Low,
            40.0.. if has_failed && is_plain => Severity::High,
            30.0.. if minutes >= 5 && (has_failed || rate >= 4.0 * least || minutes >= 20) => Severity::Medium,
            _ => Severity::Low,
        };
        Some(Verdict {
            what: What::Connections,
            bits,
            severity,
            confidence: if is_learned { 0.9 } else { 0.6 },
            minutes,
            flows,
            // What shows it began and ended in those minutes.
            first: seen.first.max(first * MINUTE),
            last: seen.last.min((last + 1) * MINUTE),
            rate,
            usual: usual.peak(),
        })
    }

    fn judge_packets(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let least = self.parameters.least_packets;
        let (loudest, certain) = (seen.minutes.loudest(), seen.minutes.most_certain());
        let (is_plain, is_learned) = (loudest.weight >= PLAIN * least, self.is_learned());
        // A client that asks again for a service that answered sends more SYNs than connections are counted.
        let is_retry = service.is_tcp() && self.is_retry(service, seen);
        if loudest.weight < least || (is_retry || !is_learned) && !is_plain {
            return None;
        }
        let usual = self.habit(service).packets(is_learned);
        let bits = usual.bits(loudest.weight, looks);
        if bits < LEAST_BITS || loudest.weight < 4.0 * usual.peak() {
            return None;
        }
        let busy = seen.minutes.with_packets(least);
        let minutes = busy.minutes.max(seen.minutes_of_packets);
        let severity = match usual.bits(certain, looks) {
            _ if is_retry => Severity::Low,
            40.0.. if certain >= PLAIN * least && is_learned => Severity::High,
            LEAST_BITS.. if certain >= PLAIN * least => Severity::Medium,
            30.0.. if certain >= least && minutes >= 3 => Severity::Medium,
            _ => Severity::Low,
        };
        let (first, last) = seen.loud.unwrap_or((seen.first, seen.last));
        // Its first minute was no loud one until it had so many packets.
        let first = if busy.minutes > 0 { first.min(seen.first.max(busy.first * MINUTE)) } else { first };
        Some(Verdict {
            what: What::Packets,
            bits,
            severity,
            confidence: if certain >= loudest.weight / 2.0 { 0.8 } else { 0.4 },
            minutes,
            flows: busy.flows.max(1),
            first,
            last,
            rate: loudest.count,
            usual: usual.peak() / loudest.average(),
        })
    }

    fn judge_held(&self, service: &Service, seen: &Seen, looks: f64) -> Option<Verdict> {
        let (least, is_learned) = (self.parameters.least_flows, self.is_learned());
        let (flows, most) = seen.held.counts();
        let rate = f64::from(most);
        let usual = self.habit(service).held(service.port_key(), is_learned);
        let bits = usual.bits(rate, looks);
        if rate < least.max(4.0 * usual.peak()) || bits < LEAST_BITS || !is_learned && rate < PLAIN * least {
            return None;
        }
        let (first, last) = (seen.held.first, seen.held.last);
        Some(Verdict {
            what: What::Held,
            bits,
            severity: if bits >= 30.0 && rate >= 4.0 * least { Severity::Medium } else { Severity::Low },
            confidence: if is_learned { 0.8 } else { 0.5 },
            minutes: usize::try_from((last - first) / MINUTE + 1).unwrap_or(1),
            flows,
            first,
            last,
            rate,
            usual: usual.peak(),
        })
    }

    /// Whether these are attempts in vain at a service that answered before, by who waits for an answer.
    fn is_retry(&self, service: &Service, seen: &Seen) -> bool {
        let is_silent = seen.silent as f64 / seen.flows as f64 >= 0.5;
        let is_patient = f64::from(seen.minutes.most_flows()) < IMPATIENT || !is_silent;
        seen.failed_share() >= 0.8 && is_patient && self.state.answered.get(service).is_some()
    }
}
