//! # `wardflow/brute-force`: guessed passwords
//!
//! **Finds** many short connections, alike in size, to a service that asks for a password: by the device at a peer
//! (`brute-force-out`), by a peer at the device (`brute-force-in`), and by the device at many peers, a few each
//! (`brute-force-out`, cause `spray`).
//!
//! **Why it matters.** Medical devices have passwords that their makers set and nobody may change (CISA
//! ICS-ALERT-13-164-01 told of 300 devices), and seldom lock an account. A device that guesses is held by somebody; one
//! that is guessed at will be (ATT&CK T1110).
//!
//! **How.** A *try* is a connection to SSH, Telnet, FTP, RDP, VNC, WinRM, SMB, LDAP or a database that came about, with
//! at most 10 kB (LDAP and databases 4 kB) and 150 s; one with more bytes is a *session*; one that is held open and
//! says little is neither. Flows of one connection, which exporters cut, are told by the initiator's port, and by
//! having no handshake of their own. Tries in a row, less than an hour apart and without a session between them, are a
//! run; its sizes differ by less than a factor of 1.8. That a failed log-on shows as a short flow of few packets, and
//! many of them alike as guessing, is the finding of Hellemons, Hendriks, Hofstede, Sperotto, Sadre, Pras, "SSHCure: A
//! Flow-Based SSH Intrusion Detection System", AIMS 2012.
//!
//! The run is held against what is usual an hour: of this peer and service, from two days with tries on; of all peers
//! of the device, mean and a deviation; and one at least. A day that was reported is no habit. Eight tries and a
//! Poisson surprise of 10 bits are reported: eight in an hour, or one each quarter of an hour for five. Eight are more
//! than a person mistypes.
//!
//! A session within the hour after the run is its success: high, or medium after less than twenty tries at a service
//! for programs, unless the pair has sessions on other days. Three tries that begin more than a minute after it (sooner
//! are those on the way of who guesses in parallel) show that it was none: the pair works like that, and the run is
//! forgotten, or, from a hundred tries on, the success only. Without it twenty tries,
//! two a minute, at a service for people are medium; the rest is low: a stored password that expired looks the same. A
//! run by the clock with always the same size is a check of health.
//!
//! Before `learning_hours` a hundred tries, two a minute, at a service for people are reported, low.
//!
//! **Spraying.** Eight peers or more that the device tries for the first time within a day, with a surprise of 10 bits
//! over its own habit of new peers (Jeffreys' prior for a Poisson rate, 1946), and sessions with not more than half of
//! the new ones, or runs at half of them: low; from twenty at a service for people, or with a session soon after tries, medium. Runs at these peers
//! are told with it, at their severity if that is more, save one or two with a success.
//!
//! **No finding**: attempts without a connection, which are the business of detectors of scans; declared scanners,
//! network management, backup, remote service in its hours, NAT and proxies; what the pair does on other days.
//!
//! **Blind spots.** Web pages and SIP; many guesses in one connection; less than one in ten minutes; guesses of one
//! size by the clock, or held open for minutes; all from one port, where records do not tell of handshakes; a peer that
//! guesses at many devices, few each, which the devices do not know of one another.
//!
//! **Memory.** 64 peers and services, the longest unused forgotten first, 8 KiB at most, and a hundred bytes for most
//! devices.
//!
//! **Parameters** are described in `plugin.toml`.

mod login;
mod newcomers;
mod report;
mod run;
mod seen;
mod spread;
mod track;

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use wardflow_sdk::{
    Bounded, Continuity, DAY, Detector, Device, Findings, Flows, Learning, Level, MINUTE, Saved, Severity, Slice,
};

use login::{Login, Service};
use newcomers::{Newcomers, REMEMBERED};
use report::{Guessing, Spray};
use track::Track;

/// Tries an hour that are never a surprise in themselves, nor as a deviation from what is usual.
const USUAL: f64 = 1.0;
/// Days of pairs that the device's habit remembers.
const MEMORY: u32 = 200;
/// Successes of a spray that are told each for itself.
const SINGLE: usize = 2;
/// Findings of a slice; what is beyond waits for those to end.
const MOST: usize = 8;

