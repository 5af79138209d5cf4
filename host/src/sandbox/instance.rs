//! One running instance of a plugin.

use std::{sync::Arc, time::Duration};

use wardflow_manifest::Severity;
use wasmtime::{
    Store,
    component::{Resource, ResourceAny},
};

use super::{
    bindings::{self, wardflow::detector::types},
    fault::{Stopped, clean, fault},
    host::State,
    plugin::HANDLES,
    said::Said,
};
use crate::{
    detector::{
        Cost, DeviceFacts, Fault, FaultKind, FlowBatch, Gap, Instance, Observation, Opened, Report, Saved, SessionId,
    },
    limits::{Exceeded, Limits},
};

/// An instance and its sessions. Dropping it frees all that the guest had; the guest's destructors do not run.
pub(super) struct Running {
    store: Store<State>,
    guest: bindings::Plugin,
    limits: Arc<Limits>,
    handles: usize,
    sessions: Vec<Session>,
    cpu: Duration,
}

/// The guest's handle, and how much the session has reported in this slice.
struct Session {
    handle: ResourceAny,
    findings: usize,
}

impl Running {
    /// Instantiates a component in its store.
    ///
    /// # Errors
    /// A fault of the guest's start code, or a limit.
    pub(super) fn start(
        mut store: Store<State>,
        plugin: &bindings::PluginPre<State>,
        limits: Arc<Limits>,
        sessions: usize,
    ) -> Result<Self, Fault> {
        let handles = sessions + HANDLES;
        let (guest, cpu) = timed(&mut store, "instantiate", &limits, handles, |store| plugin.instantiate(store));
        Ok(Self { guest: guest?, store, limits, handles, sessions: Vec::with_capacity(sessions), cpu })
    }

    fn call<R>(
        &mut self,
        call: &'static str,
        run: impl FnOnce(&mut Store<State>, &bindings::Plugin) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        let Self { store, guest, limits, handles, cpu, .. } = self;
        let (returned, cost) = timed(store, call, limits, *handles, |store| run(store, guest));
        *cpu += cost;
        returned
    }

    fn session(&mut self, call: &'static str, SessionId(number): SessionId) -> Result<&mut Session, Fault> {
        let open = self.sessions.len();
        self.sessions.get_mut(number).ok_or_else(|| {
            Fault::new(call, FaultKind::Contract, format!("session {number} was never opened; there are {open}"))
        })
    }

    /// Counts what a session reported, and puts it in the host's words.
    fn reports(
        &mut self,
        call: &'static str,
        session: SessionId,
        findings: Vec<types::Finding>,
    ) -> Result<Vec<Report>, Fault> {
        let session = self.session(call, session)?;
        session.findings += findings.len();
        let asked = session.findings;
        self.at_most(call, "findings of a session", asked, "", self.limits.findings, "findings in [limits]")?;
        Ok(findings.into_iter().map(Report::from).collect())
    }

    fn at_most(
        &self,
        call: &'static str,
        what: &'static str,
        asked: usize,
        unit: &str,
        allowed: usize,
        setting: &'static str,
    ) -> Result<(), Fault> {
        if asked <= allowed {
            return Ok(());
        }
        let exceeded = Exceeded { what, asked: format!("{asked}{unit}"), allowed: format!("{allowed}{unit}"), setting };
        Err(self.fault(call, FaultKind::Limit, exceeded.to_string()))
    }

    /// What is found wrong with a call that returned.
    fn fault(&self, call: &'static str, kind: FaultKind, message: String) -> Fault {
        self.store.data().said.before(Fault::new(call, kind, message))
    }
}

