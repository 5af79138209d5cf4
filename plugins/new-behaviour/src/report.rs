//! What is said of a slice.

use std::{cmp::Reverse, collections::BTreeMap};

use wardflow_sdk::{Findings, HOUR, Severity, Slice, surprise};

use crate::{
    evidence::{Context, Evidence},
    habit::{Habits, Novelty},
    hours::Unusual,
    service::Service,
};

/// Causes of a kind that are reported one by one in a slice; the rest is reported as one.
const SINGLE: usize = 4;

/// Reports peers, by pseudonym and whether they came to the device.
pub(crate) fn peers(
    peers: BTreeMap<(u64, bool), Evidence>,
    context: &Context,
    habits: &Habits,
    findings: &mut Findings,
) {
    for (evidence, severity, is_single) in ranked(peers.into_values(), context) {
        let service = evidence.service;
        let bits = evidence.bits(context);
        let who = if service.is_external { "outside" } else { "internal" };
        let how = match service.of_device {
            true => format!("a new {who} peer came to {service}"),
            false => format!("contacted a new {who} peer on {service}"),
        };
        let draft = findings.report("new-peer", evidence.first, evidence.last).severity(severity);
        let draft = evidence.fill(draft, context, bits);
        let draft = draft.measured("usual-rate", habits.rate(Novelty::Peer(service)), "/kh", ..);
        let (flows, kilobytes) = (evidence.flows, evidence.kilobytes());
        if !is_single {
            draft.cause_key("further").summary(format_args!("exchanged data with further new peers, {flows} flows"));
            continue;
        }
        let more = if evidence.has_more_services { " and other services" } else { "" };
        let new = match (evidence.is_new_service, service.is_external) {
            (false, _) => "",
            (true, true) => ", a service that it had with nobody outside before",
            (true, false) => ", a service that it had with nobody inside before",
        };
        let draft = draft
            .peer(evidence.peer)
            .cause_key(if service.of_device { "inbound" } else { "" })
            .summary(format_args!("{how}{new}{more}, {flows} flows, {kilobytes} kB"));
        if !service.of_device && !evidence.has_more_services && service.port != 0 {
            draft.peer_port(service.port);
        }
    }
}

/// Reports services that peers use or offer that are not new themselves.
pub(crate) fn services(
    services: BTreeMap<Service, Evidence>,
    context: &Context,
    habits: &Habits,
    findings: &mut Findings,
) {
    for (evidence, severity, is_single) in ranked(services.into_values(), context) {
        let service = evidence.service;
        let bits = evidence.bits(context);
        let whose = if service.is_external { "an outside peer" } else { "an internal peer" };
        let draft = findings.report("new-service", evidence.first, evidence.last).severity(severity);
        let draft = evidence.fill(draft, context, bits);
        let mut draft = draft.measured("usual-rate", habits.rate(Novelty::Service(service)), "/kh", ..);
        let (flows, kilobytes) = (evidence.flows, evidence.kilobytes());
        if !is_single {
            draft.cause_key("further").summary(format_args!("further services that are new, {flows} flows"));
            continue;
        }
        if !evidence.has_more_peers {
            draft = draft.peer(evidence.peer);
        }
        if service.of_device {
            draft.cause_key(&format!("device {service}")).summary(format_args!(
                "offered {service} to {whose} for the first time, {flows} flows, {kilobytes} kB"
            ));
            continue;
        }
        if service.port != 0 {
            draft = draft.peer_port(service.port);
        }
        draft
            .cause_key(if service.is_external { "outside" } else { "" })
            .summary(format_args!("used {service} of {whose} for the first time, {flows} flows, {kilobytes} kB"));
    }
}

/// Reports an hour that is unusually busy.
pub(crate) fn hour(hour: &Unusual, busiest: f64, slice: &Slice<'_>, findings: &mut Findings) {
    let Unusual { connections, local, days, most, .. } = *hour;
    let kind = if hour.is_weekend { "weekend days" } else { "working days" };
    let in_slice = hour.number * HOUR >= slice.start;
    findings
        .report("new-hours", hour.number * HOUR, (hour.number + 1) * HOUR - 1)
        .severity(Severity::Low)
        .score(surprise::score(hour.bits()))
        .confidence(0.5)
        // Flows of an earlier slice do not count in this one.
        .flow_count(if in_slice { u64::from(connections) } else { 0 })
        .cause_key(if hour.is_weekend { "weekend" } else { "working-day" })
        .measured("connections", f64::from(connections), "/h", ..=f64::from(most))
        .measured("busiest-usual", busiest, "/h", ..)
        .measured("surprise", hour.bits(), "bit", ..)
        .summary(format_args!(
            "{connections} connections from {local}:00 local time, when at most {most:.0} are usual, as {days} {kind} tell"
        ));
}

/// What is worth a line, the most severe and surprising first: each alone, or those beyond the first few together.
fn ranked(
    evidence: impl Iterator<Item = Evidence>,
    context: &Context,
) -> impl Iterator<Item = (Evidence, Severity, bool)> {
    let mut ranked: Vec<_> =
        evidence.filter_map(|evidence| evidence.severity(context).map(|severity| (evidence, severity))).collect();
    let bits = |evidence: &Evidence| (evidence.bits(context) * 16.0) as i64;
    ranked.sort_by_key(|(evidence, severity)| {
        Reverse((*severity as u8, evidence.signs(context), bits(evidence), evidence.flows))
    });
    let mut rest = ranked.split_off(ranked.len().min(SINGLE)).into_iter();
    let further = rest.next().map(|(mut all, severity)| {
        rest.for_each(|(evidence, _)| all.merge(evidence));
        (all, severity, false)
    });
    ranked.into_iter().map(|(evidence, severity)| (evidence, severity, true)).chain(further)
}
