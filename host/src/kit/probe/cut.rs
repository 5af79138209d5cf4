//! Batches cut otherwise.

use std::sync::Arc;

use wardflow_manifest::Column;

use super::Way;
use crate::detector::{
    Cost, Detector, DeviceFacts, Fault, FlowBatch, Gap, Instance, Opened, Report, Saved, SessionId, Stop, Values,
};

/// Every batch cut into ones of so many flows at most. The contract promises batches of 8,192 flows from the slice's start,
/// and nothing that a detector finds may hang on that.
#[derive(Clone, Copy, Debug)]
pub struct Cut(pub usize);

impl Way for Cut {
    fn instantiate(
        &self,
        detector: &Arc<dyn Detector>,
        sessions: usize,
        stop: &Stop,
    ) -> Result<Box<dyn Instance>, Fault> {
        let instance = detector.instantiate(sessions, stop)?;
        Ok(Box::new(CutInstance { instance, rows: self.0.max(1) }))
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

    fn said(&mut self) -> Vec<String> {
        self.instance.said()
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
