//! What a slice shows of contacts and transfers that may be reported.

use std::{cmp::Reverse, collections::BTreeMap};

use wardflow_sdk::{ConnState, Draft, Findings, Flows, Severity, UNKNOWN};

use crate::peers::{Service, Standing, TCP};

/// Causes of one kind that are reported a slice, those with most flows; the rest is reported as one.
const MOST_CAUSES: usize = 16;
/// Causes of one kind that are told apart. When another comes, the one with fewest flows joins the rest, so that what is
/// busy stays though it came late (the idea of Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k
/// elements in data streams", ICDT 2005).
const KEPT_CAUSES: usize = 128;
/// Ports of the pump that public advisories warn of: FTP and Telnet (ICSMA-17-250-02A, ICSMA-20-170-04).
const WARNED_OF: [u16; 2] = [21, 23];

/// Flows that show one cause.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) standing: Standing,
    service: Service,
    /// Services among the flows, if there are more than one.
    has_more_services: bool,
    /// Whether any connection came about.
    is_established: bool,
    pub(crate) flows: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Payload bytes towards the pump.
    pub(crate) received: u64,
    examples: Vec<u32>,
}

/// Causes of one kind: by peer, and by service or by who came to whom.
#[derive(Debug)]
pub(crate) struct Causes<K> {
    by_key: BTreeMap<K, Shown>,
    further: Option<Shown>,
}

impl Shown {
    /// Nothing yet of what a flow begins.
    pub(crate) fn new(flows: &Flows<'_>, row: usize, standing: Standing, service: Service) -> Self {
        Self {
            standing,
            service,
            has_more_services: false,
            is_established: false,
            flows: 0,
            first: flows.start_time()[row],
            last: flows.end_time()[row],
            received: 0,
            examples: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, flows: &Flows<'_>, row: usize, service: Service) {
        self.flows += 1;
        self.first = self.first.min(flows.start_time()[row]);
        self.last = self.last.max(flows.end_time()[row]);
        self.received += Some(flows.bytes_received()[row]).filter(|bytes| *bytes != UNKNOWN).unwrap_or_default();
        self.has_more_services |= service != self.service;
        self.is_established |= came_about(flows, row);
        if self.examples.len() < 5 {
            self.examples.push(flows.position(row));
        }
    }

    /// Takes over what another cause shows.
    fn merge(&mut self, other: Self) {
        self.flows += other.flows;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.received += other.received;
        self.has_more_services |= other.has_more_services || other.service != self.service;
        self.is_established |= other.is_established;
        self.examples.extend(other.examples);
        self.examples.truncate(5);
    }

    /// Fills in what all findings have.
    pub(crate) fn fill<'a>(&self, draft: Draft<'a>) -> Draft<'a> {
        draft
            .flow_count(self.flows)
            .confidence(if self.is_established { 0.9 } else { 0.5 })
            .examples(self.examples.iter().copied())
    }

    fn report_contact(&self, findings: &mut Findings, peer: Option<u64>) {
        let (severity, score, who) = match self.standing {
            Standing::Internet => (Severity::High, 0.9, "an outside peer"),
            Standing::Workstation => (Severity::High, 0.8, "a workstation"),
            _ => (Severity::Medium, 0.6, "an internal peer that is new to the pump"),
        };
        let severity = match severity {
            _ if self.is_established => severity,
            Severity::High => Severity::Medium,
            _ => Severity::Low,
        };
        let draft = findings.report("contact-outside-groups", self.first, self.last).severity(severity).score(score);
        let draft =
            self.fill(draft).cause_key(self.cause(peer, if self.service.of_pump { "to-pump" } else { "to-peer" }));
        let more = if self.has_more_services { " and others" } else { "" };
        let (flows, service) = (self.flows, self.service);
        let tried = if self.is_established { "" } else { ", without success" };
        match (peer, self.service.of_pump) {
            (None, _) => draft.summary(format_args!("contact with further peers outside the groups, {flows} flows")),
            (Some(peer), true) => draft
                .peer(peer)
                .summary(format_args!("{who} contacted the pump on {service}{more}{tried}, {flows} flows")),
            (Some(peer), false) => draft
                .peer(peer)
                .summary(format_args!("the pump contacted {who} on {service}{more}{tried}, {flows} flows")),
        };
    }

    fn report_service(&self, findings: &mut Findings, peer: Option<u64>) {
        let Service { of_pump, port, protocol } = self.service;
        let severity = match self.is_established {
            true if of_pump && protocol == TCP && WARNED_OF.contains(&port) => Severity::High,
            true => Severity::Medium,
            false => Severity::Low,
        };
        let key = format!("pump {}", self.service);
        let draft = findings.report("new-service", self.first, self.last).severity(severity).score(0.6);
        let draft = self.fill(draft).cause_key(self.cause(peer, if of_pump { &key } else { "" }));
        let (flows, service) = (self.flows, self.service);
        match (peer, of_pump) {
            (None, _) => draft.summary(format_args!("further services that are new, {flows} flows")),
            (Some(peer), true) => draft
                .peer(peer)
                .protocol(protocol)
                .summary(format_args!("a known peer came to {service} of the pump for the first time, {flows} flows")),
            (Some(peer), false) => draft
                .peer(peer)
                .peer_port(port)
                .protocol(protocol)
                .summary(format_args!("the pump used {service} of a known peer for the first time, {flows} flows")),
        };
    }

    fn cause<'a>(&self, peer: Option<u64>, key: &'a str) -> &'a str {
        if peer.is_some() { key } else { "further" }
    }
}

