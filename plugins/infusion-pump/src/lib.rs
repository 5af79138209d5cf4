//! `wardflow/infusion-pump`: a sample of a maker's model, built from public documents. No maker answers for it.
//!
//! # What it finds
//! - `contact-outside-groups`: flows with a workstation or the internet, from the first day; and with any other
//!   internal host outside the peer groups that was no habit while the pump's behaviour was learned.
//! - `inbound-command`: a known peer opens a connection to a port of the pump that is new, and sends. From a member of
//!   a peer group that is never expected, from the first day.
//! - `orders-outside-gateway`: the pump speaks its gateway's own protocol with another host, from the first day.
//! - `new-service`: a port of a known peer that is new, or one of the pump that is only tried. With a member of a peer
//!   group that is any service that `expected_flows` does not declare, from the first day: learning never widens what
//!   is declared.
//! - `bulk-inbound`: a bulk transfer towards the pump from a peer that is no drug library server; or from one outside
//!   the declared local hours, or far larger than those before.
//! - `silence-in-use`: silence that began in use, longer than any that was learned, not in gaps of the sensors.
//! - `groups-unmapped`: nobody says who the pump's gateway is; which groups to map.
//!
//! # Why it matters for a device
//! A pump has two or three peers. NIST SP 1800-8, "Securing Wireless Infusion Pumps in Healthcare Delivery
//! Organizations" (2018), names access by other hosts, loading of altered drug libraries and firmware, and loss of
//! availability as what to guard against, and puts pumps and pump servers into zones of their own. CISA's advisories
//! tell how it is done: FTP and Telnet services on pumps (ICSMA-17-250-02A, ICSMA-20-170-04, ICSMA-22-251-01, which
//! advise to watch for such traffic into the pumps' network), commands and files taken without proof of who sends them
//! (ICSMA-21-294-01), a service that stops under a flood. What a given pump opens and listens to is in its maker's
//! MDS2 form (ANSI/NEMA HN 1): a maker's own model takes it from there, this one makes assumptions (`plugin.toml`).
//!
//! # How
//! - Who a peer is: its peer group as the host matched it; else its class in the inventory; else its declared role.
//!   Scanners, network management, backup and remote service (in their hours) and DHCP are not judged.
//! - Where nothing says who the pump's gateway is, every internal peer is learned. The model then reports the internet,
//!   workstations only if the inventory names them, and the rest after learning; none of it is more than medium, and
//!   `groups-unmapped` says why. Any peer that it knows then may be the drug library server, so that only others' bulk
//!   transfers are reported.
//! - Of more than 8 contacts of one kind in a slice, one finding tells how many: what has so many peers has one cause.
//! - What three pumps used before at an internal host, this one counted, is theirs, and not reported.
//! - Learning counts hours with traffic, not hours that pass: `learning_hours` and `least_flows`. A service must be
//!   seen on two days. Of internal peers in no group it also learns the most that they send in a slice; a transfer of
//!   theirs is reported only after learning, and from four times that. After a week of silence learning begins anew.
//! - Of a gateway a transfer is bulk only if it is more than `expected_flows` declares for the time of a slice.
//! - Sizes of drug libraries, from `bulk_bytes`: after four slices with one, four standard deviations of the logarithm
//!   above its mean, of half a bit at least, so from four times the usual. Firmware is as large, so that this is low.
//! - In use: 20 contacts with servers within half an hour. A silence counts if as many contacts follow it, or if
//!   three other flows, attempts among them, show that the pump is still on the network; if it begins in a local hour
//!   in which the pump had contact on half the days or more, and as long as it goes on has only such hours; and if it is
//!   longer than `silence_minutes` and half as long again as the longest that ended while the pump was learned. A pump
//!   that leaves the network for more than `silence_most_hours` was on the shelf.
//! - Score: bits of surprise of what neither the pump did in any hour nor any of its class, 10 more for what the model
//!   declares never to happen; of an amount or a silence, the logarithm of how many times too much it was.
//!
//! # Blind spots
//! What looks like its own gateway; content, since it sees flows only; a change that was there while it learned, if on
//! two days and by an internal host; transfers in small pieces over several slices; a pump that is switched off, and
//! one that never comes back, look alike; pumps that keep one connection open for hours have no pulse, and no silence.
//! A firmware roll-out and a much larger drug library look alike.
//!
//! # What is no finding
//! Declared scanners, network management, backup, domain controllers, DHCP, remote service in its hours; libraries from
//! their servers in their hours; a pump on the shelf; what three pumps use; ICMP, by which hosts test each other.
//!
//! # Memory
//! 96 services, 64 amounts, hours: about 5 KiB at most, and 1 KiB for most pumps.
//!
//! # Parameters
//! `learning_hours`, `least_flows`, `bulk_bytes`, `library_from_hour`, `library_to_hour`, `silence_minutes`,
//! `silence_most_hours`: see `plugin.toml`.

