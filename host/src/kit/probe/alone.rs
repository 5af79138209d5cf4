//! Each device alone.

use std::sync::Arc;

use super::Way;
use crate::detector::{
    Cost, Detector, DeviceFacts, Fault, FaultKind, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop,
};

/// An instance for each device, so that no device can know of another.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Way for Alone {
    fn instantiate(&self, detector: &Arc<dyn Detector>, _: usize, stop: &Stop) -> Result<Box<dyn Instance>, Fault> {
        let detector = Arc::clone(detector);
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
        let none = || Fault::new("observe", FaultKind::Contract, "no session is open");
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

    fn said(&mut self) -> Vec<String> {
        self.instance.as_mut().map(|(instance, _)| instance.said()).unwrap_or_default()
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
