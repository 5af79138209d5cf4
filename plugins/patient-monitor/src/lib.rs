//! `wardflow/patient-monitor`: a sample of a maker's model, built from public documents. No maker answers for it.
//!
//! # What it finds
//! - `contact-outside-groups`: flows with a workstation or the internet, from the first day; and with any other
//!   internal host outside the peer groups that was no habit while the monitor's behaviour was learned.
//! - `central-changed`: the monitor's telemetry, or as much as that, goes to an internal host that is no central
//!   station: beside the station, or in its place.
//! - `continuity-lost`: contact with the central station broke in use, for longer than ever, not in gaps of the
//!   sensors.
//! - `new-service`: a port of a known peer, or of the monitor, that is new.
//!
//! # Why it matters for a device
//! Staff at the central station see a patient by what the monitor sends. Makers ask for a network of its own, isolated
//! from the hospital's and guarded by access lists (ICSMA-20-023-01, ICSMA-20-254-01). CISA's advisories tell what who
//! gets in can do: stop monitoring, change settings of alarms, use keyboards and remote viewing without a password
//! (ICSMA-20-023-01), have monitors restart and write their memory from the same subnet (ICSMA-18-156-01,
//! ICSMA-20-254-01), crash all of them by one datagram (ICSMA-22-244-01), interrupt the view at the central station
//! (ICSMA-21-322-02). And monitors call a fixed address on the internet by themselves (ICSMA-25-030-01). That the
//! network is part of what is monitored, and its failure a hazard, is IEC 80001-1; how devices at the bedside find and
//! serve each other is ISO/IEEE 11073 SDC, which this sample does not know. Ports are assumptions (`plugin.toml`); a
//! maker's own model has those of its monitor.
//!
//! # How
//! - Who a peer is: its peer group as the host matched it; else its class in the inventory; else its declared role.
//!   Scanners, network management, backup, domain controllers, DHCP, and remote service in its hours are not judged.
//! - Where no central station is known as such, it is the internal host that is sent most while the monitor is learned;
//!   nothing is more than medium then, and a host that any other monitor already used is a station too.
//! - Learning counts hours with traffic: `learning_hours`, `least_flows`. A habit is what was seen on two days. Ports
//!   are learned, of stations too. After a week of silence learning begins anew.
//! - Telemetry elsewhere: bytes to one host in a slice, at least a twentieth of what the station usually has (its
//!   logarithm's mean), and four standard deviations above what this host was ever sent; or 10 kB by a port of
//!   telemetry or vital signs to a host in no group; vital signs alone are no more than medium. In addition, if the
//!   station has half of its usual; else in its place. What three monitors use is a station, unless it was reported.
//! - Contact is what the flows cover, so that a connection of hours is no silence. A break is 5 minutes or more after
//!   an hour of unbroken contact. It is judged if longer than `break_minutes`, half as long again as the longest one
//!   learned, and than what records that a sensor loses, as often as contact broke for three hours at most lately,
//!   would make one time in 16,384. While other flows show the monitor on the network, in a quarter of it, it is low,
//!   and medium from `transport_minutes` on. Without them the monitor was carried along or switched off: nothing up to
//!   `transport_minutes` nor from `shelved_hours` on, low in between. Nor is there anything up to `transport_minutes`
//!   if the monitor asked for an address, as one that is moved does, or if nothing was seen of it for five minutes
//!   though other flows fill half of the break. One that goes on is told of from `transport_minutes` on, since
//!   exporters tell of a long connection every half an hour.
//! - Score: bits of surprise of what neither the monitor did in any hour nor the class; 10 more for what is declared
//!   never to happen; of a break, the logarithm of how many times too long it was (as if lengths had a Pareto
//!   distribution, index 1).
//!
//! # What is no finding
//! Transport between wards, another station of the inventory, discharge, a monitor on the shelf, discovery by
//! multicast, declared scanners, a station that was replaced once three monitors use it.
//!
//! # Blind spots
//! What looks like its central station; content; telemetry copied at the station; what was there on two days while it
//! learned; a monitor of which the network is cut, which looks switched off; breaks of less than five minutes;
//! connections recorded at their end only, each of hours, of which the breaks between are learned as usual.
//!
//! # Memory
//! 96 services, 16 amounts: about 4 KiB at most.
//!
//! # Parameters
//! `learning_hours`, `least_flows`, `break_minutes`, `transport_minutes`, `shelved_hours`: see `plugin.toml`.

mod continuity;
mod peers;
mod report;
mod telemetry;

use serde::{Deserialize, Serialize};
use wardflow_common::{Causes, Experience, Groups, Habits, Service, Standing, UDP, came_about, is_dhcp};
use wardflow_sdk::{Detector, Device, Direction, Findings, Flows, HOUR, MINUTE, Saved, Slice};

use crate::{
    continuity::{Break, Continuity},
    peers::{Group, groups, is_expected},
    telemetry::{Amounts, Telemetry},
};

/// Devices of a class that use a peer and port, from which on it is the class's.
const SHARED: u32 = 3;

