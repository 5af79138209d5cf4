//! # `wardflow/new-behaviour`: peers, services and hours that were not there before
//!
//! **Finds** peers that a device never exchanged anything with (`new-peer`), services that it offers or uses for the
//! first time (`new-service`), and work at local hours at which it is always quiet (`new-hours`).
//!
//! **Why it matters.** A medical device has few peers, and they hardly change: NIST SP 1800-8 and SP 1800-24 (infusion
//! pumps, 2018; PACS, 2020) build their protection on that, and so do manufacturer usage descriptions (RFC 8520).
//! Whatever gets into a device, carries data off, or is operated from outside, shows as a peer or a service that was
//! not there.
//!
//! **How.** A flow counts if something was exchanged, and neither end is declared to talk to everybody. Each device has
//! its own rate of novelty: of its hours with traffic, the share in which it met a new peer, by direction and by inside
//! or outside of the hospital, and a service. By Laplace's rule of succession that is the probability of another one: a
//! workstation meets new web servers every hour, a server new clients, and theirs are no surprise; a pump that met
//! nobody for two weeks makes one a surprise of 8 bits. Below 6 bits nothing is kept or reported. What a class shares
//! is weighed likewise: of `n` devices of the class, `users` used the peer and port; `n` is the most that any peer of
//! this device has. Both surprises add up to the score, less the logarithm of what is new in the slice.
//!
//! Severity counts signs: new to the class; outside of the hospital; administration (SSH, Telnet, FTP, RDP, VNC, SMB,
//! RPC, WinRM); a workstation that comes to a device that is none; an internal host that the inventory does not have,
//! though it has the device; a service that is new as well; a megabyte or more towards the new peer that is more an
//! hour than the device ever sends by habit, or with one that came; seen in three hours or more, if by a new service or
//! administration. Of a server, to which ten or more came in the last weeks, visitors by services that it has are no
//! sign. Three are medium, if meeting anybody is rarer than once in 128 hours with traffic; two are
//! low; fewer informational, and nothing if the class shares the peer. The numbers are this project's own choice,
//! made so that a server that moves, or a cloud with another address, stays below medium. A workstation that
//! administers a device for the first time does not: declare those of biomedical engineering as remote service or
//! network management.
//!
//! A device that is still being learned is judged by its class, if five devices or more of it share a peer: a peer that
//! none of them has, while at most one in ten of the device's peers is so. It takes one more sign for each severity.
//! Classes whose devices go where their users like (`browsing_classes`) and devices of no known class are left out.
//!
//! What is new stays new for a day, and then is known. An hour is unusually busy if, seen for eight days or more of its
//! type (working day or weekend), neither it nor the hours beside it have a tenth of the connections of the busiest
//! usual hour, at their most, and now it has half of them, 20 at least, with three peers at least. The most is no more
//! than the busiest hour, and fades by a twenty-eighth each day of its type with traffic: one night at work hides
//! another for 63 such days, not for ever.
//!
//! **No finding**: attempts and probes, multicast, broadcast, DHCP, ICMP, declared scanners, network management,
//! backup, remote service in its hours, NAT, name and time servers, domain controllers; a device that comes back after
//! a week, which learns anew.
//!
//! **Blind spots.** Who uses a peer and service that the device has; who is there while it is learned; a device that
//! always meets new peers; datagrams that are never answered; an attacker who waits a day between steps has each step
//! judged alone. Prevalence counts what devices use, not who comes to them.
//!
//! **Memory.** 256 peers and 96 services, the longest unused forgotten first, and 48 hours: about 7 KiB at most, and
//! half a kilobyte for most devices.
//!
//! **Parameters** are described in `plugin.toml`.

mod evidence;
mod habit;
mod hours;
mod known;
mod report;
mod scope;
mod service;
mod volume;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardflow_common::{TCP, fingerprint, minute_at_end};
use wardflow_sdk::{
    Bounded, Continuity, Detector, Device, Findings, Flows, HOUR, Learning, Saved, Slice, UNKNOWN, math, name_id,
};

use evidence::{Context, Evidence, New, minute};
use habit::{Habits, Memory, Novelty};
use hours::{Hours, Unusual};
use known::Met;
use service::Service;
use volume::Volume;

/// Bits of surprise below which something new is a habit: more often than once in 64 hours with traffic.
const HABIT: f64 = 6.0;
/// Of a young device's peers so many may be unknown to its class, besides one, for its class to judge it.
const UNSHARED: f64 = 0.1;
/// Peers that came to a device from which on it is a server.
const SERVER: u32 = 10;
/// Causes of a kind that are told apart in a slice.
const CAUSES: usize = 64;

