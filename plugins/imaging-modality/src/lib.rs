//! `wardflow/imaging-modality`: a sample of a maker's model, built from public documents. No maker answers for it.
//!
//! # What it finds
//! - `dicom-outside-groups`: a DICOM association, either way, with a peer that is neither PACS nor worklist server.
//!   With the internet from the first day, with others if it was no habit while the modality's behaviour was learned.
//! - `contact-outside-groups`: somebody on the internet who comes to the modality, from the first day; after learning,
//!   any other peer outside the groups that is new, inside or outside.
//! - `bulk-retrieval`: a peer that is no archive takes far more from the modality than ever, by a connection it opened
//!   or by DICOM.
//! - `unusual-hours`: a known peer logs in or opens an association in hours in which nobody did; a maker's engineer
//!   logs in outside of the declared hours.
//! - `new-service`: a port of a known peer, or of the modality, that is new.
//!
//! # Why it matters for a device
//! A CT scanner is a computer that people work with and engineers log in to, full of images of patients, and often
//! older than what its operating system's maker supports. NIST SP 1800-24, "Securing Picture Archiving and
//! Communication System (PACS)" (2020), puts modalities into a zone of their own and lets makers in by guarded remote
//! access only. CISA's advisories tell what is there to be found: passwords that are known or travel in the clear, with
//! the rights of service (ICSMA-18-037-02, ICSMA-20-343-01), Telnet without a password (ICSMA-19-113-01), an operating
//! system's file service that runs anybody's code (ICSMA-17-215-01), DICOM receivers that write files where they should
//! not (ICSMA-22-174-01).
//!
//! A modality asks for its worklist, stores images, and has the archive confirm that it keeps them, which the archive
//! may do by an association of its own (IHE Radiology Technical Framework, Scheduled Workflow; DICOM PS3.4, Annex J).
//! Nobody fetches from it. Ports: PS3.8, 9.1.1 (104, 11112) and PS3.15, B.1 (2762, TLS); HL7 2575 and ISCL 2761 are
//! IANA's.
//!
//! # How
//! - Who a peer is: its peer group as the host matched it; else its class in the inventory; else its declared role.
//!   Scanners, network management, backup, domain controllers, DHCP, and remote service in its hours are not judged.
//! - What a hospital decides is learned: hosts besides the archives, and ports. `learning_hours` with traffic and
//!   `least_flows`; a habit is what was seen on two days. Where no archive is known, DICOM with the internet is learned
//!   too. After a week of silence learning begins anew.
//! - What three devices of the class used before, this one counted, is the class's, and not reported: a maker's cloud. A
//!   cloud of ever new addresses is nothing new: by the share of slices in which the modality called somebody new
//!   outside, this must be a surprise of 3 bits (one slice in eight).
//! - Who takes: payload from the modality, a peer and slice, in connections that the peer opened and in DICOM. From
//!   `bulk_bytes`, if the peer took nothing like it before: its logarithm four standard deviations above the mean, of
//!   half a bit at least, so four times the usual or more.
//! - Hours: an hour of the day in which, and in the two beside it, nobody came on any of five days with visits or more.
//! - Score: bits of surprise of what neither the modality did in any hour nor the class; 10 more for what is declared
//!   never to happen; of an amount, by its standard deviations.
//!
//! # What is no finding
//! A PACS that sends, asks or confirms; attempts that nobody answered, by hosts inside; a scanner or backup that is
//! declared; an engineer in the declared hours; bursts of images to the archive; a PACS that all modalities move to,
//! once three have.
//!
//! # Blind spots
//! What looks like its PACS; content, since it sees flows only; who fetches from the PACS itself, which is another
//! device; what was there while it learned, on two days; images taken in small pieces; a new PACS that nobody mapped is
//! reported by the first three modalities; DICOM on a port of its own, if the sensor does not recognise it, is a
//! service like any other.
//!
//! # Memory
//! 96 services with peers inside and 96 outside, 32 amounts, hours: about 6 KiB at most.
//!
//! # Parameters
//! `learning_hours`, `least_flows`, `bulk_bytes`, `service_from_hour`, `service_to_hour`: see `plugin.toml`.

mod peers;
mod report;
mod state;

use serde::Deserialize;
use wardflow_common::{Causes, Evidence, Groups, Hours, Service, Standing, came_about, hour_of_day};
use wardflow_sdk::{
    Bounded, Continuity, Detector, Device, Findings, Flows, Level, PeerRole, Saved, Slice, UNKNOWN, name_id,
};

