//! Sessions: one plugin over the devices of one shard, for one slice.
//!
//! A device is lost only if it breaks an instance of its own, so that no device answers for another; the others go on.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::FixedState;
use wardflow_manifest::{Column, PeerRole, Requirement};

use super::{
    PluginRun, ShardCoverage, Slice, StateRow,
    group::DeviceRows,
    output::{Example, Found},
    prevalence::Contact,
    reports::Reports,
    rows::{Batch, Flows, PluginRows, ShardRows},
    slice_facts::SliceFacts,
};
use crate::{
    coverage::Status,
    detector::{BATCH_ROWS, Cost, DeviceFacts, Fault, FaultKind, Gap, Instance, Opened, SessionId, Stop, Values},
    device::Facts,
    finding::Finding,
    lake::{State, StateKey},
    reset::Reset,
};

/// Begins what coverage says of a device whose own plugin could not read its state.
pub(crate) const UNREADABLE: &str = "the saved state could not be read";

/// Faults in one shard after which each device gets an instance of its own.
const SHARED_FAULTS: u32 = 3;

/// What a shard of a plugin came to.
#[derive(Debug, Default)]
pub(super) struct ShardOutcome {
    pub(super) found: Vec<Found>,
    pub(super) states: Vec<StateRow>,
    pub(super) contacts: Vec<Contact>,
    pub(super) coverage: Vec<ShardCoverage>,
    pub(super) cost: Cost,
}

/// One plugin over one shard.
pub(super) struct ShardRun<'a> {
    pub(super) plugin: &'a PluginRun,
    /// The plugin's place among all.
    pub(super) index: usize,
    pub(super) shard: u8,
    pub(super) slice: Slice,
    pub(super) rows: &'a Arc<ShardRows>,
    pub(super) context: &'a SliceFacts,
    pub(super) gaps: &'a [Gap],
    pub(super) only: Option<&'a [String]>,
    pub(super) stop: &'a Stop,
}

/// A device that gets a session.
pub(super) struct Subject<'a> {
    /// Its number.
    device: u32,
    id: &'a str,
    facts: &'a Arc<Facts>,
    pub(super) rows: Option<&'a DeviceRows>,
    kept: Option<(&'a StateKey, &'a State)>,
}

/// Why a session failed, and whether the plugin was still allowed to.
struct Failure {
    fault: Fault,
    is_allowed: bool,
}

/// What a session came to.
struct SessionOutcome {
    findings: Vec<Finding>,
    /// The device's flows, which findings name by their places.
    flows: Arc<Flows>,
    kept: State,
    note: Option<String>,
}

