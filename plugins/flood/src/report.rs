//! Findings of floods.

use wardflow_common::port_name;
use wardflow_sdk::{Findings, surprise};

use crate::{
    Service,
    judge::{Verdict, What},
    seen::Seen,
};

/// Services that are reported one by one in a slice; the rest are one finding.
const SINGLE: usize = 8;

/// Reports what was found, the worst first.
pub(crate) fn report(found: &[(&Service, &Seen, Verdict)], findings: &mut Findings) {
    let (single, rest) = found.split_at(found.len().min(SINGLE));
    for (service, seen, verdict) in single {
        report_one(service, seen, verdict, findings);
    }
    for is_outbound in [true, false] {
        let rest: Vec<_> = rest.iter().filter(|(service, ..)| service.is_outbound == is_outbound).collect();
        report_rest(&rest, findings);
    }
}

fn report_one(service: &Service, seen: &Seen, verdict: &Verdict, findings: &mut Findings) {
    let Verdict { minutes, rate, usual, .. } = *verdict;
    let (what, name, unit, measure) = match verdict.what {
        What::Connections => ("connections a minute", "flows-per-minute", "flows", "/min"),
        What::Packets => ("unanswered packets a minute", "packets-per-minute", "packets", "/min"),
        What::Held => ("connections an hour that are held and say next to nothing", "held-per-hour", "flows", "/h"),
    };
    let failed = seen.failed_share();
    let draft = findings
        .report(service.kind(), verdict.first, verdict.last)
        .severity(verdict.severity)
        .score(surprise::score(verdict.bits))
        .confidence(verdict.confidence)
        .peer(service.peer)
        .protocol(service.protocol)
        .flow_count(verdict.flows.max(1))
        .measured(name, rate, measure, ..=usual)
        .measured("minutes", minutes as f64, "min", ..)
        .measured("failed-share", failed, "1", ..)
        .examples(examples(seen, verdict).iter().copied());
    let name = port_name(service.port, service.protocol);
    let percent = failed * 100.0;
    if service.is_outbound {
        draft.peer_port(service.port).summary(format_args!(
            "up to {rate:.0} {what} to {name} of one peer, in {minutes} min; usual are up to {usual:.0} \
             {unit}; {percent:.0} % of flows failed"
        ));
    } else {
        draft.cause_key(&name).summary(format_args!(
            "up to {rate:.0} {what} from one peer to {name} of the device, in {minutes} min; usual are up to \
             {usual:.0} {unit}; {percent:.0} % of flows failed"
        ));
    }
}

/// Reports further services of one direction as one.
fn report_rest(rest: &[&(&Service, &Seen, Verdict)], findings: &mut Findings) {
    let Some((service, _, worst)) = rest.first() else { return };
    let verdicts = || rest.iter().map(|(_, _, verdict)| verdict);
    findings
        .report(
            service.kind(),
            verdicts().map(|verdict| verdict.first).min().unwrap_or(worst.first),
            verdicts().map(|verdict| verdict.last).max().unwrap_or(worst.last),
        )
        .severity(verdicts().map(|verdict| verdict.severity).max().unwrap_or(worst.severity))
        .score(surprise::score(worst.bits))
        .confidence(worst.confidence)
        .cause_key("many-services")
        .flow_count(verdicts().map(|verdict| verdict.flows.max(1)).sum())
        .measured("services", rest.len() as f64, "1", ..)
        .examples(rest.iter().filter_map(|(_, seen, verdict)| examples(seen, verdict).first().copied()))
        .summary(format_args!("floods of {} further services at the same time", rest.len()));
}

fn examples<'a>(seen: &'a Seen, verdict: &Verdict) -> &'a [u32] {
    if verdict.what == What::Held { &seen.held.examples } else { &seen.examples }
}
