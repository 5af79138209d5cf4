//! What is said of a run of tries, and of tries at many peers.

use wardflow_sdk::{Findings, MINUTE, Severity, surprise};

use crate::{
    login::Service,
    run::{LEAST, Run},
    seen::Seen,
    track::Track,
};

/// Bits of surprise from which a run is reported.
const REPORTED: f64 = 10.0;
/// Tries, and tries a minute, that are medium even without success.
const MANY: u32 = 20;
const FAST: f64 = 2.0;
/// Tries that show guessing, whatever may be usual.
const EVIDENT: u32 = 100;
/// Peers at which a device tries a service for the first time in a day: reported, and medium.
const SPRAYED: u32 = 8;
const WIDELY: u32 = 20;
/// Tries of one kind differ by less: e^0.6 is a factor of 1.8.
const ALIKE: f64 = 0.6;

/// A run that is worth a finding.
pub(crate) struct Guessing {
    pub(crate) peer: u64,
    pub(crate) service: Service,
    pub(crate) by_device: bool,
    run: Run,
    seen: Seen,
    pub(crate) severity: Severity,
    usual: f64,
    bits: f64,
    is_learned: bool,
}

/// First contacts of a service at many peers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spray {
    peers: Vec<u64>,
    /// Those with tries, and how many; those with a run; those with sessions, and with one after a try.
    tried: u32,
    tries: u32,
    guessed: u32,
    used: u32,
    opened: u32,
    /// What this slice shows of them.
    seen: Seen,
    /// Whether there may be more peers than are remembered.
    pub(crate) is_cut: bool,
}

impl Guessing {
    /// What a track shows in this slice, where `usual` tries an hour are usual for the device.
    pub(crate) fn of(peer: u64, service: Service, by_device: bool, track: &Track, usual: f64) -> Option<Self> {
        let (seen, run) = (track.seen.clone()?, track.run.clone());
        let usual = usual.max(track.usual());
        let bits = surprise::of_count(f64::from(run.tries), usual * run.hours());
        let is_guessing = run.tries >= LEAST && bits >= REPORTED && run.size_deviation() <= ALIKE;
        let has_success = run.success > 0 && !track.has_sessions();
        if !is_guessing || (run.is_clockwork() && !has_success) {
            return None;
        }
        let severity = match has_success {
            true if run.is_clockwork() => Severity::Low,
            true if service.is_for_people() || run.tries >= MANY => Severity::High,
            true => Severity::Medium,
            false if service.is_for_people() && run.tries >= MANY && run.rate() >= FAST => Severity::Medium,
            false => Severity::Low,
        };
        Some(Self { peer, service, by_device, run, seen, severity, usual, bits, is_learned: true })
    }

    /// What of it counts while nothing is known of what is usual.
    pub(crate) fn unlearned(self) -> Option<Self> {
        let is_evident = self.service.is_for_people() && self.run.tries >= EVIDENT && self.run.rate() >= FAST;
        is_evident.then_some(Self { severity: Severity::Low, is_learned: false, ..self })
    }

    /// Whether a session came after it that looks like its success.
    pub(crate) const fn has_success(&self) -> bool {
        self.run.success > 0
    }

    /// By what the worst comes first.
    pub(crate) const fn rank(&self) -> (u8, u32) {
        (self.severity as u8, self.run.tries)
    }

