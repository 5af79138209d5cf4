//! # `wardflow/lateral-movement`: new internal peers over administration protocols
//!
//! **Finds** a device that logs on to internal peers that it never did, by SMB, RDP, SSH, WinRM, VNC, Telnet, RPC or
//! FTP (`lateral-movement`), and a device that is no server and is logged on to by somebody who never did
//! (`admin-access`).
//!
//! **Why it matters.** Who holds one computer of a hospital goes on to others by the means that administrators use
//! (ATT&CK TA0008, T1021). Few devices have a reason to log on to several new ones in a day, and a pump or monitor
//! hardly ever to be logged on to.
//!
//! **How.** A flow counts if the end that offers the protocol answered with payload, and neither end is declared to do
//! so. A peer and protocol is new if the device never had it; it stays new for a day, so that a slow fan-out adds up.
//! The count of new ones in a day is compared with the device's own habit: a Poisson surprise over its mean a day with
//! Jeffreys' prior, and at least half of its greatest day, since administrators work in bunches. What three devices of
//! the class or one in fifty had used before, as a file server that all mount, does not count; a peer whose class is
//! one of `server_classes` counts half.
//!
//! Three peers in a day with a surprise of 10 bits or more are medium; six, or three by several families of protocols,
//! are high. Two are low, or medium if both are of the device's own class, by one family of protocols, and that takes
//! six bits, since workstations are seldom each other's servers; and one is informational, or low if it is of the
//! device's own class or let it in after three failed tries. A device that is still being learned is held against a habit of three a day, and is low at most. The
//! numbers follow what intruders do who are not loud, four or five hosts over a day, and what people do who change a
//! server: one or two.
//!
//! What is new by one protocol is one finding, which goes on from slice to slice; it names the peer as long as there is
//! only one in a day.
//!
//! Access to a device is low, and medium after three failed tries. It takes four bits, somebody new less often than
//! once in two weeks; and a device that is logged on to by ten already is a server, and left out.
//!
//! **No finding**: attempts without an answer, which are the business of detectors of scans; declared scanners, network
//! management, backup, domain controllers, remote service in its hours; peers outside of the hospital.
//!
//! **Blind spots.** Logging on to known peers only, or to those that the class shares; protocols on other ports; more
//! than a day between steps; a device whose habit it is to log on to new ones. Nothing tells a wrong password from a
//! short session but its size and end.
//!
//! **Memory.** 128 peers and protocols in each direction, the longest unused forgotten first; 5 KiB at most, and a
//! hundred bytes for most devices.
//!
//! **Parameters** are described in `plugin.toml`.

mod access;
mod contacts;
mod report;

use serde::{Deserialize, Serialize};
use wardflow_common::fingerprint;
use wardflow_sdk::{
    Bounded, Continuity, DAY, Detector, Device, Findings, Flows, Learning, MINUTE, Saved, Slice, name_id,
};

use access::{Access, Outcome, Protocol};
use contacts::{Contacts, Met};
use report::{Context, Seen};

/// Devices of the class from which on a peer is shared, and the share of the class, whichever is more.
const SHARED: u32 = 3;
const SHARED_PART: u32 = 50;
/// Peers and protocols by which a device is logged on to, from which on it is a server.
const SERVER: usize = 10;
/// Peers and protocols that are told apart in a slice.
const KEPT: usize = 256;
/// What somebody new counts for, in halves.
const WHOLE: u8 = 2;
const HALF: u8 = 1;

/// The detector of lateral movement; see the crate's documentation.
pub struct LateralMovement {
    parameters: Parameters,
    class: u32,
    has_class: bool,
    servers: Vec<u32>,
    state: State,
    /// What is new in this slice: by the device, and to it.
    seen: [Bounded<(u64, Protocol), Seen, KEPT>; 2],
    /// Tries that failed in this slice, since the last that did not.
    failed: Bounded<(u64, Protocol, bool), u8, KEPT>,
}

/// What the hospital may set, as `plugin.toml` describes it.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    learning_hours: u32,
    least_flows: u64,
    server_classes: Vec<String>,
}

/// What is remembered of a device.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    /// Those whom the device logs on to, and those who log on to it.
    contacts: [Contacts; 2],
    /// Days since 1970 of the last traffic, and of the first.
    day: i64,
    first_day: i64,
    /// The most devices of the class that share a peer of this one.
    class_size: u32,
}