mod baseline;
mod peers;
mod report;
mod silence;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wardflow_common::{Causes, Evidence, Groups, Hours, Service, Standing, came_about, minute_at_end};
use wardflow_sdk::{
    Bounded, Continuity, DAY, Detector, Device, Direction, Findings, Flows, HOUR, MINUTE, Saved, Severity, Slice,
    UNKNOWN, math, surprise,
};

use crate::{
    baseline::Baseline,
    peers::{GATEWAY_BYTES_A_DAY, Group, ORDERS, groups, is_expected, is_pump_server, is_stranger},
    report::{Contacts, report_orders, report_services, report_unmapped},
    silence::{Pulse, Silence},
};

/// A learned peer's transfer is reported from this many times the most it sent while learning.
const TIMES_LEARNED: u64 = 4;
/// Devices of a class that used a peer and port before, this one counted, from which on it is the class's.
const SHARED: u32 = 3;
/// Peers that are counted for the hint that no group is mapped.
const COUNTED: usize = 256;

/// The behaviour of one infusion pump.
pub struct InfusionPump {
    parameters: Parameters,
    library_hours: Hours,
    groups: Groups<Group>,
    state: State,
    contacts: Contacts,
    services: Causes<(u64, Service), Group>,
    /// The pump's own protocol with peers that are no gateway.
    orders: Causes<u64, Group>,
    /// Payload towards the pump, by peer, save what is due.
    transfers: Bounded<u64, Evidence<Group>, 256>,
    /// Payload from drug library servers in their hours.
    library: Option<Evidence<Group>>,
    silences: Vec<Silence>,
    /// Flows with peers in no group, and these peers.
    seen: Option<Evidence<Group>>,
    peers: BTreeSet<u64>,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    learning_hours: u32,
    least_flows: u64,
    bulk_bytes: u64,
    library_from_hour: usize,
    library_to_hour: usize,
    silence_minutes: i64,
    silence_most_hours: i64,
}

/// What is remembered of a pump.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    baseline: Baseline,
    pulse: Pulse,
}

impl Detector for InfusionPump {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        let (from, to) = (parameters.library_from_hour, parameters.library_to_hour);
        if from == to {
            return Err(format!("library_from_hour and library_to_hour are both {from}; for all day set 0 and 24"));
        }
        let least = parameters.silence_minutes * MINUTE;
        if least >= parameters.silence_most_hours * HOUR {
            let (minutes, hours) = (parameters.silence_minutes, parameters.silence_most_hours);
            return Err(format!("silence_minutes is {minutes}; it must be less than silence_most_hours, {hours} h"));
        }
        Ok(Self {
            parameters,
            library_hours: Hours { from, to },
            groups: groups(),
            state: state.unwrap_or_default(),
            contacts: Contacts::default(),
            services: Causes::default(),
            orders: Causes::default(),
            transfers: Bounded::new(),
            library: None,
            silences: Vec::new(),
            seen: None,
            peers: BTreeSet::new(),
        })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            if self.state.baseline.experience.count(flows, row) == Continuity::Returned {
                self.state.baseline.again();
                self.state.pulse = Pulse::default();
            }
            let standing = self.groups.standing(flows, row);
            let service = Service::of(flows, row);
            self.state.baseline.has_gateway |= standing == Standing::Member(Group::PumpGateway);
            self.take_note(flows, row, standing, service);
            self.feel_pulse(flows, row, standing, service);
            self.judge_contact(flows, row, standing, service);
            self.weigh(flows, row, standing, service);
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let baseline = &self.state.baseline;
        self.contacts.report(baseline, findings);
        report_orders(&self.orders, baseline, findings);
        report_services(&self.services, baseline, findings);
        if let Some(seen) = self.seen.as_ref().filter(|_| !baseline.has_gateway) {
            report_unmapped(seen, self.peers.len(), baseline, findings);
        }
        self.report_transfers(slice, findings);
        self.report_library(findings);
        self.report_silences(slice, findings);
        if self.progress() >= 1.0 {
            self.state.baseline.habits.settle();
        }
    }

    fn save(self) -> Saved<State> {
        Saved { learned: self.progress(), ready: self.state.baseline.habits.is_settled(), state: self.state }
    }
}

impl InfusionPump {
    fn progress(&self) -> f64 {
        self.state.baseline.experience.progress(self.parameters.learning_hours, self.parameters.least_flows)
    }

