//! What is reported of contacts and services, and how severe it is.

use wardflow_common::{Causes, DECLARED, Evidence, Service, Standing, TCP};
use wardflow_sdk::{Draft, Findings, Severity, surprise};

use crate::{baseline::Baseline, peers::Group};

/// Findings of a kind in a slice; the rest is one more.
const MOST: usize = 16;
/// Peers outside the groups, of one standing in one slice, that are told one by one. Of more, one finding tells how
/// many: what has so many peers has one cause.
const ONE_BY_ONE: usize = 8;
/// Ports of the pump that public advisories warn of: FTP and Telnet (ICSMA-17-250-02A, ICSMA-20-170-04).
const WARNED_OF: [u16; 2] = [21, 23];

type Shown = Evidence<Group>;

/// Contacts of a slice with peers outside the groups, by peer and by whether the peer came to the pump.
#[derive(Default)]
pub(crate) struct Contacts {
    pub(crate) internet: Causes<(u64, bool), Group>,
    pub(crate) workstations: Causes<(u64, bool), Group>,
    pub(crate) inside: Causes<(u64, bool), Group>,
}

impl Contacts {
    /// Reports them.
    pub(crate) fn report(&self, baseline: &Baseline, findings: &mut Findings) {
        for (causes, whom) in
            [(&self.internet, "internet"), (&self.workstations, "workstations"), (&self.inside, "inside")]
        {
            if causes.len() <= ONE_BY_ONE {
                causes.ranked(ONE_BY_ONE).first.iter().for_each(|((peer, _), shown)| {
                    report_contact(shown, *peer, baseline, findings);
                });
            } else if let Some(all) = causes.ranked(0).further {
                let (count, flows) = (causes.len(), all.flows);
                begin("contact-outside-groups", &all, contact_severity(&all, baseline), baseline, findings)
                    .cause_key(&format!("many {whom}"))
                    .measured("contacts", count as f64, "1", ..=ONE_BY_ONE as f64)
                    .summary(format_args!("{count} contacts with {} outside the groups, {flows} flows", whose(&all)));
            }
        }
    }
}

fn report_contact(shown: &Shown, peer: u64, baseline: &Baseline, findings: &mut Findings) {
    let who = match shown.standing {
        Standing::Internet => "an outside peer",
        Standing::Workstation => "a workstation",
        _ => "an internal peer that is new to the pump",
    };
    let severity = contact_severity(shown, baseline);
    let draft = begin("contact-outside-groups", shown, severity, baseline, findings).peer(peer);
    let more = if shown.has_more_services { " and others" } else { "" };
    let (flows, service) = (shown.flows, shown.service);
    let tried = if shown.is_established { "" } else { ", without success" };
    match service.of_device {
        true => draft
            .cause_key("to-pump")
            .summary(format_args!("{who} contacted the pump on {service}{more}{tried}, {flows} flows")),
        false => draft
            .cause_key("to-peer")
            .summary(format_args!("the pump contacted {who} on {service}{more}{tried}, {flows} flows")),
    };
}

/// Where nobody says who the pump's servers are, its contacts tell little.
fn contact_severity(shown: &Shown, baseline: &Baseline) -> Severity {
    let is_never = matches!(shown.standing, Standing::Internet | Standing::Workstation);
    match (is_never, baseline.has_gateway, shown.is_established) {
        (true, true, true) => Severity::High,
        (true, true, false) | (true, false, true) | (false, true, true) => Severity::Medium,
        _ => Severity::Low,
    }
}

