//! Watched at work.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use wardflow_manifest::Column;

use super::Way;
use crate::detector::{
    Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop, Values,
};

/// Each call is told to a [`Watcher`].
#[derive(Clone, Debug)]
pub struct Watched(pub Arc<dyn Watcher>);

/// Is told of a detector's calls.
pub trait Watcher: fmt::Debug + Send + Sync {
    /// A call returned, or broke off.
    fn called(&self, call: &Call<'_>);
}

/// A call of a detector.
pub struct Call<'a> {
    /// Which.
    pub step: Step<'a>,
    /// CPU time that it took.
    pub cpu: Duration,
    /// What the instance cost so far.
    pub cost: Cost,
    /// What the guest said to its author.
    pub said: &'a [String],
    /// The fault in which it broke off.
    pub fault: Option<&'a Fault>,
}

/// What a detector was asked, and what it said.
pub enum Step<'a> {
    /// An instance was made.
    Instantiate,
    /// A session was opened.
    Open {
        /// The device.
        device: &'a DeviceFacts,
        /// Its parameters.
        parameters: &'a str,
        /// The state that it had.
        state: Option<&'a [u8]>,
        /// What came of it.
        opened: Option<&'a Opened>,
    },
    /// Flows were handed over.
    Observe {
        /// The flows.
        flows: &'a dyn FlowBatch,
        /// The columns that were pulled, in order.
        pulled: &'a [Column],
        /// What was reported.
        reports: &'a [Report],
    },
    /// The slice ended.
    EndSlice {
        /// Its start, microseconds UTC.
        start: i64,
        /// Its end.
        end: i64,
        /// The sensors' gaps.
        gaps: &'a [Gap],
        /// What was reported.
        reports: &'a [Report],
    },
    /// The state was taken.
    Save(Option<&'a Saved>),
}

impl Way for Watched {
    fn instantiate(
        &self,
        detector: &Arc<dyn Detector>,
        sessions: usize,
        stop: &Stop,
    ) -> Result<Box<dyn Instance>, Fault> {
        let mut made = detector.instantiate(sessions, stop);
        let cost = made.as_ref().map(|instance| instance.cost()).unwrap_or_default();
        let said = made.as_mut().map(|instance| instance.said()).unwrap_or_default();
        let fault = made.as_ref().err();
        self.0.called(&Call { step: Step::Instantiate, cpu: cost.cpu, cost, said: &said, fault });
        Ok(Box::new(WatchedInstance { instance: made?, watcher: Arc::clone(&self.0) }))
    }
}

struct WatchedInstance {
    instance: Box<dyn Instance>,
    watcher: Arc<dyn Watcher>,
}

impl WatchedInstance {
    /// Tells of a call that is over.
    fn tell(&mut self, step: Step<'_>, before: Duration, fault: Option<&Fault>) {
        let cost = self.instance.cost();
        let said = self.instance.said();
        self.watcher.called(&Call { step, cpu: cost.cpu.saturating_sub(before), cost, said: &said, fault });
    }
}

impl Instance for WatchedInstance {
    fn open(&mut self, device: &DeviceFacts, parameters: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        let before = self.instance.cost().cpu;
        let result = self.instance.open(device, parameters, state);
        let step = Step::Open { device, parameters, state, opened: result.as_ref().ok() };
        self.tell(step, before, result.as_ref().err());
        result
    }

    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        let pulled = Arc::new(Mutex::new(Vec::new()));
        let flows: Arc<dyn FlowBatch> = flows.into();
        let lent = Pulled { flows: Arc::clone(&flows), columns: Arc::clone(&pulled) };
        let before = self.instance.cost().cpu;
        let result = self.instance.observe(session, Box::new(lent));
        let pulled = pulled.lock().unwrap_or_else(PoisonError::into_inner);
        let reports = result.as_deref().unwrap_or_default();
        let step = Step::Observe { flows: flows.as_ref(), pulled: &pulled, reports };
        self.tell(step, before, result.as_ref().err());
        result
    }

    fn end_slice(&mut self, session: SessionId, start: i64, end: i64, gaps: &[Gap]) -> Result<Vec<Report>, Fault> {
        let before = self.instance.cost().cpu;
        let result = self.instance.end_slice(session, start, end, gaps);
        let step = Step::EndSlice { start, end, gaps, reports: result.as_deref().unwrap_or_default() };
        self.tell(step, before, result.as_ref().err());
        result
    }

    fn save(&mut self, session: SessionId) -> Result<Saved, Fault> {
        let before = self.instance.cost().cpu;
        let result = self.instance.save(session);
        self.tell(Step::Save(result.as_ref().ok()), before, result.as_ref().err());
        result
    }

    fn cost(&self) -> Cost {
        self.instance.cost()
    }
}

/// A batch that remembers which columns were pulled.
struct Pulled {
    flows: Arc<dyn FlowBatch>,
    columns: Arc<Mutex<Vec<Column>>>,
}

impl FlowBatch for Pulled {
    fn len(&self) -> usize {
        self.flows.len()
    }

    fn first_row(&self) -> u32 {
        self.flows.first_row()
    }

    fn column(&self, column: Column) -> Values {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).push(column);
        self.flows.column(column)
    }
}