    /// Takes note of a flow for the hint that no group is mapped.
    fn take_note(&mut self, flows: &Flows<'_>, row: usize, standing: Standing<Group>, service: Service) {
        if is_stranger(standing) && !self.state.baseline.has_gateway {
            let begin = || Evidence::new(flows, row, standing, service);
            self.seen.get_or_insert_with(begin).add(flows, row, service);
            if self.peers.len() < COUNTED {
                self.peers.insert(flows.peer()[row]);
            }
        }
    }

    fn judge_contact(&mut self, flows: &Flows<'_>, row: usize, standing: Standing<Group>, service: Service) {
        // Hosts test each other by it.
        if service.is_icmp() {
            return;
        }
        let peer = flows.peer()[row];
        let baseline = &mut self.state.baseline;
        let is_shared = !service.of_device && flows.peer_prevalence()[row] >= SHARED;
        if service == ORDERS
            && is_stranger(standing)
            && baseline.has_gateway
            && !(is_shared && standing == Standing::Inside)
        {
            self.orders.add(peer, flows, row, standing, service);
            return;
        }
        let contacts = match standing {
            Standing::Everywhere => return,
            Standing::Member(group) if is_expected(group, service) => return,
            Standing::Member(_) => return self.services.add((peer, service), flows, row, standing, service),
            Standing::Internet => &mut self.contacts.internet,
            Standing::Workstation => &mut self.contacts.workstations,
            Standing::Inside if !baseline.habits.is_settled() => {
                if came_about(flows, row) {
                    baseline.habits.learn(service, flows, row);
                }
                return;
            }
            Standing::Inside if is_shared || baseline.habits.know(peer, service) => return,
            Standing::Inside if baseline.habits.know_peer(peer) => {
                return self.services.add((peer, service), flows, row, standing, service);
            }
            Standing::Inside => &mut self.contacts.inside,
        };
        contacts.add((peer, service.of_device), flows, row, standing, service);
    }

    /// Takes a flow into the rhythm of the pump. What nobody answered is no contact, but shows that the pump is there.
    fn feel_pulse(&mut self, flows: &Flows<'_>, row: usize, standing: Standing<Group>, service: Service) {
        let (end, minute_of_week) = (flows.end_time()[row], minute_at_end(flows, row));
        let is_server = is_pump_server(standing) || standing == Standing::Inside;
        if is_server && !service.of_device && came_about(flows, row) {
            self.state.baseline.learn_activity(end, minute_of_week);
            self.silences.extend(self.state.pulse.beat(end, minute_of_week));
        } else if standing == Standing::Member(Group::PumpGateway) || flows.direction()[row] == Direction::Outbound {
            self.state.pulse.live(end);
        }
    }

    /// Adds up what the pump receives.
    fn weigh(&mut self, flows: &Flows<'_>, row: usize, standing: Standing<Group>, service: Service) {
        let begin = || Evidence::new(flows, row, standing, service);
        match standing {
            Standing::Everywhere => {}
            Standing::Member(Group::DrugLibraryServer) if self.library_hours.contain(flows.minute_of_week()[row]) => {
                self.state.baseline.has_library = true;
                self.library.get_or_insert_with(begin).add(flows, row, service);
            }
            _ => {
                self.state.baseline.has_library |= standing == Standing::Member(Group::DrugLibraryServer);
                // Attempts would push out who sent something.
                if !matches!(flows.bytes_received()[row], 0 | UNKNOWN) {
                    self.transfers.touch(flows.peer()[row], flows.end_time()[row], begin).add(flows, row, service);
                }
            }
        }
    }

    fn report_transfers(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let bulk = self.parameters.bulk_bytes;
        let declared = GATEWAY_BYTES_A_DAY as f64 * (slice.end - slice.start) as f64 / DAY as f64;
        for (peer, shown) in self.transfers.iter() {
            let bytes = shown.received;
            let baseline = &mut self.state.baseline;
            let (most, severity, whose) = match shown.standing {
                Standing::Member(Group::DrugLibraryServer) => {
                    (bulk, Severity::Low, "a drug library server, outside its hours")
                }
                Standing::Member(Group::PumpGateway) => (bulk.max(declared as u64), Severity::Medium, "a pump gateway"),
                Standing::Member(Group::TimeServer) => (bulk, Severity::Medium, "a time server"),
                Standing::Member(Group::NameServer) => (bulk, Severity::Medium, "a name server"),
                Standing::Everywhere => continue,
                Standing::Internet => (bulk, Severity::High, "an outside peer"),
                Standing::Workstation => (bulk, Severity::High, "a workstation"),
                Standing::Inside if !baseline.habits.is_settled() => {
                    baseline.learn_volume(*peer, bytes, shown.last);
                    continue;
                }
                Standing::Inside if !baseline.has_library && baseline.habits.know_peer(*peer) => continue,
                Standing::Inside => {
                    let usual = baseline.volume(*peer).saturating_mul(TIMES_LEARNED);
                    (usual.max(bulk), Severity::High, "an internal peer that is no drug library server")
                }
            };
            if bytes < most {
                continue;
            }
            let severity = if baseline.has_gateway { severity } else { severity.min(Severity::Medium) };
            let is_late = shown.standing == Standing::Member(Group::DrugLibraryServer);
            let key = if is_late { "outside-hours" } else { "" };
            let bits = baseline.experience.novelty() + math::log2(bytes as f64 / most as f64);
            let draft = findings.report("bulk-inbound", shown.first, shown.last).severity(severity);
            shown
                .fill(draft)
                .score(surprise::score(bits))
                .peer(*peer)
                .cause_key(key)
                .measured("bytes-received", bytes as f64, "By", ..=most as f64)
                .summary(format_args!("received {bytes} bytes from {whose}, {} flows", shown.flows));
        }
    }

