//! What is reported of a slice, and how severe it is.

use wardflow_common::{Causes, DECLARED, Evidence, Service, Standing};
use wardflow_sdk::{Bounded, Draft, Findings, Severity, math, surprise};

use crate::{LEAST_SURPRISE, State, peers::Group};

/// Findings of a kind in a slice; the rest is one more.
const MOST: usize = 8;
/// Slices in which a peer took something that its level is learned from: two weeks of every slice.
pub(crate) const MEMORY: u32 = 56;
/// As many must there be before a level tells anything.
const LEAST_VALUES: u32 = 4;
/// Standard deviations above the mean from which an amount is reported: one in 30,000 of a normal distribution.
const SIGMAS: f64 = 4.0;
/// The least standard deviation of an amount, in bits: amounts of people vary by a half at least.
pub(crate) const LEAST_DEVIATION: f64 = 0.5;

type Shown = Evidence<Group>;

/// An hour that is unusual, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Visit {
    /// A peer that comes at other hours.
    OfKnown,
    /// A maker's engineer, outside of the declared hours.
    OfEngineer,
}

/// Reports by what was known before the slice.
pub(crate) struct Reporter<'a> {
    pub(crate) state: &'a State,
    pub(crate) bulk_bytes: u64,
}

impl Reporter<'_> {
    /// DICOM associations with peers that are no archive.
    pub(crate) fn associations(&self, causes: &Causes<(u64, bool), Group>, findings: &mut Findings) {
        let novelty = self.state.experience.novelty();
        let ranked = causes.ranked(MOST);
        let first = ranked.first.into_iter().map(|((peer, _), shown)| (Some(*peer), shown));
        for (peer, shown) in first.chain(ranked.further.iter().map(|shown| (None, shown))) {
            let (severity, bits) = match shown.standing {
                Standing::Internet if shown.is_established => (Severity::High, DECLARED + novelty),
                Standing::Internet if shown.service.of_device => (Severity::Low, DECLARED + novelty),
                Standing::Internet => (Severity::Medium, DECLARED + novelty),
                Standing::Workstation if shown.service.of_device => (Severity::Medium, novelty),
                _ => (Severity::Low, novelty),
            };
            let draft = Self::begin("dicom-outside-groups", peer, shown, severity, bits, findings);
            say(draft, peer, shown, "opened a DICOM association to the modality", "opened a DICOM association to");
        }
    }

    /// Contacts with peers outside the groups.
    pub(crate) fn contacts(&self, causes: &Causes<(u64, bool), Group>, findings: &mut Findings) {
        let (newcomer, experience) = (self.state.newcomers.surprise(), &self.state.experience);
        let (novelty, called) = (experience.novelty(), newcomer + experience.novelty_to_class());
        let ranked = causes.ranked(MOST);
        let first = ranked.first.into_iter().map(|((peer, _), shown)| (Some(*peer), shown));
        for (peer, shown) in first.chain(ranked.further.iter().map(|shown| (None, shown))) {
            let of_device = shown.service.of_device;
            let (severity, bits) = match shown.standing {
                Standing::Internet if of_device && shown.is_established => (Severity::High, DECLARED + novelty),
                Standing::Internet if of_device => (Severity::Low, DECLARED + novelty),
                Standing::Internet if newcomer < LEAST_SURPRISE => continue,
                Standing::Internet if shown.sent >= self.bulk_bytes => (Severity::Medium, called),
                Standing::Internet => (Severity::Low, called),
                Standing::Workstation if shown.service.is_login() => (Severity::Medium, novelty),
                _ => (Severity::Low, novelty),
            };
            let draft = Self::begin("contact-outside-groups", peer, shown, severity, bits, findings);
            let draft = draft.measured("bytes-sent", shown.sent as f64, "By", ..);
            say(draft, peer, shown, "came to the modality", "called");
        }
    }

    /// Services that are new.
    pub(crate) fn services(&self, causes: &Causes<(u64, Service), Group>, findings: &mut Findings) {
        let novelty = self.state.experience.novelty();
        let ranked = causes.ranked(MOST);
        let first = ranked.first.into_iter().map(|((peer, _), shown)| (Some(*peer), shown));
        for (peer, shown) in first.chain(ranked.further.iter().map(|shown| (None, shown))) {
            let service = shown.service;
            let severity = if service.is_login() { Severity::Medium } else { Severity::Low };
            let draft = Self::begin("new-service", peer, shown, severity, novelty, findings).protocol(service.protocol);
            let draft = match (peer, service.of_device) {
                (None, _) => draft,
                (_, true) => draft.cause_key(&format!("modality {service}")),
                (_, false) => draft.cause_key("").peer_port(service.port),
            };
            say(draft, peer, shown, "for the first time used a service of the modality", "for the first time used");
        }
    }

    /// Visits in unusual hours.
    pub(crate) fn visits(&self, causes: &Causes<(u64, Visit), Group>, findings: &mut Findings) {
        for ((peer, visit), shown) in causes.ranked(MOST).first {
            let days = f64::from(self.state.visits.days());
            let (flows, service) = (shown.flows, shown.service);
            let draft = findings.report("unusual-hours", shown.first, shown.last);
            let draft = shown.fill(draft).peer(*peer);
            match visit {
                Visit::OfEngineer => {
                    draft.severity(Severity::Medium).score(surprise::score(DECLARED)).cause_key("engineer").summary(
                        format_args!(
                            "an engineer's host came to the modality on {service} outside of its hours, {flows} flows"
                        ),
                    )
                }
                Visit::OfKnown => draft
                    .severity(Severity::Low)
                    .score(surprise::score(surprise::of_novelty(days)))
                    .confidence(0.5)
                    .measured("days-with-visits", days, "d", ..)
                    .summary(format_args!(
                        "a known peer came to the modality on {service} in an hour in which nobody did, on {days} days \
                         with visits, {flows} flows"
                    )),
            };
        }
    }

    /// What peers that are no archive took.
    pub(crate) fn taken(&self, taken: &Bounded<u64, Shown, 256>, findings: &mut Findings) {
        let mut judged: Vec<_> = taken.iter().filter_map(|(peer, shown)| self.judged(*peer, shown)).collect();
        judged.sort_by_key(|taken| std::cmp::Reverse(taken.shown.sent));
        for Taken { peer, shown, severity, bits, most } in judged.into_iter().take(MOST) {
            let (megabytes, who, service) = (shown.sent / 1_000_000, who(shown), shown.service);
            let how = if shown.service.of_device { "took" } else { "was sent" };
            let draft = findings.report("bulk-retrieval", shown.first, shown.last).severity(severity);
            shown
                .fill(draft)
                .score(surprise::score(bits))
                .peer(peer)
                .measured("bytes-sent", shown.sent as f64, "By", ..=most)
                .summary(format_args!(
                    "{who} {how} {megabytes} MB by {service}, {} flows; at most {:.0} MB were expected",
                    shown.flows,
                    most / 1e6,
                ));
        }
    }

    fn judged<'a>(&self, peer: u64, shown: &'a Shown) -> Option<Taken<'a>> {
        let bulk = self.bulk_bytes as f64;
        let (state, novelty) = (self.state, self.state.experience.novelty());
        let is_pulled = shown.service.of_device;
        let taken = |severity, bits, most| Some(Taken { peer, shown, severity, bits, most });
        if shown.sent < self.bulk_bytes || !(is_pulled || state.has_archive) {
            return None;
        }
        if shown.standing == Standing::Internet && state.engineers.get(&peer).is_none() {
            return taken(Severity::High, DECLARED + novelty, bulk);
        }
        if !state.habits.is_settled() {
            return None;
        }
        let level = state.taken.get(&peer).filter(|level| level.values() >= LEAST_VALUES);
        let is_engineer =
            shown.standing == Standing::Member(Group::VendorService) || state.engineers.get(&peer).is_some();
        match level {
            Some(level) => {
                let sigmas = level.sigmas(magnitude(shown.sent), LEAST_DEVIATION);
                let usual = math::exp2(level.mean() + SIGMAS * level.deviation().max(LEAST_DEVIATION));
                let severity = if is_engineer { Severity::Low } else { Severity::Medium };
                (sigmas >= SIGMAS).then(|| taken(severity, surprise::of_deviation(sigmas), usual.max(bulk)))?
            }
            None if is_engineer => taken(Severity::Low, novelty, bulk),
            None if is_pulled && !state.habits.know_peer(peer) => taken(Severity::High, novelty, bulk),
            None => taken(Severity::Medium, novelty, bulk),
        }
    }

    fn begin<'a>(
        kind: &str,
        peer: Option<u64>,
        shown: &Shown,
        severity: Severity,
        bits: f64,
        findings: &'a mut Findings,
    ) -> Draft<'a> {
        let key = match (peer, shown.service.of_device) {
            (None, _) => "further",
            (_, true) => "to-modality",
            (_, false) => "to-peer",
        };
        let draft = findings.report(kind, shown.first, shown.last).severity(severity);
        let draft = shown.fill(draft).score(surprise::score(bits)).cause_key(key);
        if let Some(peer) = peer { draft.peer(peer) } else { draft }
    }
}