impl<K: Ord + Clone> Causes<K> {
    pub(crate) fn add(&mut self, key: K, flows: &Flows<'_>, row: usize, standing: Standing, service: Service) {
        if self.by_key.len() >= KEPT_CAUSES && !self.by_key.contains_key(&key) {
            let least = self.by_key.iter().min_by_key(|(_, shown)| shown.flows).map(|(key, _)| key.clone());
            if let Some(shown) = least.and_then(|key| self.by_key.remove(&key)) {
                join(&mut self.further, shown);
            }
        }
        let begin = || Shown::new(flows, row, standing, service);
        self.by_key.entry(key).or_insert_with(begin).add(flows, row, service);
    }

    /// The causes with most flows, and all others together. What came about goes before what was only tried.
    fn ranked(&self) -> (Vec<(&K, &Shown)>, Option<Shown>) {
        let mut ranked: Vec<_> = self.by_key.iter().collect();
        ranked.sort_by_key(|(_, shown)| Reverse((shown.is_established, shown.flows)));
        let mut further = self.further.clone();
        for (_, shown) in ranked.drain(ranked.len().min(MOST_CAUSES)..) {
            join(&mut further, shown.clone());
        }
        (ranked, further)
    }
}

impl<K> Default for Causes<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), further: None }
    }
}

impl Causes<(u64, bool)> {
    /// Reports contact with peers outside the groups.
    pub(crate) fn report_contacts(&self, findings: &mut Findings) {
        let (ranked, further) = self.ranked();
        ranked.iter().for_each(|((peer, _), shown)| shown.report_contact(findings, Some(*peer)));
        further.iter().for_each(|shown| shown.report_contact(findings, None));
    }
}

impl Causes<(u64, Service)> {
    /// Reports services that are new.
    pub(crate) fn report_services(&self, findings: &mut Findings) {
        let (ranked, further) = self.ranked();
        ranked.iter().for_each(|((peer, _), shown)| shown.report_service(findings, Some(*peer)));
        further.iter().for_each(|shown| shown.report_service(findings, None));
    }
}

fn join(further: &mut Option<Shown>, shown: Shown) {
    match further {
        Some(further) => further.merge(shown),
        none => *none = Some(shown),
    }
}

/// Whether a flow is a connection that came about, or may be one.
pub(crate) fn came_about(flows: &Flows<'_>, row: usize) -> bool {
    !matches!(flows.protocol()[row], 1 | 58)
        && !matches!(
            flows.conn_state()[row],
            ConnState::S0 | ConnState::Rej | ConnState::Rstos0 | ConnState::Rstrh | ConnState::Sh | ConnState::Shr
        )
}