/// The behaviour of one patient monitor.
pub struct PatientMonitor {
    parameters: Parameters,
    groups: Groups<Group>,
    state: State,
    contacts: Causes<(u64, bool), Group>,
    services: Causes<(u64, Service), Group>,
    breaks: Vec<Break>,
    amounts: Amounts,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    learning_hours: u32,
    least_flows: u64,
    break_minutes: i64,
    transport_minutes: i64,
    shelved_hours: i64,
}

/// What is remembered of a monitor.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    experience: Experience,
    habits: Habits,
    telemetry: Telemetry,
    continuity: Continuity,
}

impl Detector for PatientMonitor {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        let Parameters { break_minutes: least, transport_minutes: transport, shelved_hours: most, .. } = parameters;
        if least > transport || transport >= most * 60 {
            return Err(format!(
                "break_minutes is {least}, transport_minutes {transport}, shelved_hours {most}; each must be longer \
                 than the one before"
            ));
        }
        Ok(Self {
            parameters,
            groups: groups(),
            state: state.unwrap_or_default(),
            contacts: Causes::default(),
            services: Causes::default(),
            breaks: Vec::new(),
            amounts: Amounts::default(),
        })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            if self.state.experience.count(flows, row) == wardflow_sdk::Continuity::Returned {
                self.state = State { experience: self.state.experience, ..State::default() };
            }
            let standing = self.groups.standing(flows, row);
            let service = Service::of(flows, row);
            self.state.telemetry.see(standing);
            self.follow(flows, row, standing, service);
            if standing != Standing::Everywhere && !service.is_icmp() {
                self.amounts.add(&self.state.telemetry, flows, row, standing, service);
                self.judge(flows, row, standing, service);
            }
        }
    }

    fn end_slice(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        self.report_contacts(findings);
        self.report_services(findings);
        let is_settled = self.state.habits.is_settled();
        if is_settled {
            self.amounts.report(&mut self.state.telemetry, &self.state.experience, findings);
        }
        self.report_breaks(slice, findings);
        self.amounts.teach(&mut self.state.telemetry, is_settled);
        if self.progress() >= 1.0 {
            self.state.habits.settle();
        }
    }

    fn save(self) -> Saved<State> {
        Saved { learned: self.progress(), ready: self.state.habits.is_settled(), state: self.state }
    }
}

impl PatientMonitor {
    fn progress(&self) -> f64 {
        self.state.experience.progress(self.parameters.learning_hours, self.parameters.least_flows)
    }

    /// Follows the contact with the central station.
    fn follow(&mut self, flows: &Flows<'_>, row: usize, standing: Standing<Group>, service: Service) {
        // Datagrams need no answer.
        let carries = came_about(flows, row) || service.protocol == UDP;
        let (start, end) = (flows.start_time()[row], flows.end_time()[row]);
        if self.state.telemetry.is_station(flows.peer()[row], standing) {
            if carries {
                self.state.continuity.contact(start, end, &mut self.breaks);
            }
        } else if is_dhcp(flows, row) {
            // Anybody can send what looks like an answer.
            if flows.direction()[row] == Direction::Outbound {
                self.state.continuity.ask_for_address();
            }
        } else if carries && standing != Standing::Everywhere && flows.direction()[row] == Direction::Outbound {
            self.state.continuity.live(end);
        }
    }

    /// Judges who is in contact with the monitor, and by which service.
    fn judge(&mut self, flows: &Flows<'_>, row: usize, standing: Standing<Group>, service: Service) {
        let (peer, is_established) = (flows.peer()[row], came_about(flows, row));
        let habits = &mut self.state.habits;
        match standing {
            Standing::Member(group) if is_expected(group, service) => return,
            Standing::Internet | Standing::Workstation => {}
            _ if habits.is_settled() => {
                let is_shared = !service.of_device && flows.peer_prevalence()[row] >= SHARED;
                if !is_established || is_shared || habits.know(peer, service) {
                    return;
                }
            }
            _ => {
                if is_established {
                    habits.learn(service, flows, row);
                }
                return;
            }
        }
        if matches!(standing, Standing::Member(_)) || habits.know_peer(peer) {
            self.services.add((peer, service), flows, row, standing, service);
        } else {
            self.contacts.add((peer, service.of_device), flows, row, standing, service);
        }
    }

    fn report_breaks(&mut self, slice: &Slice<'_>, findings: &mut Findings) {
        let mut breaks = std::mem::take(&mut self.breaks);
        let ongoing = self.state.continuity.end_slice(slice, &mut breaks);
        let shelved = self.parameters.shelved_hours * HOUR;
        for known in breaks.iter().chain(&ongoing) {
            if self.state.habits.is_settled() {
                self.report_break(known, slice, findings);
            } else if !known.has_ended || known.length() < shelved {
                self.state.continuity.learn(known);
            }
        }
    }

    /// The time from which on breaks are judged, in microseconds.
    fn least_break(&self) -> i64 {
        (self.parameters.break_minutes * MINUTE).max(self.state.continuity.usual())
    }
}

wardflow_sdk::export!(PatientMonitor, include_str!("../plugin.toml"));

#[cfg(test)]
mod tests {
    use crate::peers::EXPECTED;

    #[test]
    fn the_code_expects_what_the_manifest_declares() {
        let declared = wardflow_common::declared(include_str!("../plugin.toml")).unwrap();
        assert_eq!(EXPECTED.map(|(group, service)| (group as u16, service)), *declared);
    }
}
