//! Told of other gaps than the flows show.

use std::sync::Arc;

use super::Way;
use crate::detector::{
    Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop,
};

/// These are the sensors' gaps, in order of time, whatever the flows show: where they are those of one device, its silence
/// is no gap.
#[derive(Clone, Debug)]
pub struct Told(pub Arc<[Gap]>);

impl Way for Told {
    fn instantiate(
        &self,
        detector: &Arc<dyn Detector>,
        sessions: usize,
        stop: &Stop,
    ) -> Result<Box<dyn Instance>, Fault> {
        let instance = detector.instantiate(sessions, stop)?;
        Ok(Box::new(ToldInstance { instance, gaps: Arc::clone(&self.0) }))
    }
}

struct ToldInstance {
    instance: Box<dyn Instance>,
    gaps: Arc<[Gap]>,
}

impl Instance for ToldInstance {
    fn open(&mut self, device: &DeviceFacts, parameters: &str, state: Option<&[u8]>) -> Result<Opened, Fault> {
        self.instance.open(device, parameters, state)
    }

    fn observe(&mut self, session: SessionId, flows: Box<dyn FlowBatch>) -> Result<Vec<Report>, Fault> {
        self.instance.observe(session, flows)
    }

    fn end_slice(&mut self, session: SessionId, start: i64, end: i64, _: &[Gap]) -> Result<Vec<Report>, Fault> {
        let inside = |gap: &Gap| Gap { start: gap.start.max(start), end: gap.end.min(end) };
        let gaps: Vec<_> = self.gaps.iter().map(inside).filter(|gap| gap.start < gap.end).collect();
        self.instance.end_slice(session, start, end, &gaps)
    }

    fn save(&mut self, session: SessionId) -> Result<Saved, Fault> {
        self.instance.save(session)
    }

    fn said(&mut self) -> Vec<String> {
        self.instance.said()
    }

    fn cost(&self) -> Cost {
        self.instance.cost()
    }
}