pub use crate::state::State;
use crate::{
    peers::{Group, groups, is_archive, is_dicom, is_expected},
    report::{Reporter, Visit},
};

/// Devices of a class that use a peer and port, from which on it is the class's.
const SHARED: u32 = 3;
/// Bits of surprise from which a call to somebody new outside is reported.
const LEAST_SURPRISE: f64 = 3.0;

/// The behaviour of one imaging modality.
pub struct ImagingModality {
    parameters: Parameters,
    hours: Hours,
    groups: Groups<Group>,
    /// The sensor's name of DICOM.
    dicom: u32,
    state: State,
    associations: Causes<(u64, bool), Group>,
    contacts: Causes<(u64, bool), Group>,
    services: Causes<(u64, Service), Group>,
    visits: Causes<(u64, Visit), Group>,
    /// What peers that are no archive took.
    taken: Bounded<u64, Evidence<Group>, 256>,
    /// Time and minute of the week of the first visit in each hour of the day.
    visited: [Option<(i64, u16)>; 24],
    has_flows: bool,
    has_new_outside: bool,
}

/// What the hospital may set; see `plugin.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Parameters {
    learning_hours: u32,
    least_flows: u64,
    bulk_bytes: u64,
    service_from_hour: usize,
    service_to_hour: usize,
}

/// A flow that is judged.
#[derive(Clone, Copy)]
struct Contact {
    peer: u64,
    standing: Standing<Group>,
    service: Service,
    is_dicom: bool,
    is_established: bool,
}

impl Detector for ImagingModality {
    type Parameters = Parameters;
    type State = State;

    fn open(_: &Device, parameters: Parameters, state: Option<State>) -> Result<Self, String> {
        let (from, to) = (parameters.service_from_hour, parameters.service_to_hour);
        if from == to {
            return Err(format!("service_from_hour and service_to_hour are both {from}; for all day set 0 and 24"));
        }
        Ok(Self {
            parameters,
            hours: Hours { from, to },
            groups: groups(),
            dicom: name_id("dicom"),
            state: state.unwrap_or_default(),
            associations: Causes::default(),
            contacts: Causes::default(),
            services: Causes::default(),
            visits: Causes::default(),
            taken: Bounded::new(),
            visited: [None; 24],
            has_flows: false,
            has_new_outside: false,
        })
    }

    fn observe(&mut self, flows: &Flows<'_>, _: &mut Findings) {
        for row in flows.rows() {
            self.has_flows = true;
            if self.state.experience.count(flows, row) == Continuity::Returned {
                let State { experience, engineers, has_archive, .. } = std::mem::take(&mut self.state);
                self.state = State { experience, engineers, has_archive, ..State::default() };
            }
            let peer = flows.peer()[row];
            if flows.peer_role()[row] == PeerRole::RemoteService {
                self.state.engineers.touch(peer, flows.end_time()[row], || ());
            }
            let standing = self.groups.standing(flows, row);
            let service = Service::of(flows, row);
            if standing == Standing::Everywhere || service.is_icmp() {
                continue;
            }
            self.state.has_archive |= is_archive(standing);
            let is_dicom = is_dicom(service) || flows.service()[row] == self.dicom;
            let is_established = came_about(flows, row);
            let contact = Contact { peer, standing, service, is_dicom, is_established };
            self.weigh(flows, row, contact);
            if !self.visit(flows, row, contact) {
                self.judge(flows, row, contact);
            }
        }
    }

    fn end_slice(&mut self, _: &Slice<'_>, findings: &mut Findings) {
        self.report(findings);
        self.learn_taken();
        let mut visited: Vec<_> = self.visited.into_iter().flatten().collect();
        visited.sort_unstable();
        for (time, minute_of_week) in visited {
            self.state.visits.learn(time, minute_of_week);
        }
        if self.has_flows {
            self.state.newcomers.learn(self.has_new_outside);
        }
        if self.progress() >= 1.0 {
            self.state.habits.settle();
            self.state.clouds.settle();
        }
    }

    fn save(self) -> Saved<State> {
        Saved { learned: self.progress(), ready: self.state.habits.is_settled(), state: self.state }
    }
}

impl ImagingModality {
    fn progress(&self) -> f64 {
        self.state.experience.progress(self.parameters.learning_hours, self.parameters.least_flows)
    }