/// What a peer took that is to be reported, and the most that was expected, in bytes.
struct Taken<'a> {
    peer: u64,
    shown: &'a Shown,
    severity: Severity,
    bits: f64,
    most: f64,
}

/// The binary logarithm of bytes.
pub(crate) fn magnitude(bytes: u64) -> f64 {
    math::log2(bytes as f64 + 1.0)
}

fn say(draft: Draft<'_>, peer: Option<u64>, shown: &Shown, came: &str, went: &str) {
    let (who, flows, service) = (who(shown), shown.flows, shown.service);
    let more = if shown.has_more_services { " and others" } else { "" };
    let tried = if shown.is_established { "" } else { ", without success" };
    match (peer, service.of_device) {
        (None, _) => draft.summary(format_args!("the same with further peers or services, {flows} flows")),
        (_, true) => draft.summary(format_args!("{who} {came} on {service}{more}{tried}, {flows} flows")),
        (_, false) => draft.summary(format_args!("the modality {went} {who} on {service}{more}{tried}, {flows} flows")),
    };
}

fn who(shown: &Shown) -> &'static str {
    match shown.standing {
        Standing::Internet => "an outside peer",
        Standing::Workstation => "a workstation",
        Standing::Member(Group::Pacs | Group::Worklist) => "an archive",
        Standing::Member(Group::VendorService) => "the maker's service",
        _ => "an internal peer",
    }
}
