//! What is reported of contacts, services and breaks, and how severe it is.

use wardflow_common::{DECLARED, Evidence, Standing};
use wardflow_sdk::{Findings, HOUR, MINUTE, Severity, Slice, math, surprise};

use crate::{PatientMonitor, continuity::Break, peers::Group};

/// Findings of a kind in a slice; the rest is one more.
const MOST: usize = 8;

impl PatientMonitor {
    /// Contacts with peers outside the groups.
    pub(crate) fn report_contacts(&self, findings: &mut Findings) {
        let novelty = self.state.experience.novelty();
        let ranked = self.contacts.ranked(MOST);
        let first = ranked.first.into_iter().map(|((peer, _), shown)| (Some(*peer), shown));
        for (peer, shown) in first.chain(ranked.further.iter().map(|shown| (None, shown))) {
            let (who, bits) = match shown.standing {
                Standing::Internet => ("an outside peer", DECLARED + novelty),
                Standing::Workstation => ("a workstation", DECLARED + novelty),
                _ => ("an internal peer that is new to it", novelty),
            };
            let (flows, service, of_device) = (shown.flows, shown.service, shown.service.of_device);
            let more = if shown.has_more_services { " and others" } else { "" };
            let tried = if shown.is_established { "" } else { ", without success" };
            let draft = findings.report("contact-outside-groups", shown.first, shown.last);
            let draft = shown.fill(draft).severity(self.severity(shown)).score(surprise::score(bits));
            match (peer, of_device) {
                (None, _) => draft
                    .cause_key("further")
                    .summary(format_args!("contact with further peers outside the groups, {flows} flows")),
                (Some(peer), true) => draft
                    .peer(peer)
                    .cause_key("to-monitor")
                    .summary(format_args!("{who} came to the monitor on {service}{more}{tried}, {flows} flows")),
                (Some(peer), false) => draft
                    .peer(peer)
                    .cause_key("to-peer")
                    .measured("bytes-sent", shown.sent as f64, "By", ..)
                    .summary(format_args!("the monitor called {who} on {service}{more}{tried}, {flows} flows")),
            };
        }
    }

    /// Where nobody says which host is the central station, little is known of who the others are.
    fn severity(&self, shown: &Evidence<Group>) -> Severity {
        let is_mapped = self.state.telemetry.is_mapped();
        match shown.standing {
            _ if !shown.is_established => Severity::Low,
            Standing::Internet | Standing::Workstation if is_mapped => Severity::High,
            Standing::Internet | Standing::Workstation => Severity::Medium,
            _ if shown.service.is_login() && is_mapped => Severity::Medium,
            _ => Severity::Low,
        }
    }

    /// Services that are new.
    pub(crate) fn report_services(&self, findings: &mut Findings) {
        let novelty = self.state.experience.novelty();
        let ranked = self.services.ranked(MOST);
        let first = ranked.first.into_iter().map(|((peer, _), shown)| (Some(*peer), shown));
        for (peer, shown) in first.chain(ranked.further.iter().map(|shown| (None, shown))) {
            let (flows, service) = (shown.flows, shown.service);
            let severity = if service.is_login() { Severity::Medium } else { Severity::Low };
            let draft = findings.report("new-service", shown.first, shown.last).severity(severity);
            let draft = shown.fill(draft).score(surprise::score(novelty)).protocol(service.protocol);
            match (peer, service.of_device) {
                (None, _) => {
                    draft.cause_key("further").summary(format_args!("further services that are new, {flows} flows"))
                }
                (Some(peer), true) => draft.peer(peer).cause_key(&format!("monitor {service}")).summary(format_args!(
                    "a known peer came to {service} of the monitor for the first time, {flows} flows"
                )),
                (Some(peer), false) => draft.peer(peer).peer_port(service.port).summary(format_args!(
                    "the monitor used {service} of a known peer for the first time, {flows} flows"
                )),
            };
        }
    }

    /// A break of contact with the central station, if it is one that somebody should look at.
    pub(crate) fn report_break(&self, known: &Break, slice: &Slice<'_>, findings: &mut Findings) {
        let (length, least) = (known.length(), self.least_break());
        let transport = self.parameters.transport_minutes * MINUTE;
        let is_transport = length <= transport && (known.has_moved() || !known.is_alive());
        // Exporters tell of a connection that goes on every half an hour, as a rule.
        let is_early = !known.has_ended && length < transport;
        let is_shelved = !known.is_alive() && length >= self.parameters.shelved_hours * HOUR;
        if length < least || is_transport || is_early || is_shelved {
            return;
        }
        let severity = match known.is_alive() && !known.has_moved() && length >= transport {
            true => Severity::Medium,
            false => Severity::Low,
        };
        let bits = self.state.experience.novelty() + math::log2(length as f64 / least as f64);
        let minutes = length / MINUTE;
        let meanwhile = if known.is_alive() { "other flows went on" } else { "hardly another flow" };
        let then = if known.has_ended { "then contact went on" } else { "it goes on" };
        findings
            .report("continuity-lost", known.from, known.last_flow)
            .severity(severity)
            .score(surprise::score(bits))
            .confidence(if known.is_alive() { 0.7 } else { 0.4 })
            // Flows of an earlier slice do not count in this one.
            .flow_count(if known.from >= slice.start { u64::from(known.life()) } else { 0 })
            .measured("break", minutes as f64, "min", ..=(least / MINUTE) as f64)
            .summary(format_args!("no contact with the central station for {minutes} min in use, {meanwhile}; {then}"));
    }
}