impl Detector for LateralMovement {
    type Parameters = Parameters;
    type State = State;

    fn open(device: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        Ok(Self {
            class: name_id(&device.class),
            has_class: !device.class.eq_ignore_ascii_case("unknown"),
            servers: parameters.server_classes.iter().map(|class| name_id(class)).collect(),
            parameters,
            state: state.unwrap_or_default(),
            seen: [Bounded::new(), Bounded::new()],
            failed: Bounded::new(),
        })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            self.count(flows.end_time()[row]);
            if let Some(access) = Access::of(flows, row) {
                self.take(flows, row, access);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let minute = (slice.end - 1).div_euclid(MINUTE);
        let is_young = !self.is_learned();
        for (contacts, (seen, kind)) in
            self.state.contacts.iter().zip(self.seen.iter().zip([report::movement, report::access]))
        {
            if !seen.is_empty() {
                let context = Context { fan: contacts.fan_out(minute), usual: contacts.usual(), is_young };
                kind(seen.iter(), &context, findings);
            }
        }
    }

    fn save(self) -> Saved<State> {
        let Parameters { learning_hours, least_flows, .. } = self.parameters;
        let learned = self.state.learning.progress(learning_hours, least_flows);
        Saved { learned, ready: learned >= 1.0, state: self.state }
    }
}

impl LateralMovement {
    /// Counts a flow for learning, whatever it is.
    fn count(&mut self, time: i64) {
        let day = time.div_euclid(DAY);
        let is_first = self.state.learning.flows() == 0;
        if self.state.learning.count(time) == Continuity::Returned {
            self.state = State { learning: self.state.learning, day, first_day: day, ..State::default() };
        } else if is_first {
            (self.state.day, self.state.first_day) = (day, day);
        } else if day > self.state.day {
            let is_first = self.state.day == self.state.first_day;
            self.state.contacts.iter_mut().for_each(|contacts| contacts.end_day(is_first));
            self.state.day = day;
        }
    }

    fn take(&mut self, flows: &Flows<'_>, row: usize, access: Access) {
        let Access { protocol, by_device, outcome } = access;
        let (peer, minute) = (flows.peer()[row], flows.end_time()[row].div_euclid(MINUTE));
        let tries = (peer, protocol, by_device);
        if outcome != Outcome::Exchanged {
            let failed = self.failed.touch(tries, minute, || 0);
            *failed = failed.saturating_add(1);
        }
        if outcome == Outcome::Refused {
            return;
        }
        let prevalence = if by_device { flows.peer_prevalence()[row] } else { 0 };
        self.state.class_size = self.state.class_size.max(prevalence);
        let key = (fingerprint(peer), protocol);
        let side = usize::from(!by_device);
        let met = match self.state.contacts[side].see(&key, minute) {
            Some(met) => met,
            None => self.meet(flows, row, access, prevalence),
        };
        if met.is_new(minute) {
            let begin = || Seen::new(flows, row, met);
            self.seen[side].touch((peer, protocol), minute, begin).add(flows, row, outcome);
        }
    }

    /// Takes up somebody new, and judges by what is known so far.
    fn meet(&mut self, flows: &Flows<'_>, row: usize, access: Access, prevalence: u32) -> Met {
        let Access { protocol, by_device, .. } = access;
        let (peer, minute) = (flows.peer()[row], flows.end_time()[row].div_euclid(MINUTE));
        let is_shared = prevalence >= SHARED.max(self.state.class_size / SHARED_PART);
        let peer_class = flows.peer_class()[row];
        let is_server = !by_device && self.state.contacts[1].len() >= SERVER;
        let is_judged = !is_shared && !is_server && (self.is_learned() || (self.has_class && by_device));
        let weight = match is_judged {
            true if by_device && peer_class != 0 && self.servers.contains(&peer_class) => HALF,
            true => WHOLE,
            false => 0,
        };
        let failed = self.failed.get(&(peer, protocol, by_device)).copied().unwrap_or_default();
        let met = Met { since: minute, weight, is_alike: self.has_class && peer_class == self.class, failed };
        self.state.contacts[usize::from(!by_device)].meet((fingerprint(peer), protocol), met, is_shared);
        met
    }

    fn is_learned(&self) -> bool {
        self.state.learning.is_done(self.parameters.learning_hours, self.parameters.least_flows)
    }
}

wardflow_sdk::export!(LateralMovement, include_str!("../plugin.toml"));
