//! A detector, given its flows otherwise than usual, or watched at work. Each of these is a detector itself, so that the
//! operator around it stays the same.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use wardflow_manifest::{Column, Manifest};

use crate::detector::{
    Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop, Values,
};

/// The same detector with every batch cut into smaller ones. The contract promises batches of 8,192 flows from the slice's
/// start, and nothing that a detector finds may hang on that.
#[derive(Debug)]
pub struct Cut {
    /// The detector.
    pub detector: Arc<dyn Detector>,
    /// Flows in a batch at most.
    pub rows: usize,
}

/// The same detector with an instance for each device, so that no device can know of another.
#[derive(Debug)]
pub struct Alone(pub Arc<dyn Detector>);

/// The same detector, each of its calls told to a [`Watcher`].
#[derive(Debug)]
pub struct Watched {
    /// The detector.
    pub detector: Arc<dyn Detector>,
    /// Who is told.
    pub watcher: Arc<dyn Watcher>,
}

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

impl Detector for Cut {
    fn manifest(&self) -> &Manifest {
        self.detector.manifest()
    }

    fn digest(&self) -> &str {
        self.detector.digest()
    }

    fn memory(&self) -> usize {
        self.detector.memory()
    }

    fn instantiate(&self, sessions: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault> {
        let instance = self.detector.instantiate(sessions, stop)?;
        Ok(Box::new(CutInstance { instance, rows: self.rows.max(1) }))
    }
}

struct CutInstance {
    instance: Box<dyn Instance>,
    rows: usize,
}

impl Instance for CutInstance {
    fn open(&mut self, device: &DeviceFacts, parameters: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        self.instance.open(device, parameters, state)
    }

    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        let whole: Arc<dyn FlowBatch> = flows.into();
        let mut reports = Vec::new();
        for from in (0..whole.len()).step_by(self.rows) {
            let to = (from + self.rows).min(whole.len());
            reports.extend(self.instance.observe(session, Box::new(Part { whole: Arc::clone(&whole), from, to }))?);
        }
        Ok(reports)
    }

    fn end_slice(&mut self, session: SessionId, start: i64, end: i64, gaps: &[Gap]) -> Result<Vec<Report>, Fault> {
        self.instance.end_slice(session, start, end, gaps)
    }

    fn save(&mut self, session: SessionId) -> Result<Saved, Fault> {
        self.instance.save(session)
    }

    fn cost(&self) -> Cost {
        self.instance.cost()
    }
}

/// Some of a batch's flows.
struct Part {
    whole: Arc<dyn FlowBatch>,
    from: usize,
    to: usize,
}

impl FlowBatch for Part {
    fn len(&self) -> usize {
        self.to - self.from
    }

    fn first_row(&self) -> u32 {
        self.whole.first_row() + u32::try_from(self.from).unwrap_or(u32::MAX)
    }

    fn column(&self, column: Column) -> Values {
        let range = self.from..self.to;
        match self.whole.column(column) {
            Values::I64(values) => Values::I64(values[range].to_vec()),
            Values::U64(values) => Values::U64(values[range].to_vec()),
            Values::U32(values) => Values::U32(values[range].to_vec()),
            Values::U16(values) => Values::U16(values[range].to_vec()),
            Values::U8(values) => Values::U8(values[range].to_vec()),
        }
    }
}

impl Detector for Alone {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn digest(&self) -> &str {
        self.0.digest()
    }

    fn memory(&self) -> usize {
        self.0.memory()
    }

    fn instantiate(&self, _: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault> {
        let detector = Arc::clone(&self.0);
        Ok(Box::new(AloneInstance { detector, stop: stop.clone(), instance: None, opened: 0, cost: Cost::default() }))
    }
}

/// The instance of the device at hand. The operator opens a session only when the one before it was saved.
struct AloneInstance {
    detector: Arc<dyn Detector>,
    stop: Stop,
    instance: Option<(Box<dyn Instance>, SessionId)>,
    opened: usize,
    cost: Cost,
}

impl AloneInstance {
    fn current(&mut self) -> Result<(&mut dyn Instance, SessionId), Fault> {
        let none = || Fault::new("observe", crate::detector::FaultKind::Contract, "no session is open");
        let (instance, session) = self.instance.as_mut().ok_or_else(none)?;
        Ok((instance.as_mut(), *session))
    }
}

impl Instance for AloneInstance {
    fn open(&mut self, device: &DeviceFacts, parameters: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        self.cost = self.cost();
        self.instance = None;
        let mut instance = self.detector.instantiate(1, &self.stop)?;
        match instance.open(device, parameters, state)? {
            Opened::Session(session) => {
                self.instance = Some((instance, session));
                self.opened += 1;
                Ok(Opened::Session(SessionId(self.opened - 1)))
            }
            other => Ok(other),
        }
    }

    fn observe(&mut self, _: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        let (instance, session) = self.current()?;
        instance.observe(session, flows)
    }

    fn end_slice(&mut self, _: SessionId, start: i64, end: i64, gaps: &[Gap]) -> Result<Vec<Report>, Fault> {
        let (instance, session) = self.current()?;
        instance.end_slice(session, start, end, gaps)
    }

    fn save(&mut self, _: SessionId) -> Result<Saved, Fault> {
        let (instance, session) = self.current()?;
        instance.save(session)
    }

    fn cost(&self) -> Cost {
        let now = self.instance.as_ref().map(|(instance, _)| instance.cost()).unwrap_or_default();
        Cost {
            cpu: self.cost.cpu + now.cpu,
            bytes: self.cost.bytes + now.bytes,
            memory: self.cost.memory.max(now.memory),
        }
    }
}

impl Detector for Watched {
    fn manifest(&self) -> &Manifest {
        self.detector.manifest()
    }

    fn digest(&self) -> &str {
        self.detector.digest()
    }

    fn memory(&self) -> usize {
        self.detector.memory()
    }

    fn instantiate(&self, sessions: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault> {
        let made = self.detector.instantiate(sessions, stop);
        let cost = made.as_ref().map(|instance| instance.cost()).unwrap_or_default();
        self.watcher.called(&Call { step: Step::Instantiate, cpu: cost.cpu, cost, fault: made.as_ref().err() });
        Ok(Box::new(WatchedInstance { instance: made?, watcher: Arc::clone(&self.watcher) }))
    }
}

struct WatchedInstance {
    instance: Box<dyn Instance>,
    watcher: Arc<dyn Watcher>,
}

impl WatchedInstance {
    /// Tells of a call that is over.
    fn tell(&self, step: Step<'_>, before: Duration, fault: Option<&Fault>) {
        let cost = self.instance.cost();
        self.watcher.called(&Call { step, cpu: cost.cpu.saturating_sub(before), cost, fault });
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