    /// Judges who is in contact with the modality, and by which service.
    fn judge(&mut self, flows: &Flows<'_>, row: usize, contact: Contact) {
        let Contact { peer, standing, service, is_dicom, is_established } = contact;
        let is_association = is_dicom && !is_archive(standing);
        let is_never_learned =
            standing == Standing::Internet && (service.of_device || (is_association && self.state.has_archive));
        match standing {
            Standing::Member(group) if is_expected(group, service) => return,
            _ if !service.of_device && flows.peer_prevalence()[row] >= SHARED => return,
            _ if is_never_learned => {}
            _ if self.is_habit(flows, row, contact) || !is_established => return,
            _ => {}
        }
        let is_known = matches!(standing, Standing::Member(_)) || self.state.habits.know_peer(peer);
        if is_association {
            self.associations.add((peer, service.of_device), flows, row, standing, service);
        } else if is_known {
            self.services.add((peer, service), flows, row, standing, service);
        } else {
            self.contacts.add((peer, service.of_device), flows, row, standing, service);
        }
    }

    /// Whether a service with a peer was a habit, or is being learned.
    fn is_habit(&mut self, flows: &Flows<'_>, row: usize, contact: Contact) -> bool {
        let Contact { peer, standing, service, is_established, .. } = contact;
        let is_outside = standing == Standing::Internet;
        let habits = if is_outside { &mut self.state.clouds } else { &mut self.state.habits };
        let is_known = habits.know(peer, service);
        let time = flows.end_time()[row];
        if is_established {
            habits.learn(service, flows, row);
            self.has_new_outside |= is_outside && !is_known && self.state.newcomers.is_new(peer, time);
        }
        is_known || !habits.is_settled()
    }

    /// Takes a visit in, and judges its hour. Returns whether nothing else is to be said of it.
    fn visit(&mut self, flows: &Flows<'_>, row: usize, contact: Contact) -> bool {
        let Contact { peer, standing, service, is_dicom, is_established } = contact;
        if !service.of_device || !is_established || is_archive(standing) {
            return false;
        }
        let (time, minute_of_week) = (flows.end_time()[row], flows.minute_of_week()[row]);
        let is_member = standing == Standing::Member(Group::VendorService);
        let is_engineer = is_member || self.state.engineers.get(&peer).is_some();
        if is_engineer {
            if !is_member || !self.hours.contain(minute_of_week) {
                self.visits.add((peer, Visit::OfEngineer), flows, row, standing, service);
            }
            return true;
        }
        if !(service.is_login() || is_dicom) || standing == Standing::Internet {
            return false;
        }
        self.visited[hour_of_day(minute_of_week)].get_or_insert((time, minute_of_week));
        let habits = &self.state.habits;
        if habits.is_settled() && habits.know(peer, service) && self.state.visits.miss(minute_of_week) {
            self.visits.add((peer, Visit::OfKnown), flows, row, standing, service);
        }
        false
    }

    /// Adds up what peers that are no archive take.
    fn weigh(&mut self, flows: &Flows<'_>, row: usize, contact: Contact) {
        let Contact { peer, standing, service, is_dicom, .. } = contact;
        let is_pushed = is_dicom && !service.of_device && flows.peer_prevalence()[row] < SHARED;
        // Attempts would push out who took something.
        let carries = !matches!(flows.bytes_sent()[row], 0 | UNKNOWN);
        if carries && (service.of_device || is_pushed) && !is_archive(standing) {
            let begin = || Evidence::new(flows, row, standing, service);
            self.taken.touch(peer, flows.end_time()[row], begin).add(flows, row, service);
        }
    }

    fn learn_taken(&mut self) {
        for (peer, shown) in self.taken.iter().filter(|(_, shown)| shown.sent > 0) {
            let level = self.state.taken.touch(*peer, shown.last, Level::default);
            level.learn(report::magnitude(shown.sent), report::MEMORY, report::LEAST_DEVIATION);
        }
    }

    fn report(&self, findings: &mut Findings) {
        let reporter = Reporter { state: &self.state, bulk_bytes: self.parameters.bulk_bytes };
        reporter.associations(&self.associations, findings);
        reporter.contacts(&self.contacts, findings);
        reporter.services(&self.services, findings);
        reporter.visits(&self.visits, findings);
        reporter.taken(&self.taken, findings);
    }
}

wardflow_sdk::export!(ImagingModality, include_str!("../plugin.toml"));

#[cfg(test)]
mod tests {
    use crate::peers::EXPECTED;

    #[test]
    fn the_code_expects_what_the_manifest_declares() {
        let declared = wardflow_common::declared(include_str!("../plugin.toml")).unwrap();
        assert_eq!(EXPECTED.map(|(group, service)| (group as u16, service)), *declared);
    }
}