    /// Judges the size of what drug library servers sent in their hours, and then learns it.
    fn report_library(&mut self, findings: &mut Findings) {
        let baseline = &mut self.state.baseline;
        let Some(shown) = self.library.as_ref().filter(|shown| shown.received >= self.parameters.bulk_bytes) else {
            return;
        };
        if let Some(unusual) = baseline.unusual_library(shown.received) {
            let (bytes, most) = (shown.received, unusual.most);
            let draft = findings.report("bulk-inbound", shown.first, shown.last).severity(Severity::Low);
            shown
                .fill(draft)
                .score(surprise::score(surprise::of_deviation(unusual.sigmas)))
                .cause_key("unusual-size")
                .measured("bytes-received", bytes as f64, "By", ..=most)
                .summary(format_args!(
                    "received {bytes} bytes from drug library servers in their hours; at most {most:.0} were expected, \
                     {} flows",
                    shown.flows
                ));
        }
        baseline.learn_library(shown.received);
    }

    fn report_silences(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let mut silences = std::mem::take(&mut self.silences);
        let ongoing = self.state.pulse.end_slice(slice, &mut silences);
        let (pulse, baseline) = (&mut self.state.pulse, &self.state.baseline);
        let least = (self.parameters.silence_minutes * MINUTE).max(pulse.longest() + pulse.longest() / 2);
        let most = self.parameters.silence_most_hours * HOUR;
        for silence in silences.iter().chain(&ongoing) {
            let length = silence.length();
            if !baseline.habits.is_settled() {
                // What goes on tells nothing yet, and what is longer than that is the shelf.
                if silence.has_ended && length <= most {
                    pulse.learn(silence);
                }
                continue;
            }
            let is_shelved = silence.has_ended && length > most;
            // Nobody came back yet from what goes on: it may be the night.
            let in_use = if silence.has_ended { 0 } else { silence.to - silence.from };
            if length < least || is_shelved || !baseline.is_usual(silence.minute_of_week, in_use) {
                continue;
            }
            let minutes = length / MINUTE;
            // As if lengths had a Pareto distribution of index 1.
            let bits = baseline.experience.novelty() + math::log2(length as f64 / least as f64);
            let then = if silence.has_ended { "then contact went on" } else { "other flows go on" };
            findings
                .report("silence-in-use", silence.from, silence.last_flow)
                .score(surprise::score(bits))
                .confidence(if silence.has_ended { 0.7 } else { 0.5 })
                // Flows of an earlier slice do not count in this one.
                .flow_count(if silence.from >= slice.start { u64::from(silence.flows) } else { 0 })
                .measured("silence", minutes as f64, "min", ..=(least / MINUTE) as f64)
                .summary(format_args!("no contact with its servers for {minutes} min in use; {then}"));
        }
    }
}

wardflow_sdk::export!(InfusionPump, include_str!("../plugin.toml"));

#[cfg(test)]
mod tests {
    use wardflow_sdk::manifest::Manifest;

    use crate::peers::{EXPECTED, GATEWAY_BYTES_A_DAY};

    #[test]
    fn the_code_expects_what_the_manifest_declares() {
        let declared = wardflow_common::declared(include_str!("../plugin.toml")).unwrap();
        assert_eq!(EXPECTED.map(|(group, service)| (group as u16, service)), *declared);
        let manifest = Manifest::from_toml(include_str!("../plugin.toml")).unwrap();
        let of_gateway = manifest.expected_flows.iter().filter(|flow| flow.group == "pump-gateway");
        assert_eq!(of_gateway.filter_map(|flow| flow.bytes_a_day).sum::<u64>(), GATEWAY_BYTES_A_DAY);
    }
}