/// Reports orders, or the pump's own protocol, with a peer that is no gateway.
pub(crate) fn report_orders(causes: &Causes<u64, Group>, baseline: &Baseline, findings: &mut Findings) {
    let ranked = causes.ranked(ONE_BY_ONE);
    let first = ranked.first.into_iter().map(|(peer, shown)| (Some(*peer), shown));
    for (peer, shown) in first.chain(ranked.further.iter().map(|shown| (None, shown))) {
        let severity = match shown.standing {
            _ if !shown.is_established => Severity::Low,
            Standing::Internet | Standing::Workstation => Severity::High,
            _ => Severity::Medium,
        };
        let draft = begin("orders-outside-gateway", shown, severity, baseline, findings);
        let draft = draft.protocol(shown.service.protocol).peer_port(shown.service.port);
        let (flows, service, whose) = (shown.flows, shown.service, whose(shown));
        match peer {
            Some(peer) => draft.peer(peer).summary(format_args!(
                "the pump spoke the protocol of its gateway, {service}, with one of {whose} outside the groups, \
                 {flows} flows"
            )),
            None => draft
                .cause_key("further")
                .summary(format_args!("the protocol of its gateway with further peers, {flows} flows")),
        };
    }
}

/// Reports services that are new, and connections to the pump by which somebody may command it.
pub(crate) fn report_services(causes: &Causes<(u64, Service), Group>, baseline: &Baseline, findings: &mut Findings) {
    let ranked = causes.ranked(MOST);
    let first = ranked.first.into_iter().map(|((peer, _), shown)| (Some(*peer), shown));
    for (peer, shown) in first.chain(ranked.further.iter().map(|shown| (None, shown))) {
        let Service { of_device, port, protocol } = shown.service;
        let is_command = of_device && shown.is_established && shown.received > 0;
        let severity = match shown.is_established {
            true if of_device && protocol == TCP && WARNED_OF.contains(&port) => Severity::High,
            true => Severity::Medium,
            false => Severity::Low,
        };
        let kind = if is_command { "inbound-command" } else { "new-service" };
        let draft = begin(kind, shown, severity, baseline, findings).protocol(protocol);
        let (flows, service, bytes) = (shown.flows, shown.service, shown.received);
        match (peer, of_device) {
            (None, _) => {
                draft.cause_key("further").summary(format_args!("further services that are new, {flows} flows"))
            }
            (Some(peer), true) => draft
                .peer(peer)
                .cause_key(&format!("pump {service}"))
                .measured("bytes-received", bytes as f64, "By", ..=0.0)
                .summary(format_args!(
                    "a known peer came to {service} of the pump for the first time and sent {bytes} bytes, \
                     {flows} flows"
                )),
            (Some(peer), false) => draft
                .peer(peer)
                .peer_port(port)
                .summary(format_args!("the pump used {service} of a known peer for the first time, {flows} flows")),
        };
    }
}

/// Tells that nobody says who the pump's gateway is, and what that costs.
pub(crate) fn report_unmapped(seen: &Shown, peers: usize, baseline: &Baseline, findings: &mut Findings) {
    let groups = if baseline.has_library { "pump-gateway" } else { "pump-gateway and drug-library-server" };
    let draft = findings.report("groups-unmapped", seen.first, seen.last).severity(Severity::Informational);
    seen.fill(draft).score(0.0).confidence(1.0).measured("peers", peers as f64, "1", ..).summary(format_args!(
        "none of {peers} peers is known as a gateway of pumps: map {groups}; until then most peers are learned and no \
         contact is more than medium"
    ));
}

fn begin<'a>(
    kind: &str,
    shown: &Shown,
    severity: Severity,
    baseline: &Baseline,
    findings: &'a mut Findings,
) -> Draft<'a> {
    let is_declared = shown.standing != Standing::Inside;
    let bits = baseline.experience.novelty() + if is_declared { DECLARED } else { 0.0 };
    let draft = findings.report(kind, shown.first, shown.last).severity(severity);
    shown.fill(draft).score(surprise::score(bits))
}

const fn whose(shown: &Shown) -> &'static str {
    match shown.standing {
        Standing::Internet => "the peers on the internet",
        Standing::Workstation => "the workstations",
        _ => "the internal peers",
    }
}
