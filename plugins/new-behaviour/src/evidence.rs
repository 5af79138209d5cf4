//! What a slice shows of something new, and how much that weighs.

use wardflow_sdk::{Draft, Flows, HOUR, MINUTE, Severity, UNKNOWN, math, surprise};

use crate::{known::Met, service::Service};

/// Flows that are kept as examples.
const EXAMPLES: usize = 5;
/// Payload that is much for somebody new, in bytes.
const VOLUME: u64 = 1_000_000;
/// Payload that is much to take from a new peer inside, by a service that the device never used, in bytes.
const COLLECTED: u64 = 100_000_000;
/// Distinct hours in which something new that comes again is seen.
const REPEATED: u8 = 3;
/// Bits of surprise from which something new is a matter for a person: once in five days and nights of traffic.
const RARE: f64 = 7.0;
/// Signs that make something new low, and medium. Of a device that is judged by its class alone it takes one more.
const LOW: u8 = 2;
const MEDIUM: u8 = 3;

/// Flows that show something new.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) peer: u64,
    pub(crate) has_more_peers: bool,
    pub(crate) service: Service,
    pub(crate) has_more_services: bool,
    /// Whether any of the services is one that the device never had.
    pub(crate) is_new_service: bool,
    is_administration: bool,
    is_unusual_port: bool,
    from_workstation: bool,
    is_unlisted: bool,
    met: Met,
    /// Devices of the class that had used the peer and port.
    prevalence: u32,
    pub(crate) flows: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    sent: u64,
    received: u64,
    examples: Vec<u32>,
}

/// What is new about a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New {
    pub(crate) service: Service,
    /// Its peer; its service, if that alone is new.
    pub(crate) met: Met,
    pub(crate) is_service_new: bool,
    /// Whether a workstation came to a device that is none.
    pub(crate) from_workstation: bool,
    /// Whether the peer is an internal host that the inventory does not have, though it has the device.
    pub(crate) is_unlisted: bool,
}

/// What the device's past and class say of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// Devices of the class, as far as this one can tell.
    pub(crate) class_size: u32,
    /// Payload an hour that the device at most sends by habit, inside and outside of the hospital.
    pub(crate) usual_sent: [f64; 2],
    /// Whether so many come to the device that it is a server: whom it serves is no sign, unless by a service that is
    /// new.
    pub(crate) is_server: bool,
    /// Things that are new in this slice.
    pub(crate) looks: usize,
}

