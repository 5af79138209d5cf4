//! `wardflow/infusion-pump`: a sample of a maker's model, built from public documents. No maker answers for it.
//!
//! # What it finds
//! - `contact-outside-groups`: flows with a workstation or the internet, from the first day; and with any other
//!   internal host outside the peer groups that was no habit while the pump's behaviour was learned.
//! - `new-service`: a port of a known peer, or of the pump, that is new. With a member of a peer group that is any
//!   service that `expected_flows` does not declare, from the first day: learning never widens what is declared.
//! - `bulk-inbound`: a bulk transfer towards the pump from a peer that is no drug library server, or from one outside
//!   the declared local hours.
//! - `silence-in-use`: silence that began in use, longer than any that was learned, not in gaps of the sensors.
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
//! - Where nothing maps the groups and the inventory has no classes, every internal peer is learned: the model then
//!   reports workstations only if the inventory names them, the internet always, and the rest after learning. Any peer
//!   that it knows then may be the drug library server, so that only others' bulk transfers are reported.
//! - Learning counts hours with traffic, not hours that pass: `learning_hours` and `least_flows`. A service must be
//!   seen on two days. Of internal peers in no group it also learns the most that they send in a slice; a transfer of
//!   theirs is reported only after learning, and from four times that.
//! - In use: 20 contacts with servers within half an hour. A silence counts if as many contacts follow it, or if
//!   three other flows show that the pump is still on the network; if it begins in a local hour in which the pump had
//!   contact on half the days or more; and if it is longer than `silence_minutes` and half as long again as the
//!   longest one learned. A pump that leaves the network for more than `silence_most_hours` was on the shelf.
//!
//! # Blind spots
//! What looks like its own gateway; content, since it sees flows only; a change that was there while it learned, if
//! on two days and by an internal host; transfers in small pieces over several slices; a pump that is switched off, and one
//! that never comes back, look alike; pumps that keep one connection open for hours have no pulse, and no silence.
//! Of more than 16 causes of one kind in a slice the rest is reported as one.
//!
//! # Parameters
//! `learning_hours`, `least_flows`, `bulk_bytes`, `library_from_hour`, `library_to_hour`, `silence_minutes`,
//! `silence_most_hours`: see `plugin.toml`.

mod baseline;
mod peers;
mod shown;
mod silence;

use serde::{Deserialize, Serialize};
use wardflow_sdk::{Bounded, Detector, Device, Direction, Findings, Flows, HOUR, MINUTE, Saved, Severity, Slice};

use crate::{
    baseline::{Baseline, hour_of_day},
    peers::{Group, Service, Standing},
    shown::{Causes, Shown, came_about},
    silence::{Pulse, Silence},
};

/// A learned peer's transfer is reported from this many times the most it sent while learning.
const TIMES_LEARNED: u64 = 4;

/// The behaviour of one infusion pump.
pub struct InfusionPump {
    parameters: Parameters,
    state: State,
    /// Contacts outside the groups, by peer and by whether the peer came to the pump.
    contacts: Causes<(u64, bool)>,
    services: Causes<(u64, Service)>,
    /// Payload towards the pump, by peer, save what is due.
    transfers: Bounded<u64, Shown, 64>,
    silences: Vec<Silence>,
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
            state: state.unwrap_or_default(),
            contacts: Causes::default(),
            services: Causes::default(),
            transfers: Bounded::new(),
            silences: Vec::new(),
        })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            let standing = Standing::of(flows, row);
            let service = Service::of(flows, row);
            self.state.baseline.count(flows.end_time()[row]);
            self.feel_pulse(flows, row, standing, service);
            self.judge_contact(flows, row, standing, service);
            self.weigh(flows, row, standing, service);
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        self.contacts.report_contacts(findings);
        self.services.report_services(findings);
        self.report_transfers(findings);
        self.report_silences(slice, findings);
        self.state.baseline.settle(self.parameters.learning_hours, self.parameters.least_flows);
    }

    fn save(self) -> Saved<State> {
        let learned = self.state.baseline.progress(self.parameters.learning_hours, self.parameters.least_flows);
        Saved { learned, ready: self.state.baseline.is_done, state: self.state }
    }
}

impl InfusionPump {
    fn judge_contact(&mut self, flows: &Flows<'_>, row: usize, standing: Standing, service: Service) {
        let peer = flows.peer()[row];
        let baseline = &mut self.state.baseline;
        let is_contact = match standing {
            Standing::Everywhere => return,
            Standing::Member(group) if service.is_expected(group) => return,
            Standing::Member(_) => false,
            Standing::Internet | Standing::Workstation => true,
            Standing::Inside if !baseline.is_done => {
                if came_about(flows, row) {
                    baseline.learn_service(peer, service, flows.end_time()[row], flows.minute_of_week()[row]);
                }
                return;
            }
            Standing::Inside if baseline.knows(peer, service) => return,
            Standing::Inside => !baseline.knows_peer(peer),
        };
        if is_contact {
            self.contacts.add((peer, service.of_pump), flows, row, standing, service);
        } else {
            self.services.add((peer, service), flows, row, standing, service);
        }
    }