/// The detector of guessed passwords; see the crate's documentation.
pub struct BruteForce {
    parameters: Parameters,
    state: State,
    /// From before this slice.
    usual: f64,
}

/// What the hospital may set, as `plugin.toml` describes it.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    learning_hours: u32,
    least_flows: u64,
}

/// What is remembered of a device. Times of use are in minutes.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    /// By peer, service, and whether the device came to the peer.
    tracks: Bounded<(u64, Service, bool), Track, 64>,
    /// Tries in each hour with tries, over all peers.
    hourly: Level,
    newcomers: Newcomers,
}

impl Detector for BruteForce {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        let state = state.unwrap_or_default();
        Ok(Self { parameters, usual: (state.hourly.mean() + state.hourly.deviation()).max(USUAL), state })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            if self.state.learning.count(flows.end_time()[row]) == Continuity::Returned {
                self.state = State { learning: self.state.learning, ..State::default() };
            }
            if let Some(login) = Login::of(flows, row) {
                self.take(flows, row, login);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let is_learned = self.is_learned();
        let mut found = Vec::new();
        for ((peer, service, by_device), track) in self.state.tracks.iter_mut() {
            let guessing = Guessing::of(*peer, *service, *by_device, track, self.usual);
            if let Some(guessing) = guessing.and_then(|known| if is_learned { Some(known) } else { known.unlearned() })
            {
                track.is_reported = is_learned;
                found.push(guessing);
            }
        }
        if is_learned {
            self.report_sprays(slice, &mut found, findings);
        }
        found.sort_by_key(|guessing| Reverse(guessing.rank()));
        found.into_iter().take(MOST).for_each(|guessing| guessing.report(findings));
    }

    fn save(self) -> Saved<State> {
        let Parameters { learning_hours, least_flows } = self.parameters;
        let learned = self.state.learning.progress(learning_hours, least_flows);
        Saved { learned, ready: learned >= 1.0, state: self.state }
    }
}

impl BruteForce {
    fn take(&mut self, flows: &Flows<'_>, row: usize, login: Login) {
        let minute = login.end.div_euclid(MINUTE);
        let key = (flows.peer()[row], login.service, login.by_device);
        let track = match self.state.tracks.touch_known(&key, minute) {
            Some(track) => track,
            None => {
                if login.by_device {
                    self.state.newcomers.count((key.0, key.1), login.end);
                }
                self.state.tracks.touch(key, minute, || Track::new(&login))
            }
        };
        if let Some(hourly) = track.add(flows, row, login) {
            self.state.hourly.learn(hourly, MEMORY, USUAL);
        }
    }

    /// Reports services that the device tried at many peers, and with them the runs at these.
    fn report_sprays(&self, slice: &Slice<'_>, found: &mut Vec<Guessing>, findings: &mut Findings) {
        let since = (slice.end - DAY).div_euclid(MINUTE);
        let mut sprays = BTreeMap::<Service, Spray>::new();
        for ((peer, service), latest) in self.state.newcomers.latest.iter() {
            if let Some(track) = self.state.tracks.get(&(*peer, *service, true)).filter(|_| *latest >= since) {
                sprays.entry(*service).or_default().add(*peer, track);
            }
        }
        let usual = self.state.newcomers.usual();
        let is_cut = self.state.newcomers.latest.len() >= REMEMBERED;
        for (service, mut spray) in sprays {
            spray.is_cut = is_cut;
            if spray.is_reported(usual) {
                let successes = found.iter().filter(|run| spray.has(service, run) && run.has_success()).count();
                let tells_all = successes > SINGLE;
                let of_it = found.extract_if(.., |run| spray.has(service, run) && (tells_all || !run.has_success()));
                let severity = of_it.map(|run| run.severity).max();
                spray.report(service, usual, severity.unwrap_or(Severity::Low), findings);
            }
        }
    }

    fn is_learned(&self) -> bool {
        self.state.learning.is_done(self.parameters.learning_hours, self.parameters.least_flows)
    }
}

wardflow_sdk::export!(BruteForce, include_str!("../plugin.toml"));