impl Instance for Running {
    fn open(&mut self, device: &DeviceFacts, parameters: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        let facts = types::DeviceFacts {
            pseudonym: device.pseudonym,
            class: &device.class,
            manufacturer: &device.manufacturer,
            model: &device.model,
            firmware: &device.firmware,
            zone: device.zone,
        };
        self.store.data_mut().said = Said::default();
        let opened = self.call("open", |store, guest| {
            guest.wardflow_detector_detector().session().call_open(store, facts, parameters, state)
        })?;
        Ok(match opened {
            Ok(handle) => {
                self.sessions.push(Session { handle, findings: 0 });
                Opened::Session(SessionId(self.sessions.len() - 1))
            }
            Err(types::OpenError::StateUnreadable(why)) => Opened::StateUnreadable(clean(&why)),
            Err(types::OpenError::ParametersRefused(why)) => Opened::ParametersRefused(clean(&why)),
        })
    }

    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        let handle = self.session("observe", session)?.handle;
        self.store.data_mut().lent = Some(flows);
        let findings = self.call("observe", |store, guest| {
            guest.wardflow_detector_detector().session().call_observe(store, handle, Resource::new_borrow(0))
        });
        self.store.data_mut().lent = None;
        self.reports("observe", session, findings?)
    }

    fn end_slice(&mut self, session: SessionId, start: i64, end: i64, gaps: &[Gap]) -> Result<Vec<Report>, Fault> {
        let handle = self.session("end-slice", session)?.handle;
        let gaps: Vec<_> = gaps.iter().map(|gap| types::Gap { start: gap.start, end: gap.end }).collect();
        let findings = self.call("end-slice", |store, guest| {
            guest.wardflow_detector_detector().session().call_end_slice(store, handle, start, end, &gaps)
        })?;
        self.reports("end-slice", session, findings)
    }

    fn save(&mut self, session: SessionId) -> Result<Saved, Fault> {
        let handle = self.session("save", session)?.handle;
        let types::SavedState { bytes, learned, ready } =
            self.call("save", |store, guest| guest.wardflow_detector_detector().session().call_save(store, handle))?;
        self.at_most("save", "saved state", bytes.len(), " bytes", self.limits.state_bytes, "state_bytes in [limits]")?;
        if !(0.0..=1.0).contains(&learned) {
            let message = format!("saved state with learned {learned}; it must lie in [0, 1]");
            return Err(self.fault("save", FaultKind::Contract, message));
        }
        Ok(Saved { bytes, learned, ready })
    }

    fn said(&mut self) -> Vec<String> {
        self.store.data_mut().said.take()
    }

    fn cost(&self) -> Cost {
        let state = self.store.data();
        Cost { cpu: self.cpu, bytes: state.bytes, memory: state.allocation.memory() }
    }
}

/// Runs guest code under its deadline. What it cost counts, whatever became of it.
fn timed<R>(
    store: &mut Store<State>,
    call: &'static str,
    limits: &Limits,
    handles: usize,
    run: impl FnOnce(&mut Store<State>) -> wasmtime::Result<R>,
) -> (Result<R, Fault>, Duration) {
    let told = |error: wasmtime::Error| fault(call, &error, limits, handles);
    let deadline = &mut store.data_mut().deadline;
    if deadline.is_stopped() {
        return (Err(told(Stopped.into())), Duration::ZERO);
    }
    deadline.begin(call, limits);
    store.set_epoch_deadline(1);
    let returned = run(store);
    let state = store.data();
    (returned.map_err(|error| state.said.before(told(error))), state.deadline.end())
}

impl From<types::Finding> for Report {
    fn from(finding: types::Finding) -> Self {
        Self {
            kind: finding.kind,
            severity: finding.severity.map(Severity::from),
            score: finding.score,
            confidence: finding.confidence,
            first_time: finding.first_time,
            last_time: finding.last_time,
            peer: finding.peer,
            peer_port: finding.peer_port,
            protocol: finding.protocol,
            flow_count: finding.flow_count,
            summary: finding.summary,
            cause_key: finding.cause_key,
            observations: finding.observations.into_iter().map(Observation::from).collect(),
            examples: finding.examples,
        }
    }
}

impl From<types::Observation> for Observation {
    fn from(observation: types::Observation) -> Self {
        Self {
            name: observation.name,
            measured: observation.measured,
            expected_low: observation.expected_low,
            expected_high: observation.expected_high,
            unit: observation.unit,
        }
    }
}

impl From<types::Severity> for Severity {
    fn from(severity: types::Severity) -> Self {
        match severity {
            types::Severity::Informational => Self::Informational,
            types::Severity::Low => Self::Low,
            types::Severity::Medium => Self::Medium,
            types::Severity::High => Self::High,
            types::Severity::Critical => Self::Critical,
        }
    }
}