impl Evidence {
    /// Nothing yet of what a flow begins.
    pub(crate) fn new(flows: &Flows<'_>, row: usize, New { service, met, .. }: New) -> Self {
        Self {
            peer: flows.peer()[row],
            has_more_peers: false,
            service,
            has_more_services: false,
            is_new_service: false,
            is_administration: false,
            is_unusual_port: false,
            from_workstation: false,
            is_unlisted: false,
            met,
            prevalence: 0,
            flows: 0,
            first: flows.start_time()[row],
            last: flows.end_time()[row],
            sent: 0,
            received: 0,
            examples: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize, new: New) {
        let New { service, met, is_service_new, from_workstation, is_unlisted } = new;
        let payload = |bytes: u64| if bytes == UNKNOWN { 0 } else { bytes };
        self.flows += 1;
        self.met = met;
        self.has_more_peers |= flows.peer()[row] != self.peer;
        self.has_more_services |= service != self.service;
        self.is_new_service |= is_service_new;
        self.from_workstation |= from_workstation;
        self.is_unlisted |= is_unlisted;
        self.is_administration |= service.is_administration();
        self.is_unusual_port |= !service.is_common();
        if !service.of_device {
            self.prevalence = self.prevalence.max(flows.peer_prevalence()[row]);
        }
        self.first = self.first.min(flows.start_time()[row]);
        self.last = self.last.max(flows.end_time()[row]);
        self.sent = self.sent.saturating_add(payload(flows.bytes_sent()[row]));
        self.received = self.received.saturating_add(payload(flows.bytes_received()[row]));
        if self.examples.len() < EXAMPLES {
            self.examples.push(flows.position(row));
        }
    }

    /// How much it may matter, before anything is weighed: outside, by administration, by a service that is new or from a
    /// workstation.
    pub(crate) fn gravity(&self) -> u8 {
        let graver = [self.service.is_external, self.is_administration, self.is_new_service, self.from_workstation];
        graver.into_iter().map(u8::from).sum()
    }

    /// Takes over what something else shows.
    pub(crate) fn merge(&mut self, other: Self) {
        self.flows += other.flows;
        self.has_more_peers |= other.has_more_peers || other.peer != self.peer;
        self.has_more_services |= other.has_more_services || other.service != self.service;
        self.is_new_service |= other.is_new_service;
        self.is_administration |= other.is_administration;
        self.is_unusual_port |= other.is_unusual_port;
        self.from_workstation |= other.from_workstation;
        self.is_unlisted |= other.is_unlisted;
        self.prevalence = self.prevalence.max(other.prevalence);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }

    /// Signs that more is behind it than a device that lives its life.
    pub(crate) fn signs(&self, context: &Context) -> u8 {
        let is_unusual_service =
            self.is_new_service || (self.met.is_young && self.service.is_external && self.is_unusual_port);
        let is_served = context.is_server && self.service.of_device && !self.is_new_service;
        let is_much = self.is_much(context) && !is_served;
        let is_repeated = self.met.hours >= REPEATED && (is_unusual_service || self.is_administration);
        [
            self.is_new_to_class(context),
            self.service.is_external,
            self.is_administration && !is_served,
            self.from_workstation && !is_served,
            self.is_unlisted && !self.service.of_device,
            is_unusual_service,
            is_much,
            is_repeated,
        ]
        .into_iter()
        .map(u8::from)
        .sum()
    }

    /// Severity, or nothing if it is not worth a line.
    pub(crate) fn severity(&self, context: &Context) -> Option<Severity> {
        let is_rare = f64::from(self.met.bits) >= RARE || self.met.is_young;
        match self.signs(context).saturating_sub(u8::from(self.met.is_young)) {
            MEDIUM.. if is_rare => Some(Severity::Medium),
            LOW.. => Some(Severity::Low),
            0 if self.is_shared(context) => None,
            _ => Some(Severity::Informational),
        }
    }

    /// Surprise, in bits, for the device and for its class.
    pub(crate) fn bits(&self, context: &Context) -> f64 {
        let looks = math::log2(context.looks.max(1) as f64);
        f64::from(self.met.bits) + self.class_bits(context) - looks
    }

    /// Fills in what all findings have.
    pub(crate) fn fill<'a>(&self, draft: Draft<'a>, context: &Context, bits: f64) -> Draft<'a> {
        let certainty = if self.met.is_young { 0.6 } else { 0.8 };
        draft
            .score(surprise::score(bits))
            .confidence(if self.flows > 2 { certainty + 0.1 } else { certainty })
            .protocol(self.service.protocol)
            .flow_count(self.flows)
            .measured("surprise", bits, "bit", ..)
            .measured("signs", f64::from(self.signs(context)), "1", ..)
            .measured("peer-prevalence", f64::from(self.prevalence), "1", ..)
            .measured("class-size", f64::from(context.class_size), "1", ..)
            .measured("bytes-sent", self.sent as f64, "By", ..)
            .measured("bytes-received", self.received as f64, "By", ..)
            .measured("hours-seen", f64::from(self.met.hours), "h", ..)
            .examples(self.examples.iter().copied())
    }

    /// Kilobytes, both directions.
    pub(crate) fn kilobytes(&self) -> u64 {
        self.sent.saturating_add(self.received).div_ceil(1_000)
    }

    /// The device itself counts from the slice after the first on, and others that did alike in the same slices.
    fn is_new_to_class(&self, context: &Context) -> bool {
        !self.service.of_device && context.is_class_known() && self.prevalence <= 1
    }

    fn is_shared(&self, context: &Context) -> bool {
        !self.service.of_device && context.is_class_known() && self.prevalence > 1
    }

    /// By Laplace's rule of succession over the devices of the class.
    fn class_bits(&self, context: &Context) -> f64 {
        if self.service.of_device || !context.is_class_known() {
            return 0.0;
        }
        let (size, users) = (f64::from(context.class_size), f64::from(self.prevalence));
        math::log2((size + 2.0) / (users + 1.0)).max(0.0)
    }

    /// What comes from a new peer is ordinary, such as an update; what goes to it, or either way if the peer came, is
    /// not; nor is a mass that is taken from inside by a service that the device never used.
    fn is_much(&self, context: &Context) -> bool {
        if self.service.of_device {
            return self.sent.max(self.received) >= VOLUME;
        }
        if !self.service.is_external && self.is_new_service && self.received >= COLLECTED {
            return true;
        }
        let hours = ((self.last - self.first) / HOUR + 1).min(i64::from(self.met.hours)).max(1);
        self.sent >= VOLUME
            && self.sent as f64 / hours as f64 > context.usual_sent[usize::from(self.service.is_external)]
    }
}

impl Context {
    /// Five devices that do the same make a class that can be told from chance.
    pub(crate) const fn is_class_known(&self) -> bool {
        self.class_size >= 5
    }
}

/// Minutes since 1970 of a time in microseconds.
pub(crate) const fn minute(time: i64) -> i64 {
    time.div_euclid(MINUTE)
}