    /// Takes a flow into the rhythm of the pump.
    fn feel_pulse(&mut self, flows: &Flows<'_>, row: usize, standing: Standing, service: Service) {
        let (end, minute_of_week) = (flows.end_time()[row], flows.minute_of_week()[row]);
        let is_server =
            matches!(standing, Standing::Member(Group::PumpGateway | Group::DrugLibraryServer) | Standing::Inside);
        if is_server && !service.of_pump {
            self.state.baseline.learn_activity(minute_of_week);
            self.silences.extend(self.state.pulse.beat(end, minute_of_week));
        } else if standing == Standing::Member(Group::PumpGateway) || flows.direction()[row] == Direction::Outbound {
            self.state.pulse.live(end);
        }
    }

    /// Adds up what the pump receives, save from a drug library server in its hours.
    fn weigh(&mut self, flows: &Flows<'_>, row: usize, standing: Standing, service: Service) {
        let is_due = match standing {
            Standing::Everywhere | Standing::Member(Group::TimeServer | Group::NameServer) => true,
            Standing::Member(Group::DrugLibraryServer) => {
                self.state.baseline.has_library = true;
                self.is_library_hour(flows.minute_of_week()[row])
            }
            _ => false,
        };
        if !is_due {
            let begin = || Shown::new(flows, row, standing, service);
            self.transfers.touch(flows.peer()[row], flows.end_time()[row], begin).add(flows, row, service);
        }
    }

    fn is_library_hour(&self, minute_of_week: u16) -> bool {
        let (from, to) = (self.parameters.library_from_hour, self.parameters.library_to_hour);
        let hour = hour_of_day(minute_of_week);
        if from < to { (from..to).contains(&hour) } else { hour >= from || hour < to }
    }

    fn report_transfers(&mut self, findings: &mut Findings) {
        let bulk = self.parameters.bulk_bytes;
        for (peer, shown) in self.transfers.iter() {
            let bytes = shown.received;
            let baseline = &mut self.state.baseline;
            let (most, severity, whose) = match shown.standing {
                Standing::Member(Group::DrugLibraryServer) => {
                    (bulk, Severity::Low, "a drug library server, outside its hours")
                }
                Standing::Everywhere | Standing::Member(_) => (bulk, Severity::Medium, "a pump gateway"),
                Standing::Internet => (bulk, Severity::High, "an outside peer"),
                Standing::Workstation => (bulk, Severity::High, "a workstation"),
                Standing::Inside if !baseline.is_done => {
                    baseline.learn_volume(*peer, bytes, shown.last);
                    continue;
                }
                Standing::Inside if !baseline.has_library && baseline.knows_peer(*peer) => continue,
                Standing::Inside => {
                    let usual = baseline.volume(*peer).saturating_mul(TIMES_LEARNED);
                    (usual.max(bulk), Severity::High, "an internal peer that is no drug library server")
                }
            };
            if bytes < most {
                continue;
            }
            let key = if severity == Severity::Low { "outside-hours" } else { "" };
            let draft = findings.report("bulk-inbound", shown.first, shown.last).severity(severity);
            shown
                .fill(draft)
                .score(1.0 - 0.5 * most as f64 / bytes as f64)
                .peer(*peer)
                .cause_key(key)
                .measured("bytes-received", bytes as f64, "By", ..=most as f64)
                .summary(format_args!("received {bytes} bytes from {whose}, {} flows", shown.flows));
        }
    }

    fn report_silences(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let mut silences = std::mem::take(&mut self.silences);
        let ongoing = self.state.pulse.end_slice(slice, &mut silences);
        let (pulse, baseline) = (&mut self.state.pulse, &self.state.baseline);
        let least = (self.parameters.silence_minutes * MINUTE).max(pulse.longest() + pulse.longest() / 2);
        let most = self.parameters.silence_most_hours * HOUR;
        for silence in silences.iter().chain(&ongoing) {
            let length = silence.length();
            if !baseline.is_done {
                if !silence.has_ended || length <= most {
                    pulse.learn(silence);
                }
                continue;
            }
            let is_shelved = silence.has_ended && length > most;
            if length < least || is_shelved || !baseline.is_usual(silence.minute_of_week) {
                continue;
            }
            let minutes = length / MINUTE;
            let then = if silence.has_ended { "then contact went on" } else { "other flows go on" };
            findings
                .report("silence-in-use", silence.from, silence.last_flow)
                .score(1.0 - 0.5 * least as f64 / length as f64)
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
    use wardflow_sdk::manifest::{Initiator, Manifest, Transport};

    use crate::peers::{EXPECTED, TCP, UDP};

    #[test]
    fn the_code_expects_what_the_manifest_declares() {
        let manifest = Manifest::from_toml(include_str!("../plugin.toml")).unwrap();
        let declared: Vec<_> = manifest
            .expected_flows
            .iter()
            .map(|flow| {
                assert_eq!(flow.initiator, Initiator::Device);
                let protocol = if flow.protocol == Transport::Tcp { TCP } else { UDP };
                (manifest.group_code(&flow.group).unwrap(), protocol, flow.port)
            })
            .collect();
        let coded: Vec<_> = EXPECTED.iter().map(|(group, protocol, port)| (*group as u16, *protocol, *port)).collect();
        assert_eq!(coded, declared);
    }
}