/// The detector of what is new; see the crate's documentation.
pub struct NewBehaviour {
    parameters: Parameters,
    /// Whether the class can judge the device while it is young.
    has_class: bool,
    is_workstation: bool,
    is_listed: bool,
    /// From before this slice.
    usual_sent: [f64; 2],
    state: State,
    /// By peer and whether it came to the device.
    new_peers: BTreeMap<(u64, bool), Evidence>,
    new_services: BTreeMap<Service, Evidence>,
    new_hours: Vec<Unusual>,
}

/// What the hospital may set, as `plugin.toml` describes it.
#[derive(Clone, Deserialize)]
pub struct Parameters {
    learning_hours: u32,
    least_flows: u64,
    hours_days: u16,
    browsing_classes: Vec<String>,
}

/// What is remembered of a device. Times of use are in minutes.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    learning: Learning,
    habits: Habits,
    peers: Bounded<u32, Met, 256>,
    services: Bounded<Service, Met, 96>,
    /// The most devices of the class that share one of the device's peers.
    class_size: u32,
    /// Peers that the device went to: all, and those that nobody of its class had.
    contacted: u32,
    unshared: u32,
    /// Peers that came to it in the last weeks.
    visitors: u32,
    hours: Hours,
    volume: Volume,
}

impl Detector for NewBehaviour {
    type Parameters = Parameters;
    type State = State;

    fn open(device: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        let browses = parameters.browsing_classes.iter().any(|class| class.eq_ignore_ascii_case(&device.class));
        let is_listed = !device.class.eq_ignore_ascii_case("unknown");
        let state = state.unwrap_or_default();
        Ok(Self {
            parameters,
            has_class: !browses && is_listed,
            is_listed,
            is_workstation: device.class.eq_ignore_ascii_case("workstation"),
            usual_sent: state.volume.most(),
            state,
            new_peers: BTreeMap::new(),
            new_services: BTreeMap::new(),
            new_hours: Vec::new(),
        })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            self.count(flows.end_time()[row]);
            if scope::is_judged(flows, row) {
                self.take(flows, row);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let context = Context {
            class_size: self.state.class_size,
            usual_sent: self.usual_sent,
            is_server: self.state.visitors >= SERVER,
            looks: self.new_peers.len() + self.new_services.len(),
        };
        report::peers(std::mem::take(&mut self.new_peers), &context, &self.state.habits, findings);
        report::services(std::mem::take(&mut self.new_services), &context, &self.state.habits, findings);
        let ended = self.state.hours.end_slice(slice.end, self.parameters.hours_days);
        if self.is_learned() {
            self.new_hours.extend(ended);
        }
        for hour in &self.new_hours {
            report::hour(hour, self.state.hours.busiest(), slice, findings);
        }
    }

    fn save(self) -> Saved<State> {
        let Parameters { learning_hours, least_flows, .. } = self.parameters;
        let learned = self.state.learning.progress(learning_hours, least_flows);
        Saved { learned, ready: learned >= 1.0, state: self.state }
    }
}

impl NewBehaviour {
    /// Counts a flow for learning, whatever it is.
    fn count(&mut self, time: i64) {
        let before = self.state.learning.hours();
        if self.state.learning.count(time) == Continuity::Returned {
            let learning = self.state.learning;
            self.state = State { learning, ..State::default() };
            self.state.habits.count_hour();
        } else if self.state.learning.hours() != before {
            if self.state.habits.count_hour() == Memory::Halved {
                self.state.visitors /= 2;
            }
            self.state.volume.close();
        }
    }

    fn take(&mut self, flows: &Flows<'_>, row: usize) {
        let service = Service::of(flows, row);
        let (peer, time) = (fingerprint(flows.peer()[row]), flows.end_time()[row]);
        let prevalence = if service.of_device { 0 } else { flows.peer_prevalence()[row] };
        self.state.class_size = self.state.class_size.max(prevalence);
        if let Some(sent) = Some(flows.bytes_sent()[row]).filter(|sent| *sent != UNKNOWN) {
            self.state.volume.add(service, sent);
        }
        if service.protocol == TCP {
            self.count_hour(flows, row, peer);
        }
        let is_unlisted = self.is_listed && !service.is_external && flows.peer_class()[row] == 0;
        let from_workstation =
            service.of_device && !self.is_workstation && flows.peer_class()[row] == name_id("workstation");
        let new_service = self.see_service(service, time);
        if let Some(met) = self.see_peer(peer, service, time, prevalence) {
            let key = (flows.peer()[row], service.of_device);
            let new = New { service, met, is_service_new: new_service.is_some(), from_workstation, is_unlisted };
            add(&mut self.new_peers, key, flows, row, new);
        } else if let Some(met) = new_service {
            let new = New { service, met, is_service_new: true, from_workstation, is_unlisted };
            add(&mut self.new_services, service, flows, row, new);
        }
    }