    pub(crate) fn report(self, findings: &mut Findings) {
        let Self { peer, service, by_device, run, seen, severity, usual, bits, is_learned } = self;
        let hours = run.hours();
        let success = run.success;
        let kind = if by_device { "brute-force-out" } else { "brute-force-in" };
        let mut draft = findings
            .report(kind, seen.first, seen.last)
            .severity(severity)
            .score(surprise::score(bits))
            .confidence(if service.is_for_people() { 0.8 } else { 0.6 })
            .peer(peer)
            .protocol(6)
            .cause_key(&if by_device { String::new() } else { format!("device {}", service.0) })
            .flow_count(seen.flows)
            .measured("tries", f64::from(run.tries), "1", ..=usual * hours)
            .measured("tries-rate", run.rate(), "/min", ..)
            .measured("usual-rate", usual, "/h", ..)
            .measured("size-deviation", run.size_deviation(), "1", ..)
            .measured("surprise", bits, "bit", ..)
            .examples(seen.examples);
        if by_device {
            draft = draft.peer_port(service.0);
        }
        let then = match success {
            0 => String::new(),
            bytes => format!(", then had a connection of {} kB, as after the right password", bytes.div_ceil(1_000)),
        };
        if success > 0 {
            draft = draft.measured("success-bytes", success as f64, "By", ..);
        }
        let (tries, minutes) = (run.tries, ((run.last() - run.first + MINUTE - 1) / MINUTE).max(1));
        let who = if by_device { "tried" } else { "was tried by one peer on" };
        let habit = match is_learned {
            true => format!("usual is {usual:.1} an hour at most"),
            false => "what is usual is not known yet".to_owned(),
        };
        draft.summary(format_args!("{who} {service} {tries} times in {minutes} min{then}; {habit}"));
    }
}

impl Spray {
    /// Takes a track that is new.
    pub(crate) fn add(&mut self, peer: u64, track: &Track) {
        self.peers.push(peer);
        self.tried += u32::from(track.was_tried);
        self.tries += track.tries;
        self.guessed += u32::from(track.run.tries >= LEAST);
        self.used += u32::from(track.session_days > 0);
        self.opened += u32::from(track.was_opened);
        let Some(seen) = &track.seen else { return };
        if self.seen.flows == 0 {
            self.seen = seen.clone();
            return;
        }
        self.seen.flows += seen.flows;
        self.seen.first = self.seen.first.min(seen.first);
        self.seen.last = self.seen.last.max(seen.last);
        self.seen.examples.extend(seen.examples.first());
    }

    /// Whether a run is part of it, which is of a service.
    pub(crate) fn has(&self, service: Service, run: &Guessing) -> bool {
        run.by_device && run.service == service && self.peers.contains(&run.peer)
    }

    /// Whether it is worth a finding where `usual` new peers a day are usual.
    pub(crate) fn is_reported(&self, usual: f64) -> bool {
        let half = self.peers.len() as u32 / 2;
        let are_mostly_tries = self.used <= half || self.guessed >= half.max(1);
        self.tried >= SPRAYED && self.bits(usual) >= REPORTED && are_mostly_tries && self.seen.flows > 0
    }

    fn bits(&self, usual: f64) -> f64 {
        surprise::of_count(f64::from(self.tried), usual)
    }

    /// Reports it, at a severity of `least` or more.
    pub(crate) fn report(self, service: Service, usual: f64, least: Severity, findings: &mut Findings) {
        let bits = self.bits(usual);
        let Self { tried, tries, opened, seen, is_cut, .. } = self;
        let more = if is_cut { "at least " } else { "" };
        let opened_some = if opened > 0 { format!(", then had sessions with {opened} of them") } else { String::new() };
        let is_wide = tried >= WIDELY && service.is_for_people();
        let severity = if is_wide || opened > 0 { Severity::Medium } else { Severity::Low };
        findings
            .report("brute-force-out", seen.first, seen.last)
            .severity(severity.max(least))
            .score(surprise::score(bits))
            .confidence(0.6)
            .protocol(6)
            .peer_port(service.0)
            .cause_key("spray")
            .flow_count(seen.flows)
            .measured("peers", f64::from(tried), "1", ..=usual)
            .measured("tries", f64::from(tries), "1", ..)
            .measured("sessions", f64::from(opened), "1", ..)
            .measured("surprise", bits, "bit", ..)
            .examples(seen.examples)
            .summary(format_args!(
                "tried {service} of {more}{tried} peers for the first time, {more}{tries} times in all{opened_some}; usual \
                 is {usual:.1} a day"
            ));
    }
}