impl ShardRun<'_> {
    /// Runs the sessions of all devices in scope.
    ///
    /// # Errors
    /// The run is being stopped, the machine gives no memory, or the plugin cannot run at all. A fault on a device is no error but coverage.
    pub(super) fn run(&self) -> Result<ShardOutcome, Fault> {
        let rows = Arc::new(PluginRows::new(self.rows, self.plugin));
        let mut outcome = ShardOutcome::default();
        let mut total = self.coverage(Status::Complete);
        let mut instance: Option<Box<dyn Instance>> = None;
        let mut faults = 0;
        let subjects = self.subjects(&mut outcome);
        let sessions = subjects.len();
        for subject in subjects {
            total.devices += 1;
            total.flows += subject.rows.map_or(0, |rows| rows.rows.len() as u64);
            let lost = subject.kept.and_then(|(_, kept)| kept.lost.clone());
            if let Some(reason) = lost.filter(|reason| reason.starts_with(&self.signature())) {
                self.lose(&subject, reason, &mut outcome);
                continue;
            }
            if let Some(reason) = self.plugin.budget.spent() {
                total.status = Status::NotRun;
                total.fault = Some(reason);
                break;
            }
            let is_shared = instance.is_some();
            let attempt = self.attempt(&mut instance, &subject, &rows, sessions, &mut outcome);
            let result = match attempt {
                Err(failure) if is_shared && !failure.fault.kind.is_no_breach() => {
                    instance = None;
                    self.attempt(&mut instance, &subject, &rows, sessions, &mut outcome)
                }
                other => other,
            };
            match result {
                Ok(done) => {
                    self.plugin.budget.found(done.findings.iter().map(Finding::bytes).sum());
                    self.keep(&subject, done, &mut outcome);
                }
                Err(Failure { fault, .. }) if fault.kind.is_no_breach() => return Err(fault),
                Err(Failure { is_allowed: false, fault, .. }) => {
                    total.status = Status::NotRun;
                    total.fault = self.plugin.budget.spent().map(|spent| format!("{spent}; the last: {fault}"));
                    break;
                }
                Err(Failure { fault, .. }) => {
                    faults += 1;
                    instance = None;
                    self.lose(&subject, format!("{}{fault}", self.signature()), &mut outcome);
                }
            }
            if faults >= SHARED_FAULTS {
                close(&mut instance, &mut outcome.cost);
            }
        }
        close(&mut instance, &mut outcome.cost);
        if let (Status::Complete, Some(reason)) = (total.status, self.plugin.budget.flooded()) {
            total.status = Status::NotRun;
            total.fault = Some(reason);
        }
        outcome.coverage.push(total);
        Ok(outcome)
    }

    /// One session from open to save, in the instance at hand or a new one. A faulted instance's cost counts against
    /// the plugin's budget.
    fn attempt(
        &self,
        instance: &mut Option<Box<dyn Instance>>,
        subject: &Subject<'_>,
        rows: &Arc<PluginRows>,
        sessions: usize,
        outcome: &mut ShardOutcome,
    ) -> Result<SessionOutcome, Failure> {
        if self.stop.is_stopped() {
            return Err(self.failure(Fault::new("open", FaultKind::Stopped, "the run was stopped"), Duration::ZERO));
        }
        let mut live = match instance.take() {
            Some(live) => live,
            None => {
                let new = self.plugin.detector.instantiate(sessions, self.stop);
                new.map_err(|fault| self.failure(fault, Duration::ZERO))?
            }
        };
        let before = live.cost().cpu;
        match self.session(live.as_mut(), subject, rows) {
            Ok(done) => {
                *instance = Some(live);
                Ok(done)
            }
            Err(fault) => {
                let failure = self.failure(fault, live.cost().cpu.saturating_sub(before));
                close(&mut Some(live), &mut outcome.cost);
                Err(failure)
            }
        }
    }

    /// A fault, charged to the plugin's budget with what it cost.
    fn failure(&self, fault: Fault, cpu: Duration) -> Failure {
        let is_allowed = fault.kind.is_no_breach() || self.plugin.budget.spend(cpu);
        Failure { fault, is_allowed }
    }

    fn session(
        &self,
        instance: &mut dyn Instance,
        subject: &Subject<'_>,
        rows: &Arc<PluginRows>,
    ) -> Result<SessionOutcome, Fault> {
        let (session, note) = self.open(instance, subject)?;
        let flows = Arc::new(rows.of_device(subject.rows)?);
        let mut reports = Reports::new(self, &flows);
        for from in (0..flows.len()).step_by(BATCH_ROWS) {
            let places = from..(from + BATCH_ROWS).min(flows.len());
            reports.shown = places.end as u64;
            let reported = instance.observe(session, Box::new(Batch { flows: Arc::clone(&flows), places }))?;
            reports.admit("observe", reported)?;
        }
        let reported = instance.end_slice(session, self.slice.start, self.slice.end, self.gaps)?;
        reports.admit("end-slice", reported)?;
        let saved = instance.save(session)?;
        if !(0.0..=1.0).contains(&saved.learned) {
            let message = format!("state with `learned` {}; it must lie in [0, 1]", saved.learned);
            return Err(Fault::new("save", FaultKind::Contract, message));
        }
        let before = subject.kept.map(|(_, kept)| kept).filter(|_| note.is_none());
        let kept = State {
            bytes: saved.bytes,
            learned: saved.learned,
            ready: saved.ready,
            since: before.map_or(self.slice.start, |kept| kept.since),
            last_flow: match reports.shown {
                0 => before.map_or(self.slice.start, |kept| kept.last_flow),
                _ => self.slice.end,
            },
            flows: before.map_or(0, |kept| kept.flows) + reports.shown,
            lost: None,
        };
        Ok(SessionOutcome { findings: reports.findings, flows, kept, note })
    }

    /// Opens a session with the state that fits, else anew; then there is a note that says why.
    fn open(&self, instance: &mut dyn Instance, subject: &Subject<'_>) -> Result<(SessionId, Option<String>), Fault> {
        let parameters = &self.plugin.parameters;
        let (facts, known) = (subject.facts, self.context.device(subject.device));
        let told = DeviceFacts {
            pseudonym: known.pseudonym,
            class: facts.class.clone(),
            manufacturer: facts.manufacturer.clone(),
            model: facts.model.clone(),
            firmware: facts.firmware.clone(),
            zone: known.zone,
        };
        let mut note = None;
        let mut state = subject.kept.map(|(_, kept)| kept.bytes.as_slice());
        if let Some((key, _)) = subject.kept.filter(|(key, _)| key.firmware != subject.facts.firmware) {
            let (old, new) = (&key.firmware, &subject.facts.firmware);
            note = Some(format!("firmware changed from {old:?} to {new:?}: learning began anew"));
            state = None;
        } else if let Some(reset) = subject.kept.and_then(|(_, kept)| self.reset(subject.id, kept)) {
            note = Some(format!("its baseline was reset ({}): learning began anew", reset.reason));
            state = None;
        }
        loop {
            match instance.open(&told, parameters, state)? {
                Opened::Session(session) => return Ok((session, note)),
                Opened::StateUnreadable(reason) if state.is_some() => {
                    note = Some(format!("{UNREADABLE} ({reason}): learning began anew"));
                    state = None;
                }
                Opened::StateUnreadable(reason) => {
                    let message = format!("no state was given, yet it could not be read: {reason}");
                    return Err(Fault::new("open", FaultKind::Contract, message));
                }
                Opened::ParametersRefused(reason) => {
                    let message = format!("parameters refused: {reason}; change them in wardflow.toml");
                    return Err(Fault::new("open", FaultKind::Contract, message));
                }
            }
        }
    }

    /// The reset that what was learned of a device gives way to, if there is one.
    fn reset(&self, device_id: &str, kept: &State) -> Option<&Reset> {
        self.context.directory.world().resets.of(self.plugin.id(), device_id, kept.since, self.slice.start)
    }

    /// The devices in scope, by id: those of the inventory in this slice, those with flows, those with a state.
    fn subjects<'s>(&'s self, outcome: &mut ShardOutcome) -> Vec<Subject<'s>> {
        let context = self.context;
        let with_rows = self.rows.devices.iter().map(|rows| (rows.device, Some(rows)));
        let silent = context.present(self.shard).iter().chain(context.remembered(self.index, self.shard));
        let mut candidates: Vec<_> = with_rows.chain(silent.map(|device| (*device, None))).collect();
        // Of equal ones the first stays, which is the one with rows.
        candidates.sort_by_key(|(device, _)| context.rank(*device));
        candidates.dedup_by_key(|(device, _)| *device);
        let mut subjects = Vec::new();
        for (device, rows) in candidates {
            let (id, facts) = (context.id(device), context.facts(device));
            if self.only.is_some_and(|only| !only.iter().any(|wanted| wanted == id)) {
                continue;
            }
            if !self.plugin.watches(facts) {
                continue;
            }
            if let Some(reason) = self.unsuited(id) {
                let flows = rows.map_or(0, |rows| rows.rows.len() as u64);
                outcome.coverage.push(ShardCoverage {
                    devices: 1,
                    flows,
                    ..self.device_coverage(id, Status::Unsuited, reason)
                });
                continue;
            }
            subjects.push(Subject { device, id, facts, rows, kept: self.plugin.states.of_device(id) });
        }
        subjects
    }

    /// Why the manifest's requirements do not hold for one device.
    fn unsuited(&self, id: &str) -> Option<String> {
        if !self.plugin.detector.manifest().requires.contains(&Requirement::OwnAddress) {
            return None;
        }
        let world = self.context.directory.world();
        let addresses = self.context.addresses(id, self.slice.start);
        let shared = world.infrastructure.iter().find(|item| {
            matches!(item.role, PeerRole::Nat | PeerRole::Proxy) && addresses.iter().any(|ip| item.cidr.contains(ip))
        })?;
        Some(format!(
            "its address lies in {}, which many share (declared as NAT or proxy in [[infrastructure]])",
            shared.cidr
        ))
    }

    fn keep(&self, subject: &Subject<'_>, done: SessionOutcome, outcome: &mut ShardOutcome) {
        let manifest = self.plugin.detector.manifest();
        let ip = match done.findings.as_slice() {
            [] => None,
            _ => self.context.addresses(subject.id, self.slice.start).first().map(ToString::to_string),
        };
        for finding in done.findings {
            let examples = self.examples(&finding, &done.flows);
            outcome.found.push(Found {
                plugin: self.plugin.id().to_owned(),
                plugin_version: manifest.version.to_string(),
                plugin_digest: self.plugin.detector.digest().to_owned(),
                device_id: subject.id.to_owned(),
                device_ip: ip.clone(),
                facts: Arc::clone(subject.facts),
                finding,
                examples,
            });
        }
        if self.plugin.sees(Column::PeerPrevalence) {
            outcome.contacts.extend(self.contacts(subject, &done.flows));
        }
        if let Some(note) = done.note {
            outcome.coverage.push(self.device_coverage(subject.id, Status::Complete, note));
        }
        outcome.states.push(self.state(subject, done.kept));
    }

    /// What the device contacted that is not counted yet: the first ones in order, as many as will be.
    fn contacts(&self, subject: &Subject<'_>, flows: &Flows) -> BTreeSet<Contact> {
        let known = self.context.device(subject.device);
        let most = self.plugin.prevalence.room(known.pseudonym);
        let mut new = BTreeSet::new();
        for contacted in flows.contacted().take_while(|_| most > 0) {
            let distinct: HashSet<_, FixedState> = contacted.collect();
            let contacts = distinct.into_iter().map(|(peer, port)| Contact {
                class: known.class,
                peer,
                port,
                device: known.pseudonym,
            });
            new.extend(contacts.filter(|contact| self.plugin.prevalence.is_new(contact)));
            while new.len() > most {
                new.pop_last();
            }
        }
        new
    }

    fn examples(&self, finding: &Finding, flows: &Flows) -> Vec<Example> {
        let tables = self.context.directory.read();
        // What another plugin declares is not shown, so that it makes no difference.
        let shown = |column| flows.values(column, &finding.examples).filter(|_| self.plugin.sees(column));
        let [start, peer_port, local_port, protocol] =
            [Column::StartTime, Column::PeerPort, Column::LocalPort, Column::Protocol].map(shown);
        let ends = flows.values(Column::EndTime, &finding.examples);
        let example = |(place, peer)| {
            let number = |values: &Option<Values>| values.as_ref().map(|values| values.get(place));
            Example {
                start: number(&start).map(u64::cast_signed),
                end: number(&ends).map_or(0, u64::cast_signed),
                peer_ip: tables.endpoint_of_peer(peer).ip.to_string(),
                peer_port: number(&peer_port).and_then(|port| u16::try_from(port).ok()),
                local_port: number(&local_port).and_then(|port| u16::try_from(port).ok()),
                protocol: number(&protocol).and_then(|protocol| u8::try_from(protocol).ok()),
            }
        };
        flows.peers(&finding.examples).into_iter().enumerate().map(example).collect()
    }

    /// Sets a device aside: this slice says so, and the state keeps it so until the plugin or its settings change.
    fn lose(&self, subject: &Subject<'_>, reason: String, outcome: &mut ShardOutcome) {
        outcome.coverage.push(self.device_coverage(subject.id, Status::Faulted, reason.clone()));
        let blank = || State { since: self.slice.start, last_flow: self.slice.end, ..State::default() };
        let kept = subject.kept.map_or_else(blank, |(_, kept)| kept.clone());
        let mut row = self.state(subject, State { lost: Some(reason), ..kept });
        // It stays that of the firmware from which it was learned.
        if let Some((key, _)) = subject.kept {
            row.key = key.clone();
        }
        outcome.states.push(row);
    }

    /// What the fault of this version of the plugin begins with. A device that another version lost is tried again.
    fn signature(&self) -> String {
        format!("{} {}: ", self.plugin.id(), self.plugin.detector.manifest().version)
    }

    fn state(&self, subject: &Subject<'_>, state: State) -> StateRow {
        let key = StateKey { device_id: subject.id.to_owned(), firmware: subject.facts.firmware.clone() };
        StateRow { plugin: self.plugin.id().into(), key, state }
    }

    fn coverage(&self, status: Status) -> ShardCoverage {
        ShardCoverage {
            plugin: Some(self.plugin.id().to_owned()),
            device_id: None,
            devices: 0,
            flows: 0,
            status,
            fault: None,
        }
    }

    fn device_coverage(&self, id: &str, status: Status, reason: String) -> ShardCoverage {
        ShardCoverage { device_id: Some(id.to_owned()), devices: 1, fault: Some(reason), ..self.coverage(status) }
    }
}

/// Drops an instance and keeps count of what it cost.
fn close(instance: &mut Option<Box<dyn Instance>>, cost: &mut Cost) {
    if let Some(instance) = instance.take() {
        let spent = instance.cost();
        cost.cpu += spent.cpu;
        cost.bytes += spent.bytes;
        cost.memory = cost.memory.max(spent.memory);
    }
}