    fn see_service(&mut self, service: Service, time: i64) -> Option<Met> {
        let minute = minute(time);
        if let Some(met) = known::see(&mut self.state.services, &service, minute) {
            return met;
        }
        let novelty = Novelty::Service(service);
        let is_learning = !self.is_learned();
        let bits = if is_learning { 0.0 } else { above_habit(self.state.habits.bits(novelty)) };
        self.state.habits.count_new(novelty, time.div_euclid(HOUR), is_learning);
        let met = Met::new(minute, bits, false);
        self.state.services.touch(service, minute, || met);
        (bits > 0.0).then_some(met)
    }

    fn see_peer(&mut self, peer: u32, service: Service, time: i64, prevalence: u32) -> Option<Met> {
        let minute = minute(time);
        if let Some(met) = known::see(&mut self.state.peers, &peer, minute) {
            return met;
        }
        let novelty = Novelty::Peer(service);
        let is_young = !self.is_learned();
        let bits = match is_young {
            true => self.bits_by_class(service, prevalence),
            false => above_habit(self.state.habits.bits(novelty)),
        };
        self.state.habits.count_new(novelty, time.div_euclid(HOUR), is_young);
        if service.of_device {
            self.state.visitors = self.state.visitors.saturating_add(1);
        } else {
            self.state.contacted = self.state.contacted.saturating_add(1);
            self.state.unshared = self.state.unshared.saturating_add(u32::from(prevalence == 0));
        }
        let met = Met::new(minute, bits, is_young);
        self.state.peers.touch(peer, minute, || met);
        (bits > 0.0).then_some(met)
    }

    /// Surprise of a young device's peer that nobody of its class has, in bits; zero if the class cannot tell.
    fn bits_by_class(&self, service: Service, prevalence: u32) -> f64 {
        let State { contacted, unshared, class_size, .. } = self.state;
        let shared = contacted.saturating_sub(unshared);
        let tells = self.has_class && !service.of_device && class_size >= 5 && shared >= 2;
        let is_unlike = f64::from(unshared) <= UNSHARED * f64::from(contacted);
        if !tells || prevalence > 0 || !is_unlike {
            return 0.0;
        }
        math::log2(f64::from(contacted + 2) / f64::from(unshared + 1)).max(1.0)
    }

    fn count_hour(&mut self, flows: &Flows<'_>, row: usize, peer: u32) {
        let (hour, minute_of_week) = (flows.end_time()[row].div_euclid(HOUR), minute_at_end(flows, row));
        let ended = self.state.hours.count(hour, minute_of_week, peer, self.parameters.hours_days);
        if self.is_learned() {
            self.new_hours.extend(ended);
        }
    }

    fn is_learned(&self) -> bool {
        self.state.learning.is_done(self.parameters.learning_hours, self.parameters.least_flows)
    }
}

fn above_habit(bits: f64) -> f64 {
    if bits >= HABIT { bits } else { 0.0 }
}

fn add<K: Ord + Clone>(causes: &mut BTreeMap<K, Evidence>, key: K, flows: &Flows<'_>, row: usize, new: New) {
    if let Some(known) = causes.get_mut(&key) {
        return known.add(flows, row, new);
    }
    let mut begun = Evidence::new(flows, row, new);
    begun.add(flows, row, new);
    if causes.len() >= CAUSES {
        // Among many dull ones a grave one is told, whenever it comes.
        let least = causes.iter().min_by_key(|(_, known)| known.gravity()).map(|(key, _)| key.clone());
        let Some(least) =
            least.filter(|least| causes.get(least).is_some_and(|known| known.gravity() < begun.gravity()))
        else {
            return;
        };
        causes.remove(&least);
    }
    causes.insert(key, begun);
}

wardflow_sdk::export!(NewBehaviour, include_str!("../plugin.toml"));
